"""Opsgenie's Alert API, which its clients can use with our address: https://docs.opsgenie.com/docs/alert-api.

`Received.path` is what follows `/v2/alerts`: empty to create, else `{id}/close`, `{id}/acknowledge`, `{id}/notes` and
the like. What Opsgenie calls the id of an alert is its fingerprint here, which is its alias where it has one.
"""

from typing import Any
from urllib.parse import unquote

from bot.alerts.document import Unreadable
from bot.alerts.source import Received, Source, alert, hashed
from escalation.alerts.alert import AlertState, Parsed

NAME = "opsgenie_api"
ACTIONS = {"close": AlertState.RESOLVED, "acknowledge": AlertState.ACKNOWLEDGED}
# They change nothing here, and are accepted: of what it could not update Alertmanager (`update_alerts`) sends no end.
NOTES = frozenset(
    (
        *("notes", "message", "description", "priority", "details", "tags", "attachments"),
        *("assign", "responders", "escalate", "snooze", "unacknowledge"),
    )
)


def parse(received: Received) -> Parsed:
    """Read a request. Raises Unreadable."""
    identifier, _, action = received.path.strip("/").rpartition("/")
    if received.path.strip("/"):
        return _follow_up(unquote(identifier), action)
    document = received.document()
    message = document.text("message")
    if not message:
        raise Unreadable("message is missing")
    alias = document.text("alias")
    details = document.flat("details")
    found = alert(
        NAME,
        AlertState.FIRING,
        alias or hashed(message),
        message,
        severity=document.text("priority") or details.get("severity", ""),
        description=document.text("description"),
        service=details.get("service", ""),
        labels=details | {"entity": document.text("entity"), "source": document.text("source")},
        links=(("Source", document.text("source")), ("Runbook", details.get("runbook_url", ""))),
    )
    return Parsed(alerts=(found,))


def _follow_up(identifier: str, action: str) -> Parsed:
    if action in NOTES and identifier:
        return Parsed(note=f"{action} of {identifier}"[:200])
    if action not in ACTIONS or not identifier:
        raise Unreadable("the address names no action of the Alert API that is served here")
    return Parsed(alerts=(alert(NAME, ACTIONS[action], identifier, identifier),))


def path_of(method: str, rest: str) -> str:
    """The path of a request by its method: deleting an alert closes it, deleting a part of it is a change."""
    is_end = method == "DELETE" and rest.rpartition("/")[2] not in NOTES
    return f"{rest}/close" if is_end else rest


def status_of(received: Received) -> dict[str, Any]:
    """What became of a request that was accepted, as its client reads it. Raises Unreadable."""
    parsed, action = parse(received), received.path.rpartition("/")[2] or "create"
    done = {"create": "Created alert", "close": "Closed alert", "acknowledge": "Acknowledged alert"}
    about = parsed.alerts[0].fingerprint if parsed.alerts else received.path.rpartition("/")[0]
    return {
        "success": True,
        "isSuccess": True,
        "action": action.capitalize(),
        "status": done.get(action, parsed.note),
        "alertId": about,
        "alias": about,
        "integrationId": "tocsin",
    }


SOURCE = Source(NAME, "Opsgenie Alert API", parse, max_bytes=512 * 1024)
