"""The running bot: its app, its connection to Slack, its heartbeat."""

import asyncio
import contextlib

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.access import Access, StoreUnavailable
from bot.app import build
from bot.deps import BotDeps
from bot.directory import remember_workspace
from bot.keeper import Keeper
from bot.slack.client import UNREACHABLE, slack_error
from bot.slack.socket_mode import RETRY, SocketConnection, refusal_words, wrong_token
from escalation.storage import heartbeats
from escalation.storage.problems import Problems
from escalation.storage.spool import Spool

SOCKET = "slack:socket"  # key in the register of problems
log = structlog.get_logger("bot")


class Bot:
    """The running bot: app, access and, with an app token, the Socket Mode connection."""

    def __init__(self, deps: BotDeps, client: AsyncWebClient) -> None:
        self.deps = deps
        self.access = Access(deps, client)
        self.app = build(self.access, deps.signing_secret or "")
        self.socket = SocketConnection(self.app, deps.app_token, self.access.ack_first) if deps.app_token else None
        self.authorised = False
        self._refusals = RefusalReport(deps.store.problems)
        self.keeper = Keeper(deps.intake, Spool(deps.spool), deps.store.problems) if deps.intake else None

    @property
    def connected(self) -> bool:
        """True if Slack can reach us. Over HTTP it is enough that Slack accepted our token."""
        return self.socket.connected if self.socket else self.authorised

    @property
    def refusal(self) -> str:
        """Slack's reason for refusing the Socket Mode connection; empty if it does not."""
        return self.socket.refusal if self.socket else ""

    async def authorise(self) -> None:
        """Check the bot token with Slack, retrying while Slack is away. Raises WrongToken if it is refused."""
        while not self.authorised:
            try:
                own = await self.access.client.auth_test()
                self.access.members.team = own["team_id"]
                await remember_workspace(self.access, str(own.get("url") or ""))
                self.authorised = True
            except UNREACHABLE as error:
                if fatal := wrong_token(error, "SLACK_BOT_TOKEN"):
                    raise fatal from None
                log.warning("slack unreachable, retrying", error=slack_error(error))
                await asyncio.sleep(RETRY)

    async def connect(self) -> None:
        """Check the token, then keep the connection until cancelled. Raises WrongToken."""
        await self.authorise()
        if self.socket:
            await self.socket.keep_connected()
        await asyncio.Event().wait()  # over HTTP there is nothing to keep

    async def beat(self) -> None:
        """Write a heartbeat every two seconds, for the doctor and the metrics."""
        redis, store, key = self.deps.redis, self.deps.store, heartbeats.own_key("bot")
        while True:
            with contextlib.suppress(StoreUnavailable):
                await self.access.run(lambda: heartbeats.beat(redis, key, store.now().timestamp()))
                await self.access.run(self._refusals.write, self.refusal)
            await asyncio.sleep(heartbeats.INTERVAL)


class RefusalReport:
    """Writes down that Slack refuses the connection: the doctor is another process. Readiness asks the bot itself."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._written = False

    def write(self, refusal: str) -> None:
        """Report Slack's reason, or clear what was reported once there is none. Raises RedisError."""
        if refusal:
            self._problems.report(SOCKET, f"Slack refuses the connection ({refusal})", refusal_words(refusal))
        elif self._written:
            self._problems.clear(SOCKET)
        self._written = bool(refusal)
