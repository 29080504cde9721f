"""Planner of what one incident tells another: carried out in the store, no channel needed, and idempotent."""

import contextlib
from datetime import datetime

from escalation.errors import NotFound
from escalation.incident.effects import Effect, LinkOther, TellDuplicate, TellOriginal
from escalation.incident.events.news import Linked, OriginalOver, SameProblem
from escalation.incident.events.outcomes import Delivered
from escalation.incident.model import Incident
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.facts import Status
from escalation.service import IncidentService
from workers.delivery.plan import Planned


class LinkPlanner:
    """Plans the effects that no channel carries."""

    def __init__(self, service: IncidentService) -> None:
        self._service = service

    def plan(self, incident: Incident, effect: Effect, now: datetime) -> Planned:
        """Tell the other incident now; returns the outcome."""
        with contextlib.suppress(NotFound):
            match effect:
                case LinkOther():
                    home = incident.coordinated_in or incident.id
                    self._service.handle(effect.other, Linked(other=incident.id, coordinated_in=home))
                case TellOriginal():
                    self._tell_original(incident, effect.other)
                case TellDuplicate():
                    self._service.handle(effect.other, OriginalOver(other=incident.id))
                case _:
                    raise TypeError(f"{effect.kind} is for a channel")
        return Delivered(effect=effect.id)

    def _tell_original(self, incident: Incident, original: str) -> None:
        """Hand on what the duplicate said; the words of a private one stay in it. One that is over says so at once."""
        cancelled = incident.latest(EntryKind.CANCELLED)
        if cancelled is None or incident.drill is not (other := self._service.store.get(original)).drill:
            return
        goes_on = other.latest(EntryKind.CANCELLED) if other.status is Status.CANCELLED else None
        if other.status.closed and not (goes_on and goes_on.fields.get("duplicate_of")):
            self._service.handle(incident.id, OriginalOver(other=original))
        if incident.private and not other.private:
            return
        text = "\n".join(filter(None, (incident.facts.title, incident.facts.impact)))
        event = SameProblem(other=incident.id, by=cancelled.by, reporter=incident.reporter, text=text)
        self._service.handle(original, event)
