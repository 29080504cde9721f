"""PagerDuty's webhook, version 3: https://developer.pagerduty.com/docs/webhooks-overview.

It is delivered at least once, tried again for 48 hours on 5xx, and switched off after three other refusals.
"""

import re
from collections.abc import Sequence
from datetime import datetime

from bot.alerts.authentication import hex_signature
from bot.alerts.document import Document, Unreadable
from bot.alerts.source import Received, Source, alert
from escalation.alerts.alert import AlertState, Parsed
from escalation.values import INCIDENT_ID

NAME = "pagerduty"
OWN_TITLE = re.compile(rf"P\d .*\(({INCIDENT_ID.pattern})\)(?:, tier \d+ paged)?", re.DOTALL)
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
    if key := own_key(data):
        return Parsed(note=f"{kind} of {key}, which Tocsin made")
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


def own_key(data: Document) -> str:
    """The id of the incident of ours that an incident stands for; empty for another.

    PagerDuty gives no key where it groups alerts; then our words are its title.
    """
    key = data.text("incident_key")
    if INCIDENT_ID.fullmatch(key):
        return key
    found = OWN_TITLE.fullmatch(data.text("title"))
    return found[1] if found and not key else ""


def verify(received: Received, secrets: Sequence[str], now: datetime) -> bool:
    """Check the signatures; there are two while a secret is being replaced."""
    return hex_signature(received, "x-pagerduty-signature", secrets, "v1=")


SOURCE = Source(NAME, "PagerDuty", parse, "ALERTS_SECRET_PAGERDUTY", verify)
