"""Grafana's webhook: unified alerting (8 and newer) in Alertmanager's shape, legacy alerting (up to 7) in its own.

https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/
"""

from collections.abc import Sequence
from datetime import datetime

from bot.alerts.authentication import hex_signature, timed_signature
from bot.alerts.document import Document, Unreadable
from bot.alerts.metrics.alertmanager import parse_group
from bot.alerts.source import Received, Source, alert
from escalation.alerts.alert import AlertState, Parsed

NAME = "grafana"
SIGNATURE = "x-grafana-alerting-signature"
TIMESTAMP = "x-grafana-alerting-timestamp"  # where its contact point is told to send one
STATES = {"alerting": AlertState.FIRING, "no_data": AlertState.FIRING, "ok": AlertState.RESOLVED}


def parse(received: Received) -> Parsed:
    """Read a body of either kind. Raises Unreadable."""
    document = received.document()
    return parse_group(document, NAME) if "alerts" in document.value else _legacy(document)


def _legacy(document: Document) -> Parsed:
    state = document.text("state").lower()
    if state in ("pending", "paused"):
        return Parsed(note=f"the rule is {state}")
    if state not in STATES:
        raise Unreadable("there is neither a list of alerts nor a known state")
    found = alert(
        NAME,
        STATES[state],
        f"rule {document.text('orgId')}/{document.text('ruleId')}/{document.text('ruleName')}",
        document.text("ruleName") or document.text("title").removeprefix("[Alerting] ") or "Alert",
        description=document.text("message"),
        severity=document["tags"].text("severity", "priority"),
        service=document["tags"].text("service"),
        labels=document.flat("tags"),
        values={match.text("metric"): match.text("value") for match in document.items("evalMatches")},
        links=(("Rule", document.text("ruleUrl")), ("Image", document.text("imageUrl"))),
    )
    return Parsed(alerts=(found,))


def verify(received: Received, secrets: Sequence[str], now: datetime) -> bool:
    """Check the signature; with a timestamp header it covers that as well."""
    if TIMESTAMP in received.headers:
        return timed_signature(received, SIGNATURE, TIMESTAMP, secrets, now)
    return hex_signature(received, SIGNATURE, secrets)


SOURCE = Source(NAME, "Grafana", parse, "ALERTS_SECRET_GRAFANA", verify)
