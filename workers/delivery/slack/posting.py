"""Posting a message in Slack once: where it stands, what an earlier try sent, and what became of it."""

from collections.abc import Callable
from datetime import UTC, datetime

from bot.render.blockkit import Message
from escalation.incident.effects import Effect, Place, SendPage
from escalation.incident.events.outcomes import Delivered, Dropped
from escalation.incident.model import Incident
from escalation.incident.state.posted import CopyKind
from escalation.service import IncidentService
from escalation.values import PersonId
from workers.channels import Sent, Tag
from workers.channels.failures import Failed, Kind
from workers.channels.slack import SlackClient
from workers.delivery import rate_limits
from workers.delivery.destinations import Destinations
from workers.delivery.plan import Plan, SendResult
from workers.delivery.privacy import Address, permitted

Render = Callable[[], Message]


class Posting:
    """Posts messages in the channels of the configuration, in rooms, and directly."""

    def __init__(self, client: SlackClient, service: IncidentService, destinations: Destinations) -> None:
        self._slack, self._service = client, service
        self.destinations = destinations
        self.incidents = service.company.workspace.incidents_channel
        self.stakeholders = service.company.workspace.stakeholders_channel

    def nothing(self, effect: Effect, look: Callable[[], Sent | None], person: Callable[[], PersonId] = str) -> Plan:
        """Send nothing. What an earlier try may have sent is looked for: it stands there, and has buttons."""

        def go(retrying: bool) -> SendResult:
            found = look() if retrying else None
            if found is None:
                return SendResult(Dropped(effect=effect.id, why="moot"))
            return SendResult(delivered(effect, found, person()), adopted=True)

        return Plan(None, go)

    def post(
        self,
        incident: Incident,
        effect: Effect,
        to: Address,
        render: Render,
        thread: str = "",
        broadcast: bool = False,
    ) -> Plan:
        """Post a message, rendered when it is sent: a send that waits for a rate limit is planned again then."""

        def go(retrying: bool) -> SendResult:
            send = self._sender(incident, effect, render, retrying, to.person, thread, broadcast)
            return self.reach(incident, to.channel, send)

        return permitted(incident, to, Plan(rate_limits.message(to.channel), go, to.person))

    def post_in(self, incident: Incident, effect: Effect, name: str, render: Render) -> Plan:
        """Post a message in a channel of the configuration, which is looked up when it is sent."""

        def go(retrying: bool) -> SendResult:
            return self.destinations.reach(name, self._sender(incident, effect, render, retrying))

        return permitted(incident, Address(name), Plan(rate_limits.message(self._slack.rooms.known(name) or name), go))

    def _sender(
        self,
        incident: Incident,
        effect: Effect,
        render: Render,
        retrying: bool,
        person: PersonId = "",
        thread: str = "",
        broadcast: bool = False,
    ) -> Callable[[str], SendResult]:
        """Send into a channel; an earlier try may have arrived there, and is looked for first."""
        tag = Tag(effect.id, incident.face)

        def send(channel: str) -> SendResult:
            found = self.find(incident, effect, channel, thread) if retrying else None
            sent = found or self._slack.post(channel, render(), tag, thread, broadcast)
            return SendResult(delivered(effect, sent, person), adopted=found is not None)

        return send

    def find(self, incident: Incident, effect: Effect, channel: str, thread: str) -> Sent | None:
        """Find what an earlier try sent: there, or in the thread of a card that was deleted by hand since."""
        tag = Tag(effect.id, 0)
        if found := self._slack.find(channel, tag, effect.at, thread):
            return found
        for lost in incident.lost_cards if thread else ():
            try:
                found = self._slack.find(lost.channel, tag, datetime.fromtimestamp(float(lost.ts), UTC), lost.ts)
            except Failed as failed:  # its channel may be gone with it
                if failed.kind in (Kind.PASSING, Kind.TOKEN):
                    raise
            if found:
                return found
        return None

    def reach(self, incident: Incident, channel: str, act: Callable[[str], SendResult]) -> SendResult:
        """Do something where a message stands: by the public card, also a deleted one, in a room, or directly."""
        shown = (*incident.copies, *incident.lost_cards)
        if any(c.channel == channel and c.kind is CopyKind.CHANNEL for c in shown):
            return self.destinations.reach_known(channel, self.incidents, act)
        return self._slack.rooms.joining(channel, lambda: act(channel))

    def configured(self, incident: Incident, place: str, known: str = "") -> str:
        """Name of the configuration's channel that a place of messages is; empty if it is none. `known` is its id."""
        match place:
            case Place.STAKEHOLDERS:
                listed = (c for c in incident.list_channels.values() if known in (c, self._slack.rooms.known(c)))
                return next(listed, self.stakeholders) if known else self.stakeholders
            case Place.TEAM:
                return self.channel_of_team(incident) or self.incidents
        return ""

    def channel_of_team(self, incident: Incident) -> str | None:
        """Name of the owning team's channel; None where it has none."""
        team = self._service.company.teams.get(incident.team)
        return team.channel if team else None


def delivered(effect: Effect, sent: Sent, person: PersonId) -> Delivered:
    """Return the outcome of a send; of a page also whose it is."""
    paged = person if isinstance(effect, SendPage) else ""
    return Delivered(effect=effect.id, channel=sent.channel, ts=sent.ts, face=sent.face, person=paged)
