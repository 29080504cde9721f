"""What is published of a communication: public words only, never a title, a description or a name of ours."""

import re
from datetime import datetime

from escalation.config.policy import Severity
from escalation.config.status_page import StatusPage
from escalation.incident.model import Entry, Incident, Stage, Status
from escalation.messages.communications import published_words
from escalation.messages.template import Wording
from escalation.status_page.publications import ComponentState, Impact, Publication, PublicStatus
from escalation.text import text

LONGEST_NAME, LONGEST_BODY = 120, 4000  # characters
_STATUS = {
    Status.INVESTIGATING: PublicStatus.INVESTIGATING,
    Status.MONITORING: PublicStatus.MONITORING,
    Status.RESOLVED: PublicStatus.RESOLVED,
    Status.CANCELLED: PublicStatus.RESOLVED,
}
_IMPACT = {
    Severity.P0: (Impact.CRITICAL, ComponentState.MAJOR),
    Severity.P1: (Impact.MAJOR, ComponentState.PARTIAL),
    Severity.P2: (Impact.MINOR, ComponentState.DEGRADED),
}
_NOTHING = (Impact.NONE, ComponentState.OPERATIONAL)
_SENTENCE = re.compile(r"(?<=[.!?])\s|\n")


def publication(
    incident: Incident, entry: Entry, page: StatusPage, wording: Wording, *, ours: str, now: datetime
) -> Publication:
    """Build the publication of a communication, still without its public id and number."""
    status = _status(entry)
    impact, state = _IMPACT.get(incident.severity, _NOTHING)
    service = incident.facts.service if incident.facts.service in page.components else ""
    facts = incident.facts.model_copy(update={"service": service})
    words = text(published_words(incident.model_copy(update={"facts": facts}), entry, wording))
    if status is PublicStatus.RESOLVED:
        state = ComponentState.OPERATIONAL
    next_by = entry.fields.get("next_update", "")
    return Publication(
        n=0,
        incident="",
        ours=ours,
        at=now,
        status=status,
        name=_name(entry),
        impact=impact,
        components={service: state} if service else {},
        body=words[:LONGEST_BODY],
        knew_at=incident.declared_at,
        next_by=datetime.fromisoformat(next_by) if next_by and status is not PublicStatus.RESOLVED else None,
    )


def _status(entry: Entry) -> PublicStatus:
    if entry.fields["stage"] in (Stage.RESTORED, Stage.FOLLOW_UP):
        return PublicStatus.RESOLVED
    return _STATUS.get(Status(entry.fields["status"]), PublicStatus.IDENTIFIED)


def _name(entry: Entry) -> str:
    """The first sentence of the public wording."""
    first = _SENTENCE.split(entry.text.strip(), maxsplit=1)[0].rstrip(".")
    return first if len(first) <= LONGEST_NAME else f"{first[: LONGEST_NAME - 1].rstrip()}…"
