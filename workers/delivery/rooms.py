"""Planner of war rooms: open, invite, topic, pin, bookmark, archive; and of the canvas that their channel may read."""

from collections.abc import Callable
from dataclasses import replace

from bot.render import messages
from escalation.incident.effects import ArchiveRoom, BookmarkLink, HideCanvas, Invite, OpenRoom, PinCard, SetTopic
from escalation.incident.events.outcomes import Delivered, Dropped, OutcomeEvent, RoomOpened
from escalation.incident.model import Incident
from escalation.incident.room_names import candidates, former_room_name
from escalation.incident.state.posted import CopyKind
from escalation.storage.reviews.canvases import Canvases
from escalation.values import PersonId
from workers.channels.slack_rooms import SlackRooms
from workers.delivery import rate_limits
from workers.delivery.members import Members
from workers.delivery.plan import Plan, SendResult, sending, withdrawn
from workers.delivery.privacy import Address, Leak, permitted
from workers.delivery.rate_limits import Budget

Act = Callable[[bool], dict[PersonId, str] | None]  # returns whom it could not reach, and why
RoomEffect = SetTopic | Invite | PinCard | ArchiveRoom | BookmarkLink
NO_CANVAS = "there is no canvas in a channel"


class RoomPlanner:
    """Plans the sends that create and change a war room, and what its channel may read."""

    def __init__(self, rooms: SlackRooms, people: Members, canvases: Canvases) -> None:
        self._rooms = rooms
        self._people = people
        self._canvases = canvases

    def open(self, incident: Incident, effect: OpenRoom) -> Plan:
        """Plan the creation of the room. Of a withdrawn one: look whether it was created, so that it is recorded."""
        if incident.private and not (effect.private or effect.withdrawn):
            raise Leak(effect.id)
        purpose = f"War room of {incident.id}"
        names, private, since = candidates(effect.name, incident.id), effect.private, effect.at

        def go(retrying: bool) -> SendResult:
            if effect.withdrawn:
                made = self._rooms.find_created(names, private, purpose, since) if retrying else None
                return SendResult(RoomOpened(effect=effect.id, room=made) if made else withdrawn(effect))
            room = self._rooms.create(names, private, purpose, since)
            return SendResult(RoomOpened(effect=effect.id, room=room))

        return Plan(rate_limits.CREATE, go)

    def set_up(self, incident: Incident, effect: RoomEffect) -> Plan | OutcomeEvent:
        """Plan a change to a room: topic, people, pin, bookmark or archiving."""
        rooms, room = self._rooms, incident.room.channel if incident.room else ""
        match effect:
            case SetTopic(neutral=True, channel=former):
                words, name = messages.NEUTRAL_TOPIC, former_room_name(incident)
                act: Act = lambda retrying: rooms.redact(former, words, name)  # noqa: E731  # one line each, side by side
                return self._in_room(incident, effect, former, rate_limits.TOPIC, act, neutral=True)
            case SetTopic():
                text = messages.topic(incident)
                act = lambda retrying: rooms.set_topic(room, text)  # noqa: E731
                return self._in_room(incident, effect, room, rate_limits.TOPIC, act)
            case Invite():
                act = lambda retrying: self._invite(room, effect)  # noqa: E731
                return self._in_room(incident, effect, room, rate_limits.INVITE, act)
            case PinCard():
                cards = [c.ts for c in incident.copies if c.kind is CopyKind.ROOM and c.channel == room]
                act = lambda retrying: rooms.pin(room, cards[0])  # noqa: E731
                return self._in_room(incident, effect, room if cards else "", rate_limits.PIN, act)
            case ArchiveRoom():
                act = lambda retrying: rooms.archive(room)  # noqa: E731
                return self._in_room(incident, effect, room, rate_limits.ARCHIVE, act)
            case BookmarkLink():
                act = lambda retrying: rooms.bookmark(room, effect.title, effect.url, retrying)  # noqa: E731
                return self._in_room(incident, effect, room, rate_limits.BOOKMARK, act)

    def hide_canvas(self, incident: Incident, effect: HideCanvas) -> Plan | OutcomeEvent:
        """Plan to take the review's canvas out of the channel that it was shared with, if there is one."""
        canvas = self._canvases.of(incident.id)
        if canvas is None or not canvas.channel:
            return Dropped(effect=effect.id, why=NO_CANVAS)
        shared = canvas

        def hide() -> None:
            self._rooms.withdraw_canvas(shared.id, shared.channel)
            self._canvases.save(incident.id, replace(shared, channel=""))  # the next update gives it to the room

        return Plan(rate_limits.CANVAS, sending(effect, hide))

    def _in_room(
        self, incident: Incident, effect: RoomEffect, channel: str, budget: Budget, act: Act, *, neutral: bool = False
    ) -> Plan | OutcomeEvent:
        if not channel:
            return Dropped(effect=effect.id, why="there is no room")

        def go(retrying: bool) -> SendResult:
            refused = self._rooms.joining(channel, lambda: act(retrying)) or {}
            return SendResult(Delivered(effect=effect.id, channel=channel, face=incident.face, refused=refused))

        return permitted(incident, Address(channel), Plan(budget, go), neutral=neutral)

    def _invite(self, room: str, effect: Invite) -> dict[PersonId, str]:
        """Invite people; return whom Slack refused, and why."""
        found, missing = self._people.members(effect.people)
        refused = missing | self._rooms.invite(room, found.values())
        return {person: failed.reason.text for person, failed in refused.items()}
