"""Rows of lists that are no incidents, as their filters see them. Pure."""

from datetime import UTC, datetime

from escalation.incident.model import Incident
from escalation.reviews.action_items import ActionItem, ItemState
from escalation.search.selection import Row


def item_row(item: ActionItem) -> Row:
    """An action item, since it was noted."""
    owners = (item.owner,) if item.owner else ()
    return Row(item.at, service=item.service, owners=owners, open=item.state is ItemState.OPEN)


def alert_row(at: float, severity: str, source: str, incident: Incident | None) -> Row:
    """What became of an alert at an instant (epoch seconds), with the service of the incident that it joined."""
    service = incident.facts.service if incident else ""
    return Row(datetime.fromtimestamp(at, UTC), severity=severity, service=service, source=source)
