"""UptimeRobot's webhook, as a form, a query or JSON: https://uptimerobot.com/blog/web-hook-alert-contacts/.

A placeholder that it had no value for arrives as `*name*`. Both spellings of its fields are in use.
"""

import re

from bot.alerts.document import Document, Unreadable
from bot.alerts.source import Received, Source, alert
from escalation.alerts.alert import AlertState, Parsed

NAME = "uptimerobot"
STATES = {"1": AlertState.FIRING, "2": AlertState.RESOLVED, "3": AlertState.FIRING}
TLS_EXPIRY = "3"


def parse(received: Received) -> Parsed:
    """Read a body. Raises Unreadable."""
    document = received.document()
    kind = _value(document, "alertType", "alert_type")
    if kind not in STATES:
        raise Unreadable("alertType is none of 1, 2 and 3")
    name = _value(document, "monitorFriendlyName", "monitor_friendly_name")
    url = _value(document, "monitorURL", "monitor_url")
    monitor = _value(document, "monitorID", "monitor_id") or url or name
    expires = kind == TLS_EXPIRY
    found = alert(
        NAME,
        STATES[kind],
        f"{monitor} tls" if expires and monitor else monitor,
        f"TLS certificate of {name or url} expires" if expires else f"{name or url or 'A monitor'} is down",
        severity="warning" if expires else "",
        description=_value(document, "alertDetails", "alert_details"),
        labels={"monitor": name},
        links=(("Monitor", url),),
        ends=not expires,
    )
    return Parsed(alerts=(found,))


def _value(document: Document, *keys: str) -> str:
    return next((text for key in keys if (text := document.text(key)) and not re.fullmatch(r"\*\w+\*", text)), "")


SOURCE = Source(NAME, "UptimeRobot", parse)
