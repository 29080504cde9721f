"""PagerDuty's Events API v2, which its clients can use with our address.

https://developer.pagerduty.com/docs/send-alert-event
"""

from bot.alerts.document import Document, Unreadable
from bot.alerts.source import Received, Source, alert, hashed
from escalation.alerts.alert import AlertState, Parsed

NAME = "events"
STATES = {"trigger": AlertState.FIRING, "acknowledge": AlertState.ACKNOWLEDGED, "resolve": AlertState.RESOLVED}
MAX_BYTES = 512 * 1024  # PagerDuty's own limit


def parse(received: Received) -> Parsed:
    """Read an event. Raises Unreadable."""
    document = received.document()
    action, payload = document.text("event_action"), document["payload"]
    if action not in STATES:
        raise Unreadable("event_action is none of trigger, acknowledge and resolve")
    if action == "trigger" and not payload.text("summary"):
        raise Unreadable("payload.summary is missing")
    key = dedup_key(document)
    if not key:
        raise Unreadable("dedup_key is missing")
    found = alert(
        NAME,
        STATES[action],
        key,
        payload.text("summary") or key,
        severity=payload.text("severity").lower(),
        description=_details(payload),
        service=document.text("routing_key").rpartition(".")[2] if "." in document.text("routing_key") else "",
        labels=_labels(payload),
        started=payload.text("timestamp"),
        links=(
            (document.text("client") or "Source", document.text("client_url")),
            *((link.text("text") or "Link", link.text("href")) for link in document.items("links")),
        ),
    )
    return Parsed(alerts=(found,))


def dedup_key(document: Document) -> str:
    """The event's key; a trigger without one gets a key of its own, which the answer tells its sender."""
    if key := document.text("dedup_key"):
        return key
    payload = document["payload"]
    if document.text("event_action") != "trigger":
        return ""
    return hashed(payload.text("source"), payload.text("component"), payload.text("summary"))


def _details(payload: Document) -> str:
    """Its details as lines; some clients send one text instead."""
    details = payload["custom_details"]
    return details.text() or "\n".join(f"{key}: {value}" for key, value in details.flat().items())


def _labels(payload: Document) -> dict[str, str]:
    fields = ("source", "component", "group", "class")
    return {name: value for name in fields if (value := payload.text(name))}


SOURCE = Source(NAME, "PagerDuty Events", parse, max_bytes=MAX_BYTES)
