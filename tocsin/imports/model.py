"""The neutral model of an export: people, schedules with their layers, escalation rules, and what could not be kept."""

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

WEEKDAYS = range(7)  # 0 is Monday


class ImportFault(Exception):
    """The export cannot be read; the text says where and why."""


class Verdict(StrEnum):
    """What became of an object of the export."""

    KEPT = "kept"
    APPROXIMATED = "approximated"
    DROPPED = "dropped"


@dataclass(frozen=True)
class Note:
    """What became of one object: `what` names it (`schedule Primary`), `why` says what is different, or missing."""

    verdict: Verdict
    what: str
    why: str = ""


@dataclass(frozen=True)
class Member:
    """A person. `id` is the export's own."""

    id: str
    name: str
    email: str = ""
    phone: str = ""
    slack: str = ""


@dataclass(frozen=True)
class WeeklyHours:
    """Hours of one weekday, by the wall clock: they begin at `starts` and are so long."""

    day: int
    starts: time
    length: timedelta


@dataclass(frozen=True)
class SourceLayer:
    """Turns of `every` length by the wall clock of `zone`. The first place has the turn that begins at `start`.

    A place has several people at once, or none. `hours` restrict it (none: always). The highest level that has anybody
    counts; layers of one level are on call together.
    """

    name: str
    places: tuple[tuple[str, ...], ...]
    start: datetime
    every: timedelta
    zone: str
    begins: datetime | None = None
    ends: datetime | None = None
    hours: tuple[WeeklyHours, ...] = ()
    level: int = 0


@dataclass(frozen=True)
class Span:
    """These people, from (inclusive) until (exclusive)."""

    people: tuple[str, ...]
    starts: datetime
    ends: datetime


@dataclass(frozen=True)
class Schedule:
    """A schedule. `overrides` replace everybody; `rendered` is who is on call by the export's own calculation."""

    id: str
    name: str
    zone: str
    layers: tuple[SourceLayer, ...] = ()
    overrides: tuple[Span, ...] = ()
    rendered: tuple[Span, ...] = ()


@dataclass(frozen=True)
class Step:
    """Whom an escalation pages so long after its start, `unless` that was done."""

    after: timedelta
    people: tuple[str, ...] = ()
    schedules: tuple[str, ...] = ()
    unless: str = "acknowledged"


@dataclass(frozen=True)
class Escalation:
    """An escalation policy: its steps, and how often all of them are repeated, each time so long after the former."""

    id: str
    name: str
    steps: tuple[Step, ...]
    repeats: int = 0
    repeat_after: timedelta = timedelta(0)


@dataclass
class Export:
    """Everything that an export holds, and notes on what is not kept as it was."""

    source: str
    members: dict[str, Member] = field(default_factory=dict)
    schedules: dict[str, Schedule] = field(default_factory=dict)
    escalations: dict[str, Escalation] = field(default_factory=dict)
    services: tuple[str, ...] = ()
    notes: list[Note] = field(default_factory=list)

    def note(self, verdict: Verdict, what: str, why: str = "") -> None:
        """Note what became of an object."""
        self.notes.append(Note(verdict, what, why))


def on_call(schedule: Schedule, at: datetime) -> frozenset[str]:
    """Return who is on call by the source's own rules, reckoned by wall clocks alone: the other side of the proof."""
    if active := [o for o in schedule.overrides if o.starts <= at < o.ends]:
        return frozenset(person for override in active for person in override.people)
    present = [(layer.level, people) for layer in schedule.layers if (people := _in_layer(layer, at))]
    highest = max((level for level, _ in present), default=0)
    return frozenset(person for level, people in present if level == highest for person in people)


def _in_layer(layer: SourceLayer, at: datetime) -> tuple[str, ...]:
    if (layer.begins and at < layer.begins) or (layer.ends and at >= layer.ends):
        return ()
    zone = ZoneInfo(layer.zone)
    local, start = (instant.astimezone(zone).replace(tzinfo=None) for instant in (at, layer.start))
    if layer.hours and not any(_within(hours, local) for hours in layer.hours):
        return ()
    return layer.places[(local - start) // layer.every % len(layer.places)]


def _within(hours: WeeklyHours, local: datetime) -> bool:
    """Check whether a local time lies in hours that began today or on one of the seven days before."""
    midnight = datetime.combine(local.date(), time())
    begun = (midnight - timedelta(days=ago) for ago in range(8))
    starts = [datetime.combine(day.date(), hours.starts) for day in begun if day.weekday() == hours.day]
    return any(start <= local < start + hours.length for start in starts)
