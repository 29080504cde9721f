"""How much the web app listens to, from whomever: bodies of a certain size, that come within a certain time."""

import asyncio
import contextlib

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 1_000_000  # the fullest of our forms, in letters that JSON and a URL both escape, has about half of it
BODY_WITHIN = 10.0  # seconds
LISTEN_ON = 2.0  # seconds, after a refusal


class TooLarge(Exception):
    """The body is larger than anything that Slack sends."""


class Limits:
    """ASGI middleware: 413 or 408 for what exceeds them; else the app gets the body, complete."""

    def __init__(self, app: ASGIApp, most: int = MOST_BYTES, within: float = BODY_WITHIN) -> None:
        self._app = app
        self._most = most
        self._within = within

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._within):
                body = await self._body(scope, receive)
        except TooLarge:
            refusal = _refuse(413, f"the body has more than {self._most} bytes")
            await refusal(scope, receive, _listening_on(receive, send))
        except TimeoutError:
            await _refuse(408, "the body did not come in time")(scope, receive, send)
        else:
            await self._app(scope, _once_more(body, receive), send)

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """What has been sent by the end, or until the other side hung up."""
        if _announced(scope) > self._most:
            raise TooLarge
        body, more = bytearray(), True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._most:
                raise TooLarge
        return bytes(body)


def _announced(scope: Scope) -> int:
    """0 for a body of unknown length."""
    given = dict(scope["headers"]).get(b"content-length", b"")
    return int(given) if given.isdigit() else 0


def _once_more(body: bytes, receive: Receive) -> Receive:
    """Gives the body that was read already, then whatever else comes."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


def _listening_on(receive: Receive, send: Send) -> Send:
    """Lets the rest of the body come before the connection ends: else who is still sending never sees the answer."""

    async def sent(message: Message) -> None:
        if message["type"] != "http.response.body":
            await send(message)
            return
        await send({**message, "more_body": True})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LISTEN_ON):
                while (await receive()).get("more_body", False):
                    pass
        await send({"type": "http.response.body"})

    return sent


def _refuse(status: int, why: str) -> JSONResponse:
    return JSONResponse({"error": why}, status_code=status, headers={"connection": "close"})
