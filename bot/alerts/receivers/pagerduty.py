"""PagerDuty's webhook, version 3: https://developer.pagerduty.com/docs/webhooks-overview.

It is delivered at least once, tried again for 48 hours on 5xx, and switched off after three other refusals.
"""

from collections.abc import Sequence
from datetime import datetime

from bot.alerts.authentication import hex_signature
from bot.alerts.document import Unreadable
from bot.alerts.source import Received, Source, alert
from escalation.alerts.alert import AlertState, Parsed

NAME = "pagerduty"
STATES = {
    "incident.triggered": AlertState.FIRING,
    "incident.reopened": AlertState.FIRING,
    "incident.unacknowledged": AlertState.FIRING,
    "incident.escalated": AlertState.FIRING,
    "incident.priority_updated": AlertState.FIRING,
    "incident.acknowledged": AlertState.ACKNOWLEDGED,
    "incident.resolved": AlertState.RESOLVED,
}


def parse(received: Received) -> Parsed:
    """Read a body; an event that changes nothing for us is a note. Raises Unreadable."""
    event = received.document()["event"]
    kind, data = event.text("event_type"), event["data"]
    if not kind:
        raise Unreadable("there is no event")
    if kind not in STATES:
        return Parsed(note=kind)
    found = alert(
        NAME,
        STATES[kind],
        data.text("id"),
        data.text("title") or "PagerDuty incident",
        severity=data["priority"].text("summary", "name"),
        labels={"pagerduty_service": data["service"].text("summary"), "urgency": data.text("urgency")},
        started=event.text("occurred_at"),
        links=(("Incident", data.text("html_url")),),
    )
    return Parsed(alerts=(found,))


def verify(received: Received, secrets: Sequence[str], now: datetime) -> bool:
    """Check the signatures; there are two while a secret is being replaced."""
    return hex_signature(received, "x-pagerduty-signature", secrets, "v1=")


SOURCE = Source(NAME, "PagerDuty", parse, "ALERTS_SECRET_PAGERDUTY", verify)
