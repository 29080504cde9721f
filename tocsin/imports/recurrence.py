"""Recurrence rules of shifts, as layers: RFC 5545's DAILY, WEEKLY and HOURLY rules; what no layer can say is a problem.

https://www.rfc-editor.org/rfc/rfc5545#section-3.3.10
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tocsin.imports.model import WEEKDAYS, ImportFault, SourceLayer, WeeklyHours

DAY, WEEK = timedelta(days=1), timedelta(weeks=1)
ONCE = timedelta(weeks=52)  # the turn of a shift that is not repeated
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
KNOWN = {"FREQ", "INTERVAL", "BYDAY", "UNTIL", "WKST"}
Places = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Repeated:
    """A shift, its rule, and who has it: `each` occurrences a place (0: a place for each period of the rule)."""

    name: str
    starts: datetime
    ends: datetime
    zone: str
    rule: dict[str, str]
    places: Places
    each: int = 1
    level: int = 0
    begins: datetime | None = None
    until: datetime | None = None


def parse_rule(text: str, where: str) -> dict[str, str]:
    """Parse `RRULE:FREQ=WEEKLY;BYDAY=MO`; ImportFault for what is no rule."""
    parts = [part.partition("=") for part in text.removeprefix("RRULE:").split(";") if part]
    rule = {name.upper(): value.upper() for name, _, value in parts}
    interval = rule.get("INTERVAL", "1")
    if not all(mark for _, mark, _ in parts) or not (interval.isdigit() and int(interval)):
        raise ImportFault(f"{where}: '{text}' is no recurrence rule")
    if unknown := [day for day in _listed(rule) if day not in DAYS]:
        raise ImportFault(f"{where}: '{unknown[0]}' in '{text}' is no day of the week")
    return rule


def _listed(rule: dict[str, str]) -> list[str]:
    return [day for day in rule.get("BYDAY", "").split(",") if day]


def until_of(rule: dict[str, str], where: str) -> datetime | None:
    """Return the end of a rule, UTC; None when it has none."""
    text = rule.get("UNTIL", "")
    if not text:
        return None
    try:
        return datetime.strptime(text.rstrip("Z"), "%Y%m%dT%H%M%S" if "T" in text else "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        raise ImportFault(f"{where}: UNTIL is '{text}', which is no date") from None


def problems(shift: Repeated) -> list[str]:
    """Return what a layer cannot say of a rule."""
    rule = shift.rule
    found = [f"{name}={rule[name]} has no counterpart here and is left out" for name in rule if name not in KNOWN]
    if shift.each == 0 and rule.get("FREQ") == "DAILY" and "BYDAY" in rule:
        found.append("people change each day that it names; there the days between may count as well")
    return found


def layers(shift: Repeated) -> tuple[SourceLayer, ...]:
    """Return the layers that say the same as a repeated shift; none where no layer can."""
    return tuple(_layers(shift))


def _layers(shift: Repeated) -> Iterator[SourceLayer]:
    rule, length = shift.rule, _local(shift, shift.ends) - _local(shift, shift.starts)
    interval = int(rule.get("INTERVAL", "1"))
    match rule.get("FREQ", ""):
        case "":
            yield _layer(shift, shift.starts, ONCE, shift.places, until=shift.ends)
        case "HOURLY" if length == interval * timedelta(hours=1):
            yield _layer(shift, shift.starts, length, _in_turn(shift))
        case "DAILY" if _listed(rule):
            yield from _weekly(shift, length, 1)
        case "DAILY" if length == interval * DAY:
            yield _layer(shift, shift.starts, length, _in_turn(shift))
        case "DAILY" if length <= DAY:
            at = _local(shift, shift.starts).time()
            gaps: Places = ((),) * (interval - 1)
            places = tuple(place for turn in _in_turn(shift) for place in (turn, *gaps))
            yield _layer(shift, shift.starts, DAY, places, tuple(WeeklyHours(day, at, length) for day in WEEKDAYS))
        case "WEEKLY" if length <= WEEK:
            yield from _weekly(shift, length, interval)
        case _:
            return


def _in_turn(shift: Repeated) -> Places:
    return tuple(place for place in shift.places for _ in range(max(1, shift.each)))


def _weekly(shift: Repeated, length: timedelta, interval: int) -> Iterator[SourceLayer]:
    """A layer for each day of the week that is named: each has its own order of people."""
    start = _local(shift, shift.starts)
    first = DAYS.index(shift.rule.get("WKST", "MO"))
    days = sorted((DAYS.index(day) - first) % 7 for day in _listed(shift.rule) or [DAYS[start.weekday()]])
    monday = start - (start.weekday() - first) % 7 * DAY  # the first day of the week that begins the count
    skipped = sum(monday + day * DAY < start for day in days)
    if length == WEEK and len(days) == 1 and interval == 1:
        yield _layer(shift, shift.starts, WEEK, _in_turn(shift))
        return
    for n, day in enumerate(days):
        begin = monday + day * DAY
        places = _order(shift, n - skipped, len(days))
        gaps: Places = ((),) * (interval - 1)
        spread = tuple(place for turn in places for place in (turn, *gaps))
        hours = (WeeklyHours(begin.weekday(), begin.time(), length),)
        yield _layer(shift, begin.replace(tzinfo=ZoneInfo(shift.zone)).astimezone(UTC), WEEK, spread, hours)


def _order(shift: Repeated, first: int, a_week: int) -> Places:
    """Return who has a day's occurrence, week after week. `first`: its number, counted from the first of all."""
    many = len(shift.places)
    if shift.each == 0:
        return shift.places
    period = many * shift.each // math.gcd(a_week, many * shift.each)
    return tuple(shift.places[(first + week * a_week) // shift.each % many] for week in range(period))


def _layer(
    shift: Repeated,
    start: datetime,
    every: timedelta,
    places: Places,
    hours: Sequence[WeeklyHours] = (),
    until: datetime | None = None,
) -> SourceLayer:
    begins = max(filter(None, (shift.starts, shift.begins)))
    ends = min(filter(None, (shift.until, until)), default=None)
    return SourceLayer(shift.name, places, start, every, shift.zone, begins, ends, tuple(hours), shift.level)


def _local(shift: Repeated, at: datetime) -> datetime:
    return at.astimezone(ZoneInfo(shift.zone)).replace(tzinfo=None)
