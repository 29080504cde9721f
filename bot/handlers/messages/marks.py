"""Answers to whoever marked a message, by a pin or a reaction; nobody else sees them."""

import structlog

from bot.access import Access
from bot.slack.client import UNREACHABLE, slack_error
from bot.slack.refusals import is_passing
from escalation.values import PersonId

UNREAD_FOR_NOW = (
    "This message is not {where}: Slack did not let me read it just now ({why}). "
    "Take your mark away and set it again in a moment."
)
UNREAD = (
    "This message is not {where}: Slack does not let me read it ({why}). Whoever runs Tocsin finds the remedy in "
    "`tocsin doctor`; until then `{instead}` records your own words."
)

log = structlog.get_logger("bot")


class Marks:
    """What people are told of the messages that they mark."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def unread(self, person: PersonId, channel: str, error: Exception, where: str, instead: str) -> None:
        """Say that a message could not be read: to whoever can mend it, and where incidents are, to who marked it.

        `where` it would have come, `instead` is the command that does without it.
        """
        log.warning("message not read", channel=channel, error=slack_error(error))
        await self._access.slack_refuses("timeline", "marked messages, so nothing is made of them", error)
        if await self._access.run(self._is_place, channel):
            words = UNREAD_FOR_NOW if is_passing(error) else UNREAD
            await self.tell(person, channel, words.format(where=where, why=slack_error(error), instead=instead))

    async def tell(self, person: PersonId, channel: str, words: str) -> None:
        """Answer whoever marked a message."""
        try:
            await self._access.client.chat_postEphemeral(channel=channel, user=person, text=words)
        except UNREACHABLE as error:
            log.warning("answer not delivered", person=person, error=slack_error(error))

    def _is_place(self, channel: str) -> bool:
        """True if an incident's room or card is in a channel."""
        store = self._access.deps.store
        cards = (card for incident in (*store.open_incidents(), *store.recent()) if (card := incident.card()))
        return store.of_room(channel) is not None or any(card.channel == channel for card in cards)
