"""The neutral model of an export: people, schedules with their layers, escalation rules, and what could not be kept."""

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum

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
    counts; layers of one level are on call together. `id` is that of the rotation or shift it is made of.
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
    id: str = ""


@dataclass(frozen=True)
class Repeated:
    """A shift, its recurrence rule, and who has it: `each` occurrences a place (0: a place for each of its periods).

    Nothing of it counts before `begins` and from `until` on (with `whole`, no occurrence that began earlier does).
    `left_out` are local starts without an occurrence; they use up a turn all the same.
    """

    name: str
    starts: datetime
    ends: datetime
    zone: str
    rule: dict[str, str]
    places: tuple[tuple[str, ...], ...]
    each: int = 1
    level: int = 0
    begins: datetime | None = None
    until: datetime | None = None
    left_out: tuple[datetime, ...] = ()
    whole: bool = False
    id: str = ""


@dataclass(frozen=True)
class Span:
    """These people, from (inclusive) until (exclusive)."""

    people: tuple[str, ...]
    starts: datetime
    ends: datetime


@dataclass(frozen=True)
class Override(Span):
    """People in place of everybody (the highest `rank` counts), of those in `layers` only, or `instead_of` one person.

    Without people nobody is on call.
    """

    layers: frozenset[str] = frozenset()
    instead_of: str = ""
    rank: int = 0

    @property
    def whole(self) -> bool:
        """True if it replaces everybody."""
        return not (self.layers or self.instead_of)


@dataclass(frozen=True)
class Schedule:
    """A schedule. `shifts` are its recurrences as the source has them, where `layers` were made of such.

    `rendered` is who is on call by the export's own calculation.
    """

    id: str
    name: str
    zone: str
    layers: tuple[SourceLayer, ...] = ()
    overrides: tuple[Override, ...] = ()
    rendered: tuple[Span, ...] = ()
    shifts: tuple[Repeated, ...] = ()


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
