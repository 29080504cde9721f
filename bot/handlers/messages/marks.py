"""Answers to whoever marked a message, by a pin or a reaction; nobody else sees them.

What Slack told and Redis could not take waits here until it can: the event was acknowledged, so Slack does not send it
again. It is kept in memory, so whoever set a mark is told at once that it may have to be set again.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from bot.access import Access, StoreUnavailable
from bot.slack.client import UNREACHABLE, slack_error
from bot.slack.refusals import is_passing
from escalation.incident.room_names import is_room_name
from escalation.values import PersonId

UNREAD_FOR_NOW = (
    "This message is not {where}: Slack did not let me read it just now ({why}). "
    "Take your mark away and set it again in a moment."
)
UNREAD = (
    "This message is not {where}: Slack does not let me read it ({why}). Whoever runs Tocsin finds the remedy in "
    "`tocsin doctor`; until then `{instead}` records your own words."
)
NOT_YET = (
    "What you marked is not recorded yet: the database does not answer. I try again for an hour; if it is not where it "
    "belongs by then, take your mark away and set it again."
)
NOT_AT_ALL = (
    "What you marked was not recorded: the database does not answer. Take your mark away and set it again once it does."
)
BRIEFLY, KEPT_FOR = 2.0, 3600.0  # seconds: a restart of Redis, after which nobody is told; and an outage
ASK_EVERY = 1.0  # seconds
MOST_WAITING = 1000  # at once, each a few kilobytes

log = structlog.get_logger("bot")


class Marks:
    """What people are told of the messages that they mark."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._asking = asyncio.Lock()
        self._waiting = 0

    async def until_stored(self, act: Callable[[], Awaitable[None]], channel: str, person: PersonId = "") -> None:
        """Do what follows from an event in a channel, again if need be, until Redis takes it; `person` set a mark."""
        try:
            return await act()
        except StoreUnavailable as unavailable:
            log.warning("redis unavailable, message not noted", channel=channel, why=str(unavailable))
        if self._waiting >= MOST_WAITING:
            return await self._tell_in_place(person, channel, NOT_AT_ALL)
        self._waiting += 1
        try:
            if not await self._tried_again(act, channel, person):
                await self._tell_in_place(person, channel, NOT_AT_ALL)
        finally:
            self._waiting -= 1

    async def _tried_again(self, act: Callable[[], Awaitable[None]], channel: str, person: PersonId) -> bool:
        """True if it was done before its time was over."""
        clock = asyncio.get_running_loop()
        ends = clock.time() + KEPT_FOR
        if not await self._answers_within(BRIEFLY):
            await self._tell_in_place(person, channel, NOT_YET)
        while await self._answers_within(ends - clock.time()):
            try:
                await act()
                return True
            except StoreUnavailable:  # it answers, and takes no writes
                await asyncio.sleep(ASK_EVERY)
        return False

    async def _answers_within(self, seconds: float) -> bool:
        """Wait until Redis answers, so long at most. However many wait, one asks."""
        try:
            async with asyncio.timeout(seconds), self._asking:
                while not await self._answers():  # noqa: ASYNC110 - a server that is back raises no event
                    await asyncio.sleep(ASK_EVERY)
        except TimeoutError:
            return False
        return True

    async def _answers(self) -> bool:
        try:
            await self._access.run(self._access.deps.redis.ping)
        except StoreUnavailable:
            return False
        return True

    async def _tell_in_place(self, person: PersonId, channel: str, words: str) -> None:
        """Tell somebody, in a channel that is an incident's by its name: Redis, which would know, does not answer."""
        if not person:
            return
        try:
            told = await self._access.client.conversations_info(channel=channel)
        except UNREACHABLE as error:
            log.warning("answer not delivered", person=person, error=slack_error(error))
            return
        name = str((told.get("channel") or {}).get("name", ""))
        configured = {known.lstrip("#") for known in self._access.deps.company.channels().values()}
        if is_room_name(name) or not configured.isdisjoint((name, channel)):
            await self.tell(person, channel, words)

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
