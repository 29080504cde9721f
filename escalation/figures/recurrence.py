"""Recurrences: incidents that repeat an earlier one, of the same service and the same category of cause. Pure."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from escalation.figures.observation import Observation
from escalation.incident.model import Incident

LONGEST = timedelta(days=30)  # an incident may have been open so long before the period in which it was resolved
RECURS_WITHIN = timedelta(days=30)  # what both policies call recurring
Path = tuple[str, str]


class PreventiveItem(NamedTuple):
    """An action item of an incident, with when it was noted and when it was closed (epoch seconds; None: it is open).

    `again` are later incidents that it was found to have been meant to prevent.
    """

    id: str
    incident: str
    noted: float
    closed: float | None = None
    again: frozenset[str] = frozenset()


class Recurrence(NamedTuple):
    """An incident that repeats another one, `of`: action items that were open when it began, or had been closed."""

    of: str
    open: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()


def path_of(seen: Observation) -> Path | None:
    """Return service and cause; None if it has not both, or is a drill, a false alarm or private."""
    if seen.drill or seen.private or seen.cancelled or not (seen.service and seen.cause_category):
        return None
    return seen.service, seen.cause_category.casefold()


def repeated(incident: Incident, service: str, category: str, since: datetime, seen: Iterable[Observation]) -> str:
    """Return the latest incident of that service and category that was resolved since then; empty for none.

    Drills, false alarms and incidents without a service repeat nothing, nor are they repeated. Private ones are not
    named.
    """
    if incident.drill or not (service and category):
        return ""
    alike = (o for o in seen if path_of(o) == (service, category.casefold()))
    ended = ((o.resolved or 0, o.id) for o in alike)
    own = (incident.declared_at.timestamp(), incident.id)
    return max((found for found in ended if since.timestamp() <= found[0] and found < own), default=(0, ""))[1]


def recurrences(seen: Sequence[Observation], items: Iterable[PreventiveItem] = ()) -> dict[str, Recurrence]:
    """Return, by incident, which one it repeats, and what had been meant to prevent it.

    An item counts however long ago its incident was; that one has to be among those `seen`.
    """
    paths = {s.id: path for s in seen if (path := path_of(s))}
    ends, preventive = defaultdict[Path, list[tuple[float, str]]](list), defaultdict[Path, list[PreventiveItem]](list)
    for s in sorted(seen, key=lambda s: (s.resolved or 0.0, s.id)):
        if s.id in paths and s.resolved is not None:
            ends[paths[s.id]].append((s.resolved, s.id))
    declared = {s.id: s.declared for s in seen}
    found, linked = dict[str, Recurrence](), defaultdict[str, list[PreventiveItem]](list)
    for item in items:
        if item.incident in paths:
            preventive[paths[item.incident]].append(item)
        for later in item.again:
            linked[later].append(item)
    for s in seen:
        former = _former(s, ends[paths[s.id]]) if s.id in paths else ""
        if former:
            meant = dict.fromkeys((*linked[s.id], *(i for i in preventive[paths[s.id]] if _meant(i, s, declared))))
            is_open = tuple(i.id for i in meant if i.closed is None or i.closed > s.declared)
            found[s.id] = Recurrence(former, is_open, tuple(i.id for i in meant if i.id not in is_open))
    return found


def _former(seen: Observation, ends: Sequence[tuple[float, str]]) -> str:
    """Return the latest of those that ended before it was declared, and not too long before."""
    n = bisect_left(ends, (seen.declared, seen.id))
    at, former = ends[n - 1] if n else (0.0, "")
    return former if seen.declared - at <= RECURS_WITHIN.total_seconds() else ""


def _meant(item: PreventiveItem, seen: Observation, declared: dict[str, float]) -> bool:
    """True if an item of an earlier incident was there when this one was declared."""
    return item.incident != seen.id and declared[item.incident] < seen.declared and item.noted <= seen.declared


def uncounted(counted: Iterable[Observation]) -> Iterator[Observation]:
    """Yield incidents that are over, and of which nobody can say whether they recur: service or cause is missing."""
    return (s for s in counted if not s.private and not s.open and path_of(s) is None)
