"""How things stand by what was published: incidents, components, and 90 days of each component."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from escalation.config.status_page import Maintenance, StatusPage
from escalation.status_page.publications import ComponentState, Impact, Publication, PublicStatus

DAYS = 90


@dataclass(frozen=True)
class PublicIncident:
    """An incident as it was published, the oldest update first."""

    id: str
    updates: tuple[Publication, ...]

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


class Phase(StrEnum):
    """Phase of planned maintenance."""

    SCHEDULED = "scheduled"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"


def phase_of(window: Maintenance, now: datetime) -> Phase:
    """Return the phase of planned maintenance; it is in progress from its start until its end, which is excluded."""
    if now < window.starts:
        return Phase.SCHEDULED
    return Phase.IN_PROGRESS if now < window.ends else Phase.COMPLETED


def shown_maintenance(page: StatusPage, now: datetime) -> list[tuple[Maintenance, Phase]]:
    """Return the maintenance to show, the earliest first: what is ahead, in progress, or ended within a day."""
    recent = (w for w in page.maintenance if now < w.ends + timedelta(days=1))
    return [(w, phase_of(w, now)) for w in sorted(recent, key=lambda w: w.starts)]


def incidents_of(publications: Iterable[Publication]) -> list[PublicIncident]:
    """Group publications by incident, in the order in which they were first told."""
    grouped: dict[str, list[Publication]] = {}
    for each in publications:
        grouped.setdefault(each.incident, []).append(each)
    return [PublicIncident(public_id, tuple(updates)) for public_id, updates in grouped.items()]


def intervals(incidents: Iterable[PublicIncident]) -> list[Interval]:
    """Return the times at which components were not operational, as published.

    The first begins when we knew of it, not when we told of it; a reopened incident's begins with its new publication.
    """
    found = list[Interval]()
    for incident in incidents:
        states = dict[str, tuple[ComponentState, datetime]]()
        for n, update in enumerate(incident.updates):
            since = min(update.knew_at, update.at) if n == 0 else update.at
            for component, state in update.components.items():
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
    return worst(i.state for i in of if i.component == component and i.since <= now and (i.until or now) >= now)


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
