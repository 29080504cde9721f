"""Incidents and rotations from the terminal. A private incident is its members' alone: only its id is seen."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import click

from escalation.checkpoints import Upcoming, upcoming
from escalation.company import Company, Directory, roster
from escalation.incident import Incident
from escalation.store import NotFound, Store
from tocsin import config, embedded, rendering, server
from tocsin.settings import Settings, load
from tocsin.terminal import Refusal, as_json, print_json, print_table

NEEDS = ("REDIS_URL", "TOCSIN_DATA", "TOCSIN_CONFIG")


def open_store(settings: Settings) -> Store:
    """The store of the running instance; Refusal when there is none to be found."""
    if settings.redis_url is None and not embedded.running(settings.data):
        raise Refusal(
            f"No Tocsin runs on {settings.data}, and REDIS_URL is not set. "
            "Start one with `tocsin run` (or `make run`), or say where it is with REDIS_URL or TOCSIN_DATA."
        )
    return server.reading(server.connect(settings))


@click.command("list")
@click.option("--all", "everything", is_flag=True, help="Closed ones too: the latest 50.")
@as_json
def list_(everything: bool, as_json: bool) -> None:
    """Open incidents, the newest first."""
    store = open_store(load(NEEDS))
    found = store.recent(50) if everything else store.open_incidents()
    names = store.directory().names
    if as_json:
        print_json([rendering.summary(i) for i in found])
    elif not found:
        click.echo("No incidents yet." if everything else "No open incidents.")
    else:
        print_table(
            ("id", "severity", "status", "since", "acknowledged", "title"), [rendering.row(i, names) for i in found]
        )


@click.command()
@click.argument("incident_id", metavar="ID")
@as_json
def show(incident_id: str, as_json: bool) -> None:
    """One incident and what fires next. With its whole timeline."""
    settings = load(NEEDS)
    store = open_store(settings)
    incident = find(store, incident_id)
    ahead = _ahead(store, incident, config.load(settings.config).company)
    if as_json:
        print_json(rendering.facts(incident) | {"next": [rendering.foretold(u) for u in ahead]})
    else:
        click.echo("\n".join(rendering.told(incident, ahead, store.directory().names)))


@click.command()
@click.argument("incident_id", metavar="ID")
@click.option("--format", "form", type=click.Choice(["markdown", "json"]), default="markdown", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def export(incident_id: str, form: str, as_json: bool) -> None:
    """One incident as a document, to standard output."""
    store = open_store(load(NEEDS))
    incident = find(store, incident_id)
    if as_json or form == "json":
        print_json(rendering.facts(incident))
    else:
        click.echo(rendering.markdown(incident, store.directory().names))


@click.command()
@click.option(
    "--at", metavar="TIME", help="An instant like 2026-12-24T09:00; without an offset, in the company's zone."
)
@as_json
def oncall(at: str | None, as_json: bool) -> None:
    """Who is on call, and the next handover. Backup and the other roles too."""
    company = config.load(load(("TOCSIN_CONFIG",)).config).company
    instant = _instant(at, company) if at else datetime.now(UTC)
    duty = on_duty(company, instant)
    if as_json:
        print_json(duty)
        return
    print_table(("role", "who"), [(role, ", ".join(who) or "nobody") for role, who in duty["roles"].items()])
    for name, turn in duty["rotations"].items():
        until = f"{datetime.fromisoformat(turn['until']):%A %Y-%m-%d %H:%M} UTC"
        click.echo(f"Rotation {name}: {turn['on_call']} until {until}, then {turn['next']}.")


def on_duty(company: Company, at: datetime) -> dict[str, Any]:
    """Roles and rotations at an instant, people by their keys (or group ids)."""
    keys = {entry.slack: key for key, entry in company.people.items() if entry.slack}
    groups = {h.group: (f"group {h.group}",) for holders in company.roles.values() for h in holders if h.group}
    held = roster(company, Directory(groups=groups), at).holders
    shifts = {name: (r.shift(at), r.next_on_call(at)) for name, r in company.rotations.items()}
    return {
        "at": at.astimezone(UTC).isoformat(),
        "roles": {role: [keys.get(p, p) for p in who] for role, who in held.items()},
        "rotations": {
            name: {"on_call": shift.person, "until": shift.ends.isoformat(), "next": following}
            for name, (shift, following) in shifts.items()
        },
    }


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
    directory = store.directory()
    return upcoming(incident, lambda at: roster(company, directory, at))
