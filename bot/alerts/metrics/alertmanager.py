"""Alertmanager's webhook, versions 3 and 4: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config."""

from bot.alerts.document import Document, Unreadable
from bot.alerts.source import Received, Source, absolute, alert, hashed
from escalation.alerts.alert import Alert, AlertState, Parsed

NAME = "alertmanager"
# Named in a label or annotation by convention only; the first that is there.
SEVERITIES = ("severity", "priority", "level")
HIDDEN = frozenset({"__alert_rule_uid__", "__dashboardUid__", "__panelId__", "__orgId__"})  # Grafana's own


def parse(received: Received) -> Parsed:
    """Read a body. Raises Unreadable."""
    return parse_group(received.document(), NAME)


def parse_group(document: Document, source: str) -> Parsed:
    """Read a group of alerts, which Grafana and incident.io's receiver send in the same shape. Raises Unreadable."""
    if not isinstance(document["alerts"].value, list):
        raise Unreadable("there is no list of alerts")
    alerts = tuple(_alert(entry, document, source) for entry in document.items("alerts") if entry.object)
    left_out = max(0, len(document["alerts"].value) - len(alerts))
    return Parsed(alerts=alerts, truncated=document.number("truncatedAlerts") + left_out)


def _alert(entry: Document, group: Document, source: str) -> Alert:
    labels = group.flat("commonLabels") | entry.flat("labels")
    notes = group.flat("commonAnnotations") | entry.flat("annotations")
    title = notes.get("summary") or notes.get("title") or labels.get("alertname") or group.text("title") or "Alert"
    base = group.text("externalURL")
    firing = entry.text("status").lower() != "resolved"
    return alert(
        source,
        AlertState.FIRING if firing else AlertState.RESOLVED,
        entry.text("fingerprint") or hashed(source, *(f"{k}={v}" for k, v in sorted(entry.flat("labels").items()))),
        title,
        occurrence=entry.text("startsAt"),
        group=group.text("groupKey"),
        severity=next((labels[name] for name in SEVERITIES if name in labels), ""),
        description=notes.get("description") or notes.get("message") or "",
        service=labels.get("service", ""),
        labels={name: value for name, value in labels.items() if name not in HIDDEN},
        values=entry.flat("values"),
        started=entry.text("startsAt"),
        links=(
            ("Runbook", notes.get("runbook_url") or notes.get("runbook") or ""),
            ("Dashboard", absolute(base, entry.text("dashboardURL"))),
            ("Panel", absolute(base, entry.text("panelURL"))),
            ("Graph", absolute(base, entry.text("generatorURL"))),
            ("Silence", absolute(base, entry.text("silenceURL"))),
            ("Alertmanager" if source == NAME else "Source", base),
        ),
    )


SOURCE = Source(NAME, "Alertmanager", parse)
