"""How often alerts were false: of the incidents that monitoring declared, those that people called a false alarm."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from escalation.incident.model import Incident
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.facts import Status
from escalation.values import machine_title

RATE_OVER = timedelta(days=30)


class FalseAlarms(NamedTuple):
    """Of one source: how many incidents it declared, how many of those are closed, and how many were false alarms."""

    source: str
    declared: int
    closed: int
    false: int

    @property
    def rate(self) -> float | None:
        """Share of the closed ones that were false alarms; None while none is closed."""
        return self.false / self.closed if self.closed else None


def is_false_alarm(incident: Incident) -> bool:
    """True if it was cancelled, and not as a duplicate of another one: then the trouble was real."""
    cancelled = incident.latest(EntryKind.CANCELLED) if incident.status is Status.CANCELLED else None
    return cancelled is not None and not cancelled.fields.get("duplicate_of")


def false_alarms(incidents: Iterable[Incident], since: datetime) -> tuple[FalseAlarms, ...]:
    """Count, by source, the incidents that a machine declared since then; the most false alarms first. No drills."""
    declared, closed, false = Counter[str](), Counter[str](), Counter[str]()
    for incident in incidents:
        source = machine_title(incident.reporter)
        if not source or incident.drill or incident.declared_at < since:
            continue
        declared[source] += 1
        closed[source] += not incident.open
        false[source] += is_false_alarm(incident)
    rows = (FalseAlarms(source, n, closed[source], false[source]) for source, n in declared.items())
    return tuple(sorted(rows, key=lambda row: (-row.false, row.source)))
