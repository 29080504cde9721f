"""A running bot: the app, its connection to Slack, its heartbeat."""

import asyncio
import contextlib
import os
import socket

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.access import Door, OutOfReach
from bot.app import build
from bot.deps import BotParts
from bot.slack.client import UNREACHABLE, said_by_slack
from bot.slack.socket_mode import RETRY, SocketConnection, wrong_token
from escalation.storage.store import SIGNS

HEARTBEAT = 2.0  # seconds
HEARTBEAT_LIVES = 10  # seconds
log = structlog.get_logger("bot")


class Bot:
    """One running bot. `connected` says whether Slack can reach us."""

    def __init__(self, parts: BotParts, client: AsyncWebClient) -> None:
        self.parts = parts
        self.door = Door(parts, client)
        self.app = build(self.door, parts.signing_secret or "")
        self.socket = SocketConnection(self.app, parts.app_token, self.door.courtesy) if parts.app_token else None
        self.authorised = False

    @property
    def connected(self) -> bool:
        """Over HTTP Slack comes to us: then it is enough that it accepts our token."""
        return self.socket.connected if self.socket else self.authorised

    async def authorise(self) -> None:
        """Ask Slack whether the bot token is good, as often as it takes. WrongToken if it is not."""
        while not self.authorised:
            try:
                self.door.people.team = (await self.door.client.auth_test())["team_id"]
                self.authorised = True
            except UNREACHABLE as error:
                if fatal := wrong_token(error, "SLACK_BOT_TOKEN"):
                    raise fatal from None
                log.warning("slack not reached yet", error=said_by_slack(error))
                await asyncio.sleep(RETRY)

    async def connect(self) -> None:
        await self.authorise()
        if self.socket:
            await self.socket.keep()
        await asyncio.Event().wait()  # over HTTP there is nothing to keep

    async def beat(self) -> None:
        """A sign of life every two seconds, for the doctor and the metrics."""
        key = f"tocsin:alive:bot:{socket.gethostname()}:{os.getpid()}"
        while True:
            with contextlib.suppress(OutOfReach):
                await self.door.run(lambda: self._beat(key))
            await asyncio.sleep(HEARTBEAT)

    def _beat(self, key: str) -> None:
        self.parts.redis.set(key, int(self.parts.store.now().timestamp()), ex=HEARTBEAT_LIVES)
        self.parts.redis.sadd(SIGNS, key)
