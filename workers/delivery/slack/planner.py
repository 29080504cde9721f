"""Planner of Slack messages: drop moot effects, find the channel, render the message when it is sent."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from bot.render import messages, notices
from bot.render.blockkit import Message
from escalation.incident.effects import (
    Effect,
    HideCanvas,
    OpenRoom,
    Place,
    PostCard,
    Refresh,
    Remind,
    RemindPerson,
    Retract,
    Say,
    SendPage,
    Tell,
)
from escalation.incident.events.outcomes import Delivered, Dropped, OutcomeEvent, PageGathered
from escalation.incident.model import Incident
from escalation.incident.state.entries import Entry, EntryKind
from escalation.incident.state.posted import CopyKind
from escalation.service import IncidentService
from escalation.storage.alarms import incident_of
from escalation.storage.reviews.canvases import Canvases
from escalation.values import PersonId
from workers.channels import Sent, Tag
from workers.channels.failures import Failed, Kind
from workers.channels.slack import SlackClient
from workers.delivery import rate_limits
from workers.delivery.destinations import Destinations
from workers.delivery.members import Members
from workers.delivery.outage_grouping import OutageGrouping
from workers.delivery.people.stand_ins import StandInPages
from workers.delivery.plan import Plan, Planned, RetryAt, SendResult, withdrawn
from workers.delivery.privacy import Address
from workers.delivery.rooms import RoomEffect, RoomPlanner
from workers.delivery.slack.messages import Messages, mark_late
from workers.delivery.slack.posting import Posting, Render, delivered
from workers.delivery.slack.updates import Updates


class SlackPlanner:
    """Plans the effects that Slack carries, for one incident at a time."""

    def __init__(self, client: SlackClient, service: IncidentService) -> None:
        self._service = service
        self._slack = client
        self._members = Members(service, client)
        self._posting = Posting(client, service, Destinations(service, client, self._members))
        self._messages = Messages(client, service)
        self._updates = Updates(client, self._posting, self._messages)
        self._grouping = OutageGrouping(service.store)
        self._stand_ins = StandInPages(client)
        self._rooms = RoomPlanner(client.rooms, self._members, Canvases(service.store.redis))
        self._wording = self._messages.wording

    def plan(self, incident: Incident, effect: Effect, now: datetime) -> Planned:
        """Plan the send, or return the outcome if nothing is (left) to send. May ask Slack for ids; raises Failed."""
        match effect:
            case SendPage():
                return self._page(incident, effect, now)
            case PostCard():
                return self._card(incident, effect)
            case Refresh():
                return self._updates.plan(incident, effect)
            case Say():
                return self._say(incident, effect, now)
            case Tell():
                return self._notify(incident, effect, now)
            case Remind():
                return self._remind(incident, effect)
            case RemindPerson():
                return self._remind_person(incident, effect, now)
            case Retract():
                return self._retract(incident, effect)
            case OpenRoom():
                return self._rooms.open(incident, effect)
            case HideCanvas():
                return self._rooms.hide_canvas(incident, effect)
            case _ if isinstance(effect, RoomEffect):
                return self._rooms.set_up(incident, effect)
            case _:
                raise TypeError(f"Slack does not carry {effect.kind}")

    def _page(self, incident: Incident, effect: SendPage, now: datetime) -> Plan | RetryAt | OutcomeEvent:
        page = incident.page_to_send(effect)
        if page is None:
            return self._moot(effect, incident.page(effect.page).person)
        person = self._members.member(page.person)
        address = Address(self._slack.direct_channel(person), person)
        render: Render = lambda: self._messages.page(incident, page)  # noqa: E731  # one line
        plan = self._grouped(incident, effect, address, render, now)
        if isinstance(plan, RetryAt):
            return plan

        def go(retrying: bool) -> SendResult:
            result = self._stand_ins.adopt(incident, effect, person, render, now) or plan.go(retrying)
            try:
                self._slack.check_active(person)  # afterwards, so that it does not delay the page
            except Failed:
                self._take_back(result)
                raise
            return result

        return replace(plan, go=go)

    def _take_back(self, result: SendResult) -> None:
        """Delete a page to somebody who is not there: it is not updated any more, so its buttons would stay."""
        if isinstance(result.outcome, Delivered):
            with suppress(Failed):
                self._slack.delete(result.outcome.channel, result.outcome.ts)

    def _grouped(
        self, incident: Incident, effect: SendPage | Tell | RemindPerson, to: Address, render: Render, now: datetime
    ) -> Plan | RetryAt:
        """A message of its own; after an outage a reply in the thread of its person's leading page."""
        own = self._posting.post(incident, effect, to, render)
        leader = self._grouping.leader(incident, effect, to.person, now)
        if leader is None or isinstance(leader, RetryAt):
            return leader or own
        in_thread = self._posting.post(incident, effect, to, render, leader.ts)

        def go(retrying: bool) -> SendResult:
            if isinstance(effect, SendPage):
                self._service.handle(incident_of(leader.id), PageGathered(effect=leader.id, other=incident.id))
            try:
                return in_thread.go(retrying)
            except Failed as failed:
                if failed.kind is not Kind.GONE:  # the leading page was deleted
                    raise
                return own.go(retrying)

        return replace(own, go=go)

    def _moot(self, effect: SendPage | Tell | RemindPerson, to: PersonId) -> Plan:
        """Send nothing to somebody. An earlier try may have gone under the page that leads after an outage."""
        tag = Tag(effect.id, 0)

        def look() -> Sent | None:
            leader = self._grouping.known_leader(effect.id)
            channel = self._slack.direct_channel(self._members.member(to))
            found = self._slack.find(channel, tag, effect.at)
            return found or (self._slack.find(leader.channel, tag, effect.at, leader.ts) if leader else None)

        return self._posting.nothing(effect, look, lambda: self._members.member(to))

    def _card(self, incident: Incident, effect: PostCard) -> Plan | OutcomeEvent:
        if effect.withdrawn:
            return self._withdrawn(incident, effect)

        def render() -> Message:
            return self._messages.card(incident)

        if effect.place == "channel":
            return self._posting.post_in(incident, effect, self._posting.incidents, render)
        if incident.room is None:
            return Dropped(effect=effect.id, why="there is no room")
        return self._posting.post(incident, effect, Address(incident.room.channel), render)

    def _withdrawn(self, incident: Incident, effect: PostCard | Say) -> Plan | OutcomeEvent:
        """Look for a public message that may have been posted but not recorded, so that it is redacted."""
        thread, room = "", incident.old_rooms[-1].channel if incident.old_rooms else ""
        public = next((c for c in incident.copies if c.kind is CopyKind.CHANNEL), None)
        channel = room
        listed = effect.channel if isinstance(effect, Say) and effect.place is Place.STAKEHOLDERS else ""
        posting = self._posting
        name = posting.incidents if effect.place == "channel" else listed or posting.configured(incident, effect.place)
        if effect.place is Place.THREAD and public:
            channel, thread = public.channel, public.ts
        if not (name or channel):
            return withdrawn(effect)

        def look(where: str) -> SendResult:
            found = self._posting.find(incident, effect, where, thread)
            return SendResult(delivered(effect, found, "") if found else withdrawn(effect), adopted=found is not None)

        def go(retrying: bool) -> SendResult:
            if not retrying:
                return SendResult(withdrawn(effect))
            return self._posting.destinations.reach(name, look) if name else look(channel)

        return Plan(rate_limits.message(name or channel), go)

    def _say(self, incident: Incident, effect: Say, now: datetime) -> Plan | OutcomeEvent:
        if effect.withdrawn:
            return self._withdrawn(incident, effect)
        entry = incident.entry(effect.entry)
        if effect.place is Place.STAKEHOLDERS:
            outward: Render = lambda: messages.for_audience(incident, entry, self._wording)  # noqa: E731  # one line each
            return self._posting.post_in(incident, effect, effect.channel or self._posting.stakeholders, outward)
        more = [incident.entry(n) for n in effect.more]

        def render() -> Message:
            return mark_late(self._messages.in_thread(incident, entry, more), entry.at, now)

        if effect.place is Place.TEAM:
            named: Render = lambda: mark_late(self._messages.named(incident, entry), entry.at, now)  # noqa: E731  # one line
            return self._say_to_team(incident, effect, entry, named)
        if effect.place is Place.ROOM:
            channel = effect.channel or (incident.room.channel if incident.room else "")
            if not channel:
                return Dropped(effect=effect.id, why="there is no room")
            return self._posting.post(incident, effect, Address(channel), render)
        card = incident.card()
        if card is None:
            return Dropped(effect=effect.id, why="there is no card to answer to")
        return self._posting.post(incident, effect, Address(card.channel), render, card.ts, effect.broadcast)

    def _say_to_team(self, incident: Incident, effect: Say, entry: Entry, render: Render) -> Plan | OutcomeEvent:
        """Post to the owning team's channel. Without one, only checkpoints are posted, in the incidents channel."""
        own = self._posting.channel_of_team(incident)
        if own is None and entry.kind is not EntryKind.CHECKPOINT:
            return Dropped(effect=effect.id, why="the team has no channel of its own")
        return self._posting.post_in(incident, effect, own or self._posting.incidents, render)

    def _notify(self, incident: Incident, effect: Tell, now: datetime) -> Plan | RetryAt | OutcomeEvent:
        if incident.closed_at and incident.entry(effect.entry).at <= incident.closed_at:  # over since
            return self._moot(effect, effect.person)
        person = self._members.member(effect.person)
        address = Address(self._slack.direct_channel(person), person)
        render: Render = lambda: messages.for_person(incident, incident.entry(effect.entry), self._wording)  # noqa: E731
        return self._if_active(self._grouped(incident, effect, address, render, now), person)

    def _remind(self, incident: Incident, effect: Remind) -> Plan | OutcomeEvent:
        render: Render = lambda: notices.for_reminder(incident, effect.about)  # noqa: E731  # one line
        if effect.place is Place.THREAD and not incident.private:
            card = incident.card()
            if card is None:
                return Dropped(effect=effect.id, why="there is no card to answer to")
            return self._remind_in(incident, effect, card.channel, render, card.ts)
        if incident.room is None:
            return Dropped(effect=effect.id, why="there is no room")
        return self._remind_in(incident, effect, incident.room.channel, render)

    def _remind_in(self, incident: Incident, effect: Remind, channel: str, render: Render, thread: str = "") -> Plan:
        if effect.about not in incident.reminders:
            return self._posting.nothing(effect, lambda: self._posting.find(incident, effect, channel, thread))
        return self._posting.post(incident, effect, Address(channel), render, thread)

    def _remind_person(self, incident: Incident, effect: RemindPerson, now: datetime) -> Plan | RetryAt | OutcomeEvent:
        if effect.about not in incident.reminders:
            return self._moot(effect, effect.person)
        person = self._members.member(effect.person)
        address = Address(self._slack.direct_channel(person), person)
        about = effect.about
        render: Render = lambda: notices.to_person(incident, about, effect.person)  # noqa: E731  # one line
        return self._if_active(self._grouped(incident, effect, address, render, now), person)

    def _if_active(self, plan: Plan | RetryAt, person: PersonId) -> Plan | RetryAt:
        """Send only to somebody who is there: what would be read by nobody is redirected."""
        if isinstance(plan, RetryAt):
            return plan

        def go(retrying: bool) -> SendResult:
            self._slack.check_active(person)
            return plan.go(retrying)

        return replace(plan, go=go)

    def _retract(self, incident: Incident, effect: Retract) -> Plan:
        """Delete a message that a newer one has replaced; where Slack does not let us, it is reduced to a line."""

        def delete(channel: str) -> SendResult:
            try:
                self._slack.delete(channel, effect.ts)
            except Failed as failed:
                if failed.kind in (Kind.PASSING, Kind.TOKEN, Kind.GONE):
                    raise
                self._slack.update(channel, effect.ts, notices.REPLACED)
            return SendResult(Delivered(effect=effect.id))

        return Plan(rate_limits.UPDATE, lambda retrying: self._posting.reach(incident, effect.channel, delete))
