"""A running bot: the app, its connection to Slack, its heartbeat."""

import asyncio
import contextlib

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.access import Access, StoreUnavailable
from bot.app import build
from bot.deps import BotDeps
from bot.slack.client import UNREACHABLE, said_by_slack
from bot.slack.socket_mode import RETRY, SocketConnection, wrong_token
from escalation.storage import heartbeats

log = structlog.get_logger("bot")


class Bot:
    """One running bot. `connected` says whether Slack can reach us."""

    def __init__(self, deps: BotDeps, client: AsyncWebClient) -> None:
        self.deps = deps
        self.access = Access(deps, client)
        self.app = build(self.access, deps.signing_secret or "")
        self.socket = SocketConnection(self.app, deps.app_token, self.access.ack_first) if deps.app_token else None
        self.authorised = False

    @property
    def connected(self) -> bool:
        """Over HTTP Slack comes to us: then it is enough that it accepts our token."""
        return self.socket.connected if self.socket else self.authorised

    async def authorise(self) -> None:
        """Ask Slack whether the bot token is good, as often as it takes. WrongToken if it is not."""
        while not self.authorised:
            try:
                self.access.members.team = (await self.access.client.auth_test())["team_id"]
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
        redis, store, key = self.deps.redis, self.deps.store, heartbeats.own_key("bot")
        while True:
            with contextlib.suppress(StoreUnavailable):
                await self.access.run(lambda: heartbeats.beat(redis, key, store.now().timestamp()))
            await asyncio.sleep(heartbeats.EVERY)
