"""New Relic: a workflow's webhook in the template of our docs, and the legacy channel's own body.

https://docs.newrelic.com/docs/alerts/get-notified/notification-integrations/#webhook
"""

from bot.alerts.document import Unreadable
from bot.alerts.source import Received, Source, alert
from escalation.alerts.alert import AlertState, Parsed

NAME = "newrelic"
STATES = {
    "created": AlertState.FIRING,
    "activated": AlertState.FIRING,
    "open": AlertState.FIRING,
    "acknowledged": AlertState.ACKNOWLEDGED,
    "closed": AlertState.RESOLVED,
}


def parse(received: Received) -> Parsed:
    """Read a body; its samples differ in case. Raises Unreadable."""
    document = received.document()
    state = STATES.get(document.text("state", "current_state").lower())
    if state is None:
        raise Unreadable("state names no state of an issue")
    names = [entry.text() for key in ("alertConditionNames", "alertPolicyNames") for entry in document.items(key)]
    title = document.text("title", "condition_name") or next(filter(None, names), "") or "New Relic issue"
    found = alert(
        NAME,
        state,
        document.text("issueId", "id", "incident_id"),
        title,
        severity=document.text("priority", "severity"),
        description=document.text("description", "details"),
        service=document["labels"].text("service"),
        labels=document.flat("labels") | ({"policy": names[-1]} if names else {}),
        started=document.text("createdAt", "timestamp"),
        links=(("Issue", document.text("issueUrl", "incident_url")), ("Runbook", document.text("runbook_url"))),
    )
    return Parsed(alerts=(found,))


SOURCE = Source(NAME, "New Relic", parse)
