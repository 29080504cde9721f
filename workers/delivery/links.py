"""Planner of links between incidents: carried out in the store, no channel needed, and idempotent."""

import contextlib
from datetime import datetime

from escalation.errors import NotFound
from escalation.incident.effects import Effect, LinkOther
from escalation.incident.events.news import Linked
from escalation.incident.events.outcomes import Delivered
from escalation.incident.model import Incident
from escalation.service import IncidentService
from workers.delivery.plan import Planned


class LinkPlanner:
    """Plans the effects that no channel carries."""

    def __init__(self, service: IncidentService) -> None:
        self._service = service

    def plan(self, incident: Incident, effect: Effect, now: datetime) -> Planned:
        """Link the other incident now; returns the outcome."""
        if not isinstance(effect, LinkOther):
            raise TypeError(f"{effect.kind} is for a channel")
        home = incident.coordinated_in or incident.id
        with contextlib.suppress(NotFound):
            self._service.handle(effect.other, Linked(other=incident.id, coordinated_in=home))
        return Delivered(effect=effect.id)
