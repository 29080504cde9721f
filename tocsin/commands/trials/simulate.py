"""`tocsin simulate`: show who would be paged, notified and reminded, when and why, without sending anything."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import click

from bot.render.mrkdwn import plain
from escalation.config.company import Company, Directory
from escalation.config.notify import Via
from escalation.config.policy import Severity
from escalation.config.references import suggest
from escalation.errors import Refused
from escalation.incident.state.facts import Facts
from escalation.notify.methods import PERSONAL
from escalation.oncall.roster import assumed_directory
from escalation.service import severity_of
from escalation.simulation import Row, Simulation, Step, endless_reminders, simulate_for, simulated_facts
from escalation.text import people
from escalation.times import format_duration, local_instant
from tocsin.commands import output
from tocsin.commands.incidents import NEEDS, NO_ARRANGEMENTS, Arrangements, arrangements
from tocsin.commands.terminal import Length, as_json, print_json, print_table
from tocsin.config import loader
from tocsin.config.settings import load, read
from tocsin.run.channels import set_up

_FACTS = {
    "security": "Treat it as a security incident.",
    "outage": "Treat it as an outage.",
    "major_impact": "Treat it as having major impact.",
    "data_loss": "Treat it as a data loss.",
}
_STEPS = {
    Step.ACK: "Acknowledge it",
    Step.ROOT_CAUSE: "Find the root cause",
    Step.WORKAROUND: "Apply a workaround",
    Step.FIX: "Apply a fix",
    Step.FIX_FAILS: "Have the fix fail",
    Step.RESOLVE: "Resolve it",
}


class Severities(click.ParamType[Severity]):
    """Argument type of a severity: `P0` or `p0` -> Severity."""

    name = "severity"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Severity:
        """Parse a severity; a usage error when there is none of that name."""
        try:
            return Severity(str(value).upper())
        except ValueError:
            self.fail(f"'{value}' is not a severity; write {', '.join(Severity)}", param, ctx)


def _with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options for the facts of the incident and for what people do and when."""
    for fact, text in reversed(_FACTS.items()):
        command = click.option(f"--{fact.replace('_', '-')}", fact, is_flag=True, help=text)(command)
    for step, text in reversed(_STEPS.items()):
        name = f"--{step}-after"
        command = click.option(name, step.name, type=Length(), metavar="D", help=f"{text} this long after the start.")(
            command
        )
    return command


@click.command("simulate")
@click.argument("severity", type=Severities(), metavar="SEVERITY")
@click.option(
    "--at", metavar="TIME", help="When it is declared: 2026-12-24 03:00, tomorrow, monday 09:00 (default: now)."
)
@click.option("--service", default="", metavar="NAME", help="The affected service.")
@_with_options
@click.option("--until", type=Length(), metavar="D", help="Stop after this long (default: when nothing new is ahead).")
@as_json
def simulate_(
    severity: Severity, at: str | None, service: str, until: timedelta | None, as_json: bool, **options: Any
) -> None:
    """Show who would be paged, notified and reminded, when and why. Nothing is sent; TOCSIN_SPEED is ignored."""
    settings = load(NEEDS)
    loaded, arranged = loader.load(settings.config), arrangements(settings)
    company, directory = loaded.company, _directory(loaded.company, arranged)
    start = _instant(at, company)
    facts = _facts(company, service, {fact for fact in _FACTS if options[fact]})
    script = {step: options[step.name] for step in Step if options[step.name]}
    try:
        policy = severity_of(loaded.policy, severity)
        simulation = simulate_for(company, policy, facts, start, directory, arranged.state, script, until, _channels())
    except Refused as refused:
        raise click.UsageError(plain(refused.words, _names(company, arranged))) from None
    _show(simulation, company, arranged, as_json=as_json)


def _directory(company: Company, arranged: Arrangements) -> Directory:
    return arranged.directory if arranged.available else assumed_directory(company)


def _channels() -> frozenset[Via]:
    """Return the channels beside Slack that are set up; where none is, those that a configuration may have."""
    return set_up(read()[0]) or frozenset(PERSONAL)


