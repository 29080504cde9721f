"""What is published of a communication: public words only, never a title, a description or a name of ours."""

import json
import re
from collections.abc import Mapping
from datetime import datetime

from escalation.config.policy import Severity
from escalation.config.status_page import ComponentState, StatusPage
from escalation.incident.model import Incident
from escalation.incident.state.communications import Stage
from escalation.incident.state.entries import Entry
from escalation.incident.state.facts import Status
from escalation.messages.communications import published_words
from escalation.messages.template import Wording
from escalation.status_page.publications import Impact, Publication, PublicStatus
from escalation.text import clean, text

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
_BY_STATE = {state: impact for impact, state in _IMPACT.values()} | {ComponentState.OPERATIONAL: Impact.NONE}
_NOTHING = (Impact.NONE, ComponentState.OPERATIONAL)
_SENTENCE = re.compile(r"(?<=[.!?])\s|\n")


def publication(
    incident: Incident, entry: Entry, page: StatusPage, wording: Wording, *, ours: str, now: datetime
) -> Publication:
    """Build the publication of a communication, still without its public id and number."""
    status = _status(entry)
    impact, states = _effect(incident, entry, page)
    facts = incident.facts.model_copy(update={"service": _named(incident, entry, page, states)})
    words = text(published_words(incident.model_copy(update={"facts": facts}), entry, wording))
    if status is PublicStatus.RESOLVED:
        states = dict.fromkeys(states, ComponentState.OPERATIONAL)
    next_by = entry.fields.get("next_update", "")
    return Publication(
        n=0,
        incident="",
        ours=ours,
        at=now,
        status=status,
        name=_name(entry),
        impact=impact,
        components=states,
        body=words[:LONGEST_BODY],
        knew_at=incident.declared_at,
        next_by=datetime.fromisoformat(next_by) if next_by and status is not PublicStatus.RESOLVED else None,
        entry=entry.n,
        corrects=int(entry.fields.get("corrects") or 0),
    )


def _named(incident: Incident, entry: Entry, page: StatusPage, states: Mapping[str, ComponentState]) -> str:
    """Name what is affected as the words do: what somebody chose as harmed, else the service if it is a component."""
    harmed = [name for name, state in states.items() if state is not ComponentState.OPERATIONAL]
    if entry.fields.get("components") and harmed:
        return " and ".join([", ".join(harmed[:-1]), harmed[-1]] if harmed[1:] else harmed)
    return incident.facts.service if incident.facts.service in page.components else ""


def _effect(incident: Incident, entry: Entry, page: StatusPage) -> tuple[Impact, dict[str, ComponentState]]:
    """Impact and the states of components: as somebody chose them, else by the severity; none of a mere correction."""
    impact, state = _IMPACT.get(incident.severity, _NOTHING)
    if chosen := entry.fields.get("components"):
        states = {name: ComponentState(of) for name, of in json.loads(chosen).items() if name in page.components}
        worst = max(states.values(), key=lambda of: of.rank, default=state)
        return _BY_STATE[worst], states
    return impact, {} if entry.fields.get("corrects") else states_of(incident, page)


def states_of(incident: Incident, page: StatusPage) -> dict[str, ComponentState]:
    """Return the states of an incident's components: as somebody chose them, else of its service by the severity."""
    if incident.public_components:
        return {name: state for name, state in incident.public_components.items() if name in page.components}
    _, state = _IMPACT.get(incident.severity, _NOTHING)
    return {incident.facts.service: state} if incident.facts.service in page.components else {}


def _status(entry: Entry) -> PublicStatus:
    if entry.fields["stage"] in (Stage.RESTORED, Stage.FOLLOW_UP):
        return PublicStatus.RESOLVED
    return _STATUS.get(Status(entry.fields["status"]), PublicStatus.IDENTIFIED)


def _name(entry: Entry) -> str:
    """The first sentence of the public wording."""
    first = _SENTENCE.split(clean(entry.text).strip(), maxsplit=1)[0].rstrip(".")
    return first if len(first) <= LONGEST_NAME else f"{first[: LONGEST_NAME - 1].rstrip()}…"
