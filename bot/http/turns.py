"""Turns of alerts at the event loop: a storm is worked on a few requests at a time, and Slack's requests go first.

The loop runs whatever is ready before it looks for what has come. Two hundred alerts that come at once, and are kept by
one transaction, would each take their share of it before a click is even read, and again before it is answered.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOGETHER = 8  # requests that go on in one pass of the loop: a thousandth of a second or two
BEHIND_SLACK = 1  # while Slack waits for an acknowledgement: a storm of clicks must not end the intake
PATHS = ("/alerts/", "/v2/")  # of sources and receivers


class Turns:
    """Let waiters go on, so many in each pass of the event loop, in their order."""

    def __init__(self, slack_waits: Callable[[], bool]) -> None:
        self._slack_waits = slack_waits
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._pumping = False

    async def wait(self) -> None:
        """Wait for a turn."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        if not self._pumping:
            self._pumping = True
            loop.call_soon(self._pump, loop)
        await turn

    def _pump(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give the next turns, and come back in the next pass while somebody waits."""
        left = BEHIND_SLACK if self._slack_waits() else TOGETHER
        while self._waiting and left:
            turn = self._waiting.popleft()
            if not turn.done():  # a cancelled one has gone
                turn.set_result(None)
                left -= 1
        self._pumping = bool(self._waiting)
        if self._pumping:
            loop.call_soon(self._pump, loop)


class TakeTurns:
    """ASGI middleware: requests of alerts wait for their turn to begin, and again to be answered."""

    def __init__(self, app: ASGIApp, turns: Turns) -> None:
        self._app = app
        self._turns = turns

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope.get("path", "").startswith(PATHS):
            await self._app(scope, receive, send)
            return

        async def send_in_turn(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self._turns.wait()
            await send(message)

        await self._turns.wait()
        await self._app(scope, receive, send_in_turn)
