"""The proof of an import: who is on call by the source's rules, and by ours, side by side."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from escalation.config.company import Company
from escalation.oncall.schedule import EMPTY_STATE, on_call_at, upcoming_shifts
from tocsin.imports.model import Export, Schedule, Span
from tocsin.imports.reckoning import Calendar
from tocsin.imports.writing import Written

GRID = timedelta(minutes=30)
SECOND = timedelta(seconds=1)
AROUND_DST = timedelta(days=7)
LOOKED_AHEAD = timedelta(days=400)  # for the next DST change
_Keys = tuple[str, ...]


@dataclass(frozen=True)
class Difference:
    """From one instant until another, other people are on call than in the source; `by` says who reckoned that."""

    schedule: str
    starts: datetime
    ends: datetime
    theirs: tuple[str, ...]
    ours: tuple[str, ...]
    by: str


def differences(
    export: Export, written: Written, company: Company, now: datetime, length: timedelta
) -> Iterator[Difference]:
    """Yield where the calendars differ: for so long from now, and in the week around each zone's next DST change."""
    for id, rotation in written.rotations.items():
        schedule, ours = export.schedules[id], _Ours(company, rotation, written.keys)
        spans = list(_spans(schedule, now, length))
        theirs = Calendar(schedule, max(end for _, end in spans))
        for start, end in spans:
            edges = (*_edges(ours.company, rotation, start, end), *theirs.edges(start, end))
            points = sorted({*_grid(start, end), *edges})
            rows = ((at, ours.keys(theirs.at(at)), ours.at(at)) for at in points)
            yield from _runs(schedule.name, rows, end, f"the rules of {export.source}", ours)
        yield from _rendered(schedule, ours, now, now + length, export.source)


class _Ours:
    """Our calendar of a rotation. People are compared by their keys: two of them may have one name."""

    def __init__(self, company: Company, rotation: str, keys: dict[str, str]) -> None:
        self._rotation, self._keys = rotation, keys
        here = {key: company.people[key] for key in company.rotations[rotation].people}
        self._people = company.people
        self.company = company.model_copy(update={"people": here})  # of thousands, each look asks for absences
        many = Counter(company.people[key].name for key in set(keys.values()))
        self._twice = {name for name, count in many.items() if count > 1}

    def at(self, at: datetime) -> tuple[str, ...]:
        return tuple(sorted(set(on_call_at(self._rotation, self.company, EMPTY_STATE, at))))

    def keys(self, people: Iterable[str]) -> tuple[str, ...]:
        """Return keys in order; those whom the configuration cannot have are left out, as the report says."""
        return tuple(sorted({self._keys[person] for person in people if person in self._keys}))

    def names(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        names = ((self._people[key].name, key) for key in keys)
        return tuple(sorted(f"{name} ({key})" if name in self._twice else name or key for name, key in names))


def next_clock_change(zone: str, now: datetime) -> datetime | None:
    """Return about when a zone next changes its clocks, to the hour; None when it does not."""
    tz = ZoneInfo(zone)
    hours = (now + n * timedelta(hours=1) for n in range(LOOKED_AHEAD // timedelta(hours=1)))
    return next((b for a, b in pairwise(hours) if a.astimezone(tz).utcoffset() != b.astimezone(tz).utcoffset()), None)


def _spans(schedule: Schedule, now: datetime, length: timedelta) -> Iterator[tuple[datetime, datetime]]:
    yield now, now + length
    zones = {schedule.zone, *(layer.zone for layer in schedule.layers)}
    for change in sorted(set(filter(None, (next_clock_change(zone, now) for zone in zones)))):
        if change + AROUND_DST > now + length:
            yield max(now + length, change - AROUND_DST), change + AROUND_DST


def _grid(start: datetime, end: datetime) -> Iterator[datetime]:
    return (start + n * GRID for n in range((end - start) // GRID))


def _edges(company: Company, rotation: str, start: datetime, end: datetime) -> Iterator[datetime]:
    """The instants at which ours change, and the seconds before them: an edge that is a minute off is seen."""
    for shift in upcoming_shifts(rotation, company, EMPTY_STATE, start, end):
        yield from (at for at in (shift.starts - SECOND, shift.starts) if start <= at < end)


def _runs(
    schedule: str, rows: Iterable[tuple[datetime, _Keys, _Keys]], end: datetime, by: str, names: _Ours
) -> Iterator[Difference]:
    """Join neighbouring instants with the same difference."""
    current: tuple[datetime, _Keys, _Keys] | None = None
    for at, theirs, ours in [*rows, (end, (), ())]:
        if current and current[1:] != (theirs, ours):
            yield Difference(schedule, current[0], at, names.names(current[1]), names.names(current[2]), by)
            current = None
        if theirs != ours and current is None:
            current = at, theirs, ours


def _rendered(schedule: Schedule, ours: _Ours, now: datetime, end: datetime, source: str) -> Iterator[Difference]:
    """Compare with the source's own calculation, where the export has it, between its first and its last entry."""
    spans = [span for span in schedule.rendered if span.ends > now and span.starts < end]
    if not spans:
        return
    first, last = max(now, min(s.starts for s in spans)), min(end, max(s.ends for s in spans))
    points = sorted(
        {*_grid(first, last), *(at for s in spans for at in (s.starts, s.ends - SECOND) if first <= at < last)}
    )
    rows = ((at, ours.keys(_during(spans, at)), ours.at(at)) for at in points)
    yield from _runs(schedule.name, rows, last, f"{source}'s own calculation", ours)


def _during(spans: list[Span], at: datetime) -> set[str]:
    return {person for span in spans if span.starts <= at < span.ends for person in span.people}


def spoken(difference: Difference) -> str:
    """Say a difference in one line, in UTC."""
    theirs, ours = (" and ".join(people) or "nobody" for people in (difference.theirs, difference.ours))
    starts, ends = (f"{at.astimezone(UTC):%Y-%m-%d %H:%M}" for at in (difference.starts, difference.ends))
    return f"{difference.schedule}, {starts} until {ends} UTC: {theirs} by {difference.by}, {ours} here"
