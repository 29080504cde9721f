"""Updates of messages that stand in Slack."""

from bot.render.blockkit import Message
from escalation.engine import cards
from escalation.incident.effects import Refresh
from escalation.incident.events.outcomes import Delivered, Dropped, OutcomeEvent
from escalation.incident.model import Incident
from escalation.incident.state.posted import DIRECT, Copy
from workers.channels.failures import Failed, Kind
from workers.channels.slack import SlackClient
from workers.delivery import rate_limits
from workers.delivery.plan import Plan, SendResult
from workers.delivery.privacy import Address, permitted
from workers.delivery.slack.messages import Messages
from workers.delivery.slack.posting import Posting

UNCHANGEABLE = ("edit_window_closed", "cant_update_message")


class Updates:
    """Plans the update of a card, or of another message."""

    def __init__(self, client: SlackClient, posting: Posting, messages: Messages) -> None:
        self._slack, self._posting, self._messages = client, posting, messages

    def plan(self, incident: Incident, effect: Refresh) -> Plan | OutcomeEvent:
        """Plan the update of a card, or of another message."""
        copy = incident.copy_of(effect.copy_id)
        if copy is None:
            return self._refresh_message(incident, effect)
        if copy.final and effect.id != cards.final_id(copy.id) and incident.effect(cards.final_id(copy.id)):
            return Dropped(effect=effect.id, why="a later update replaces it")
        budget = rate_limits.update(incident, card=copy.redacted or not copy.final)
        to = Address(copy.channel, copy.person)

        def update(channel: str) -> SendResult:
            self._write(channel, copy.ts, self._messages.of_copy(incident, copy), redacted=copy.redacted)
            return SendResult(Delivered(effect=effect.id, channel=channel, ts=copy.ts, face=incident.face))

        def go(retrying: bool) -> SendResult:
            if copy.final and copy.page and self._deleted(incident, copy):
                gone = Delivered(effect=effect.id, channel=copy.channel, ts=copy.ts, face=incident.face)
                return SendResult(gone)
            return self._posting.reach(incident, copy.channel, update)

        return permitted(incident, to, Plan(budget, go), neutral=copy.redacted)

    def _refresh_message(self, incident: Incident, effect: Refresh) -> Plan | OutcomeEvent:
        """Update a message other than a card: without buttons that are over, or redacted."""
        post = incident.post_of(effect.copy_id)
        if post is None or not post.ts:
            return Dropped(effect=effect.id, why="moot")

        def update(channel: str) -> SendResult:
            self._write(channel, post.ts, self._messages.of_post(incident, post), redacted=post.redacted)
            return SendResult(Delivered(effect=effect.id, channel=channel, ts=post.ts, face=incident.face))

        def go(retrying: bool) -> SendResult:
            if name := self._posting.configured(incident, post.place, post.channel):
                return self._posting.destinations.reach_known(post.channel, name, update)
            return self._posting.reach(incident, post.channel, update)

        budget = rate_limits.update(incident, card=False)
        to = Address(post.channel, post.person if post.place == DIRECT else "")
        return permitted(incident, to, Plan(budget, go), neutral=post.redacted)

    def _write(self, channel: str, ts: str, message: Message, *, redacted: bool) -> None:
        """Update a message. One that must not be read any more is deleted where Slack does not let us edit it."""
        try:
            self._slack.update(channel, ts, message)
        except Failed as failed:
            if not redacted or failed.error not in UNCHANGEABLE:
                raise
            self._slack.delete(channel, ts)

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
