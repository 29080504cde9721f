"""Messages that stand in Slack, as they are to be now: cards, pages and words."""

from collections.abc import Container, Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bot.render import messages, notices
from bot.render.blockkit import Message
from bot.render.card import card as card_message
from bot.render.card import redacted
from bot.render.common import card_url, room_url
from bot.render.pages import page as page_message
from bot.render.pages import superseded
from escalation.errors import TooNew
from escalation.incident.effects import Place
from escalation.incident.model import Incident
from escalation.incident.state.entries import Entry, EntryKind
from escalation.incident.state.pages import Page
from escalation.incident.state.posted import DIRECT, Copy, CopyKind, Post
from escalation.messages.entries.likeness import ids_of
from escalation.reviews.action_items import ActionItem
from escalation.service import IncidentService
from escalation.storage.action_items import ActionItems
from escalation.storage.search.likeness import Likenesses
from escalation.values import PersonId
from workers.channels.slack import SlackClient
from workers.delivery.plan import company_wording

LATE_AFTER = timedelta(seconds=60)


class Messages:
    """Renders messages of an incident with what the store knows: names, what is upcoming, other incidents."""

    def __init__(self, client: SlackClient, service: IncidentService) -> None:
        self._slack, self._service = client, service
        self.wording = company_wording(service.company, service.store.problems)
        self._likenesses = Likenesses(service.store)

    def card(self, incident: Incident, buttons: bool = True) -> Message:
        """Render the card of an incident."""
        ahead, names = self._service.upcoming(incident), self._names()
        return card_message(incident, ahead, buttons=buttons, names=names)

    def named(self, incident: Incident, entry: Entry, only: Container[str] | None = None) -> Message:
        """Render an entry for a channel where nothing else says which incident it is about."""
        card = card_url(incident, self._slack.workspace_url())
        return messages.for_person(incident, entry, self.wording, only=only, card=card)

    def in_thread(
        self, incident: Incident, entry: Entry, more: Sequence[Entry] = (), only: Container[str] | None = None
    ) -> Message:
        """Render entries for the thread or the war room; of other incidents that they name, what those say now."""
        message = messages.for_thread(incident, entry, self.wording, more=more, only=only)
        for each in (entry, *more):
            if each.kind is EntryKind.ALIKE:
                found = self._likenesses.named(ids_of(each, "open"), ids_of(each, "past"))
                today = incident.declared_at.astimezone(ZoneInfo(self._service.company.timezone)).date()
                message = messages.with_likeness(message, found, today)
            if each.kind is EntryKind.PREVENTION and (item := self._item(each.fields["item"])):
                message = messages.with_item(message, item)
        return message

    def _item(self, item_id: str) -> ActionItem | None:
        """Read an action item of another incident; None if it is gone, or private since."""
        item = ActionItems(self._service.store.redis).get(item_id)
        return None if item is None or item.private else item

    def of_post(self, incident: Incident, post: Post) -> Message:
        """Render a posted message other than a card as it is to be now."""
        if post.redacted:
            return redacted(incident)
        first, *more = (incident.entry(n) for n in post.entries)
        if post.place == Place.STAKEHOLDERS:
            return messages.for_audience(incident, first, self.wording)
        if post.place == DIRECT:
            return messages.for_person(incident, first, self.wording, only=post.asks)
        if post.place == Place.TEAM:
            return mark_late(self.named(incident, first, post.asks), first.at, post.at)
        return mark_late(self.in_thread(incident, first, more, post.asks), first.at, post.at)

    def of_copy(self, incident: Incident, copy: Copy) -> Message:
        """Render a posted card, reminder or list as it is to be now."""
        if copy.redacted:
            return redacted(incident)
        if copy.page:
            return superseded(incident) if copy.final else self.page(incident, incident.page(copy.page))
        if copy.kind in (CopyKind.REMINDER, CopyKind.COMMUNICATIONS):
            return notices.of_copy(incident, copy)
        return self.card(incident, buttons=not copy.final)

    def page(self, incident: Incident, page: Page) -> Message:
        """Render a page, with the other incidents in its thread."""
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


def mark_late(message: Message, decided: datetime, now: datetime) -> Message:
    """Mark a message that an outage delayed, so that nobody takes it for news."""
    return messages.mark_late(message, decided) if now - decided > LATE_AFTER else message
