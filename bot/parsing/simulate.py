"""/incident simulate: who would be paged, told and reminded by an incident of that severity. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.deps import BotDeps
from escalation.config.company import Directory
from escalation.config.policy import Said, Severity
from escalation.config.references import suggest
from escalation.errors import Refused
from escalation.incident.model import EntryKind, Facts
from escalation.oncall.schedule import OncallState
from escalation.simulation import Row, Simulation, Step, comes_again, simulate_for, simulated_facts
from escalation.text import Line, Strong, Time, line, text
from escalation.times import format_duration, local_instant, parse_duration

USAGE = "write it like `/incident simulate P0 at tomorrow 03:00 ack-after 20m resolve-after 3h outage`"
_LENGTHS = {f"{step}-after": step for step in Step}
_FLAGS = {said.replace("_", "-"): said for said in Said}
_TAKES_WORDS = ("at", "service", "until", *_LENGTHS)
_OPTIONS = {*_TAKES_WORDS, *_FLAGS}
_DASHES = re.compile(r"^[-\u2013\u2014]+")  # Slack's clients turn -- into a long dash
# A message holds some 3,000 characters; what only repeats is left to the terminal.
_SIZE = 2600
_LEFT_OUT = (EntryKind.REPEATED, EntryKind.PHASE)


@dataclass
class _Wish:
    """What was typed."""

    severity: Severity
    words: dict[str, str] = field(default_factory=dict)
    said: set[Said] = field(default_factory=set)


def simulated(deps: BotDeps, directory: Directory, duty: OncallState, text: str, now: datetime) -> tuple[Line, ...]:
    """The answer to `simulate` with these words. Raises Refused with a remedy for words that cannot be taken."""
    wish = _read(text)
    company, policy = deps.company, deps.service.severity(wish.severity)
    start = _start(wish.words.get("at"), company.timezone, now)
    facts = _facts(wish, set(company.services))
    script = {step: _length(name, wish.words[name]) for name, step in _LENGTHS.items() if name in wish.words}
    until = _length("until", wish.words["until"]) if "until" in wish.words else None
    found = simulate_for(company, policy, facts, start, directory, duty, script, until)
    return _fitting([_head(found), *_told(found)], _end(found))


# What was typed ------------------------------------------------------------------------------------------------------


def _read(text: str) -> _Wish:
    first, *rest = text.split() or [""]
    if first.upper() not in list(Severity):
        said = f"'{first}' is not a severity" if first else "Say which severity"
        raise Refused(f"{said}; {USAGE}.")
    wish, option = _Wish(Severity(first.upper())), ""
    for word in rest:
        name = _DASHES.sub("", word).lower().replace("_", "-")
        if name in _FLAGS:
            wish.said.add(_FLAGS[name])
            option = ""
        elif name in _TAKES_WORDS:
            option = name
            wish.words[option] = ""
        elif option:
            wish.words[option] = f"{wish.words[option]} {word}".strip()
        else:
            raise Refused(f"'{word}' is not known here{suggest(name, _OPTIONS)}; {USAGE}.")
    return wish


def _start(text: str | None, zone: str, now: datetime) -> datetime:
    try:
        return now if text is None else local_instant(text, zone, now)
    except ValueError as wrong:
        raise Refused(f"at: {wrong}.") from None


def _length(name: str, text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as wrong:
        raise Refused(f"{name}: {wrong}.") from None


def _facts(wish: _Wish, services: set[str]) -> Facts:
    service = wish.words.get("service", "")
    if "service" in wish.words and service not in services:
        raise Refused(f"There is no service called '{service}'{suggest(service, services)}.")
    return simulated_facts(service, wish.said)


# What is answered ----------------------------------------------------------------------------------------------------


def _head(found: Simulation) -> Line:
    incident = found.incident
    what = Strong(f"A {incident.severity} ({incident.policy.name})")
    return line("🔮 ", what, " declared at ", Time(incident.declared_at, clock=False), ". Nothing is sent.")


def _told(found: Simulation) -> Iterator[Line]:
    for row in found.rows:
        reaches_nobody = row.kind is EntryKind.CHECKPOINT and not row.places
        if row.kind not in _LEFT_OUT and not reaches_nobody:
            yield _row(row)


def _row(row: Row) -> Line:
    unless = f" (unless {' or '.join(row.unless)})" if row.unless else ""
    why = f" — {row.why}" if row.why else ""
    return line(Strong(f"+{format_duration(row.after)}"), f" {row.what}: ", *row.whom(), why, unless)


def _end(found: Simulation) -> Line:
    if not found.ahead:
        return ("Nothing more is ahead.",)
    if found.cycle:
        again = "; ".join(comes_again(found.incident, {u.kind for u in found.ahead}))
        return (f"And so on, until somebody acts: {again}.",)
    following = found.ahead[0]
    return line("Next after that, at ", Time(following.due, clock=False), f": {following.why}.")


def _fitting(lines: list[Line], end: Line) -> tuple[Line, ...]:
    """As many lines as a message holds, and how many are missing."""
    kept, size = list[Line](), 0
    for one in lines:
        size += len(text([one])) + 20  # mentions and marks take more than their text
        if size > _SIZE:
            break
        kept.append(one)
    left = len(lines) - len(kept)
    more = (line(f"… and {left} more: `tocsin simulate` prints them all."),) if left else ()
    return (*kept, *more, end)
