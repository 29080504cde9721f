"""Google Cloud Monitoring's webhook: https://cloud.google.com/monitoring/support/notification-options#webhooks."""

from bot.alerts.document import Unreadable
from bot.alerts.source import Received, Source, alert
from escalation.alerts.alert import AlertState, Parsed

NAME = "gcp"
STATES = {"open": AlertState.FIRING, "acknowledged": AlertState.ACKNOWLEDGED, "closed": AlertState.RESOLVED}


def parse(received: Received) -> Parsed:
    """Read a body. Raises Unreadable."""
    incident = received.document()["incident"]
    state = STATES.get(incident.text("state").lower())
    if state is None:
        raise Unreadable("incident.state is neither open nor closed")
    labels = incident.flat("policy_user_labels") | incident["resource"].flat("labels")
    severity = incident.text("severity")
    found = alert(
        NAME,
        state,
        incident.text("incident_id"),
        incident.text("policy_name", "condition_name") or "Cloud Monitoring alert",
        severity="" if severity.lower() == "no severity" else severity,
        description=incident.text("summary"),
        service=labels.get("service", ""),
        labels=labels | {"condition": incident.text("condition_name"), "resource": incident.text("resource_name")},
        started=incident.text("started_at"),
        links=(("Incident", incident.text("url")),),
    )
    return Parsed(alerts=(found,))


SOURCE = Source(NAME, "Google Cloud Monitoring", parse)
