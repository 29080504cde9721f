"""Layers of a rotation: turns that hold within certain hours, the higher level before the lower."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Any, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from escalation.config.turns import Turns
from escalation.times import DAYS, weekday
from escalation.values import Frozen, as_list

DAY = timedelta(days=1)
LOOKED_AHEAD = timedelta(weeks=60)  # for the end of a shift or gap: no turn is longer than a year


class Window(Frozen):
    """Weekly hours, local: each of `days` (0 is Monday) from `starts`, until `ends` so many days later."""

    days: tuple[int, ...]
    starts: time
    ends: time
    later: int

    def __str__(self) -> str:
        days = ", ".join(DAYS[day] for day in self.days)
        if self.later > 1 or len(self.days) == 1:
            return f"{days} {self.starts:%H:%M} - {DAYS[(self.days[0] + self.later) % 7]} {self.ends:%H:%M}"
        return f"{'daily' if len(self.days) == 7 else days} {self.starts:%H:%M}-{self.ends:%H:%M}"

    def spans(self, first: date, last: date, zone: str) -> Iterator[tuple[datetime, datetime]]:
        """Yield the spans that begin on local days from the first to the last, UTC."""
        for n in range((last - first).days + 1):
            day = first + n * DAY
            if day.weekday() in self.days:
                yield _instant(day, self.starts, zone), _instant(day + self.later * DAY, self.ends, zone)


def _instant(day: date, at: time, zone: str) -> datetime:
    return datetime.combine(day, at, ZoneInfo(zone)).astimezone(UTC)


_CLOCK = r"([01]?\d|2[0-4]):([0-5]\d)"
_HOURS = re.compile(rf"(?:(?P<days>[A-Za-z, -]+?)\s+)?{_CLOCK}\s*-\s*{_CLOCK}")
_SPAN = re.compile(rf"([A-Za-z]+)\s+{_CLOCK}\s*-\s*([A-Za-z]+)\s+{_CLOCK}")


def parse_window(text: Any) -> Any:
    """Parse `Monday-Friday 09:00-17:00`, `daily 22:00-06:00` or `Friday 18:00 - Monday 08:00`. ValueError otherwise."""
    if isinstance(text, Window | dict):
        return text
    plain = " ".join(str(text).split())
    if (span := _SPAN.fullmatch(plain)) and (window := _span(*span.groups())):
        return window
    hours = _HOURS.fullmatch(plain)
    days = _days(hours["days"] or "daily") if hours else ()
    if not hours or not days:
        raise ValueError(
            f"'{text}' are not hours of a week; write 'Monday-Friday 09:00-17:00', 'daily 22:00-06:00' "
            "or 'Friday 18:00 - Monday 08:00'"
        )
    (starts, ends), later = _clocks(*hours.groups()[1:])
    return Window(days=days, starts=starts, ends=ends, later=later or (1 if ends <= starts else 0))


def _span(first: str, hour: str, minute: str, last: str, to_hour: str, to_minute: str) -> Window | None:
    begin, end = weekday(first), weekday(last)
    if begin is None or end is None:
        return None
    (starts, ends), midnight = _clocks(hour, minute, to_hour, to_minute)
    later = (end - begin) % 7 + midnight
    return Window(days=(begin,), starts=starts, ends=ends, later=later or (7 if ends <= starts else 0))


def _clocks(hour: str, minute: str, to_hour: str, to_minute: str) -> tuple[tuple[time, time], int]:
    """Return both times of day; 24:00 is midnight a day later."""
    if int(hour) == 24 or (int(to_hour) == 24 and int(to_minute)):
        raise ValueError(f"'{hour}:{minute}-{to_hour}:{to_minute}' are no hours; 24:00 can only be the end of a day")
    midnight = int(to_hour) == 24
    return (time(int(hour), int(minute)), time(0 if midnight else int(to_hour), int(to_minute))), int(midnight)


def _days(text: str) -> tuple[int, ...]:
    """Return the days of `Monday-Friday`, `Saturday, Sunday` or `daily`; none if one is unknown."""
    if text.lower() in ("daily", "every day"):
        return tuple(range(7))
    found: list[int] = []
    for part in text.split(","):
        first, _, last = (name.strip() for name in part.partition("-"))
        begin, end = weekday(first), weekday(last or first)
        if begin is None or end is None:
            return ()
        found += [(begin + n) % 7 for n in range((end - begin) % 7 + 1)]
    return tuple(sorted(set(found)))


Hours = Annotated[
    Window,
    BeforeValidator(parse_window),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["Monday-Friday 09:00-17:00", "daily 22:00-06:00"]}),
]
Slot = Annotated[tuple[str, ...], BeforeValidator(as_list)]


class Layer(Turns):
    """Turns of a rotation that hold within certain hours: see docs/writing-a-policy.md for each key."""

    people: Annotated[tuple[Slot, ...], BeforeValidator(as_list)] = Field(min_length=1)
    level: int = Field(default=0, ge=0, le=1000)
    hours: Annotated[tuple[Hours, ...], BeforeValidator(as_list)] = ()
    begins: AwareDatetime | None = None
    ends: AwareDatetime | None = None

    def on_call(self, at: datetime) -> tuple[int, tuple[str, ...]] | None:
        """Return the turn of an instant and its people; None outside of its hours. One place alone takes no turns."""
        if (self.begins and at < self.begins) or (self.ends and at >= self.ends) or not self._within_hours(at):
            return None
        if len(self.people) == 1:
            return 0, self.people[0]
        number = self.number_of(at)
        return number, self.people[self.place_of(number, len(self.people))]

    def edges(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Yield the instants from `start` until `end` (excluded) at which its people may change."""
        number = self.number_of(start)
        while (turn := self.start_of(number)) < end:
            yield turn
            number += 1
        yield from (edge for edge in (self.begins, self.ends) if edge)
        for spans in self._spans(start, end):
            yield from spans

    def _within_hours(self, at: datetime) -> bool:
        return not self.hours or any(starts <= at < ends for starts, ends in self._spans(at, at))

    def _spans(self, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
        zone = ZoneInfo(self.timezone)
        first, last = start.astimezone(zone).date() - 8 * DAY, end.astimezone(zone).date() + DAY
        for window in self.hours:
            yield from window.spans(first, last, self.timezone)


class Held(NamedTuple):
    """Time in which the same turns of the same layers hold, UTC. No people: a gap. `ends` None: nothing follows."""

    people: tuple[str, ...]
    starts: datetime | None
    ends: datetime | None


@lru_cache(maxsize=4096)
def held_on(layers: tuple[Layer, ...], day: date) -> tuple[Held, ...]:
    """Return what holds on a day in UTC, in order; what reaches beyond it has its real start and end."""
    start = datetime.combine(day, time(), UTC)
    cuts = [start, *_changes(layers, start, start + DAY)]
    found: list[Held] = []
    for cut, until in pairwise([*cuts, start + DAY]):
        begins = _last_change(layers, cut) if cut == start else cut
        ends = _next_change(layers, start + DAY) if until == start + DAY else until
        found.append(Held(_people(layers, cut), begins, ends))
    return tuple(found)


def _turns(layers: tuple[Layer, ...], at: datetime) -> tuple[tuple[int, int, tuple[str, ...]], ...]:
    """Return the turns that hold at an instant: those of the highest level that has anybody, with their layer."""
    on_call = [(n, layer.level, layer.on_call(at)) for n, layer in enumerate(layers)]
    present = [(level, (n, *turn)) for n, level, turn in on_call if turn and turn[1]]
    highest = max((level for level, _ in present), default=0)
    return tuple(turn for level, turn in present if level == highest)


def _people(layers: tuple[Layer, ...], at: datetime) -> tuple[str, ...]:
    return tuple(dict.fromkeys(person for _, _, people in _turns(layers, at) for person in people))


def _changes(layers: tuple[Layer, ...], start: datetime, end: datetime) -> list[datetime]:
    """Return the instants between two, both excluded, at which other turns begin to hold."""
    edges = sorted({edge for layer in layers for edge in layer.edges(start, end) if start < edge < end})
    points = [start, *edges]
    return [edge for before, edge in pairwise(points) if _turns(layers, before) != _turns(layers, edge)]


def _next_change(layers: tuple[Layer, ...], at: datetime) -> datetime | None:
    """Return the first change at or after an instant."""
    before = at - timedelta(microseconds=1)
    for n in range(LOOKED_AHEAD // (8 * DAY)):
        if found := _changes(layers, before + n * 8 * DAY, before + (n + 1) * 8 * DAY + timedelta(microseconds=1)):
            return found[0]
    return None


def _last_change(layers: tuple[Layer, ...], at: datetime) -> datetime | None:
    """Return the last change at or before an instant."""
    after = at + timedelta(microseconds=1)
    for n in range(LOOKED_AHEAD // (8 * DAY)):
        if found := _changes(layers, after - (n + 1) * 8 * DAY - timedelta(microseconds=1), after - n * 8 * DAY):
            return found[-1]
    return None
