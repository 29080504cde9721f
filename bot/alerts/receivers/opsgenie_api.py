"""Opsgenie's Alert API, which its clients can use with our address: https://docs.opsgenie.com/docs/alert-api.

`Received.path` is what follows `/v2/alerts`: empty to create, `{id}/close`, `{id}/acknowledge` or `{id}/notes`.
"""

from urllib.parse import unquote

from bot.alerts.document import Unreadable
from bot.alerts.source import Received, Source, alert, hashed
from escalation.alerts.alert import AlertState, Parsed

NAME = "opsgenie_api"
ACTIONS = {"close": AlertState.RESOLVED, "acknowledge": AlertState.ACKNOWLEDGED}


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
    if action == "notes":
        return Parsed(note="a note was added")
    if action not in ACTIONS or not identifier:
        raise Unreadable("the address names no action of the Alert API that is served here")
    return Parsed(alerts=(alert(NAME, ACTIONS[action], identifier, identifier),))


SOURCE = Source(NAME, "Opsgenie Alert API", parse, max_bytes=512 * 1024)
