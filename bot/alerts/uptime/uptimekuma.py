"""Uptime Kuma's webhook: JSON, or a form's field `data`. A failed one is never sent again.

https://github.com/louislam/uptime-kuma/blob/master/server/notification-providers/webhook.js
"""

import re

from bot.alerts.document import Document, Unreadable, parse_json
from bot.alerts.source import Received, Source, alert
from escalation.alerts.alert import AlertState, Parsed

NAME = "uptimekuma"
STATES = {"0": AlertState.FIRING, "1": AlertState.RESOLVED}
SILENT = {"2": "a heartbeat is pending", "3": "the monitor is under maintenance"}
_PART = re.compile(rb'name="data"[^\r\n]*\r?\n(?:[^\r\n]+\r?\n)*\r?\n(.*?)\r?\n--', re.DOTALL)


def parse(received: Received) -> Parsed:
    """Read a body. Raises Unreadable."""
    document = _document(received)
    beat, monitor = document["heartbeat"], document["monitor"]
    if not beat and not monitor and document.text("msg"):
        return Parsed(note="Uptime Kuma's test")
    status = beat.text("status")
    if status in SILENT:
        return Parsed(note=SILENT[status])
    if status not in STATES:
        raise Unreadable("heartbeat.status is none of 0 to 3")
    tags = {tag.text("name"): tag.text("value") for tag in monitor.items("tags")}
    name = monitor.text("pathName", "name") or "A monitor"
    found = alert(
        NAME,
        STATES[status],
        monitor.text("id") or beat.text("monitorID"),
        f"{name} is down",
        severity=tags.get("severity", ""),
        description=beat.text("msg"),
        service=tags.get("service", ""),
        labels=tags | {"monitor": name},
        started=beat.text("time"),
        links=(("Monitor", monitor.text("url")),),
    )
    return Parsed(alerts=(found,))


def _document(received: Received) -> Document:
    """The body; in a form of either kind the field `data` holds it."""
    kind = received.headers.get("content-type", "")
    if kind.startswith("multipart/form-data"):
        match = _PART.search(received.body)
        if match is None:
            raise Unreadable("the form has no field `data`")
        return parse_json(match[1])
    document = received.document()
    return parse_json(document.text("data").encode()) if document.text("data") else document


SOURCE = Source(NAME, "Uptime Kuma", parse)
