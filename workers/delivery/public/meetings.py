"""Planner of meetings: one for each war room, made by Zoom."""

from collections.abc import Sequence
from datetime import datetime

from escalation.incident.effects import DeleteMeeting, Effect, OpenMeeting
from escalation.incident.events.outcomes import Dropped, MeetingOpened
from escalation.incident.model import Incident
from escalation.service import IncidentService
from workers.channels.public.zoom import OWNER, ZoomClient
from workers.delivery.plan import Plan, Planned, SendResult, sending, withdrawn
from workers.delivery.privacy import Leak
from workers.delivery.rate_limits import Budget

# https://developers.zoom.us/docs/api/rate-limits/: a free account has two such requests a second.
ZOOM = Budget("zoom", 0.5, 4)


class MeetingPlanner:
    """Plans the creation and deletion of meetings. `hosts` are whose meetings they are; none: the app's owner's."""

    def __init__(self, client: ZoomClient, hosts: Sequence[str], service: IncidentService) -> None:
        self._client = client
        self._hosts = tuple(hosts) or (OWNER,)
        self._service = service

    def plan(self, incident: Incident, effect: Effect, now: datetime) -> Planned:
        """Plan the call to Zoom, or return its outcome if there is nothing (left) to do."""
        match effect:
            case DeleteMeeting():
                return Plan(ZOOM, sending(effect, lambda: self._client.delete(effect.meeting)))
            case OpenMeeting(withdrawn=True):
                return Plan(ZOOM, lambda retrying: self._withdraw(incident, effect, retrying))
            case OpenMeeting():
                return self._open(incident, effect)
            case _:
                raise TypeError(f"Zoom does not carry {effect.kind}")

    def _open(self, incident: Incident, effect: OpenMeeting) -> Planned:
        if not incident.open:
            return Dropped(effect=effect.id, why="moot")
        if incident.private and not effect.neutral:
            raise Leak(effect.id)

        def go(retrying: bool) -> SendResult:
            meeting = self._client.open(self._hosts_for(incident), effect.topic, effect.at, retrying=retrying)
            return SendResult(MeetingOpened(effect=effect.id, meeting=meeting))

        return Plan(ZOOM, go)

    def _withdraw(self, incident: Incident, effect: OpenMeeting, retrying: bool) -> SendResult:
        """Look for a meeting that was made just before its incident became private, so that it is deleted."""
        found = self._client.find(self._hosts, effect.topic, effect.at) if retrying else None
        return SendResult(MeetingOpened(effect=effect.id, meeting=found) if found else withdrawn(effect))

    def _hosts_for(self, incident: Incident) -> tuple[str, ...]:
        """All hosts; first one that has no other open incident's call, for a host has one call at a time."""
        others = (i.meeting for i in self._service.store.open_incidents() if i.id != incident.id)
        busy = {meeting.host for meeting in others if meeting}
        turn = _number(incident.id) % len(self._hosts)
        return tuple(sorted((*self._hosts[turn:], *self._hosts[:turn]), key=lambda host: host in busy))


def _number(incident_id: str) -> int:
    """The incident's number of the day."""
    tail = incident_id.rpartition("-")[2]
    return int(tail) if tail.isdigit() else 0
