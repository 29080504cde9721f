"""How things stand by what was published: incidents, components, and 90 days of each component."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from escalation.config.status_page import UNDER_MAINTENANCE, ComponentState, Maintenance
from escalation.status_page.maintenance import in_progress
from escalation.status_page.publications import Impact, Publication, PublicStatus

DAYS = 90


class Correction(NamedTuple):
    """A correction of an update: when it was published, as which number, and what stood there before."""

    at: datetime
    was: Publication
    by: int


@dataclass(frozen=True)
class PublicIncident:
    """An incident as it was published, the oldest update first, each as last corrected.

    `corrections` are those of an update, by its number, the oldest first.
    """

    id: str
    updates: tuple[Publication, ...]
    corrections: Mapping[int, tuple[Correction, ...]] = field(default_factory=dict)

    @property
    def latest(self) -> Publication:
        """The update that holds now."""
        return self.updates[-1]

    @property
    def open(self) -> bool:
        """True until the end was published."""
        return self.latest.status is not PublicStatus.RESOLVED

    @property
    def name(self) -> str:
        """Its name, as last worded."""
        return next((u.name for u in reversed(self.updates) if u.name), "Incident")

    @property
    def impact(self) -> Impact:
        """The worst impact that was published."""
        return max((u.impact for u in self.updates), key=list(Impact).index)


@dataclass(frozen=True)
class Interval:
    """A component was in that state from `since` until `until` (None: it still is)."""

    component: str
    state: ComponentState
    since: datetime
    until: datetime | None


@dataclass(frozen=True)
class Run:
    """Consecutive days of a component in one state, both included."""

    first: date
    last: date
    state: ComponentState

    @property
    def days(self) -> int:
        """How many days it lasts."""
        return (self.last - self.first).days + 1


def incidents_of(publications: Iterable[Publication]) -> list[PublicIncident]:
    """Group publications by incident, in the order in which they were first told."""
    grouped: dict[str, list[Publication]] = {}
    for each in publications:
        grouped.setdefault(each.incident, []).append(each)
    return [_corrected(public_id, told) for public_id, told in grouped.items()]


def _corrected(public_id: str, told: Iterable[Publication]) -> PublicIncident:
    """Put each correction where the update stands; one whose update is unknown is an update of its own."""
    updates, corrections = list[Publication](), dict[int, tuple[Correction, ...]]()
    for each in told:
        place = next((n for n, u in enumerate(updates) if each.corrects and u.entry == each.corrects), None)
        if place is None:
            updates.append(each)
            continue
        before = updates[place]
        stated = {"components": each.components, "impact": each.impact} if each.components else {}
        updates[place] = before.model_copy(update={"body": each.body, "name": each.name, **stated})
        corrections[before.n] = (*corrections.get(before.n, ()), Correction(each.at, before, each.n))
    return PublicIncident(public_id, tuple(updates), corrections)


def intervals(incidents: Iterable[PublicIncident]) -> list[Interval]:
    """Return the times at which components were not operational, as published.

    The first begins when we knew of it, not when we told of it; a reopened incident's begins with its new publication.
    An update states all that its incident harms: what it names no more is operational, as all is at the end.
    """
    found = list[Interval]()
    for incident in incidents:
        states = dict[str, tuple[ComponentState, datetime]]()
        for n, update in enumerate(incident.updates):
            since = min(update.knew_at, update.at) if n == 0 else update.at
            healed = dict.fromkeys(states, ComponentState.OPERATIONAL)
            for component, state in (healed | update.components).items():
                before = states.get(component)
                if before and before[0] is state:
                    continue
                if before and before[0] is not ComponentState.OPERATIONAL:
                    found.append(Interval(component, before[0], before[1], update.at))
                states[component] = (state, since)
        found += [Interval(c, s, at, None) for c, (s, at) in states.items() if s is not ComponentState.OPERATIONAL]
    return found


def worst(states: Iterable[ComponentState]) -> ComponentState:
    """Return the worst of some states."""
    return max(states, key=lambda state: state.rank, default=ComponentState.OPERATIONAL)


def state_now(component: str, of: Iterable[Interval], now: datetime) -> ComponentState:
    """Return the state of a component now."""
    return worst(
        i.state for i in of if i.component == component and i.since <= now and (i.until is None or i.until > now)
    )


def shown_state(component: str, of: Iterable[Interval], windows: Iterable[Maintenance], now: datetime) -> str:
    """Return what is shown of a component now: under maintenance while nothing else is said of it."""
    state = state_now(component, of, now)
    fine = state is ComponentState.OPERATIONAL
    under = fine and any(component in window.components for window in in_progress(windows, now))
    return UNDER_MAINTENANCE if under else str(state)


def runs(component: str, of: Sequence[Interval], now: datetime, days: int = DAYS) -> list[Run]:
    """Return the last days in UTC, today the last, each in its worst state, grouped where neighbours are alike."""
    today = now.astimezone(UTC).date()
    own = [i for i in of if i.component == component]
    found = list[Run]()
    for day in (today - timedelta(days=n) for n in reversed(range(days))):
        begins = datetime.combine(day, time(), UTC)
        ends = begins + timedelta(days=1)
        state = worst(
            i.state for i in own if i.since < ends and i.since <= now and (i.until is None or i.until > begins)
        )
        if found and found[-1].state is state:
            found[-1] = Run(found[-1].first, day, state)
        else:
            found.append(Run(day, day, state))
    return found
