"""Better Stack's incident webhook, JSON:API: https://betterstack.com/docs/uptime/webhooks/."""

from bot.alerts.document import Document, Unreadable
from bot.alerts.source import Received, Source, alert
from escalation.alerts.alert import AlertState, Parsed

NAME = "betterstack"


def parse(received: Received) -> Parsed:
    """Read a body. Raises Unreadable."""
    data = received.document()["data"]
    about = data["attributes"]
    if not data.text("id") or not about:
        raise Unreadable("there is no incident in `data`")
    found = alert(
        NAME,
        _state(about.text("resolved_at"), about.text("acknowledged_at"), about.text("status")),
        data.text("id"),
        about.text("name") or "Better Stack incident",
        severity=about.text("severity", "priority"),
        description=about.text("cause"),
        service=_service(about["metadata"]),
        labels={"team": about.text("team_name"), "type": data.text("type")},
        started=about.text("started_at"),
        links=(
            ("Incident", about.text("incident_url", "origin_url")),
            ("Monitored", about.text("url")),
            ("Screenshot", about.text("screenshot_url")),
        ),
    )
    return Parsed(alerts=(found,))


def _service(metadata: Document) -> str:
    """The service by the metadata, whose values are text, or lists of typed ones."""
    return metadata.text("service") or next((value.text("value") for value in metadata.items("service")), "")


def _state(resolved_at: str, acknowledged_at: str, status: str) -> AlertState:
    if resolved_at or status.lower() == "resolved":
        return AlertState.RESOLVED
    return AlertState.ACKNOWLEDGED if acknowledged_at or status.lower() == "acknowledged" else AlertState.FIRING


SOURCE = Source(NAME, "Better Stack", parse)
