"""Planner of Slack messages: drop moot effects, find the channel, render the message when it is sent."""

from collections.abc import Callable, Container, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog

from bot.render import messages, notices
from bot.render.blockkit import Message
from bot.render.card import card as card_message
from bot.render.card import redacted
from bot.render.common import card_url, room_url
from bot.render.pages import page as page_message
from bot.render.pages import superseded
from escalation.engine import cards
from escalation.errors import TooNew
from escalation.incident.effects import (
    Effect,
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
from escalation.incident.state.pages import Page
from escalation.incident.state.posted import DIRECT, Copy, CopyKind, Post
from escalation.service import IncidentService
from escalation.storage.alarms import incident_of
from escalation.values import PersonId
from workers.channels import Sent, Tag
from workers.channels.failures import Failed, Kind
from workers.channels.slack import SlackClient
from workers.delivery import rate_limits
from workers.delivery.destinations import Destinations
from workers.delivery.members import Members
from workers.delivery.outage_grouping import OutageGrouping
from workers.delivery.people.stand_ins import StandInPages
from workers.delivery.plan import Plan, Planned, RetryAt, SendResult, company_wording, withdrawn
from workers.delivery.privacy import Address, permitted
from workers.delivery.rooms import RoomEffect, RoomPlanner

Act = Callable[[bool], None]
Render = Callable[[], Message]
LATE_AFTER = timedelta(seconds=60)
log = structlog.get_logger()


class SlackPlanner:
    """Plans the effects that Slack carries, for one incident at a time."""

    def __init__(self, client: SlackClient, service: IncidentService) -> None:
        self._service = service
        self._slack = client
        self._incidents = service.company.workspace.incidents_channel
        self._stakeholders = service.company.workspace.stakeholders_channel
        self._members = Members(service, client)
        self._destinations = Destinations(service, client, self._members)
        self._grouping = OutageGrouping(service.store)
        self._stand_ins = StandInPages(client)
        self._rooms = RoomPlanner(client.rooms, self._members)
        self._wording = company_wording(service.company)

    def plan(self, incident: Incident, effect: Effect, now: datetime) -> Planned:
        """Plan the send, or return the outcome if nothing is (left) to send. May ask Slack for ids; raises Failed."""
        match effect:
            case SendPage():
                return self._page(incident, effect, now)
            case PostCard():
                return self._card(incident, effect)
            case Refresh():
                return self._refresh(incident, effect)
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
        render: Render = lambda: self._page_message(incident, page)  # noqa: E731  # one line
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
        own = self._post(incident, effect, to, render)
        leader = self._grouping.leader(incident, effect, to.person, now)
        if leader is None or isinstance(leader, RetryAt):
            return leader or own
        in_thread = self._post(incident, effect, to, render, leader.ts)

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

        return self._nothing(effect, look, lambda: self._members.member(to))

    def _nothing(self, effect: Effect, look: Callable[[], Sent | None], person: Callable[[], PersonId] = str) -> Plan:
        """Send nothing. What an earlier try may have sent is looked for: it stands there, and has buttons."""

        def go(retrying: bool) -> SendResult:
            found = look() if retrying else None
            if found is None:
                return SendResult(Dropped(effect=effect.id, why="moot"))
            return SendResult(_delivered(effect, found, person()), adopted=True)

        return Plan(None, go)

    def _card(self, incident: Incident, effect: PostCard) -> Plan | OutcomeEvent:
        if effect.withdrawn:
            return self._withdrawn(incident, effect)

        def render() -> Message:
            return card_message(incident, self._service.upcoming(incident), names=self._names())

        if effect.place == "channel":
            return self._post_in(incident, effect, self._incidents, render)
        if incident.room is None:
            return Dropped(effect=effect.id, why="there is no room")
        return self._post(incident, effect, Address(incident.room.channel), render)

    def _withdrawn(self, incident: Incident, effect: PostCard | Say) -> Plan | OutcomeEvent:
        """Look for a public message that may have been posted but not recorded, so that it is redacted."""
        thread, room = "", incident.old_rooms[-1].channel if incident.old_rooms else ""
        public = next((c for c in incident.copies if c.kind is CopyKind.CHANNEL), None)
        channel = room
        listed = effect.channel if isinstance(effect, Say) and effect.place is Place.STAKEHOLDERS else ""
        name = self._incidents if effect.place == "channel" else listed or self._configured(incident, effect.place)
        if effect.place is Place.THREAD and public:
            channel, thread = public.channel, public.ts
        if not (name or channel):
            return withdrawn(effect)

        def look(where: str) -> SendResult:
            found = self._find(incident, effect, where, thread)
            return SendResult(_delivered(effect, found, "") if found else withdrawn(effect), adopted=found is not None)

        def go(retrying: bool) -> SendResult:
            if not retrying:
                return SendResult(withdrawn(effect))
            return self._destinations.reach(name, look) if name else look(channel)

        return Plan(rate_limits.message(name or channel), go)

    def _say(self, incident: Incident, effect: Say, now: datetime) -> Plan | OutcomeEvent:
        if effect.withdrawn:
            return self._withdrawn(incident, effect)
        entry = incident.entry(effect.entry)
        if effect.place is Place.STAKEHOLDERS:
            outward: Render = lambda: messages.for_audience(incident, entry, self._wording)  # noqa: E731  # one line each
            return self._post_in(incident, effect, effect.channel or self._stakeholders, outward)
        more = [incident.entry(n) for n in effect.more]

        def render() -> Message:
            return _mark_late(messages.for_thread(incident, entry, self._wording, more=more), entry.at, now)

        if effect.place is Place.TEAM:
            named: Render = lambda: _mark_late(self._named(incident, entry), entry.at, now)  # noqa: E731  # one line
            return self._say_to_team(incident, effect, entry, named)
        if effect.place is Place.ROOM:
            channel = effect.channel or (incident.room.channel if incident.room else "")
            if not channel:
                return Dropped(effect=effect.id, why="there is no room")
            return self._post(incident, effect, Address(channel), render)
        card = incident.card()
        if card is None:
            return Dropped(effect=effect.id, why="there is no card to answer to")
        return self._post(incident, effect, Address(card.channel), render, card.ts, effect.broadcast)

    def _named(self, incident: Incident, entry: Entry, only: Container[str] | None = None) -> Message:
        """Render an entry for a channel where nothing else says which incident it is about."""
        card = card_url(incident, self._slack.workspace_url())
        return messages.for_person(incident, entry, self._wording, only=only, card=card)

    def _say_to_team(self, incident: Incident, effect: Say, entry: Entry, render: Render) -> Plan | OutcomeEvent:
        """Post to the owning team's channel. Without one, only checkpoints are posted, in the incidents channel."""
        own = self._team_channel(incident)
        if own is None and entry.kind is not EntryKind.CHECKPOINT:
            return Dropped(effect=effect.id, why="the team has no channel of its own")
        return self._post_in(incident, effect, own or self._incidents, render)

    def _team_channel(self, incident: Incident) -> str | None:
        team = self._service.company.teams.get(incident.team)
        return team.channel if team else None

    def _notify(self, incident: Incident, effect: Tell, now: datetime) -> Plan | RetryAt | OutcomeEvent:
        if incident.status.closed:
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
            return self._nothing(effect, lambda: self._find(incident, effect, channel, thread))
        return self._post(incident, effect, Address(channel), render, thread)

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

        return Plan(rate_limits.UPDATE, lambda retrying: self._reach(incident, effect.channel, delete))

    def _post(
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
            return self._reach(incident, to.channel, send)

        return permitted(incident, to, Plan(rate_limits.message(to.channel), go, to.person))

    def _post_in(self, incident: Incident, effect: Effect, name: str, render: Render) -> Plan:
        """Post a message in a channel of the configuration, which is looked up when it is sent."""

        def go(retrying: bool) -> SendResult:
            return self._destinations.reach(name, self._sender(incident, effect, render, retrying))

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
            found = self._find(incident, effect, channel, thread) if retrying else None
            sent = found or self._slack.post(channel, render(), tag, thread, broadcast)
            return SendResult(_delivered(effect, sent, person), adopted=found is not None)

        return send

    def _find(self, incident: Incident, effect: Effect, channel: str, thread: str) -> Sent | None:
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

    def _reach(self, incident: Incident, channel: str, act: Callable[[str], SendResult]) -> SendResult:
        """Do something where a message stands: by the public card, also a deleted one, in a room, or directly."""
        shown = (*incident.copies, *incident.lost_cards)
        if any(c.channel == channel and c.kind is CopyKind.CHANNEL for c in shown):
            return self._destinations.reach_known(channel, self._incidents, act)
        return self._slack.rooms.joining(channel, lambda: act(channel))

    def _refresh(self, incident: Incident, effect: Refresh) -> Plan | OutcomeEvent:
        copy = incident.copy_of(effect.copy_id)
        if copy is None:
            return self._refresh_message(incident, effect)
        if copy.final and effect.id != cards.final_id(copy.id) and incident.effect(cards.final_id(copy.id)):
            return Dropped(effect=effect.id, why="a later update replaces it")
        budget = rate_limits.update(incident, card=copy.redacted or not copy.final)
        to = Address(copy.channel, copy.person)

        def update(channel: str) -> SendResult:
            self._slack.update(channel, copy.ts, self._copy_message(incident, copy))
            return SendResult(Delivered(effect=effect.id, channel=channel, ts=copy.ts, face=incident.face))

        def go(retrying: bool) -> SendResult:
            if copy.final and copy.page and self._deleted(incident, copy):
                gone = Delivered(effect=effect.id, channel=copy.channel, ts=copy.ts, face=incident.face)
                return SendResult(gone)
            return self._reach(incident, copy.channel, update)

        return permitted(incident, to, Plan(budget, go), neutral=copy.redacted)

    def _refresh_message(self, incident: Incident, effect: Refresh) -> Plan | OutcomeEvent:
        """Update a message other than a card: without buttons that are over, or redacted."""
        post = incident.post_of(effect.copy_id)
        if post is None or not post.ts:
            return Dropped(effect=effect.id, why="moot")

        def update(channel: str) -> SendResult:
            self._slack.update(channel, post.ts, self._post_message(incident, post))
            return SendResult(Delivered(effect=effect.id, channel=channel, ts=post.ts, face=incident.face))

        def go(retrying: bool) -> SendResult:
            if name := self._configured(incident, post.place, post.channel):
                return self._destinations.reach_known(post.channel, name, update)
            return self._reach(incident, post.channel, update)

        budget = rate_limits.update(incident, card=False)
        to = Address(post.channel, post.person if post.place == DIRECT else "")
        return permitted(incident, to, Plan(budget, go), neutral=post.redacted)

    def _configured(self, incident: Incident, place: str, known: str = "") -> str:
        """Name of the configuration's channel that a place of messages is; empty if it is none. `known` is its id."""
        match place:
            case Place.STAKEHOLDERS:
                listed = (c for c in incident.list_channels.values() if known in (c, self._slack.rooms.known(c)))
                return next(listed, self._stakeholders) if known else self._stakeholders
            case Place.TEAM:
                return self._team_channel(incident) or self._incidents
        return ""

    def _post_message(self, incident: Incident, post: Post) -> Message:
        if post.redacted:
            return redacted(incident)
        first, *more = (incident.entry(n) for n in post.entries)
        if post.place == Place.STAKEHOLDERS:
            return messages.for_audience(incident, first, self._wording)
        if post.place == DIRECT:
            return messages.for_person(incident, first, self._wording, only=post.asks)
        if post.place == Place.TEAM:
            return _mark_late(self._named(incident, first, post.asks), first.at, post.at)
        message = messages.for_thread(incident, first, self._wording, more=more, only=post.asks)
        return _mark_late(message, first.at, post.at)

    def _deleted(self, incident: Incident, copy: Copy) -> bool:
        """Delete a replaced page; False where others stand in its thread, or Slack refuses."""
        if incident.page(copy.page).also:
            return False
        try:
            self._slack.delete(copy.channel, copy.ts)
        except Failed as failed:
            if failed.kind in (Kind.PASSING, Kind.TOKEN):
                raise
            return failed.kind is Kind.GONE
        return True

    def _copy_message(self, incident: Incident, copy: Copy) -> Message:
        if copy.redacted:
            return redacted(incident)
        if copy.page:
            return superseded(incident) if copy.final else self._page_message(incident, incident.page(copy.page))
        if copy.kind in (CopyKind.REMINDER, CopyKind.COMMUNICATIONS):
            return notices.of_copy(incident, copy)
        ahead, names = self._service.upcoming(incident), self._names()
        return card_message(incident, ahead, buttons=not copy.final, names=names)

    def _page_message(self, incident: Incident, page: Page) -> Message:
        also = tuple(filter(None, map(self._other_incident, page.also)))
        ahead, names = self._service.upcoming(incident), self._names()
        return page_message(incident, page.n, ahead, link=self._link(incident), names=names, also=also)

    def _link(self, incident: Incident) -> str:
        """Link to the room; to the card where there is none."""
        workspace = self._slack.workspace_url()
        return room_url(incident, workspace) or card_url(incident, workspace)

    def _other_incident(self, incident_id: str) -> Incident | None:
        try:
            return self._service.store.get(incident_id)
        except (KeyError, ValueError, TooNew):  # missing, or unreadable here
            return None

    def _names(self) -> Mapping[PersonId, str]:
        return self._service.store.directory().names


def _mark_late(message: Message, decided: datetime, now: datetime) -> Message:
    """Mark a message that an outage delayed, so that nobody takes it for news."""
    return messages.mark_late(message, decided) if now - decided > LATE_AFTER else message


def _delivered(effect: Effect, sent: Sent, person: PersonId) -> Delivered:
    paged = person if isinstance(effect, SendPage) else ""
    return Delivered(effect=effect.id, channel=sent.channel, ts=sent.ts, face=sent.face, person=paged)
