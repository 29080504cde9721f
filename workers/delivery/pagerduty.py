"""Planner of PagerDuty events: trigger, acknowledge, resolve."""

from datetime import datetime

from escalation.incident.effects import Alert, Effect
from escalation.incident.model import Incident
from escalation.service import IncidentService
from workers.channels.pagerduty import PagerDutyClient
from workers.delivery.plan import Plan, Planned, sending
from workers.delivery.rate_limits import Budget

ALERT = Budget("pagerduty", 0.5, 10)  # https://developer.pagerduty.com/docs/events-api-rate-limits: 120 a minute


class PagerDutyPlanner:
    """Plans PagerDuty events. Their `dedup_key` is the incident's id, so an event sent twice makes no difference."""

    def __init__(self, client: PagerDutyClient, service: IncidentService) -> None:
        self._client = client

    def plan(self, incident: Incident, effect: Effect, now: datetime) -> Planned:
        """The send of the event for an alert effect."""
        if not isinstance(effect, Alert):
            raise TypeError(f"PagerDuty does not carry {effect.kind}")
        return Plan(ALERT, sending(effect, lambda: self._client.send(incident, effect.action)))
