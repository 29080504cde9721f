"""`tocsin list`, `search`, `show`, `export` and `oncall`. Of a private incident a terminal shows only the id."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import click
import redis

from escalation.config.company import Company, Directory
from escalation.engine.upcoming import Upcoming, upcoming
from escalation.errors import NotFound
from escalation.incident.model import Incident
from escalation.incident.tickets import in_listed_order
from escalation.oncall import schedule
from escalation.oncall.roster import assumed_directory, roster
from escalation.oncall.schedule import EMPTY_STATE, Away, OncallState
from escalation.search.selection import INCIDENTS, Selection, listed
from escalation.storage.search.documents import Search
from escalation.storage.store import Store
from tocsin.commands import output
from tocsin.commands.archive import at_rest, export_all, started
from tocsin.commands.filters import parse_filters
from tocsin.commands.terminal import as_json, print_json, print_table
from tocsin.config import loader
from tocsin.config.settings import Settings, load
from tocsin.errors import Refusal
from tocsin.run import embedded
from tocsin.run import redis as server

HANDOVER_HORIZON = timedelta(days=366)
AWAY_HORIZON = timedelta(days=30)
MAX_HANDOVERS = 3  # shown for each rotation
NO_ARRANGEMENTS = (
    "Overrides, absences and calendars were not looked at: no running Tocsin answers here (see REDIS_URL)."
)
MAX_FOUND = 50
NEEDS = ("REDIS_URL", "TOCSIN_DATA", "TOCSIN_CONFIG")


def open_store(settings: Settings) -> Store:
    """Open the store of the running instance, read-only. Refusal when there is none."""
    if settings.redis_url is None and not embedded.running(settings.data):
        raise Refusal(
            f"No running Tocsin found for {settings.data}, and REDIS_URL is not set. "
            "Start one with `tocsin run` (or `make run`), or say where it is with REDIS_URL or TOCSIN_DATA."
        )
    return server.read_only_store(server.connect(settings))


@click.command("list")
@click.argument("filters", nargs=-1)
@click.option("--all", "include_closed", is_flag=True, help="Include closed ones: the latest 50.")
@as_json
def list_(filters: tuple[str, ...], include_closed: bool, as_json: bool) -> None:
    """List open incidents by severity, then by time; after them the closed ones, the newest first.

    FILTERS: severity:P0,P1 service:checkout owner:dana from:2026-11-01 to:2026-11-30 open closed
    """
    settings = load(NEEDS)
    store = open_store(settings)
    selection, rest = _selection(settings, store, " ".join(filters))
    if rest:
        raise click.UsageError(
            f"'{rest}' is no filter; there are {listed(INCIDENTS)}. `tocsin search {rest}` looks for words."
        )
    if selection == Selection():
        incidents = in_listed_order(store.recent(50) if include_closed else store.open_incidents())
    elif include_closed or selection.is_open is False:
        incidents = in_listed_order(store.read(_found(store, "", selection)[:MAX_FOUND]))
    else:
        still_open = {i.id for i in store.open_incidents()}
        incidents = in_listed_order(store.read([i for i in _found(store, "", selection) if i in still_open]))
    _print(store, incidents, as_json, "No incidents yet." if include_closed else "No open incidents.")


@click.command()
@click.argument("words", nargs=-1, required=True)
@as_json
def search(words: tuple[str, ...], as_json: bool) -> None:
    """Find incidents by their words, the best first: title, impact, cause, resolution, service. Private ones never.

    Among the WORDS may stand severity:P0,P1 service:checkout owner:dana from:2026-11 to:2026-11 open closed
    """
    settings = load(NEEDS)
    store = open_store(settings)
    selection, rest = _selection(settings, store, " ".join(words))
    incidents = store.read(_found(store, rest, selection, public=True)[:MAX_FOUND])
    _print(store, [i for i in incidents if not i.private], as_json, "Nothing found. Fewer words find more.")


def _selection(settings: Settings, store: Store, typed: str) -> tuple[Selection, str]:
    """Parse the filters among the words. Refusal for a wrong one."""
    if not typed:
        return Selection(), ""
    return parse_filters(typed, loader.load(settings.config).company, store)


def _found(store: Store, words: str, selection: Selection, public: bool = False) -> list[str]:
    # Of a private one nobody reads here which service it is of, and whose.
    public = public or bool(selection.services or selection.owners)
    with Search(store) as index:
        found = index.search(words, lambda d: selection.takes(d) and not (public and d.private))
        return [d.id for d in found]


def _print(store: Store, incidents: Sequence[Incident], as_json: bool, none: str) -> None:
    if as_json:
        print_json([output.summary(i) for i in incidents])
    elif not incidents:
        click.echo(none)
    else:
        names = store.directory().names
        columns = ("id", "severity", "status", "since", "acknowledged", "title")
        print_table(columns, [output.row(i, names) for i in incidents])


@click.command()
@click.argument("incident_id", metavar="ID")
@as_json
def show(incident_id: str, as_json: bool) -> None:
    """Show one incident: its next escalations and whole timeline."""
    settings = load(NEEDS)
    store = open_store(settings)
    incident = find(store, incident_id)
    ahead = _upcoming(store, incident, loader.load(settings.config).company)
    if as_json:
        print_json(output.incident_data(incident) | {"next": [output.upcoming_data(u) for u in ahead]})
    else:
        click.echo("\n".join(output.incident_lines(incident, ahead, store.directory().names)))


@click.command()
@click.argument("incident_id", metavar="[ID]", required=False)
@click.option("--all", "whole", is_flag=True, help="Export the whole record, for `tocsin import tocsin`.")
@click.option("--to", type=click.Path(path_type=Path), metavar="FILE", help="With --all: write it to a new file.")
@click.option("--format", "form", type=click.Choice(["markdown", "json"]), default="markdown", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Same as --format json.")
def export(incident_id: str | None, whole: bool, to: Path | None, form: str, as_json: bool) -> None:
    """Export one incident as a document, or with --all everything as JSON Lines, private incidents too."""
    if whole == bool(incident_id) or (to and not whole):
        raise click.UsageError("Say which incident, or --all for everything; --to goes with --all.")
    settings = load(NEEDS)
    if incident_id is None and at_rest(settings):
        with started(settings) as redis:
            export_all(redis, to)
        return
    store = open_store(settings)
    if incident_id is None:
        export_all(store.redis, to)
        return
    incident = find(store, incident_id)
    if as_json or form == "json":
        print_json(output.incident_data(incident))
    else:
        click.echo(output.markdown(incident, store.directory().names))


@click.command()
@click.option(
    "--at",
    metavar="TIME",
    help="A time like 2026-12-24T09:00; without an offset, in the company's time zone (default: now).",
)
@click.option(
    "--weeks",
    type=click.IntRange(1, 52),
    default=4,
    show_default=True,
    help="Show the schedule for so many weeks, with overrides, swaps and absences applied.",
)
@as_json
def oncall(at: str | None, weeks: int, as_json: bool) -> None:
    """Show who is on call, the backups and the schedule ahead. Also overrides, absences, test pages and other roles."""
    settings = load(NEEDS)
    company = loader.load(settings.config).company
    instant = _instant(at, company) if at else datetime.now(UTC)
    arranged = arrangements(settings)
    state = oncall_data(company, instant, arranged.state, timedelta(weeks=weeks))
    if as_json:
        print_json(state | {"arrangements": arranged.available})
        return
    print_table(("role", "who"), [(role, ", ".join(who) or "nobody") for role, who in state["roles"].items()])
    click.echo("\n".join(output.oncall_lines(state)))
    if not arranged.available:
        click.echo(NO_ARRANGEMENTS, err=True)


class Arrangements(NamedTuple):
    """Overrides, absences and calendars of the running instance; `available` is false if there is none."""

    state: OncallState
    directory: Directory
    available: bool


def arrangements(settings: Settings) -> Arrangements:
    """Read the arrangements of the running instance; empty ones when none answers."""
    try:
        store = open_store(settings)
        return Arrangements(store.oncall_state(), store.directory(), True)
    except (Refusal, redis.RedisError):
        return Arrangements(EMPTY_STATE, Directory(), False)


def oncall_data(
    company: Company, at: datetime, state: OncallState = EMPTY_STATE, ahead: timedelta = timedelta(weeks=4)
) -> dict[str, Any]:
    """Roles and rotations at an instant, for scripts. People by their keys (or group ids)."""
    keys = {entry.slack: key for key, entry in company.people.items() if entry.slack}
    holders = roster(company, assumed_directory(company), at, state).holders
    return {
        "at": at.astimezone(UTC).isoformat(),
        "roles": {role: [keys.get(p, p) for p in holders[role]] for role in company.roles},
        "rotations": {name: _rotation(name, company, state, at) for name in company.rotations},
        "schedule": {name: _schedule(name, company, state, at, at + ahead) for name in company.rotations},
        "overrides": [o.model_dump(mode="json") for o in state.overrides if o.ends > at],
        "away": [a.model_dump(mode="json") for a in _away(company, state, at)],
    }


def _rotation(name: str, company: Company, state: OncallState, at: datetime) -> dict[str, Any]:
    shift = schedule.shift_at(name, company, state, at)
    people, backup = schedule.on_call_at(name, company, state, at), schedule.next_on_call(name, company, state, at)
    test_pages = [t for t in state.tests if (t.rotation, t.shift_start) == (name, shift.starts)]
    handovers = schedule.upcoming_shifts(name, company, state, at, at + HANDOVER_HORIZON)[1 : 1 + MAX_HANDOVERS]
    feed = state.feeds.get(name, schedule.Feed(rotation=name))
    return {
        "on_call": people[0] if people else None,
        "people": people,
        "planned": shift.planned,
        "until": shift.ends.isoformat() if shift.ends else None,
        "next": backup[0] if backup else None,
        "backup": backup,
        "handovers": [{"at": t.starts.isoformat(), "people": t.people} for t in handovers],
        "test_page": test_pages[-1].model_dump(mode="json") if test_pages else None,
        "feed_error": feed.error,
        "feed_problems": feed.problems,
        "feed_notes": feed.notes,
    }


def _schedule(name: str, company: Company, state: OncallState, at: datetime, until: datetime) -> list[dict[str, Any]]:
    """The shifts of a rotation as they result; `override` is the number of the override that holds at their start."""
    shifts = schedule.upcoming_shifts(name, company, state, at, until)
    holding = [schedule.override_at(name, company, state, max(s.starts, at)) for s in shifts]
    return [
        s.model_dump(mode="json", exclude={"rotation"}) | {"override": override.id if override else None}
        for s, override in zip(shifts, holding, strict=True)
    ]


def _away(company: Company, state: OncallState, at: datetime) -> list[Away]:
    """Absences that are under way or begin within AWAY_HORIZON, by their start."""
    return sorted(
        (a for a in schedule.absences(company, state) if at < a.ends and a.starts < at + AWAY_HORIZON),
        key=lambda a: a.starts,
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
    """Look up an incident. Refusal when there is none, or when it is private."""
    try:
        incident = store.get(incident_id.strip().upper())
    except NotFound as missing:
        raise Refusal(f"{missing} `tocsin list --all` shows the latest.") from None
    if incident.private:
        raise Refusal(f"{incident.id} is private. Only its responders can view it, in its channel in Slack.")
    return incident


def _upcoming(store: Store, incident: Incident, company: Company) -> tuple[Upcoming, ...]:
    directory, state = store.directory(), store.oncall_state()
    return upcoming(incident, lambda at: roster(company, directory, at, state))
