"""Planner of webhooks that publish: the support portal, social media."""

from collections.abc import Mapping
from datetime import datetime

from escalation.config.actions import Action
from escalation.config.lists import WEBHOOKS
from escalation.config.rules.communications import Means
from escalation.incident.effects import CallWebhook, Effect
from escalation.incident.events.outcomes import Delivered, Dropped
from escalation.incident.model import Incident
from escalation.messages.communications import published_words
from escalation.service import IncidentService
from escalation.text import text
from workers.channels.actions import ActionCall, ActionClient
from workers.delivery.plan import Plan, Planned, SendResult, company_wording, withdrawn
from workers.delivery.rate_limits import Budget

PACE = Budget(WEBHOOKS, 1.0, 10)  # a second between two in the long run, ten at once
TYPE = "incident.communication"


class WebhookPlanner:
    """Plans what goes to systems that publish. A repeat has the key of the first try, so that they can drop it."""

    def __init__(self, client: ActionClient, service: IncidentService) -> None:
        self._client = client
        self._webhooks = service.company.public_webhooks
        self._wording = company_wording(service.company, service.store.problems)

    def plan(self, incident: Incident, effect: Effect, now: datetime) -> Planned:
        """The call of a webhook; none of an incident that became private."""
        if not isinstance(effect, CallWebhook):
            raise TypeError(f"webhooks do not carry {effect.kind}")
        webhook = self._webhooks.get(effect.means)
        if incident.private:
            return withdrawn(effect)
        if webhook is None:
            return Dropped(effect=effect.id, why=f"the configuration has no webhook for {effect.means}", lasting=True)
        action = Action(name=effect.means.replace("_", "-"), url=webhook.url, secret_env=webhook.secret_env)
        call = ActionCall(action, effect.id, effect.at, now, self._told(incident, effect), TYPE)

        def go(retrying: bool) -> SendResult:
            return SendResult(Delivered(effect=effect.id, status=self._client.run(call), reached=1))

        return Plan(PACE, go)

    def _told(self, incident: Incident, effect: CallWebhook) -> Mapping[str, str]:
        """What is published: words meant for the public, and no others; the id lets a system update what it has."""
        entry = incident.entry(effect.entry)
        return {
            "to": Means(effect.means).value,
            "incident": incident.id,
            "stage": entry.fields["stage"],
            "status": entry.fields["status"],
            "text": text(published_words(incident, entry, self._wording)),
        }
