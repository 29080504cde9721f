"""What a report is written from, read from the store at once. Private incidents are counted, and nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from escalation.config.company import Company
from escalation.figures.observation import Observation
from escalation.figures.periods import Period
from escalation.figures.recurrence import PreventiveItem, Recurrence, recurrences
from escalation.figures.report import IncidentReport, incident_report
from escalation.incident.model import Incident
from escalation.incident.tickets import in_listed_order
from escalation.reviews.action_items import ActionItem
from escalation.slo import Report
from escalation.storage.action_items import ActionItems
from escalation.storage.store import Store
from escalation.values import PersonId

LOOK_BACK = timedelta(days=60)  # incidents declared so long before a period may end in it
MAX_NAMED = 20  # incidents that a daily report reads and names


@dataclass(frozen=True)
class Gathered:
    """The facts of a report. `before` is the period before; `seen` are the observations of both and of LOOK_BACK.

    `open` and `named` are incidents as people may read them: those that are open, and those of the period that a daily
    report names. `private` counts those of the period that are left out, `private_open` the open ones.
    `narrowed`: other services or severities are left out of the figures; action items and punctuality have all.
    """

    figures: IncidentReport
    before: IncidentReport
    seen: tuple[Observation, ...]
    open: tuple[Incident, ...]
    named: Mapping[str, Incident]
    private: int
    private_open: int
    items: tuple[ActionItem, ...]
    own: Report
    names: Mapping[PersonId, str]
    now: datetime
    narrowed: bool = False


def gather(
    store: Store,
    company: Company,
    period: Period,
    before: datetime,
    now: datetime,
    *,
    service: str = "",
    severity: str = "",
) -> Gathered:
    """Read what a report needs. `before`: when the period begins that it is compared with, which ends with its start.

    `service` and `severity` leave out the others.
    """
    seen = store.observations(min(before, period.since - LOOK_BACK))
    every = tuple(s for s in seen if not severity or s.severity == severity)
    known = tuple(s for s in every if not s.private)
    directory = store.directory()
    items, recurred = recurrences_of(store, seen)
    report_of = partial(
        incident_report, known, service=service, zone=company.timezone, zones=directory.zones, recurred=recurred
    )
    figures = report_of(*period, before=before)
    earlier = Period(before, period.since)
    running = store.open_incidents()
    shown = [i for i in running if not i.private and not i.drill]
    of_period = [s for s in known if not s.drill and _concerns(s, period)]
    private = [s for s in every if s.private and _declared_in(s, period)]
    return Gathered(
        figures=figures,
        before=report_of(*earlier),
        seen=tuple(s for s in known if not service or s.service == service),
        open=tuple(in_listed_order(shown)),
        named={i.id: i for i in store.read([s.id for s in of_period[-MAX_NAMED:]]) if not i.private},
        private=len(private),
        private_open=sum(i.private for i in running),
        items=items,
        own=store.report_of(company.objective, period.since, period.until, now),
        names=directory.names,
        now=now,
        narrowed=bool(service or severity),
    )


def recurrences_of(store: Store, seen: Sequence[Observation]) -> tuple[tuple[ActionItem, ...], dict[str, Recurrence]]:
    """Return the action items that anybody may see, and the recurrences among what is seen, by incident."""
    items, known = ActionItems(store.redis).all(), {s.id for s in seen}
    older = store.observed(sorted({item.incident for item in items} - known))
    every = (*older, *seen)
    private = {s.id for s in every if s.private}
    shown = tuple(item for item in items if not item.private and item.incident not in private)
    return shown, recurrences(every, map(_prevention, shown))


def _prevention(item: ActionItem) -> PreventiveItem:
    closed = item.closed_at.timestamp() if item.closed_at else None
    again = frozenset(incident for incident, _ in item.again)
    return PreventiveItem(item.id, item.incident, item.at.timestamp(), closed, again)


def concerns(seen: Sequence[Observation], period: Period) -> list[Observation]:
    """Return what was declared or closed in a period, without drills, the oldest first."""
    return [s for s in seen if not s.drill and _concerns(s, period)]


def _concerns(seen: Observation, period: Period) -> bool:
    ended = seen.resolved is not None and period.since.timestamp() <= seen.resolved < period.until.timestamp()
    return ended or _declared_in(seen, period)


def _declared_in(seen: Observation, period: Period) -> bool:
    return period.since.timestamp() <= seen.declared < period.until.timestamp()
