"""The proof of an import: who is on call by the source's rules, and by ours, side by side."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from escalation.config.company import Company
from escalation.oncall.schedule import EMPTY_STATE, on_call_at, upcoming_shifts
from tocsin.imports.model import Export, Schedule, Span, on_call
from tocsin.imports.writing import Written

GRID = timedelta(minutes=30)
SECOND = timedelta(seconds=1)
AROUND_DST = timedelta(days=7)
LOOKED_AHEAD = timedelta(days=400)  # for the next DST change


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
    names = {id: company.people[key].name or key for id, key in written.keys.items()}
    for id, rotation in written.rotations.items():
        schedule = export.schedules[id]
        ours = _Ours(company, rotation, {key: names[member] for member, key in written.keys.items()})
        for start, end in _spans(schedule, now, length):
            points = sorted({*_grid(start, end), *_edges(company, rotation, start, end)})
            rows = ((at, _named(on_call(schedule, at), names), ours.at(at)) for at in points)
            yield from _runs(schedule.name, rows, end, f"the rules of {export.source}")
        yield from _rendered(schedule, ours, names, now, now + length, export.source)


class _Ours:
    def __init__(self, company: Company, rotation: str, names: dict[str, str]) -> None:
        self._company, self._rotation, self._names = company, rotation, names

    def at(self, at: datetime) -> tuple[str, ...]:
        found = on_call_at(self._rotation, self._company, EMPTY_STATE, at)
        return tuple(sorted(self._names[person] for person in found))


def _named(people: Iterable[str], names: dict[str, str]) -> tuple[str, ...]:
    """Return names in order; those whom the configuration cannot have are left out, as the report says."""
    return tuple(sorted(names[person] for person in people if person in names))


def next_clock_change(zone: str, now: datetime) -> datetime | None:
    """Return about when a zone next changes its clocks, to the hour; None when it does not."""
    tz = ZoneInfo(zone)
    hours = (now + n * timedelta(hours=1) for n in range(LOOKED_AHEAD // timedelta(hours=1)))
    return next((b for a, b in pairwise(hours) if a.astimezone(tz).utcoffset() != b.astimezone(tz).utcoffset()), None)


def _spans(schedule: Schedule, now: datetime, length: timedelta) -> Iterator[tuple[datetime, datetime]]:
    yield now, now + length
    zones = {schedule.zone, *(layer.zone for layer in schedule.layers)}
    for change in sorted(filter(None, (next_clock_change(zone, now) for zone in zones))):
        if change + AROUND_DST > now + length:
            yield max(now + length, change - AROUND_DST), change + AROUND_DST


def _grid(start: datetime, end: datetime) -> Iterator[datetime]:
    return (start + n * GRID for n in range((end - start) // GRID))


def _edges(company: Company, rotation: str, start: datetime, end: datetime) -> Iterator[datetime]:
    """The instants at which ours change, and the seconds before them: an edge that is a minute off is seen."""
    for shift in upcoming_shifts(rotation, company, EMPTY_STATE, start, end):
        yield from (at for at in (shift.starts - SECOND, shift.starts) if start <= at < end)


def _runs(
    schedule: str, rows: Iterable[tuple[datetime, tuple[str, ...], tuple[str, ...]]], end: datetime, by: str
) -> Iterator[Difference]:
    """Join neighbouring instants with the same difference."""
    current: Difference | None = None
    for at, theirs, ours in rows:
        if current and (current.theirs, current.ours) != (theirs, ours):
            yield Difference(schedule, current.starts, at, current.theirs, current.ours, by)
            current = None
        if theirs != ours and current is None:
            current = Difference(schedule, at, end, theirs, ours, by)
    if current:
        yield current


def _rendered(
    schedule: Schedule, ours: _Ours, names: dict[str, str], now: datetime, end: datetime, source: str
) -> Iterator[Difference]:
    """Compare with the source's own calculation, where the export has it, between its first and its last entry."""
    spans = [span for span in schedule.rendered if span.ends > now and span.starts < end]
    if not spans:
        return
    first, last = max(now, min(s.starts for s in spans)), min(end, max(s.ends for s in spans))
    points = sorted(
        {*_grid(first, last), *(at for s in spans for at in (s.starts, s.ends - SECOND) if first <= at < last)}
    )
    rows = ((at, _named(_during(spans, at), names), ours.at(at)) for at in points)
    yield from _runs(schedule.name, rows, last, f"{source}'s own calculation")


def _during(spans: list[Span], at: datetime) -> set[str]:
    return {person for span in spans if span.starts <= at < span.ends for person in span.people}


def spoken(difference: Difference) -> str:
    """Say a difference in one line, in UTC."""
    theirs, ours = (" and ".join(people) or "nobody" for people in (difference.theirs, difference.ours))
    starts, ends = (f"{at.astimezone(UTC):%Y-%m-%d %H:%M}" for at in (difference.starts, difference.ends))
    return f"{difference.schedule}, {starts} until {ends} UTC: {theirs} by {difference.by}, {ours} here"
