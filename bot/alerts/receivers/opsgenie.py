"""Opsgenie's webhook: https://support.atlassian.com/opsgenie/docs/opsgenie-edge-connector-alert-action-data/."""

from bot.alerts.document import Unreadable
from bot.alerts.source import Received, Source, alert
from escalation.alerts.alert import AlertState, Parsed
from escalation.values import INCIDENT_ID

NAME = "opsgenie"
STATES = {
    "create": AlertState.FIRING,
    "unacknowledge": AlertState.FIRING,
    "escalate": AlertState.FIRING,
    "acknowledge": AlertState.ACKNOWLEDGED,
    "close": AlertState.RESOLVED,
    "delete": AlertState.RESOLVED,
}


def parse(received: Received) -> Parsed:
    """Read a body; an action that changes nothing for us is a note. Raises Unreadable."""
    document = received.document()
    action, about = document.text("action"), document["alert"]
    if not action or not about:
        raise Unreadable("there is no action on an alert")
    state = STATES.get(action.lower())
    if state is None:
        return Parsed(note=action)
    if INCIDENT_ID.fullmatch(about.text("alias")):
        return Parsed(note=f"{action} of {about.text('alias')}, which Tocsin made")
    priority = about.text("priority")
    found = alert(
        NAME,
        state,
        about.text("alias", "alertId"),
        about.text("message") or "Opsgenie alert",
        severity=f"P{priority}" if priority.isdigit() else priority,
        description=about.text("description"),
        service=about["details"].text("service"),
        labels=about.flat("details") | {"entity": about.text("entity")},
        started=about.text("createdAt"),
    )
    return Parsed(alerts=(found,))


SOURCE = Source(NAME, "Opsgenie", parse)
