"""Socket Mode with a watchdog. Slack's client pings every three seconds; one that gets no pong is replaced."""

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
from bot.slack.client import UNREACHABLE, slack_error

PING = 3.0  # seconds; measured: back at once after a TCP reset, after about 3 s when packets are dropped
SILENCE = 12.0  # seconds without a pong before the client is replaced
CHECK_EVERY = 1.0  # seconds
CONNECT_TIMEOUT = 5.0  # seconds; the URL that Slack hands out is good for one attempt
RETRY = 2.0  # seconds between attempts while Slack is away
TOKEN_ERRORS = frozenset(
    {"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "not_allowed_token_type"}
)
log = structlog.get_logger("bot")
# Its lines hold the connection's URL, which is a credential; we log what matters ourselves.
silent_logger = logging.getLogger("bot.socket")
silent_logger.setLevel(logging.CRITICAL)


class WrongToken(Exception):
    """A token that Slack refuses: retrying is of no use."""


def wrong_token(error: Exception, name: str) -> WrongToken | None:
    """Return the WrongToken to raise when Slack refused the token of that name; None for any other error."""
    slack_says = slack_error(error)
    return WrongToken(f"Slack does not accept {name} ({slack_says}).") if slack_says in TOKEN_ERRORS else None


class _Handler(AsyncSocketModeHandler):
    """Socket Mode handler that acks commands and clicks before Bolt sees them; Bolt answers forms and events."""

    def __init__(self, app: AsyncApp, app_token: str, ack_first: AckFirst) -> None:
        super().__init__(app, app_token, logger=silent_logger, ping_interval=PING)
        self._ack_first = ack_first

    async def handle(self, client: SocketModeClient, req: SocketModeRequest) -> None:  # type: ignore[override]  # as Bolt's own
        """Ack a request and run its handler."""
        with self._ack_first.acknowledging():
            if not (req.type == "slash_commands" or req.payload.get("type") == "block_actions"):
                await super().handle(client, req)
                return
            await client.send_socket_mode_response(SocketModeResponse(envelope_id=req.envelope_id))
        await self._ack_first.wait_for_acks()
        await run_async_bolt_app(self.app, req)


class SocketConnection:
    """One Socket Mode connection, kept alive while `keep_connected` runs. `silence` is in seconds."""

    def __init__(self, app: AsyncApp, app_token: str, ack_first: AckFirst, silence: float = SILENCE) -> None:
        self._app = app
        self._ack_first = ack_first
        self.silence = silence
        self._app_token = app_token
        self._handler: AsyncSocketModeHandler | None = None
        self.connected = False

    async def keep_connected(self) -> None:
        """Connect, watch and reconnect until cancelled. Raises WrongToken."""
        try:
            while True:
                await self._connect()
                await self._watch()
                log.warning("slack connection silent, reconnecting")
                await self._disconnect()
        finally:
            await self._disconnect()

    async def _connect(self) -> None:
        """Connect, retrying while Slack is away. Raises WrongToken."""
        while self._handler is None:
            handler = _Handler(self._app, self._app_token, self._ack_first)
            try:
                handler.client.wss_uri = await handler.client.issue_new_wss_url()
                await asyncio.wait_for(_connected(handler), CONNECT_TIMEOUT)
                self._handler = handler
            except UNREACHABLE as error:
                await self._back_off(error)
            finally:
                if self._handler is None:
                    await _close(handler)
        self.connected = True

    async def _back_off(self, error: Exception) -> None:
        if fatal := wrong_token(error, "SLACK_APP_TOKEN"):
            raise fatal
        log.warning("slack connection failed, retrying", error=slack_error(error))
        await asyncio.sleep(RETRY)

    async def _watch(self) -> None:
        """Watch the connection; return when it was silent for too long."""
        last = time.monotonic()
        while time.monotonic() - last < self.silence:
            await asyncio.sleep(CHECK_EVERY)
            self.connected = await self._alive()
            last = time.monotonic() if self.connected else last

    async def _alive(self) -> bool:
        """True if the connection is open and a recent ping was answered."""
        assert self._handler is not None
        client = self._handler.client
        ponged = client.last_ping_pong_time
        return await client.is_connected() and (ponged is None or time.time() - ponged < 3 * PING)

    async def _disconnect(self) -> None:
        self.connected = False
        handler, self._handler = self._handler, None
        if handler:
            await _close(handler)


async def _connected(handler: AsyncSocketModeHandler) -> None:
    await handler.connect_async()  # type: ignore[no-untyped-call]  # Bolt leaves it untyped


async def _close(handler: AsyncSocketModeHandler) -> None:
    """Close a handler, also one that never connected: it has a session and a task."""
    with contextlib.suppress(TimeoutError):  # a dead connection answers no close
        await asyncio.wait_for(handler.close_async(), PING)  # type: ignore[no-untyped-call]  # as above
