"""On-call rotations. Handovers happen at a local wall-clock time; everything else is UTC."""

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, model_validator

from escalation.times import DAYS, Duration, Zone, format_duration, weekday
from escalation.values import Channel, Frozen

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


class Shift(Frozen):
    """One person's shift, from (inclusive) until (exclusive), both UTC."""

    person: str
    starts: datetime
    ends: datetime


def _whole_hours(length: timedelta) -> timedelta:
    if length < SHORTEST or length % timedelta(hours=1):
        raise ValueError(
            f"'{format_duration(length)}' is no length of a shift; write whole hours, 2h or more, like 12h"
        )
    return length


def _feed(url: str) -> str:
    if not re.match(r"(https|webcal)://[^/\s]+", url):
        raise ValueError(f"'{url}' is not a calendar; its address begins with https:// or webcal://")
    return url


def _handle(name: str) -> str:
    if not re.fullmatch(r"S[A-Z0-9]{2,}|@?[a-z0-9][a-z0-9._-]{0,20}", name):
        raise ValueError(f"'{name}' is not a user group; write its handle like oncall-engineer, or its id")
    return name.removeprefix("@")


class Rotation(Frozen):
    """An on-call rotation: people with shifts in the order given, or as a calendar feed says.

    Shifts begin at local wall-clock times, `every` so often: the handover's weekday begins the count, and `first_shift`
    is a day of the first person's shift. `group` is a Slack user group that is kept in sync.
    """

    people: tuple[str, ...] = Field(min_length=1)
    every: Annotated[Duration, AfterValidator(_whole_hours)] = WEEK
    handover: HandoverTime = Handover(weekday=0, at=time(0, 0))
    timezone: Zone = "UTC"
    first_shift: date | None = None
    ical: Annotated[str, AfterValidator(_feed)] | None = None
    group: Annotated[str, AfterValidator(_handle)] | None = None
    test_page: bool = True
    handover_call: Duration = timedelta(minutes=30)
    handover_channel: Channel | None = None

    @model_validator(mode="after")
    def _plan_excludes_feed(self) -> "Rotation":
        conflicting = sorted({"handover", "every", "first_shift"} & self.model_fields_set)
        if self.ical and conflicting:
            raise ValueError(
                f"ical and {conflicting[0]} exclude each other: the calendar says when shifts begin; keep one"
            )
        return self

    @property
    def definition(self) -> str:
        """Fingerprint of all that says who is on call when: it changes when somebody edits that."""
        return _definition(self)

    def shift(self, at: datetime, ahead: int = 0) -> Shift:
        """Return the planned shift that holds at an instant, or the one so many handovers later."""
        return _shift(self, self._number_of(at) + ahead)

    def on_call(self, at: datetime) -> str:
        """Return the person on call by plan at an instant."""
        return self.shift(at).person

    def _number_of(self, at: datetime) -> int:
        """Count shifts since the anchor: a guess by local time, corrected by real instants, so DST needs no case."""
        number = (at.astimezone(ZoneInfo(self.timezone)).replace(tzinfo=None) - _anchor(self)) // self.every
        while _start_of(self, number) > at:
            number -= 1
        while _start_of(self, number + 1) <= at:
            number += 1
        return number


# Looked up for every role and checkpoint of every card: each shift is computed once.


@lru_cache(maxsize=4096)
def _shift(rotation: Rotation, number: int) -> Shift:
    return Shift(
        person=rotation.people[(number - _first_number(rotation)) % len(rotation.people)],
        starts=_start_of(rotation, number),
        ends=_start_of(rotation, number + 1),
    )


@lru_cache(maxsize=256)
def _definition(rotation: Rotation) -> str:
    says = rotation.model_dump_json(include={"people", "every", "handover", "timezone", "first_shift", "ical"})
    return sha256(says.encode()).hexdigest()[:16]


@lru_cache(maxsize=256)
def _anchor(rotation: Rotation) -> datetime:
    """Return the local time at which the count of shifts begins: the handover's weekday, on or before the first one."""
    weekday, at = rotation.handover.weekday, rotation.handover.at
    first = rotation.first_shift or _EPOCH_MONDAY + timedelta(days=weekday)
    return datetime.combine(first - timedelta(days=(first.weekday() - weekday) % 7), at)


def _first_number(rotation: Rotation) -> int:
    """Return the number of the first shift: shorter than a week, others may lie between the anchor and it."""
    anchor = _anchor(rotation)
    first = datetime.combine(rotation.first_shift, rotation.handover.at) if rotation.first_shift else anchor
    return (first - anchor) // rotation.every


@lru_cache(maxsize=4096)
def _start_of(rotation: Rotation, number: int) -> datetime:
    """Return the start of a shift. A local time that DST skips comes as much later as the gap is long.

    Where a zone skips more than a whole shift, that shift is empty, rather than beginning after the next one.
    """
    start, skippable = _local(rotation, number), LONGEST_GAP // rotation.every
    if not skippable or _local(rotation, number + skippable) - start == skippable * rotation.every:
        return start
    return min(_local(rotation, t) for t in range(number, number + skippable + 1))


def _local(rotation: Rotation, number: int) -> datetime:
    local = _anchor(rotation) + number * rotation.every
    return local.replace(tzinfo=ZoneInfo(rotation.timezone)).astimezone(UTC)
