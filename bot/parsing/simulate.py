"""Parser and answer of /incident simulate: whom an incident would page, notify and remind. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.deps import BotDeps
from escalation.config.company import Directory
from escalation.config.policy import Severity
from escalation.config.references import suggest
from escalation.config.rules.checkpoints import Said
from escalation.errors import Refused
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.facts import Facts
from escalation.oncall.schedule import OncallState
from escalation.simulation import Row, Simulation, Step, endless_reminders, simulate_for, simulated_facts
from escalation.text import Line, Strong, Time, line, text
from escalation.times import format_duration, local_instant, parse_duration

USAGE = "write it like `/incident simulate P0 at tomorrow 03:00 ack-after 20m resolve-after 3h outage`"
_DURATIONS = {f"{step}-after": step for step in Step}
_FLAGS = {fact.replace("_", "-"): fact for fact in Said}
_TAKES_VALUE = ("at", "service", "until", *_DURATIONS)
_OPTIONS = {*_TAKES_VALUE, *_FLAGS}
_DASHES = re.compile(r"^[-\u2013\u2014]+")  # Slack's clients turn -- into a long dash
# A message holds some 3,000 characters.
_MAX_SIZE = 2600
_OMITTED = (EntryKind.PHASE,)


@dataclass
class _Options:
    """Options of a command."""

    severity: Severity
    values: dict[str, str] = field(default_factory=dict)
    flags: set[Said] = field(default_factory=set)


def simulation_lines(
    deps: BotDeps, directory: Directory, state: OncallState, text: str, now: datetime
) -> tuple[Line, ...]:
    """Answer `simulate` with these words. Raises Refused, with a remedy, for invalid words."""
    options = _parse(text)
    company, policy = deps.company, deps.service.severity(options.severity)
    start = _start(options.values.get("at"), company.timezone, now)
    facts = _facts(options, set(company.services))
    script = {
        step: _duration(name, options.values[name]) for name, step in _DURATIONS.items() if name in options.values
    }
    until = _duration("until", options.values["until"]) if "until" in options.values else None
    simulation = simulate_for(company, policy, facts, start, directory, state, script, until, deps.service.set_up)
    return _fit([_heading(simulation), *_body(simulation)], _footer(simulation))


# Parsing -----------------------------------------------------------------------------------------------------------


def _parse(text: str) -> _Options:
    first, *rest = text.split() or [""]
    if first.upper() not in list(Severity):
        problem = f"'{first}' is not a severity" if first else "Say which severity"
        raise Refused(f"{problem}; {USAGE}.")
    options, option = _Options(Severity(first.upper())), ""
    for word in rest:
        name = _DASHES.sub("", word).lower().replace("_", "-")
        if name in _FLAGS:
            options.flags.add(_FLAGS[name])
            option = ""
        elif name in _TAKES_VALUE:
            option = name
            options.values[option] = ""
        elif option:
            options.values[option] = f"{options.values[option]} {word}".strip()
        else:
            raise Refused(f"'{word}' is not known here{suggest(name, _OPTIONS)}; {USAGE}.")
    return options


def _start(text: str | None, zone: str, now: datetime) -> datetime:
    try:
        return now if text is None else local_instant(text, zone, now)
    except ValueError as error:
        raise Refused(f"at: {error}.") from None


def _duration(name: str, text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise Refused(f"{name}: {error}.") from None


def _facts(options: _Options, services: set[str]) -> Facts:
    service = options.values.get("service", "")
    if "service" in options.values and service not in services:
        raise Refused(f"There is no service called '{service}'{suggest(service, services)}.")
    return simulated_facts(service, options.flags)


# Answer -------------------------------------------------------------------------------------------------------------


def _heading(simulation: Simulation) -> Line:
    incident = simulation.incident
    what = Strong(f"A {incident.severity} ({incident.policy.name})")
    return line("🔮 ", what, " declared at ", Time(incident.declared_at, clock=False), ". Nothing is sent.")


def _body(simulation: Simulation) -> Iterator[Line]:
    for row in simulation.rows:
        reaches_nobody = row.kind is EntryKind.CHECKPOINT and not row.places
        if row.kind not in _OMITTED and not reaches_nobody:
            yield _row(row)


def _row(row: Row) -> Line:
    unless = f" (unless {' or '.join(row.unless)})" if row.unless else ""
    why = f" — {row.why}" if row.why else ""
    return line(Strong(f"+{format_duration(row.after)}"), f" {row.what}: ", *row.whom(), why, unless)


def _footer(simulation: Simulation) -> Line:
    if not simulation.ahead:
        return ("End of simulation.",)
    if simulation.cycle:
        repeated = "; ".join(endless_reminders(simulation.incident, {u.kind for u in simulation.ahead}))
        return (f"And so on, until somebody acts: {repeated}.",)
    next_one = simulation.ahead[0]
    return line("Next after that, at ", Time(next_one.due, clock=False), f": {next_one.why}.")


def _fit(lines: list[Line], end: Line) -> tuple[Line, ...]:
    """Keep as many lines as a message holds, and say how many are missing."""
    shown, size = list[Line](), 0
    for one in lines:
        size += len(text([one])) + 20  # mentions and marks take more than their text
        if size > _MAX_SIZE:
            break
        shown.append(one)
    hidden = len(lines) - len(shown)
    more = (line(f"… and {hidden} more: `tocsin simulate` prints them all."),) if hidden else ()
    return (*shown, *more, end)
