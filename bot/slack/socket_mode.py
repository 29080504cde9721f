"""Socket Mode with a watchdog. Slack's client pings every three seconds; one that gets no pong is replaced."""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.adapter.socket_mode.async_internals import run_async_bolt_app
from slack_bolt.async_app import AsyncApp
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.ack_first import AckFirst
from bot.slack.client import UNREACHABLE, slack_error

PING = 3.0  # seconds; measured: back at once after a TCP reset, after about 3 s when packets are dropped
SILENCE = 12.0  # seconds without a pong before the client is replaced
CHECK_EVERY = 1.0  # seconds
CONNECT_TIMEOUT = 5.0  # seconds; the URL that Slack hands out is good for one attempt
RETRY = 2.0  # seconds between attempts while Slack is away
LONGEST_RETRY = 120.0  # seconds between attempts while Slack accepts connections and refuses them at once
SETTLED = 60.0  # seconds after which a connection counts as good, and the next refusal as the first
# A disconnect for any other reason is a routine change of servers, and the client reconnects at once.
# https://docs.slack.dev/apis/events-api/using-socket-mode#disconnect
REFUSALS = {
    "too_many_websockets": "too many connections are open, stop other bots of this app (it may have ten)",
    "link_disabled": "Socket Mode is off, switch it on in the app's settings",
}
TOKEN_ERRORS = frozenset(
    {"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "not_allowed_token_type"}
)
log = structlog.get_logger("bot")
# Its lines hold the connection's URL, which is a credential; we log what matters ourselves.
silent_logger = logging.getLogger("bot.socket")
silent_logger.setLevel(logging.CRITICAL)


def refusal_words(reason: str) -> str:
    """A refusal of the connection in words, with its remedy."""
    return REFUSALS.get(reason, reason)


class WrongToken(Exception):
    """A token that Slack refuses: retrying is of no use."""


def wrong_token(error: Exception, name: str) -> WrongToken | None:
    """Return the WrongToken to raise when Slack refused the token of that name; None for any other error."""
    slack_says = slack_error(error)
    return WrongToken(f"Slack does not accept {name} ({slack_says}).") if slack_says in TOKEN_ERRORS else None


class _Client(SocketModeClient):
    """Slack's client, except that a refusal does not make it reconnect at once: it would do so without end.

    `answered` is set once Slack greeted the connection or refused it; `refusal` is the reason, empty if there is none.
    """

    def __init__(self, app_token: str, web_client: AsyncWebClient) -> None:
        super().__init__(app_token, logger=silent_logger, web_client=web_client, ping_interval=PING)
        self.answered, self.refused = asyncio.Event(), asyncio.Event()
        self.refusal = ""

    async def enqueue_message(self, message: str) -> None:
        """Queue a message, unless it is a refusal: read here, before the close that follows it."""
        content = _content(message)
        if content.get("type") == "disconnect" and content.get("reason") in REFUSALS:
            self.refusal = str(content["reason"])
            self.default_auto_reconnect_enabled = self.auto_reconnect_enabled = False
            self.refused.set()
            self.answered.set()
            return
        if content.get("type") == "hello":
            self.answered.set()
        await super().enqueue_message(message)


def _content(message: str) -> dict[str, Any]:
    try:
        content = json.loads(message)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


class _Handler(AsyncSocketModeHandler):
    """Socket Mode handler that acks commands and clicks before Bolt sees them; Bolt answers forms and events."""

    def __init__(self, app: AsyncApp, app_token: str, ack_first: AckFirst) -> None:
        self.app, self.app_token = app, app_token  # Bolt's own constructor, but for the client
        self.client: _Client = _Client(app_token, app.client)
        self.client.socket_mode_request_listeners.append(self.handle)  # type: ignore[arg-type]  # as Bolt does
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
    """One Socket Mode connection, kept alive while `keep_connected` runs.

    `silence` is in seconds; `sleep` waits so many seconds between attempts.
    """

    def __init__(
        self,
        app: AsyncApp,
        app_token: str,
        ack_first: AckFirst,
        silence: float = SILENCE,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._app = app
        self._ack_first = ack_first
        self.silence = silence
        self._sleep = sleep
        self._app_token = app_token
        self._handler: _Handler | None = None
        self._refusals = 0  # in a row
        self.connected = False
        self.refusal = ""

    async def keep_connected(self) -> None:
        """Connect, watch and reconnect until cancelled. Raises WrongToken."""
        try:
            while True:
                await self._connect()
                since = time.monotonic()
                refusal = await self._watch()
                await self._disconnect()
                if refusal:
                    self._refusals = 0 if time.monotonic() - since > SETTLED else self._refusals
                    await self._wait_after_refusal(refusal)
                else:
                    log.warning("slack connection silent, reconnecting")
        finally:
            await self._disconnect()

    async def _connect(self) -> None:
        """Connect, retrying while Slack is away or refuses. Raises WrongToken."""
        while self._handler is None:
            handler = _Handler(self._app, self._app_token, self._ack_first)
            try:
                handler.client.wss_uri = await handler.client.issue_new_wss_url()
                await asyncio.wait_for(_connected(handler), CONNECT_TIMEOUT)
                if not handler.client.refusal:
                    self._handler = handler
            except UNREACHABLE as error:
                await self._back_off(error)
            finally:
                if self._handler is None:
                    await _close(handler)
            if handler.client.refusal:
                await self._wait_after_refusal(handler.client.refusal)
        self.connected, self.refusal = True, ""

    async def _back_off(self, error: Exception) -> None:
        if fatal := wrong_token(error, "SLACK_APP_TOKEN"):
            raise fatal
        log.warning("slack connection failed, retrying", error=slack_error(error))
        await self._sleep(RETRY)

    async def _wait_after_refusal(self, reason: str) -> None:
        """Wait, twice as long each time: only people can close other connections, or switch Socket Mode on again."""
        self._refusals += 1
        self.refusal = reason
        seconds = min(LONGEST_RETRY, RETRY * float(1 << min(self._refusals - 1, 10)))
        log.error("slack refuses the connection, retrying", reason=reason, seconds=seconds)
        await self._sleep(seconds)

    async def _watch(self) -> str:
        """Watch the connection; return when it was silent for too long, or refused: then with Slack's reason."""
        assert self._handler is not None
        client, last = self._handler.client, time.monotonic()
        while time.monotonic() - last < self.silence:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(client.refused.wait(), CHECK_EVERY)
                return client.refusal
            self.connected = await self._alive()
            last = time.monotonic() if self.connected else last
        return ""

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


async def _connected(handler: _Handler) -> None:
    """Connect, and wait until Slack has greeted or refused us: a bare connection says nothing yet."""
    await handler.connect_async()  # type: ignore[no-untyped-call]  # Bolt leaves it untyped
    await handler.client.answered.wait()


async def _close(handler: AsyncSocketModeHandler) -> None:
    """Close a handler, also one that never connected: it has a session and a task."""
    with contextlib.suppress(TimeoutError):  # a dead connection answers no close
        await asyncio.wait_for(handler.close_async(), PING)  # type: ignore[no-untyped-call]  # as above
