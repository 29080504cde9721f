"""Slack: what is moot by now, where each message goes, what it says. Words are made at sending."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from bot.render import messages
from bot.render.blockkit import Message
from bot.render.card import card as card_message
from bot.render.card import page as page_message
from bot.render.card import redacted
from escalation.errors import TooNew
from escalation.incident.effects import (
    Effect,
    OpenRoom,
    Place,
    PostCard,
    Refresh,
    Say,
    SendPage,
    Tell,
)
from escalation.incident.events import Delivered, Dropped, OutcomeEvent, PageGathered
from escalation.incident.model import Copy, CopyKind, Entry, EntryKind, Incident, Page
from escalation.service import IncidentService
from escalation.storage.alarms import incident_of
from escalation.values import PersonId
from workers.channels import Sent, Tag
from workers.channels.failures import Failed, Kind
from workers.channels.slack import SlackClient
from workers.delivery import rate_limits
from workers.delivery.members import Members
from workers.delivery.outage_grouping import OutageGrouping
from workers.delivery.plan import Plan, Planned, RetryAt, SendResult, company_wording, withdrawn
from workers.delivery.privacy import Address, permitted
from workers.delivery.rooms import Furniture, RoomPlanner

Act = Callable[[bool], None]
Words = Callable[[], Message]
HELD_UP = timedelta(seconds=60)
log = structlog.get_logger()


class SlackPlanner:
    """Plans what Slack carries, for one incident at a time."""

    def __init__(self, client: SlackClient, service: IncidentService) -> None:
        self._service = service
        self._slack = client
        self._incidents = service.company.workspace.incidents_channel
        self._members = Members(service, client)
        self._grouping = OutageGrouping(service.store)
        self._rooms = RoomPlanner(client.rooms, self._members)
        self._wording = company_wording(service.company)

    def plan(self, incident: Incident, effect: Effect, now: datetime) -> Planned:
        """The send, or what came of it when nothing is (left) to send. May ask Slack for addresses; raises Failed."""
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
                return self._tell(incident, effect, now)
            case OpenRoom():
                return self._rooms.open(incident, effect)
            case _ if isinstance(effect, Furniture):
                return self._rooms.furnish(incident, effect)
            case _:
                raise TypeError(f"Slack does not carry {effect.kind}")

    def _page(self, incident: Incident, effect: SendPage, now: datetime) -> Plan | RetryAt | OutcomeEvent:
        page = incident.page_to_send(effect)
        if page is None:
            return Dropped(effect=effect.id, why="moot")
        person = self._members.member(page.person)
        address = Address(self._slack.direct(person), person)
        words: Words = lambda: self._called(incident, page, buttons=True)  # noqa: E731  # one line
        plan = self._gathered(incident, effect, address, words, now)
        if isinstance(plan, RetryAt):
            return plan

        def go(again: bool) -> SendResult:
            went = plan.go(again)
            self._slack.check_still_there(person)  # afterwards, so that the page waits for nothing
            return went

        return replace(plan, go=go)

    def _gathered(
        self, incident: Incident, effect: SendPage | Tell, to: Address, words: Words, now: datetime
    ) -> Plan | RetryAt:
        """By itself; what an outage held up in the thread of the page that calls its person already."""
        alone = self._post(incident, effect, to, words)
        leader = self._grouping.leader(incident, effect, to.person, now)
        if leader is None or isinstance(leader, RetryAt):
            return leader or alone
        under = self._post(incident, effect, to, words, leader.ts)

        def go(again: bool) -> SendResult:
            if isinstance(effect, SendPage):
                self._service.handle(incident_of(leader.id), PageGathered(effect=leader.id, other=incident.id))
            try:
                return under.go(again)
            except Failed as failed:
                if failed.kind is not Kind.GONE:  # somebody deleted the leading page
                    raise
                return alone.go(again)

        return replace(alone, go=go)

    def _card(self, incident: Incident, effect: PostCard) -> Plan | OutcomeEvent:
        if effect.withdrawn:
            return self._withdrawn(incident, effect)
        if effect.place == "channel":
            address = Address(self._slack.rooms.channel(self._incidents))
        elif incident.room:
            address = Address(incident.room.channel)
        else:
            return Dropped(effect=effect.id, why="there is no room")
        return self._post(
            incident,
            effect,
            address,
            lambda: card_message(incident, self._service.ahead(incident), names=self._names()),
        )

    def _withdrawn(self, incident: Incident, effect: PostCard) -> Plan | OutcomeEvent:
        """A public card that may stand there although nobody recorded it: looked for, so that it is redacted."""
        room = incident.old_rooms[-1].channel if incident.old_rooms else ""
        channel = self._slack.rooms.channel(self._incidents) if effect.place == "channel" else room
        if not channel:
            return withdrawn(effect)

        def go(again: bool) -> SendResult:
            found = self._slack.find(channel, Tag(effect.id, 0), effect.at) if again else None
            return SendResult(_delivered(effect, found, "") if found else withdrawn(effect), adopted=found is not None)

        return Plan(rate_limits.message(channel), go)

    def _say(self, incident: Incident, effect: Say, now: datetime) -> Plan | OutcomeEvent:
        entry = incident.entry(effect.entry)
        if effect.place is Place.STAKEHOLDERS:
            channel = self._slack.rooms.channel(self._service.company.workspace.stakeholders_channel)
            outward: Words = lambda: messages.outward(incident, entry, self._wording)  # noqa: E731  # one line each
            return self._post(incident, effect, Address(channel), outward)
        words: Words = lambda: _late(messages.said(incident, entry, self._wording), entry.at, now)  # noqa: E731
        if effect.place is Place.TEAM:
            return self._say_to_team(incident, effect, entry, words)
        if effect.place is Place.ROOM:
            channel = effect.channel or (incident.room.channel if incident.room else "")
            if not channel:
                return Dropped(effect=effect.id, why="there is no room")
            return self._post(incident, effect, Address(channel), words)
        card = incident.card()
        if card is None:
            return Dropped(effect=effect.id, why="there is no card to answer to")
        return self._post(incident, effect, Address(card.channel), words, card.ts, effect.broadcast)

    def _say_to_team(self, incident: Incident, effect: Say, entry: Entry, words: Words) -> Plan | OutcomeEvent:
        """Into the channel of the team that owns the service. Without one, only what is asked of it is said aloud."""
        team = self._service.company.teams.get(incident.team)
        own = team.channel if team else None
        if own is None and entry.kind is not EntryKind.CHECKPOINT:
            return Dropped(effect=effect.id, why="the team has no channel of its own")
        return self._post(incident, effect, Address(self._slack.rooms.channel(own or self._incidents)), words)

    def _tell(self, incident: Incident, effect: Tell, now: datetime) -> Plan | RetryAt | OutcomeEvent:
        if incident.status.closed and incident.entry(effect.entry).kind is not EntryKind.OVERDUE:
            return Dropped(effect=effect.id, why="moot")
        person = self._members.member(effect.person)
        address = Address(self._slack.direct(person), person)
        words: Words = lambda: messages.told(incident, incident.entry(effect.entry), self._wording)  # noqa: E731
        return self._gathered(incident, effect, address, words, now)

    def _post(
        self,
        incident: Incident,
        effect: Effect,
        to: Address,
        words: Words,
        thread: str = "",
        broadcast: bool = False,
    ) -> Plan:
        """The words are found when it goes: whatever has to wait for its slot is planned again then."""
        tag = Tag(effect.id, incident.face)

        def go(again: bool) -> SendResult:
            found = self._slack.find(to.channel, tag, effect.at, thread) if again else None
            sent = found or self._slack.post(to.channel, words(), tag, thread, broadcast)
            return SendResult(_delivered(effect, sent, to.person), adopted=found is not None)

        return permitted(incident, to, Plan(rate_limits.message(to.channel), go, to.person))

    def _refresh(self, incident: Incident, effect: Refresh) -> Plan | OutcomeEvent:
        copy = incident.copy_of(effect.copy_id)
        if copy is None:
            return Dropped(effect=effect.id, why="moot")
        to = Address(copy.channel, copy.person if copy.kind is CopyKind.DIRECT else "")

        def go(again: bool) -> SendResult:
            self._slack.update(copy.channel, copy.ts, self._copy(incident, copy))
            return SendResult(Delivered(effect=effect.id, channel=copy.channel, ts=copy.ts, face=incident.face))

        return permitted(incident, to, Plan(rate_limits.UPDATE, go), neutral=copy.redacted)

    def _copy(self, incident: Incident, copy: Copy) -> Message:
        if copy.redacted:
            return redacted(incident)
        if copy.page:
            return self._called(incident, incident.page(copy.page), buttons=not copy.final)
        ahead, names = self._service.ahead(incident), self._names()
        return card_message(incident, ahead, buttons=not copy.final, names=names)

    def _called(self, incident: Incident, page: Page, *, buttons: bool) -> Message:
        also = tuple(filter(None, map(self._other, page.also)))
        ahead, names = self._service.ahead(incident), self._names()
        return page_message(incident, page.n, ahead, buttons=buttons, names=names, also=also)

    def _other(self, incident_id: str) -> Incident | None:
        try:
            return self._service.store.get(incident_id)
        except (KeyError, ValueError, TooNew):  # it is not there, or cannot be read here
            return None

    def _names(self) -> Mapping[PersonId, str]:
        return self._service.store.directory().names


def _late(message: Message, decided: datetime, now: datetime) -> Message:
    """What Slack's absence held up is marked, so that nobody takes it for news."""
    return messages.late(message, decided) if now - decided > HELD_UP else message


def _delivered(effect: Effect, sent: Sent, person: PersonId) -> Delivered:
    paged = person if isinstance(effect, SendPage) else ""
    return Delivered(effect=effect.id, channel=sent.channel, ts=sent.ts, face=sent.face, person=paged)
