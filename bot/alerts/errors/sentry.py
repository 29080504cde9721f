"""Sentry's internal integration: issues, issue alerts and metric alerts.

https://docs.sentry.io/organization/integrations/integration-platform/webhooks/. It wants its answer within a second,
never tries again, and its signature covers the raw body.
"""

from collections.abc import Sequence
from datetime import datetime

from bot.alerts.authentication import hex_signature
from bot.alerts.document import Document, Unreadable
from bot.alerts.source import Received, Source, alert
from escalation.alerts.alert import AlertState, Parsed

NAME = "sentry"
ISSUE_STATES = {
    "created": AlertState.FIRING,
    "unresolved": AlertState.FIRING,
    "triggered": AlertState.FIRING,
    "resolved": AlertState.RESOLVED,
    "archived": AlertState.RESOLVED,
    "ignored": AlertState.RESOLVED,
}
METRIC_STATES = {"critical": AlertState.FIRING, "warning": AlertState.FIRING, "resolved": AlertState.RESOLVED}


def parse(received: Received) -> Parsed:
    """Read a body of any of the three kinds, told apart by what they hold. Raises Unreadable."""
    if not received.body.strip():
        return Parsed(note="an empty body")
    document = received.document()
    action, data = document.text("action").lower(), document["data"]
    if data["metric_alert"]:
        return _metric(action, data)
    if action == "assigned":
        return Parsed(note="an issue was assigned")
    if action and data.object and document["installation"].text("uuid") and not (data["issue"] or data["event"]):
        return Parsed(note=f"{next(iter(data.value), 'something')} {action}")  # installations, comments, errors
    if action not in ISSUE_STATES or not (data["issue"] or data["event"]):
        raise Unreadable("it is neither an issue nor an alert")
    return _issue(action, data)


def _issue(action: str, data: Document) -> Parsed:
    issue = data["issue"] if data["issue"] else data["event"]
    tags = _tags(issue)
    fingerprint = _issue_of_event(issue) if data["event"] else issue.text("id")
    found = alert(
        NAME,
        ISSUE_STATES[action],
        f"issue {fingerprint}" if fingerprint else "",
        issue.text("title", "message") or "Sentry issue",
        severity=issue.text("level"),
        description=issue.text("culprit"),
        service=tags.get("service", ""),
        labels=tags | {"project": issue["project"].text("slug") or issue.text("project")},
        started=issue.text("firstSeen", "datetime"),
        links=(("Issue", issue.text("web_url", "permalink")),),
    )
    return Parsed(alerts=(found,))


def _issue_of_event(event: Document) -> str:
    """Return the id of the issue that an event belongs to; older servers name it in the issue's address only."""
    return event.text("issue_id") or event.text("issue_url").rstrip("/").rpartition("/")[2] or event.text("id")


def _metric(action: str, data: Document) -> Parsed:
    if action not in METRIC_STATES:
        raise Unreadable("action names no state of a metric alert")
    metric = data["metric_alert"]
    found = alert(
        NAME,
        METRIC_STATES[action],
        f"metric {metric.text('organization_id')}/{metric.text('identifier', 'id')}",
        data.text("description_title") or metric.text("title") or "Sentry metric alert",
        severity=action if action != "resolved" else "",
        description=data.text("description_text"),
        labels={"projects": ", ".join(entry.text() for entry in metric.items("projects"))},
        started=metric.text("date_started"),
        links=(("Alert", data.text("web_url")),),
    )
    return Parsed(alerts=(found,))


def _tags(issue: Document) -> dict[str, str]:
    """Tags come as pairs, or as objects of key and value."""
    found: dict[str, str] = {}
    for tag in issue.items("tags"):
        pair = tag.value if isinstance(tag.value, list) else [tag.text("key"), tag.text("value")]
        if len(pair) == 2 and all(isinstance(part, str) for part in pair):
            found[pair[0]] = pair[1]
    return found


def verify(received: Received, secrets: Sequence[str], now: datetime) -> bool:
    """Check the signature; older integrations send it under another name."""
    return any(hex_signature(received, name, secrets) for name in ("sentry-hook-signature", "sentry-app-signature"))


SOURCE = Source(NAME, "Sentry", parse, "ALERTS_SECRET_SENTRY", verify)
