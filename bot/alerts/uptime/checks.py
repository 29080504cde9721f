"""Checks of our own, as the workers keep them; nobody outside may send them."""

from bot.alerts.document import Unreadable
from bot.alerts.source import Received, Source, alert
from escalation.alerts.alert import AlertState, Parsed


def parse(received: Received) -> Parsed:
    """Read one result of a check."""
    body = received.document()
    name, state = body.text("name"), body.text("state")
    if state not in ("firing", "resolved"):
        raise Unreadable("this is no result of a check")
    found = alert(
        SOURCE.name,
        AlertState(state),
        name,
        f"{name} sends no heartbeat" if body.text("target") == "heartbeat" else f"{name} fails its check",
        description=f"{body.text('target')}: {body.text('seen')}",
        service=body.text("service"),
        own_severity=body.text("severity") or None,
        labels={"check": name},
        links=(("Checked address", body.text("url")),),
    )
    return Parsed(alerts=(found,))


SOURCE = Source("check", "Tocsin's checks", parse)
