"""Load of on call by person and rotation: hours, nights, weekends, holidays, pages, work in incidents. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property

from escalation.config.company import Company, Directory
from escalation.figures.observation import Observation
from escalation.figures.responses import Response
from escalation.oncall.cover import Cover
from escalation.oncall.minutes import Stretch, is_night, merged, minute_of, pieces

PERIOD = timedelta(days=30)  # of a person's own load, and of who did least
LOOKED_BACK = timedelta(days=60)  # incidents declared that long before a period may still have pages in it
MOST = timedelta(days=400)  # of a report's period: the cover of a longer one takes seconds
MINUTE = 60


@dataclass(frozen=True)
class Load:
    """Load of a person by key in a rotation (empty: in none at that time). Minutes, and counts of pages.

    A minute on a holiday's night counts as both. `response` is work in incidents, each minute once.
    """

    person: str
    rotation: str = ""
    minutes: int = 0
    nights: int = 0
    weekends: int = 0
    holidays: int = 0
    pages: int = 0
    night_pages: int = 0
    response: int = 0

    def __add__(self, other: "Load") -> "Load":
        counts = {name: getattr(self, name) + getattr(other, name) for name in COUNTS}
        return Load(self.person, self.rotation if self.rotation == other.rotation else "", **counts)


COUNTS = ("minutes", "nights", "weekends", "holidays", "pages", "night_pages", "response")


@dataclass(frozen=True)
class Evidence:
    """What loads follow from: who was on call, and the incidents, of a period.

    Cover before `recorded_since` is by the schedule as it stands (None: all of it); none is known before
    `removed_until`.
    """

    start: datetime
    end: datetime
    covers: tuple[Cover, ...]
    seen: tuple[Observation, ...]
    keys: Mapping[str, str]
    recorded_since: datetime | None = None
    removed_until: datetime | None = None

    @classmethod
    def of(
        cls,
        company: Company,
        directory: Directory,
        covers: Iterable[Cover],
        seen: Iterable[Observation],
        start: datetime,
        end: datetime,
        recorded_since: datetime | None = None,
        removed_until: datetime | None = None,
    ) -> "Evidence":
        """Gather it; drills count for nobody, and people are known by their keys where the configuration has them."""
        keys = {company.member(key, directory): key for key in company.people}
        counted = tuple(s for s in seen if not s.drill)
        return cls(start, end, tuple(covers), counted, keys, recorded_since, removed_until)

    def key(self, person: str) -> str:
        """Key of a person; their member id when the configuration has none."""
        return self.keys.get(person, person)

    def turns(self) -> Iterator[tuple[str, str, Stretch]]:
        """Yield person, rotation and minutes of all that they were on call."""
        for cover in self.covers:
            stretch = Stretch(minute_of(cover.starts), minute_of(cover.ends))
            yield from ((person, cover.rotation, stretch) for person in cover.people if stretch.length)

    def pages(self) -> Iterator[tuple[str, datetime]]:
        """Yield the pages that were sent in the period, to whom by key and when."""
        for at, person in sorted((at, person) for seen in self.seen for person, at in seen.pages):
            sent = datetime.fromtimestamp(at, UTC)
            if self.start <= sent < self.end:
                yield self.key(person), sent

    def work(self) -> Iterator[tuple[str, Observation, Stretch]]:
        """Yield all work in incidents, by time: by whom, in what, and its minutes, each begun one.

        Of an incident that is open it is not known beyond the period. What belongs to the period `begins` in it.
        """
        end = self.end.timestamp()
        for seen in self.seen:
            for response in seen.responses:
                stretch = _minutes(response, end if seen.open else response.ends)
                if stretch.length:
                    yield self.key(response.person), seen, stretch

    def begins(self, stretch: Stretch) -> bool:
        """True if a stretch begins in the period."""
        return minute_of(self.start) <= stretch.starts < minute_of(self.end)

    def rotation_at(self, person: str, minute: int) -> str:
        """Return the rotation in which somebody was on call in a minute, the first if several; empty for none."""
        held = self._held.get(person, ())
        return next((rotation for rotation, turn in held if turn.starts <= minute < turn.ends), "")

    @cached_property
    def _held(self) -> dict[str, list[tuple[str, Stretch]]]:
        found: dict[str, list[tuple[str, Stretch]]] = {}
        for person, rotation, stretch in self.turns():
            found.setdefault(person, []).append((rotation, stretch))
        return found


def _minutes(response: Response, known: float) -> Stretch:
    return Stretch(int(response.starts // MINUTE), int(-(-min(response.ends, known) // MINUTE)))


def loads(company: Company, evidence: Evidence) -> tuple[Load, ...]:
    """Return the load of everybody, by rotation; people of a rotation who did nothing have a load of nothing."""
    found: dict[tuple[str, str], Load] = {}
    place_of = cache(company.place_of)

    def add(load: Load) -> None:
        key = (load.person, load.rotation)
        found[key] = found[key] + load if key in found else load

    for name, rotation in company.rotations.items():
        for person in rotation.people:
            add(Load(person, name))
    for person, held, stretch in evidence.turns():
        for piece in pieces(stretch, place_of(person)):
            n = piece.length
            add(Load(person, held, n, n * piece.night, n * piece.weekend, n * piece.holiday))
    for person, at in evidence.pages():
        night = is_night(at, place_of(person).timezone)
        add(Load(person, evidence.rotation_at(person, minute_of(at)), pages=1, night_pages=int(night)))
    for person, stretches in work_by_person(evidence).items():
        for held, stretch in stretches:
            add(Load(person, held, response=stretch.length))
    return tuple(found.values())


def work_by_person(evidence: Evidence) -> dict[str, list[tuple[str, Stretch]]]:
    """Return everybody's work that began in the period, with the rotation that they were on call in then.

    Each minute counts once, also of two incidents of which one began before.
    """
    found: dict[str, list[Stretch]] = {}
    for person, _, stretch in evidence.work():
        found.setdefault(person, []).append(stretch)
    return {
        person: [(evidence.rotation_at(person, s.starts), s) for s in merged(stretches) if evidence.begins(s)]
        for person, stretches in found.items()
    }


def by_person(found: Sequence[Load], people: Iterable[str] = ()) -> tuple[Load, ...]:
    """Return the load of each person in all rotations, whoever did least first."""
    total = {person: Load(person) for person in people}
    for load in found:
        total[load.person] = total.get(load.person, Load(load.person)) + load
    return tuple(sorted(total.values(), key=weight))


def on_and_off_call(found: Sequence[Load]) -> tuple[tuple[Load, ...], tuple[Load, ...]]:
    """Return the load of each person of a rotation, whoever did least first, and that of everybody else."""
    held = {load.person for load in found if load.rotation}
    total = by_person(found)
    return tuple(t for t in total if t.person in held), tuple(t for t in total if t.person not in held)


def weight(load: Load) -> tuple[int, int, int, str]:
    """Order of who did least: minutes on call, then pages at night, then pages; the key decides the rest."""
    return load.minutes, load.night_pages, load.pages, load.person
