"""Datadog's webhook, in the template of our docs: https://docs.datadoghq.com/integrations/webhooks/.

Everything is text, dates and empty values too; what Datadog has no value for may stay as `$NAME`.
"""

import re

from bot.alerts.document import Document, Unreadable
from bot.alerts.source import Received, Source, alert
from escalation.alerts.alert import AlertState, Parsed

NAME = "datadog"
FIRING = ("triggered", "re-triggered", "warn", "re-warn", "no data", "re-no data", "renotify")
_PREFIX = re.compile(r"^\[[^\]]*\]\s*")  # "[Triggered on {service:api}] "


def parse(received: Received) -> Parsed:
    """Read a body. Raises Unreadable."""
    document = received.document()
    transition = _value(document, "alert_transition").lower()
    if transition not in (*FIRING, "recovered"):
        raise Unreadable("alert_transition names no transition of a monitor")
    tags = _tags(_value(document, "tags"))
    monitor = _value(document, "monitor_id", "alert_id")
    scopes = _value(document, "scopes")
    found = alert(
        NAME,
        AlertState.RESOLVED if transition == "recovered" else AlertState.FIRING,
        _value(document, "aggregate") or f"{monitor} {scopes}",
        _PREFIX.sub("", _value(document, "title")) or "Datadog monitor",
        occurrence=_value(document, "cycle"),
        group=monitor,
        severity=_severity(document, transition),
        description=_plain(_value(document, "body")),
        service=tags.get("service", ""),
        labels=tags | {"monitor": monitor, "transition": transition},
        started=_value(document, "date"),
        links=(("Monitor", _value(document, "url")), ("Snapshot", _value(document, "snapshot"))),
    )
    return Parsed(alerts=(found,))


def _value(document: Document, *keys: str) -> str:
    """The value of a field; a placeholder that Datadog did not replace is none."""
    return next((text for key in keys if (text := document.text(key)) and not re.fullmatch(r"\$[A-Z_]+", text)), "")


def _severity(document: Document, transition: str) -> str:
    """Its priority where the monitor has one, else what the transition says."""
    if priority := _value(document, "severity", "priority"):
        return priority
    return "warning" if transition in ("warn", "re-warn") else _value(document, "alert_type")


def _tags(text: str) -> dict[str, str]:
    """`monitor,service:api` -> {"service": "api"}: tags without a value say nothing about where."""
    return dict(tag.strip().split(":", 1) for tag in text.split(",") if ":" in tag)


def _plain(body: str) -> str:
    """Its Markdown without the marks that switch it on."""
    return body.replace("%%%", "").strip()


SOURCE = Source(NAME, "Datadog", parse)
