"""Incidents and rotations from the terminal. A private incident is its members' alone: only its id is seen."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import click
import redis

from escalation.config.company import Company, Directory
from escalation.engine.upcoming import Upcoming, upcoming
from escalation.errors import NotFound
from escalation.incident.model import Incident
from escalation.oncall import schedule
from escalation.oncall.roster import roster, unasked
from escalation.oncall.schedule import NOTHING_ARRANGED, Away, OncallState
from escalation.storage.store import Store
from tocsin.commands import output
from tocsin.commands.terminal import as_json, print_json, print_table
from tocsin.config import loader
from tocsin.config.settings import Settings, load
from tocsin.errors import Refusal
from tocsin.run import embedded
from tocsin.run import redis as server

HORIZON = timedelta(days=366)
SOON = timedelta(days=30)
HANDOVERS = 3  # that are shown
UNSEEN = "Overrides, absences and calendars were not looked at: no running Tocsin answers here (see REDIS_URL)."
NEEDS = ("REDIS_URL", "TOCSIN_DATA", "TOCSIN_CONFIG")


def open_store(settings: Settings) -> Store:
    """The store of the running instance; Refusal when there is none to be found."""
    if settings.redis_url is None and not embedded.running(settings.data):
        raise Refusal(
            f"No Tocsin runs on {settings.data}, and REDIS_URL is not set. "
            "Start one with `tocsin run` (or `make run`), or say where it is with REDIS_URL or TOCSIN_DATA."
        )
    return server.read_only_store(server.connect(settings))


@click.command("list")
@click.option("--all", "everything", is_flag=True, help="Closed ones too: the latest 50.")
@as_json
def list_(everything: bool, as_json: bool) -> None:
    """Open incidents, the newest first."""
    store = open_store(load(NEEDS))
    found = store.recent(50) if everything else store.open_incidents()
    names = store.directory().names
    if as_json:
        print_json([output.summary(i) for i in found])
    elif not found:
        click.echo("No incidents yet." if everything else "No open incidents.")
    else:
        print_table(
            ("id", "severity", "status", "since", "acknowledged", "title"), [output.row(i, names) for i in found]
        )


@click.command()
@click.argument("incident_id", metavar="ID")
@as_json
def show(incident_id: str, as_json: bool) -> None:
    """One incident and what fires next. With its whole timeline."""
    settings = load(NEEDS)
    store = open_store(settings)
    incident = find(store, incident_id)
    ahead = _ahead(store, incident, loader.load(settings.config).company)
    if as_json:
        print_json(output.facts(incident) | {"next": [output.foretold(u) for u in ahead]})
    else:
        click.echo("\n".join(output.told(incident, ahead, store.directory().names)))


@click.command()
@click.argument("incident_id", metavar="ID")
@click.option("--format", "form", type=click.Choice(["markdown", "json"]), default="markdown", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def export(incident_id: str, form: str, as_json: bool) -> None:
    """One incident as a document, to standard output."""
    store = open_store(load(NEEDS))
    incident = find(store, incident_id)
    if as_json or form == "json":
        print_json(output.facts(incident))
    else:
        click.echo(output.markdown(incident, store.directory().names))


@click.command()
@click.option(
    "--at", metavar="TIME", help="An instant like 2026-12-24T09:00; without an offset, in the company's zone."
)
@as_json
def oncall(at: str | None, as_json: bool) -> None:
    """Who is on call, the backup, the next handovers. Overrides, who is away, test pages, the other roles too."""
    settings = load(NEEDS)
    company = loader.load(settings.config).company
    instant = _instant(at, company) if at else datetime.now(UTC)
    arranged = arrangements(settings)
    found = on_duty(company, instant, arranged.duty)
    if as_json:
        print_json(found | {"arrangements": arranged.seen})
        return
    print_table(("role", "who"), [(role, ", ".join(who) or "nobody") for role, who in found["roles"].items()])
    click.echo("\n".join(output.on_call(found)))
    if not arranged.seen:
        click.echo(UNSEEN, err=True)


class Arrangements(NamedTuple):
    """What the running instance knows; `seen` False: none could be asked."""

    duty: OncallState
    directory: Directory
    seen: bool


def arrangements(settings: Settings) -> Arrangements:
    """Overrides, absences and feeds of the running instance, if there is one that answers."""
    try:
        store = open_store(settings)
        return Arrangements(store.duty(), store.directory(), True)
    except (Refusal, redis.RedisError):
        return Arrangements(NOTHING_ARRANGED, Directory(), False)


def on_duty(company: Company, at: datetime, duty: OncallState = NOTHING_ARRANGED) -> dict[str, Any]:
    """Roles and rotations at an instant, people by their keys (or group ids)."""
    keys = {entry.slack: key for key, entry in company.people.items() if entry.slack}
    held = roster(company, unasked(company), at, duty).holders
    return {
        "at": at.astimezone(UTC).isoformat(),
        "roles": {role: [keys.get(p, p) for p in held[role]] for role in company.roles},
        "rotations": {name: _rotation(name, company, duty, at) for name in company.rotations},
        "overrides": [o.model_dump(mode="json") for o in duty.overrides if o.ends > at],
        "away": [a.model_dump(mode="json") for a in _away(company, duty, at)],
    }


def _rotation(name: str, company: Company, duty: OncallState, at: datetime) -> dict[str, Any]:
    turn = schedule.shift_at(name, company, duty, at)
    people, backup = schedule.on_duty(name, company, duty, at), schedule.next_on_duty(name, company, duty, at)
    waiting = [t for t in duty.tests if (t.rotation, t.shift_start) == (name, turn.starts)]
    handovers = schedule.upcoming_shifts(name, company, duty, at, at + HORIZON)[1 : 1 + HANDOVERS]
    return {
        "on_call": people[0] if people else None,
        "people": people,
        "planned": turn.planned,
        "until": turn.ends.isoformat() if turn.ends else None,
        "next": backup[0] if backup else None,
        "backup": backup,
        "handovers": [{"at": t.starts.isoformat(), "people": t.people} for t in handovers],
        "test_page": waiting[-1].model_dump(mode="json") if waiting else None,
        "feed_error": duty.feeds[name].error if name in duty.feeds else "",
    }


def _away(company: Company, duty: OncallState, at: datetime) -> list[Away]:
    """Absences that last or begin before the next handovers are over."""
    return sorted(
        (a for a in schedule.absences(company, duty) if at < a.ends and a.starts < at + SOON), key=lambda a: a.starts
    )


def _instant(text: str, company: Company) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"'{text}' is not a time; write one like 2026-12-24T09:00", param_hint="--at"
        ) from None
    return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(company.timezone))).astimezone(UTC)


def find(store: Store, incident_id: str) -> Incident:
    """An incident that a terminal may show; Refusal when there is none, or when it is its members' alone."""
    try:
        incident = store.get(incident_id.strip().upper())
    except NotFound as missing:
        raise Refusal(f"{missing} `tocsin list --all` shows the latest.") from None
    if incident.private:
        raise Refusal(f"{incident.id} is a private incident: only its members see it, in its room in Slack.")
    return incident


def _ahead(store: Store, incident: Incident, company: Company) -> tuple[Upcoming, ...]:
    directory, duty = store.directory(), store.duty()
    return upcoming(incident, lambda at: roster(company, directory, at, duty))
