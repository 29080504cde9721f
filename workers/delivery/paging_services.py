"""Planner of alerts in other paging services: trigger, acknowledge, resolve."""

from datetime import datetime
from typing import Protocol

from escalation.incident.effects import Alert, Effect
from escalation.incident.events.outcomes import Dropped
from escalation.incident.model import Incident
from escalation.service import IncidentService
from workers.delivery.plan import Plan, Planned, sending
from workers.delivery.rate_limits import Budget


class ServiceClient(Protocol):
    """Client of a paging service, which drops duplicates by the incident's id."""

    def send(self, incident: Incident, action: str) -> None:
        """Trigger, acknowledge or resolve. Raises Failed if it was not accepted."""


class ServicePlanner:
    """Plans alerts. Their key is the incident's id, so an alert sent twice makes no difference while it is open."""

    def __init__(self, client: ServiceClient, service: IncidentService) -> None:
        self._client = client

    def plan(self, incident: Incident, effect: Effect, now: datetime) -> Planned:
        """The send of an alert effect."""
        if not isinstance(effect, Alert):
            raise TypeError(f"a paging service does not carry {effect.kind}")
        if effect.action == "trigger" and not incident.open:  # it would open a new one there
            return Dropped(effect=effect.id, why="moot")
        # https://developer.pagerduty.com/docs/events-api-rate-limits: 120 a minute; Opsgenie's are of that order
        budget = Budget(effect.via, 0.5, 10)
        return Plan(budget, sending(effect, lambda: self._client.send(incident, effect.action)))
