"""Order in which lists show incidents."""

from collections.abc import Iterable

from escalation.incident.model import Incident


def in_listed_order(incidents: Iterable[Incident]) -> tuple[Incident, ...]:
    """Sort incidents: the open ones by severity, then by time; after them the closed ones, the newest first."""
    by_time = sorted(incidents, key=lambda i: i.declared_at)
    still_open = sorted((i for i in by_time if i.open), key=lambda i: i.severity)
    return (*still_open, *reversed([i for i in by_time if not i.open]))
