"""`tocsin replay`: past incidents through a changed policy, and who would have been paged more, less or earlier."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import click

from escalation.config.company import DYNAMIC
from escalation.config.policy import Policy
from escalation.oncall.roster import Roster, roster
from escalation.replay.comparison import Comparison, Tally, compare
from escalation.times import format_duration
from tocsin.commands.incidents import NEEDS, open_store
from tocsin.commands.terminal import Length, as_json, print_json, print_table
from tocsin.config import loader
from tocsin.config.loader import Loaded
from tocsin.config.settings import load

DAYS_90 = timedelta(days=90)
SHOWN = 20  # ids in one line; the rest is a count
COLUMNS = ("", "pages", "more", "fewer", "earlier", "later", "repeats", "at night")


@click.command("replay")
@click.option(
    "--policy", required=True, metavar="FILE", help="The changed policy: a file, or a shipped one by its name."
)
@click.option("--last", type=Length(), default=DAYS_90, metavar="LENGTH", help="How far back (default: 90d).")
@as_json
def replay_(policy: str, last: timedelta, as_json: bool) -> None:
    """Replay past incidents by a changed policy, and show how its pages differ. Nothing is sent or stored.

    People do what they did, when they did it; who held which role is read from the record where it shows it.
    """
    settings = load(NEEDS)
    loaded, changed, store = loader.load(settings.config), loader.load_policy(policy), open_store(settings)
    company, directory, state, now = loaded.company, store.directory(), store.oncall_state(), store.now()

    def roster_at(at: datetime) -> Roster:
        return roster(company, directory, at, state)

    found = compare(store.declared_since(now - last), changed, roster_at, now, company.timezone)
    unheld = _unheld(changed, loaded)
    if as_json:
        print_json(_as_data(found) | {"policy": changed.name, "last_seconds": last.total_seconds(), "unheld": unheld})
    else:
        _show(found, changed, last, {**directory.names}, unheld)


def _as_data(found: Comparison) -> dict[str, Any]:
    """The comparison for scripts: lengths in seconds."""
    data = asdict(found)
    for tally in (*data["severities"].values(), *data["people"].values()):
        tally |= {side: [length.total_seconds() for length in tally[side]] for side in ("earlier", "later")}
    return data


def _unheld(policy: Policy, loaded: Loaded) -> list[str]:
    """Roles of the policy that nobody holds in the configuration: it would page nobody for them."""
    return [role for role in policy.roles if not loaded.company.roles.get(role) and role not in DYNAMIC]


def _show(found: Comparison, policy: Policy, last: timedelta, names: Mapping[str, str], unheld: list[str]) -> None:
    past = f"{found.replayed} {'incident' if found.replayed == 1 else 'incidents'} of the last {format_duration(last)}"
    if not found.replayed:
        click.echo(f"No incidents to replay in the last {format_duration(last)}.")
    elif not found.differing:
        click.echo(f"{past} by the policy {policy.name}: no page differs.")
    else:
        verb = "differs" if len(found.differing) == 1 else "differ"
        click.echo(f"{past} by the policy {policy.name}: {len(found.differing)} {verb} ({_listed(found.differing)}).")
        _table("severity", found.severities, {})
        _table("person", {p: t for p, t in found.people.items() if not t.same}, names)
    for note in _notes(found, policy, unheld):
        click.echo(note)


def _table(title: str, tallies: Mapping[str, Tally], names: Mapping[str, str]) -> None:
    click.echo()
    print_table((title, *COLUMNS[1:]), [(names.get(key, key), *_cells(tally)) for key, tally in tallies.items()])


def _cells(tally: Tally) -> tuple[str, ...]:
    return (
        _change(tally.before, tally.after),
        *(str(tally.more or "–"), str(tally.fewer or "–")),
        *(_by(tally.earlier), _by(tally.later)),
        _change(tally.repeats_before, tally.repeats_after),
        _change(tally.night_before, tally.night_after),
    )


def _change(before: int, after: int) -> str:
    return str(before) if before == after else f"{before} → {after}"


def _by(lengths: list[timedelta]) -> str:
    """How many, and by how much in the middle."""
    return f"{len(lengths)} by {format_duration(sorted(lengths)[len(lengths) // 2])}" if lengths else "–"


def _notes(found: Comparison, policy: Policy, unheld: list[str]) -> list[str]:
    """Lines about what the comparison cannot say."""
    notes = []
    if found.deviating:
        notes.append(
            f"Not replayed exactly as recorded, compared with their replay by their own policy: "
            f"{_listed(found.deviating)}."
        )
    if found.unplayable:
        notes.append(f"Left out, for {policy.name} lacks a severity that they had: {_listed(found.unplayable)}.")
    if found.refused:
        notes.append(
            f"{found.refused} times people did what {policy.name} would have refused; it counts as a sign of life."
        )
    if unheld:
        notes.append(f"Nobody holds these roles of {policy.name}, so they page nobody: {', '.join(unheld)}.")
    return notes


def _listed(ids: tuple[str, ...]) -> str:
    more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    return f"{', '.join(ids[:SHOWN])}{more}"
