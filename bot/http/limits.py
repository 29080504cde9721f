"""Limits of the web app on the size of a request body and the time it may take to arrive."""

import asyncio
import contextlib
from collections.abc import Mapping

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BYTES = 1_000_000  # the fullest of our forms, in letters that JSON and a URL both escape, has about half of it
BODY_TIMEOUT = 10.0  # seconds
LARGE_TIMEOUT = 60.0  # seconds, on a path with a larger limit
MAX_LARGE = 4  # bodies beyond MAX_BYTES in memory at once
DRAIN_TIMEOUT = 2.0  # seconds, after a refusal


class TooLarge(Exception):
    """A request body larger than anything that Slack sends."""


class Limits:
    """ASGI middleware: answers 413 or 408 beyond the limits; else the app gets the complete body.

    `larger` are paths with a limit of their own. Few bodies of that size are taken at once, the others wait.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_bytes: int = MAX_BYTES,
        timeout: float = BODY_TIMEOUT,
        larger: Mapping[str, int] | None = None,
    ) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._timeout = timeout
        self._larger = larger or {}
        self._room = asyncio.Semaphore(MAX_LARGE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._larger.get(scope.get("path", ""), self._max_bytes)
        async with contextlib.AsyncExitStack() as held:
            try:
                async with asyncio.timeout(self._timeout if limit <= self._max_bytes else LARGE_TIMEOUT):
                    body = await self._read_body(scope, receive, limit, held)
            except TooLarge:
                await _refusal(413, f"the body has more than {limit} bytes")(scope, receive, _drained(receive, send))
            except TimeoutError:
                await _refusal(408, "the body did not come in time")(scope, receive, send)
            else:
                await self._app(scope, _replay(body, receive), send)

    async def _read_body(
        self, scope: Scope, receive: Receive, limit: int, held: contextlib.AsyncExitStack[bool | None]
    ) -> bytes:
        """Read the body to its end, or until the client disconnects. Raises TooLarge."""
        if _content_length(scope) > limit:
            raise TooLarge
        body, more, large = bytearray(), True, False
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > limit:
                raise TooLarge
            if len(body) > self._max_bytes and not large:
                large = True
                await held.enter_async_context(self._room)
        return bytes(body)


def _content_length(scope: Scope) -> int:
    """The content length that the client announced; 0 when it announced none."""
    header = dict(scope["headers"]).get(b"content-length", b"")
    return int(header) if header.isdigit() else 0


def _replay(body: bytes, receive: Receive) -> Receive:
    """Build a `receive` that gives the body that was read already, then whatever else comes."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return pending.pop() if pending else await receive()

    return receive_again


def _drained(receive: Receive, send: Send) -> Send:
    """Build a `send` that drains the body before it ends: else a client that is still sending never sees the answer."""

    async def send_drained(message: Message) -> None:
        if message["type"] != "http.response.body":
            await send(message)
            return
        await send({**message, "more_body": True})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_TIMEOUT):
                while (await receive()).get("more_body", False):
                    pass
        await send({"type": "http.response.body"})

    return send_drained


def _refusal(status: int, error: str) -> JSONResponse:
    return JSONResponse({"error": error}, status_code=status, headers={"connection": "close"})
