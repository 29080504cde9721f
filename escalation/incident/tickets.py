"""Lists of incidents and their order; tickets: those in a team's backlog, their states, the tracker that has one."""

from collections.abc import Iterable
from enum import StrEnum

from escalation.config.tickets import Tracker
from escalation.incident.model import Incident
from escalation.incident.state.facts import Status


class TicketState(StrEnum):
    """State of a ticket, from first to last."""

    OPEN = "open"
    SCHEDULED = "scheduled"
    FIXED = "fixed"
    VERIFIED = "verified"
    CLOSED = "closed"


def ticket_state(incident: Incident) -> TicketState:
    """Derive a ticket's state from its incident."""
    if incident.status.closed:
        return TicketState.CLOSED
    if incident.status is Status.MONITORING:
        return TicketState.VERIFIED if incident.verified else TicketState.FIXED
    return TicketState.SCHEDULED if incident.schedule else TicketState.OPEN


def backlog(incidents: Iterable[Incident], team: str = "") -> tuple[Incident, ...]:
    """Return the tickets among incidents, of one team or of all: by team, then by state, the oldest first."""
    order = list(TicketState)
    tickets = (i for i in incidents if i.policy.ticket and team in ("", i.team))
    return tuple(sorted(tickets, key=lambda i: (i.team, order.index(ticket_state(i)), i.declared_at)))


def mark_of(incident: Incident) -> str:
    """Return the mark by which its ticket is found again; what was opened before it became private has another one."""
    return f"{incident.id}-private" if incident.private else incident.id


def tracker_of(incident: Incident) -> Tracker | None:
    """Return the tracker that has a ticket of the incident; None for a severity without, and where none is private."""
    tickets = incident.tickets
    if tickets is None or incident.drill:
        return None
    if incident.private:
        return tickets.private
    return tickets if not tickets.severities or incident.severity in tickets.severities else None


def in_listed_order(incidents: Iterable[Incident]) -> tuple[Incident, ...]:
    """Sort incidents: the open ones by severity, then by time; after them the closed ones, the newest first."""
    by_time = sorted(incidents, key=lambda i: i.declared_at)
    still_open = sorted((i for i in by_time if i.open), key=lambda i: i.severity)
    return (*still_open, *reversed([i for i in by_time if not i.open]))