def _instant(text: str | None, company: Company) -> datetime:
    now = datetime.now(UTC)
    try:
        return local_instant(text, company.timezone, now) if text else now.replace(microsecond=0)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--at") from None


def _facts(company: Company, service: str, stated: set[str]) -> Facts:
    if service and service not in company.services:
        hint = suggest(service, set(company.services)) or "; the configuration lists none"
        raise click.BadParameter(f"there is no service called '{service}'{hint}", param_hint="--service")
    return simulated_facts(service, stated)


# Output --------------------------------------------------------------------------------------------------------------


def _names(company: Company, arranged: Arrangements) -> dict[str, str]:
    """Member id -> name in the workspace, else key in the configuration."""
    directory = _directory(company, arranged)
    return {company.member(key, directory): key for key in company.people} | directory.names


def _show(simulation: Simulation, company: Company, arranged: Arrangements, *, as_json: bool) -> None:
    if as_json:
        print_json(_as_data(simulation, company, arranged))
        return
    names = _names(company, arranged)
    zone = ZoneInfo(company.timezone)
    print_table(
        (f"time ({company.timezone})", "after", "what", "whom", "why", "unless"),
        [_cells(row, zone, names) for row in simulation.rows],
    )
    click.echo("\n".join(_tail(simulation, zone, names)))
    if not arranged.available:
        click.echo(NO_ARRANGEMENTS, err=True)


def _cells(row: Row, zone: ZoneInfo, names: output.Names) -> tuple[str, ...]:
    local = f"{row.at.astimezone(zone):%Y-%m-%d %H:%M:%S}"
    whom = plain(row.whom(), names)
    return local, f"+{format_duration(row.after)}", row.what, whom, row.why, " or ".join(row.unless)


def _tail(simulation: Simulation, zone: ZoneInfo, names: output.Names) -> list[str]:
    """Lines about what follows the last row."""
    if not simulation.ahead:
        return ["End of simulation."]
    if simulation.cycle:
        return [
            f"And so on, until somebody acts: {line}."
            for line in endless_reminders(simulation.incident, _kinds(simulation))
        ]
    ahead = [
        f"  {u.due.astimezone(zone):%Y-%m-%d %H:%M:%S}  {u.why}{_whom(u.people or u.notified, names)}"
        for u in simulation.ahead
    ]
    return [f"Still ahead at {simulation.ends.astimezone(zone):%Y-%m-%d %H:%M:%S}:", *ahead]


def _whom(members: tuple[str, ...], names: output.Names) -> str:
    return f" → {plain(people(members), names)}" if members else ""


def _kinds(simulation: Simulation) -> set[Any]:
    return {u.kind for u in simulation.ahead}


def _as_data(simulation: Simulation, company: Company, arranged: Arrangements) -> dict[str, Any]:
    """The simulation for scripts. People by their keys, where the configuration lists them."""
    directory = _directory(company, arranged)
    keys = {company.member(key, directory): key for key in company.people}
    incident = simulation.incident
    return {
        "severity": incident.severity,
        "policy": company.policy,
        "at": incident.declared_at.isoformat(),
        "until": simulation.ends.isoformat(),
        "rows": [_row_data(row, keys) for row in simulation.rows],
        "ahead": [
            {"due": u.due.isoformat(), "why": u.why, "people": [keys.get(p, p) for p in u.people or u.notified]}
            for u in simulation.ahead
        ],
        "and_so_on": endless_reminders(incident, _kinds(simulation)) if simulation.cycle else (),
        "arrangements": arranged.available,
    }


def _row_data(row: Row, keys: dict[str, str]) -> dict[str, Any]:
    return {
        "at": row.at.isoformat(),
        "after_seconds": row.after.total_seconds(),
        "kind": row.kind,
        "what": row.what,
        "people": [keys.get(p, p) for p in row.people],
        "by": keys.get(row.by, row.by),
        "places": row.places,
        "why": row.why,
        "unless": row.unless,
    }
