"""`tocsin alerts`: what came in from monitoring and what became of it; `try` says what a body would do."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from bot.alerts import sources
from bot.alerts.document import Unreadable
from bot.alerts.source import Received
from bot.alerts.sources import ALL_SOURCES
from escalation.alerts.alert import Alert
from escalation.alerts.routing import Routed, routed
from escalation.incident.false_alarms import RATE_OVER, false_alarms
from escalation.search.rows import alert_row
from escalation.search.selection import ALERTS, Selection
from escalation.storage.intake import Intake, Outcome
from escalation.storage.store import Store
from escalation.times import format_duration
from tocsin.commands.filters import parse_filters
from tocsin.commands.incidents import NEEDS, open_store
from tocsin.commands.terminal import Length, as_json, print_json, print_table
from tocsin.config import loader
from tocsin.config.settings import Settings, load
from tocsin.errors import Refusal

DAY = timedelta(days=1)


@click.group(invoke_without_command=True)
@click.option("--severity", metavar="P0,P1", help="Only of these severities.")
@click.option("--service", metavar="S", help="Only those that joined an incident of this service.")
@click.option("--source", metavar="S", help="Only from this source.")
@click.option("--from", "from_", metavar="DAY", help="Since a day like 2026-11-30, a month, or so long ago, like 7d.")
@click.option("--to", metavar="DAY", help="Until the end of a day or month.")
@click.option("--last", type=Length(), default=DAY, metavar="D", help="How far to look back: 1h, 7d (default: 1d).")
@click.option("--dropped", is_flag=True, help="Only what was dropped, left out or could not be read.")
@as_json
@click.pass_context
def alerts(context: click.Context, /, last: timedelta, dropped: bool, as_json: bool, **filters: str | None) -> None:
    """List the alerts that came in and what became of each, the newest first."""
    if context.invoked_subcommand:
        return
    settings = load(NEEDS)
    store = open_store(settings)
    selection = _selection(settings, store, {name.strip("_"): value for name, value in filters.items() if value})
    found = Intake(store.redis, lambda pipe, members: None).log(selection.since or store.now() - last)
    shown = [o for o in _matching(store, found, selection) if o.dropped or not dropped]
    if as_json:
        print_json([asdict(outcome) for outcome in shown])
        return
    if not shown:
        none = f"No alerts{' were dropped' if dropped else ''} in the last {format_duration(last)}."
        click.echo(none if selection == Selection() else "No alert matches.")
    else:
        print_table(("time", "source", "severity", "alert", "result", "incident"), [_row(o) for o in shown])
    since = store.now() - RATE_OVER
    for row in false_alarms(store.declared_since(since), since):
        if row.closed:
            share = f"{row.false} of {row.closed} closed incidents of the last {format_duration(RATE_OVER)}"
            click.echo(f"False alarms, {row.source}: {share} ({row.rate:.0%}).")


def _selection(settings: Settings, store: Store, filters: dict[str, str]) -> Selection:
    """Read the options as the filters that they are. Refusal for a wrong one."""
    if not filters:
        return Selection()
    typed = " ".join(f"{name}:{value}" for name, value in filters.items())
    return parse_filters(typed, loader.load(settings.config).company, store, ALERTS, ALL_SOURCES)[0]


def _matching(store: Store, outcomes: list[Outcome], selection: Selection) -> list[Outcome]:
    """Leave what is asked for; of a private incident nobody reads here which service it is of."""
    if selection == Selection():
        return outcomes
    ids = list(dict.fromkeys(o.incident for o in outcomes if o.incident))
    known = {incident.id: incident for incident in store.read(ids) if not incident.private}
    return [o for o in outcomes if selection.takes(alert_row(o.at, o.severity, o.source, known.get(o.incident)))]


def _row(outcome: Outcome) -> tuple[str, ...]:
    at = f"{datetime.fromtimestamp(outcome.at, UTC):%Y-%m-%d %H:%M:%S}"
    about = outcome.title or f"(body {outcome.body})"
    return at, outcome.source, outcome.severity, about, outcome.result, outcome.incident


@alerts.command("try")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--source", required=True, type=click.Choice(sorted(ALL_SOURCES)), help="Who would send it.")
@as_json
def try_(file: Path, source: str, as_json: bool) -> None:
    """Say what a body would do, without doing it. Exit code 1 if it cannot be read."""
    loaded = loader.load(load(("TOCSIN_CONFIG",)).config)
    company, levels = loaded.company, loaded.policy.severities
    try:
        parsed = sources.parsed(ALL_SOURCES[source], Received(file.read_bytes()), company.alerts)
    except Unreadable as error:
        raise Refusal(f"{file} is no body of {ALL_SOURCES[source].title}: {error}.") from None
    routes = [(alert, routed(alert, company.alerts, company.services, levels)) for alert in parsed.alerts]
    if as_json:
        print_json([_data(alert, how) for alert, how in routes])
    elif not routes:
        click.echo(f"No alert: {parsed.refused or parsed.note or 'the list is empty'}.")
    else:
        print_table(("alert", "state", "severity", "service", "what happens"), [_try_row(a, r) for a, r in routes])


def _try_row(alert: Alert, how: Routed) -> tuple[str, ...]:
    severity = f"{how.severity}{' (assumed)' if how.assumed else ''}"
    return alert.title, alert.state, severity, how.service or "-", _what_happens(how)


def _what_happens(how: Routed) -> str:
    if how.dropped:
        return f"dropped: {how.dropped}"
    if how.hold:
        return "held: it waits for somebody to promote it"
    after = f" if it still fires after {format_duration(how.wait)}" if how.wait else ""
    return f"declares, or joins, the incident of: {how.group}{after}"


def _data(alert: Alert, how: Routed) -> dict[str, Any]:
    return {"alert": alert.model_dump(mode="json"), "route": how.model_dump(mode="json")}
