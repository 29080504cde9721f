"""Planner of our own status page: publications and withdrawals are written to the public log, once each.

What is published stands in the log; the folder follows it (escalation.storage.public.folder).
"""

from datetime import datetime

from escalation.incident.effects import Effect, Publish, Withdraw
from escalation.incident.events.outcomes import Delivered, Dropped
from escalation.incident.model import Incident
from escalation.service import IncidentService
from escalation.status_page.wording import publication
from escalation.storage.public.log import PublicLog
from workers.delivery.plan import Planned, company_wording, withdrawn


class StatusPagePlanner:
    """Plans what goes to the public log. No channel is needed."""

    def __init__(self, service: IncidentService) -> None:
        self._page = service.company.status_page
        self._log = PublicLog(service.store.redis)
        self._wording = company_wording(service.company, service.store.problems)

    def plan(self, incident: Incident, effect: Effect, now: datetime) -> Planned:
        """Write to the log now; returns the outcome."""
        match effect:
            case Withdraw():
                self._log.withdraw(incident.id)
                return Delivered(effect=effect.id)
            case Publish():
                return self._publish(incident, effect, now)
            case _:
                raise TypeError(f"the status page does not carry {effect.kind}")

    def _publish(self, incident: Incident, effect: Publish, now: datetime) -> Planned:
        if self._page is None:
            return Dropped(effect=effect.id, why="the configuration has no status page")
        if incident.private:
            return withdrawn(effect)
        entry = incident.entry(effect.entry)
        draft = publication(incident, entry, self._page, self._wording, ours=effect.id, now=now)
        return Delivered(effect=effect.id) if self._log.append(incident.id, draft) else withdrawn(effect)
