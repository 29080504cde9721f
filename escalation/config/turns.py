"""Turns that people take at local wall-clock times, `every` so often. Everything else is UTC, so DST needs no case."""

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from escalation.times import DAYS, Duration, Zone, format_duration, weekday
from escalation.values import Frozen

WEEK = timedelta(weeks=1)
SHORTEST = timedelta(hours=2)
LONGEST_GAP = timedelta(hours=24)  # a zone that crosses the date line
_EPOCH_MONDAY = date(1970, 1, 5)


class Handover(Frozen):
    """A weekday (0 is Monday) and a local time of day."""

    weekday: int = Field(ge=0, le=6)
    at: time

    def __str__(self) -> str:
        return f"{DAYS[self.weekday]} {self.at:%H:%M}"


def parse_handover(text: Any) -> Any:
    """Parse a handover like `Monday 00:00`. ValueError says how to write one."""
    if isinstance(text, Handover):
        return text
    match = re.fullmatch(r"([A-Za-z]+)\s+([01]?\d|2[0-3]):([0-5]\d)", str(text).strip())
    day = weekday(match[1]) if match else None
    if not match or day is None:
        raise ValueError(f"'{text}' is not a handover; write one like 'Monday 00:00'")
    return Handover(weekday=day, at=time(int(match[2]), int(match[3])))


HandoverTime = Annotated[Handover, BeforeValidator(parse_handover), PlainSerializer(str, return_type=str)]


def _whole_hours(length: timedelta) -> timedelta:
    if length < SHORTEST or length % timedelta(hours=1):
        raise ValueError(
            f"'{format_duration(length)}' is no length of a shift; write whole hours, 2h or more, like 12h"
        )
    return length


class Turns(Frozen):
    """Turns of equal length. The handover's weekday begins the count, and `first_shift` is a day of the first turn."""

    every: Annotated[Duration, AfterValidator(_whole_hours)] = WEEK
    handover: HandoverTime = Handover(weekday=0, at=time(0, 0))
    timezone: Zone = "UTC"
    first_shift: date | None = None

    def number_of(self, at: datetime) -> int:
        """Count turns since the anchor: a guess by local time, corrected by real instants, so DST needs no case."""
        number = (at.astimezone(ZoneInfo(self.timezone)).replace(tzinfo=None) - _anchor(self)) // self.every
        while self.start_of(number) > at:
            number -= 1
        while self.start_of(number + 1) <= at:
            number += 1
        return number

    def start_of(self, number: int) -> datetime:
        """Return the start of a turn, UTC. A local time that DST skips comes as much later as the gap is long.

        Where a zone skips more than a whole turn, that turn is empty, rather than beginning after the next one.
        """
        return _start_of(self, number)

    def place_of(self, number: int, people: int) -> int:
        """Return whose turn it is, by place in a list of so many people."""
        return (number - _first_number(self)) % people


@lru_cache(maxsize=256)
def _anchor(turns: Turns) -> datetime:
    """Return the local time at which the count begins: the handover's weekday, on or before the first turn."""
    weekday, at = turns.handover.weekday, turns.handover.at
    first = turns.first_shift or _EPOCH_MONDAY + timedelta(days=weekday)
    return datetime.combine(first - timedelta(days=(first.weekday() - weekday) % 7), at)


def _first_number(turns: Turns) -> int:
    """Return the number of the first turn: shorter than a week, others may lie between the anchor and it."""
    anchor = _anchor(turns)
    first = datetime.combine(turns.first_shift, turns.handover.at) if turns.first_shift else anchor
    return (first - anchor) // turns.every


@lru_cache(maxsize=4096)
def _start_of(turns: Turns, number: int) -> datetime:
    start, skippable = _local(turns, number), LONGEST_GAP // turns.every
    if not skippable or _local(turns, number + skippable) - start == skippable * turns.every:
        return start
    return min(_local(turns, t) for t in range(number, number + skippable + 1))


def _local(turns: Turns, number: int) -> datetime:
    local = _anchor(turns) + number * turns.every
    return local.replace(tzinfo=ZoneInfo(turns.timezone)).astimezone(UTC)
