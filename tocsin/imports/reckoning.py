"""Who is on call by the source's own rules, reckoned from its shifts by wall clocks alone: one side of the proof."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from tocsin.imports.model import Override, Repeated, Schedule, SourceLayer, Span, WeeklyHours
from tocsin.imports.recurrence import occurrences

DAY = timedelta(days=1)


class Calendar:
    """The source's calendar of a schedule, until an instant."""

    def __init__(self, schedule: Schedule, until: datetime) -> None:
        self._schedule = schedule
        self._held = {n: _by_day(shift, until) for n, shift in enumerate(schedule.shifts)}

    def at(self, at: datetime) -> frozenset[str]:
        """Return who is on call at an instant."""
        active = [o for o in self._schedule.overrides if o.starts <= at < o.ends]
        if whole := [o for o in active if o.whole]:
            top = max(o.rank for o in whole)
            return frozenset(person for o in whole if o.rank == top for person in o.people)
        present = [(level, _replaced(id, people, active)) for level, id, people in self._planned(at)]
        present += [(0, o.people) for o in active if o.layers]
        highest = max((level for level, people in present if people), default=0)
        return frozenset(person for level, people in present if level == highest for person in people)

    def _planned(self, at: datetime) -> Iterator[tuple[int, str, tuple[str, ...]]]:
        if not self._schedule.shifts:
            yield from ((layer.level, layer.id, _in_layer(layer, at)) for layer in self._schedule.layers)
        for n, shift in enumerate(self._schedule.shifts):
            for span in self._held[n].get(at.date(), ()):
                if span.starts <= at < span.ends:
                    yield shift.level, shift.id, span.people

    def edges(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Yield the instants between two at which a repeated shift or an override begins or ends."""
        spans = [span for days in self._held.values() for day in days.values() for span in day]
        for span in (*spans, *self._schedule.overrides):
            yield from (at for at in (span.starts, span.ends) if start <= at < end)


def _by_day(shift: Repeated, until: datetime) -> dict[date, list[Span]]:
    found: dict[date, list[Span]] = defaultdict(list)
    for span in occurrences(shift, until):
        for n in range((span.ends.date() - span.starts.date()).days + 1):
            found[span.starts.date() + n * DAY].append(span)
    return found


def _replaced(id: str, people: tuple[str, ...], active: list[Override]) -> tuple[str, ...]:
    """Return who is left of a layer's people, and who came in their place."""
    for override in active:
        if id in override.layers:
            return ()
        if override.instead_of in people:
            others = [p for person in people for p in (override.people if person == override.instead_of else (person,))]
            people = tuple(dict.fromkeys(others))
    return people


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
