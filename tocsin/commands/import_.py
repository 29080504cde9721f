"""`tocsin import`: write a configuration from another tool's export, report what was kept, and prove both calendars."""

import tempfile
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import yaml

from tocsin.commands.archive import GO_ON, import_all
from tocsin.commands.incidents import NEEDS
from tocsin.commands.terminal import Length, as_json, print_json
from tocsin.config import loader
from tocsin.config.loader import ConfigError
from tocsin.config.settings import load
from tocsin.errors import Refusal
from tocsin.imports import grafana_oncall, opsgenie, pagerduty
from tocsin.imports.model import Export, ImportFault, Verdict
from tocsin.imports.proof import Difference, differences, spoken
from tocsin.imports.writing import Written, written

READERS: dict[str, ModuleType] = {"opsgenie": opsgenie, "pagerduty": pagerduty, "grafana-oncall": grafana_oncall}
TOCSIN = "tocsin"  # our own `export --all`
SIXTY_DAYS = timedelta(days=60)
SHOWN = 20  # differences that are listed; the rest is a count


@click.command("import")
@click.argument("source", type=click.Choice([*sorted(READERS), TOCSIN]))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--to", "output", type=click.Path(path_type=Path), default=Path("tocsin.yml"), show_default=True)
@click.option("--days", type=Length(), default=SIXTY_DAYS, metavar="LENGTH", help="How far to compare (default: 60d).")
@click.option("--force", is_flag=True, help="Overwrite existing files.")
@as_json
def import_(source: str, file: Path, output: Path, days: timedelta, force: bool, as_json: bool) -> None:
    """Write a configuration and a policy from an export (a JSON file, a folder, or a ZIP archive).

    Reports what was kept, approximated and dropped, and compares both calendars; exit code 1 where they differ.
    With `tocsin` as the source: write what `tocsin export --all` wrote into an empty store.
    """
    if source == TOCSIN:
        count = import_all(file, load(NEEDS))
        if as_json:
            print_json({"source": TOCSIN, "records": count})
        else:
            click.echo(f"Imported {count} records. {GO_ON}")
        return
    policy = output.with_name(f"{output.stem}-policy.yml")
    for path in (output, policy):
        if path.exists() and not force:
            raise Refusal(f"{path} exists already. --force overwrites it, --to writes another file.")
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    try:
        export: Export = READERS[source].read(file)
    except ImportFault as fault:
        raise Refusal(str(fault)) from None
    made = written(export, f"./{policy.name}", now)
    found = _prove_and_write(export, made, output, policy, now, days)
    if as_json:
        print_json(_report(export, found) | {"config": str(output), "policy": str(policy)})
    else:
        click.echo("\n".join([*_lines(export, found, days), f"Written: {output} and {policy}."]))
        click.echo(f"Next: read both, then `tocsin check {output}`.")
    if found:
        raise click.exceptions.Exit(1)


def _prove_and_write(
    export: Export, made: Written, output: Path, policy: Path, now: datetime, days: timedelta
) -> list[Difference]:
    """Load what was made as a server would, compare the calendars, and only then put both files in their place."""
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".import-") as folder:
        config_draft, policy_draft = Path(folder, output.name), Path(folder, policy.name)
        config_draft.write_text(_yaml(made.config, f"Imported from {export.source}; `tocsin check` validates it."))
        policy_draft.write_text(_yaml(made.policy, f"Escalation rules, imported from {export.source}."))
        try:
            company = loader.load(config_draft).company
        except ConfigError as error:
            raise Refusal(
                f"What became of the export is no valid configuration; nothing was written.\n{error}"
            ) from None
        found = list(differences(export, made, company, now, days))
        config_draft.replace(output)
        policy_draft.replace(policy)
    return found


class _Plain(yaml.SafeDumper):
    """Writes what stands in two places twice: people who edit the file know no anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        """Ignore all of them."""
        return True


def _yaml(data: dict[str, Any], comment: str) -> str:
    text = yaml.dump(data, Dumper=_Plain, allow_unicode=True, sort_keys=False, width=120, default_flow_style=None)
    return f"# {comment}\n{text}"


def _report(export: Export, found: list[Difference]) -> dict[str, Any]:
    notes = {str(verdict): [_noted(n.what, n.why) for n in export.notes if n.verdict is verdict] for verdict in Verdict}
    return {"source": export.source, **notes, "differences": [asdict(d) for d in found]}


def _noted(what: str, why: str) -> str:
    return f"{what}: {why}" if why else what


def _lines(export: Export, found: list[Difference], days: timedelta) -> list[str]:
    counts = Counter(note.verdict for note in export.notes)
    lines = [f"{export.source}: {', '.join(f'{counts[v]} {v}' for v in Verdict)}."]
    for verdict in (Verdict.APPROXIMATED, Verdict.DROPPED, Verdict.KEPT):
        lines += [f"  {verdict}: {_noted(n.what, n.why)}" for n in export.notes if n.verdict is verdict]
    if not found:
        dropped = any(n.verdict is Verdict.DROPPED and n.what.startswith("schedule ") for n in export.notes)
        apart = ", apart from what was dropped" if dropped else ""
        said = f"Both calendars say the same for {days.days} days, and around the next clock changes{apart}."
        return [*lines, said]
    more = [f"  and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    return [*lines, "The calendars differ:", *(f"  {spoken(d)}" for d in found[:SHOWN]), *more]
