"""`tocsin check`: a configuration against its policy."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from escalation.oncall.coverage import Gap, gaps
from escalation.times import parse_duration
from tocsin.commands import output
from tocsin.commands.incidents import UNSEEN, arrangements
from tocsin.commands.terminal import as_json, print_json
from tocsin.config import loader
from tocsin.config.loader import ConfigError, Finding
from tocsin.config.settings import load


def _length(_: click.Context, __: click.Parameter, text: str | None) -> timedelta | None:
    try:
        return parse_duration(text) if text else None
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "--coverage",
    "window",
    metavar="LENGTH",
    callback=_length,
    help="Show that every tier of every severity has somebody at every instant of so long, like 90d; else when not.",
)
@as_json
def check(file: Path | None, window: timedelta | None, as_json: bool) -> None:
    """Validate a configuration. FILE, or TOCSIN_CONFIG: file, line, what is wrong, what would be right."""
    path = file or load(("TOCSIN_CONFIG",)).config
    errors, warnings = findings(path)
    covered = coverage(path, window) if window and not errors else None
    if as_json:
        report = {"file": str(path), "ok": not errors, "errors": _rows(errors), "warnings": _rows(warnings)}
        print_json(report | ({"coverage": covered.facts()} if covered else {}))
    else:
        click.echo("\n".join(told(path, errors, warnings) + (covered.told() if covered else [])))
    if errors or (covered and covered.gaps):
        raise click.exceptions.Exit(1)


@dataclass(frozen=True)
class Coverage:
    """What was found between two instants. `seen`: overrides, absences and calendars could be looked at."""

    start: datetime
    end: datetime
    gaps: tuple[Gap, ...]
    seen: bool

    def told(self) -> list[str]:
        span = f"from {self.start:%Y-%m-%d %H:%M} until {self.end:%Y-%m-%d %H:%M} UTC"
        verdict = [] if self.gaps else [f"covered: every tier of every severity has somebody at every instant {span}."]
        return [*output.coverage(self.gaps), *verdict, *([] if self.seen else [UNSEEN])]

    def facts(self) -> dict[str, Any]:
        return {
            "from": self.start.isoformat(),
            "until": self.end.isoformat(),
            "covered": not self.gaps,
            "arrangements": self.seen,
            "gaps": [gap.model_dump(mode="json") for gap in self.gaps],
        }


def coverage(path: Path, window: timedelta) -> Coverage:
    """Look at all turns from now on, with what the running instance knows of overrides and absences."""
    loaded = loader.load(path)
    start = datetime.now(UTC)
    known = arrangements(load(("REDIS_URL", "TOCSIN_DATA")))
    found = gaps(loaded.company, loaded.policy, known.duty, start, start + window, known.directory)
    return Coverage(start, start + window, found, known.seen)


def findings(path: Path) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """What is wrong with a configuration (a severity that pages nobody at first included), and what is worth a look."""
    try:
        loaded = loader.load(path)
    except ConfigError as error:
        return error.findings, ()
    return loaded.gaps, loaded.warnings


def told(path: Path, errors: tuple[Finding, ...], warnings: tuple[Finding, ...]) -> list[str]:
    """The findings as lines, and a verdict."""
    lines = [*map(str, errors), *(f"{w.file}:{w.line}: warning: {w.text}" for w in warnings)]
    count = f"{len(errors)} {'thing is' if len(errors) == 1 else 'things are'} wrong"
    return [*lines, f"{path}: {count}." if errors else f"{path} is fine."]


def _rows(found: tuple[Finding, ...]) -> list[dict[str, Any]]:
    return [f._asdict() for f in found]
