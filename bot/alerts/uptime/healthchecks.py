"""Healthchecks' webhook, in the template of our docs: https://healthchecks.io/docs/configuring_notifications/.

Its `$JSON` holds the check's ping address, which is a secret: nothing of it is kept but what is named here.
"""

from bot.alerts.document import Unreadable
from bot.alerts.source import Received, Source, alert
from escalation.alerts.alert import AlertState, Parsed

NAME = "healthchecks"
STATES = {"down": AlertState.FIRING, "up": AlertState.RESOLVED}


def parse(received: Received) -> Parsed:
    """Read a body. Raises Unreadable."""
    document = received.document()
    state = STATES.get(document.text("status").lower())
    if state is None:
        raise Unreadable("status is neither down nor up")
    name = document.text("check", "name", "slug") or "A check"
    tags = dict(tag.split("=", 1) for tag in document.text("tags").split() if "=" in tag)
    found = alert(
        NAME,
        state,
        document.text("code", "slug"),
        f"{name} is down",
        severity=tags.get("severity", ""),
        description=document.text("body"),
        service=tags.get("service", ""),
        labels=tags | {"check": name, "tags": document.text("tags")},
        started=document.text("now"),
        links=(("Check", document.text("url")),),
    )
    return Parsed(alerts=(found,))


SOURCE = Source(NAME, "Healthchecks", parse)
