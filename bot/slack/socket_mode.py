"""Socket Mode that notices silence. Slack's client pings every three seconds; a watchdog replaces one that is stuck."""

import asyncio
import contextlib
import logging
import time

import structlog
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.adapter.socket_mode.async_internals import run_async_bolt_app
from slack_bolt.async_app import AsyncApp
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from bot.slack.ack_first import AckFirst
from bot.slack.client import UNREACHABLE, said_by_slack

PING = 3.0  # seconds; measured: 0 s deaf after a TCP reset, about 3 s in a black hole
SILENCE = 12.0  # seconds without a pong until the whole client is replaced
LOOK = 1.0  # seconds
CONNECT_WITHIN = 5.0  # seconds; the address that Slack hands out is good for one attempt
RETRY = 2.0  # seconds between attempts while Slack is away
WRONG_TOKEN = frozenset(
    {"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "not_allowed_token_type"}
)
log = structlog.get_logger("bot")
# Its lines hold the address of the connection, which is a ticket; what matters of them, we log ourselves.
quiet = logging.getLogger("bot.socket")
quiet.setLevel(logging.CRITICAL)


class WrongToken(Exception):
    """Slack does not take a token: nothing helps but another one."""


def wrong_token(error: Exception, name: str) -> WrongToken | None:
    """What to say when Slack refused the token of that name; None for any other trouble."""
    said = said_by_slack(error)
    return WrongToken(f"Slack does not accept {name} ({said}).") if said in WRONG_TOKEN else None


class _Handler(AsyncSocketModeHandler):
    """Acknowledges commands and clicks before Bolt looks at them; forms and events are answered by Bolt."""

    def __init__(self, app: AsyncApp, app_token: str, ack_first: AckFirst) -> None:
        super().__init__(app, app_token, logger=quiet, ping_interval=PING)
        self._ack_first = ack_first

    async def handle(self, client: SocketModeClient, req: SocketModeRequest) -> None:  # type: ignore[override]  # as Bolt's own
        with self._ack_first.acknowledging():
            if not (req.type == "slash_commands" or req.payload.get("type") == "block_actions"):
                await super().handle(client, req)
                return
            await client.send_socket_mode_response(SocketModeResponse(envelope_id=req.envelope_id))
        await self._ack_first.wait_for_acks()
        await run_async_bolt_app(self.app, req)


class SocketConnection:
    """Keeps one connection to Slack alive for as long as `keep` runs. `silence` in seconds."""

    def __init__(self, app: AsyncApp, app_token: str, ack_first: AckFirst, silence: float = SILENCE) -> None:
        self._app = app
        self._ack_first = ack_first
        self.silence = silence
        self._app_token = app_token
        self._handler: AsyncSocketModeHandler | None = None
        self.connected = False

    async def keep(self) -> None:
        """Connect, watch, replace; until cancelled. WrongToken when that is the reason."""
        try:
            while True:
                await self._connect()
                await self._watch()
                log.warning("slack connection silent, building a new one")
                await self._leave()
        finally:
            await self._leave()

    async def _connect(self) -> None:
        """As often as it takes."""
        while self._handler is None:
            handler = _Handler(self._app, self._app_token, self._ack_first)
            try:
                handler.client.wss_uri = await handler.client.issue_new_wss_url()
                await asyncio.wait_for(_connected(handler), CONNECT_WITHIN)
                self._handler = handler
            except UNREACHABLE as error:
                await self._wait(error)
            finally:
                if self._handler is None:
                    await _close(handler)
        self.connected = True

    async def _wait(self, error: Exception) -> None:
        if fatal := wrong_token(error, "SLACK_APP_TOKEN"):
            raise fatal
        log.warning("slack not connected yet", error=said_by_slack(error))
        await asyncio.sleep(RETRY)

    async def _watch(self) -> None:
        """Returns when the connection was silent for too long."""
        last = time.monotonic()
        while time.monotonic() - last < self.silence:
            await asyncio.sleep(LOOK)
            self.connected = await self._alive()
            last = time.monotonic() if self.connected else last

    async def _alive(self) -> bool:
        """Whether it is open and answered one of the last pings."""
        assert self._handler is not None
        client = self._handler.client
        ponged = client.last_ping_pong_time
        return await client.is_connected() and (ponged is None or time.time() - ponged < 3 * PING)

    async def _leave(self) -> None:
        self.connected = False
        handler, self._handler = self._handler, None
        if handler:
            await _close(handler)


async def _connected(handler: AsyncSocketModeHandler) -> None:
    await handler.connect_async()  # type: ignore[no-untyped-call]  # Bolt leaves it untyped


async def _close(handler: AsyncSocketModeHandler) -> None:
    """Also one that never was connected: it has a session and a task."""
    with contextlib.suppress(TimeoutError):  # a connection in a black hole takes no goodbye
        await asyncio.wait_for(handler.close_async(), PING)  # type: ignore[no-untyped-call]  # as above
