"""Communications of an incident as they stand: which wait for a person, which are overdue."""

from escalation.config.status_page import STATUS_PAGE
from escalation.incident.model import Entry, EntryKind, Incident, OwedCommunication, OwedState

PENDING = (OwedState.WAITING, OwedState.OWED)


def pending(incident: Incident) -> tuple[OwedCommunication, ...]:
    """Return the communications that wait for a person: for their approval, or to be published."""
    return tuple(o for o in incident.communications if o.state in PENDING)


def is_overdue(owed: OwedCommunication, incident: Incident) -> bool:
    """True once its deadline has passed and somebody was reminded of it."""
    reminded = any(e.kind is EntryKind.OVERDUE and e.fields["n"] == str(owed.n) for e in incident.timeline)
    return reminded and owed.state in PENDING


def tasks(incident: Incident) -> tuple[OwedCommunication, ...]:
    """Return the latest communication of each plan, and each correction; one whose place a newer took is left out."""
    latest = {(o.plan.id, o.corrects): o for o in incident.communications if o.state is not OwedState.REPLACED}
    return tuple(latest.values())


def updates_on_page(incident: Incident) -> tuple[Entry, ...]:
    """Return the entries that stand on our status page as updates, oldest first; corrections are none."""
    published = {n for post in incident.posts if post.place == STATUS_PAGE for n in post.entries}
    return tuple(e for e in map(incident.entry, sorted(published)) if not e.fields.get("corrects"))
