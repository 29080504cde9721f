"""Planner of actions: webhooks of the company's own systems."""

from datetime import datetime

from bot.render.common import card_url
from escalation.config.actions import ACTIONS
from escalation.incident.effects import Effect, RunAction
from escalation.incident.events.outcomes import Delivered, Dropped
from escalation.incident.model import Incident
from escalation.service import IncidentService
from workers.channels.actions import ActionCall, ActionClient
from workers.delivery.failure_outcomes import ACTION_GIVE_UP_AFTER
from workers.delivery.plan import Plan, Planned, SendResult
from workers.delivery.rate_limits import Budget

PACE = Budget(ACTIONS, 1.0, 10)  # a second between two in the long run, ten at once


class ActionPlanner:
    """Plans actions. A repeat has the key of the first try, so that the receiver can drop it."""

    def __init__(self, client: ActionClient, service: IncidentService) -> None:
        self._client = client
        self._service = service

    def plan(self, incident: Incident, effect: Effect, now: datetime) -> Planned:
        """The call of an action; none once the incident is over, or too late for those who are at work."""
        if not isinstance(effect, RunAction):
            raise TypeError(f"actions do not carry {effect.kind}")
        action = next((a for a in incident.actions if a.name == effect.name), None)
        if action is None or not incident.open:
            return Dropped(effect=effect.id, why="it was not called, since the incident is over")
        if now - effect.at > ACTION_GIVE_UP_AFTER:
            return Dropped(effect=effect.id, why="it was not called in time, and would come as a surprise now")
        call = ActionCall(action, effect.id, effect.at, now, self._body(incident, effect))

        def go(retrying: bool) -> SendResult:
            return SendResult(Delivered(effect=effect.id, status=self._client.run(call)))

        return Plan(PACE, go)

    def _body(self, incident: Incident, effect: RunAction) -> dict[str, str]:
        """What the system is told. Of a private incident only its id, severity and address leave."""
        url = card_url(incident, self._service.store.directory().url)
        told = {"action": effect.name, "incident": incident.id, "severity": incident.severity.value, "url": url}
        if incident.private:
            return told
        facts = incident.facts
        return told | {"when": effect.when, "service": facts.service, "title": facts.title, "by": effect.by}
