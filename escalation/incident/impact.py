"""When the impact of an incident began, was detected and ended: what people and alerts said. Nothing is assumed."""

from collections.abc import Mapping
from datetime import datetime

from escalation.incident.model import Incident
from escalation.incident.state.entries import EntryKind

BEGAN, DETECTED, ENDED = "began", "detected", "ended"
INSTANTS = {BEGAN: "Impact began", DETECTED: "Detected", ENDED: "Impact ended"}
STATED_BY = (EntryKind.DECLARED, EntryKind.TIMES)  # an alert says at the declaration when it was detected


def impact_times(incident: Incident) -> Mapping[str, datetime]:
    """Return what is known, each as it was stated last."""
    told = (entry.fields for entry in incident.timeline if entry.kind in STATED_BY)
    return {name: datetime.fromisoformat(fields[name]) for fields in told for name in INSTANTS if fields.get(name)}
