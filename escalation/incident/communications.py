"""Communications of an incident as they stand: which wait for a person, which are overdue."""

from escalation.incident.model import EntryKind, Incident, OwedCommunication, OwedState

PENDING = (OwedState.WAITING, OwedState.OWED)


def pending(incident: Incident) -> tuple[OwedCommunication, ...]:
    """Return the communications that wait for a person: for their approval, or to be published."""
    return tuple(o for o in incident.communications if o.state in PENDING)


def is_overdue(owed: OwedCommunication, incident: Incident) -> bool:
    """True once its deadline has passed and somebody was reminded of it."""
    reminded = any(e.kind is EntryKind.OVERDUE and e.fields["n"] == str(owed.n) for e in incident.timeline)
    return reminded and owed.state in PENDING


def tasks(incident: Incident) -> tuple[OwedCommunication, ...]:
    """Return the latest communication of each plan; one whose place a newer took is left out."""
    latest = {o.plan.id: o for o in incident.communications if o.state is not OwedState.REPLACED}
    return tuple(latest.values())
