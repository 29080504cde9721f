"""Checkly's webhook, in the template of our docs: https://www.checklyhq.com/docs/integrations/alerts/webhooks/."""

from bot.alerts.document import Unreadable
from bot.alerts.source import Received, Source, alert
from escalation.alerts.alert import AlertState, Parsed

NAME = "checkly"
STATES = {
    "ALERT_FAILURE": (AlertState.FIRING, ""),
    "ALERT_FAILURE_REMAIN": (AlertState.FIRING, ""),
    "ALERT_DEGRADED": (AlertState.FIRING, "warning"),
    "ALERT_DEGRADED_REMAIN": (AlertState.FIRING, "warning"),
    "ALERT_DEGRADED_FAILURE": (AlertState.FIRING, ""),
    "ALERT_FAILURE_DEGRADED": (AlertState.FIRING, "warning"),
    "ALERT_SSL": (AlertState.FIRING, "warning"),
    "ALERT_RECOVERY": (AlertState.RESOLVED, ""),
    "ALERT_DEGRADED_RECOVERY": (AlertState.RESOLVED, ""),
}


def parse(received: Received) -> Parsed:
    """Read a body. Raises Unreadable."""
    document = received.document()
    kind = document.text("alert_type").upper()
    if kind not in STATES:
        raise Unreadable("alert_type names no alert of Checkly")
    state, severity = STATES[kind]
    tags = dict(tag.strip().split(":", 1) for tag in document.text("tags").split(",") if ":" in tag)
    check = document.text("check_id")
    found = alert(
        NAME,
        state,
        f"{check} tls" if kind == "ALERT_SSL" and check else check,
        document.text("check_name", "title") or "Checkly check",
        severity=tags.get("severity", severity),
        description=document.text("error"),
        service=tags.get("service", ""),
        labels=tags | {"location": document.text("location"), "type": document.text("check_type")},
        started=document.text("started_at"),
        links=(("Result", document.text("link")),),
    )
    return Parsed(alerts=(found,))


SOURCE = Source(NAME, "Checkly", parse)
