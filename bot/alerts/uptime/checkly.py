"""Checkly's webhook, in the template of our docs: https://www.checklyhq.com/docs/integrations/alerts/webhooks/.

Its templates are Handlebars, whose `{{…}}` writes `&amp;` for `&` and `&#x3D;` for `=`: names and links are read back.
"""

import html

from bot.alerts.document import Document, Unreadable
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
    tags = dict(tag.strip().split(":", 1) for tag in _value(document, "tags").split(",") if ":" in tag)
    check = document.text("check_id")
    found = alert(
        NAME,
        state,
        f"{check} tls" if kind == "ALERT_SSL" and check else check,
        _value(document, "check_name", "title") or "Checkly check",
        severity=tags.get("severity", severity),
        description=_value(document, "error"),
        service=tags.get("service", ""),
        labels=tags | {"location": _value(document, "location"), "type": document.text("check_type")},
        started=document.text("started_at"),
        links=(("Result", _value(document, "link")),),
        ends=kind != "ALERT_SSL",
    )
    return Parsed(alerts=(found,))


def _value(document: Document, *keys: str) -> str:
    return html.unescape(document.text(*keys))


SOURCE = Source(NAME, "Checkly", parse)
