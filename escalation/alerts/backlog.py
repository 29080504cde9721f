"""Alerts that were read and wait to be taken into their groups: the worst group first, a storm in slices."""

from collections import Counter
from collections.abc import Iterable
from heapq import heappop, heappush
from itertools import count, islice
from typing import NamedTuple

from escalation.alerts.alert import Alert, AlertState
from escalation.alerts.groups import Seen
from escalation.alerts.routing import Routed
from escalation.config.policy import Severity


class Incoming(NamedTuple):
    """An alert, the one that counts for it (of a heartbeat its silence, or none), and what is to happen with that.

    `received` is when its body came, in epoch seconds, and `body` the id of that.
    """

    alert: Alert
    counts: Alert | None
    how: Routed
    received: float = 0.0
    body: str = ""

    @property
    def name(self) -> str:
        """Name of the alert that counts; empty if none does."""
        return self.counts.name if self.counts else ""

    @property
    def seen(self) -> Seen:
        """The alert as its group takes it in."""
        return Seen(self.counts or self.alert, self.how, self.received)


class Batch(NamedTuple):
    """Alerts of one group that are taken in together, in their order, each with its place in the backlog."""

    group: str
    places: tuple[tuple[int, Incoming], ...]

    @property
    def alerts(self) -> tuple[Incoming, ...]:
        """The alerts."""
        return tuple(incoming for _, incoming in self.places)


class Backlog:
    """What waits, by group. To find the worst costs the same in a storm of thousands as in a quiet night."""

    def __init__(self) -> None:
        self._groups: dict[str, dict[int, Incoming]] = {}  # by place, in its order
        self._order: list[tuple[bool, Severity, int, str]] = []
        self._place = count()
        self._waiting_in: dict[str, str] = {}
        self._times: Counter[str] = Counter()

    def __len__(self) -> int:
        return sum(map(len, self._groups.values()))

    def group_of(self, name: str) -> str:
        """The group in which an alert of that name waits; empty if none does."""
        return self._waiting_in.get(name, "")

    def holds(self, group: str) -> bool:
        """Check whether alerts of a group wait."""
        return group in self._groups

    def add(self, group: str, incoming: Incoming) -> None:
        """Add an alert behind those of its group."""
        self._add(group, next(self._place), incoming)

    def put_back(self, batch: Batch) -> None:
        """Put back what could not be taken in, where it was."""
        for place, incoming in batch.places:
            self._add(batch.group, place, incoming)
        self._groups[batch.group] = dict(sorted(self._groups[batch.group].items()))

    def _add(self, group: str, place: int, incoming: Incoming) -> None:
        self._groups.setdefault(group, {})[place] = incoming
        heappush(self._order, (_ends(incoming), incoming.how.severity, place, group))
        self._waiting_in[incoming.name] = group
        self._times[incoming.name] += 1

    def next(self, most: int) -> Batch | None:
        """Take so many alerts of the worst group off the backlog; None if nothing waits.

        Groups in which something fires go first, by the worst of it; else they go as they came.
        """
        while self._order:
            _, _, place, group = self._order[0]
            waiting = self._groups.get(group, {})
            if place in waiting:
                return Batch(group, tuple(self._taken(group, waiting, _places(waiting, place, most))))
            heappop(self._order)  # it was taken along with a worse one
        return None

    def _taken(self, group: str, waiting: dict[int, Incoming], places: list[int]) -> Iterable[tuple[int, Incoming]]:
        """Take what may be taken in at once: before an alert is called less bad, it is looked at as it was."""
        fires, later = dict[str, Severity](), set[str]()
        for place in places:
            incoming = waiting[place]
            severity = incoming.how.severity
            if not _ends(incoming):
                if severity > fires.get(incoming.name, severity):
                    later.add(incoming.name)
                fires[incoming.name] = severity
            if incoming.name in later:
                continue
            del waiting[place]
            self._times[incoming.name] -= 1
            if not self._times[incoming.name]:
                del self._times[incoming.name], self._waiting_in[incoming.name]
            yield place, incoming
        if not waiting:
            del self._groups[group]


def _places(waiting: dict[int, Incoming], worst: int, most: int) -> list[int]:
    """The places of the next alerts: as they came, but the worst with the first, so that its page waits for no other.

    What else came of that alert goes with it, in its order.
    """
    first = list(islice(waiting, most))
    if worst <= first[-1]:
        return first
    name = waiting[worst].name
    own = [place for place, incoming in waiting.items() if incoming.name == name]
    return [*own, *(place for place in first if waiting[place].name != name)][:most]


def _ends(incoming: Incoming) -> bool:
    return incoming.counts is None or incoming.counts.state is not AlertState.FIRING
