"""Socket Mode when Slack accepts a connection and refuses it at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import fakeredis
import pytest
from aiohttp import web
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from structlog.testing import capture_logs

from bot.bot import RefusalReport
from bot.http.health import readiness
from bot.slack.ack_first import AckFirst
from bot.slack.client import SlackWebClient
from bot.slack.socket_mode import SocketConnection
from escalation.storage.store import Store
from tests.support.waiting import WITHIN

ATTEMPTS = 9


class Refusing:
    """Socket Mode that accepts each connection, greets it if told so, refuses it with a reason, and closes it."""

    def __init__(self, reason: str, greeting: bool) -> None:
        self.connections = 0
        self._reason, self._greeting = reason, greeting

    async def open(self, request: web.Request) -> web.Response:
        """Hand out the address of a WebSocket, as apps.connections.open does."""
        return web.json_response({"ok": True, "url": f"ws://{request.host}/socket"})

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        """Accept and refuse."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.connections += 1
        if self._greeting:
            await socket.send_json({"type": "hello", "num_connections": 1})
        await socket.send_json({"type": "disconnect", "reason": self._reason, "debug_info": {"host": "wss"}})
        await socket.close()
        return socket


@asynccontextmanager
async def serving(slack: Refusing) -> AsyncIterator[str]:
    """The address of a Web API for as long as the block lasts."""
    server = web.Application()
    server.add_routes([web.post("/api/apps.connections.open", slack.open), web.get("/socket", slack.socket)])
    runner = web.AppRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/api/"
    finally:
        await runner.cleanup()


class Enough(Exception):
    """Enough attempts were seen."""


@pytest.mark.parametrize("greeting", [False, True])
@pytest.mark.parametrize("reason", ["too_many_websockets", "link_disabled"])
def test_a_refused_connection_backs_off(reason: str, greeting: bool) -> None:
    """One connection for each wait, waits that grow up to two minutes, a line with the reason, and never ready."""
    slack = Refusing(reason, greeting)
    waits: list[float] = []
    connections: list[int] = []
    ready: list[bool] = []
    refusals: list[str] = []

    async def work() -> None:
        async def pushed(seconds: float) -> None:
            waits.append(seconds)
            connections.append(slack.connections)
            ready.append(connection.connected)
            refusals.append(connection.refusal)
            if len(waits) == ATTEMPTS:
                raise Enough

        async def nobody() -> AuthorizeResult:
            raise AssertionError("nothing is to be authorised")

        async with serving(slack) as url:
            app = AsyncApp(client=SlackWebClient(base_url=url), signing_secret="x", authorize=nobody)
            connection = SocketConnection(app, "xapp-1", AckFirst(), sleep=pushed)
            await asyncio.wait_for(connection.keep_connected(), WITHIN)

    with capture_logs() as lines, pytest.raises(Enough):
        asyncio.run(work())
    assert waits == [2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 120.0, 120.0, 120.0]
    assert connections == list(range(1, ATTEMPTS + 1))
    assert not any(ready)
    assert set(refusals) == {reason}
    assert [line["reason"] for line in lines if "refuses" in line["event"]] == [reason] * ATTEMPTS


@pytest.mark.parametrize(
    ("reason", "words"), [("too_many_websockets", "other bots"), ("link_disabled", "switch it on")]
)
def test_readiness_says_why_the_connection_is_refused(reason: str, words: str) -> None:
    """Not ready, with Slack's reason in words and what to do about it."""
    found = readiness(Store(fakeredis.FakeRedis(), lambda pipe, changes: None), False, reason)
    assert not found.ready
    assert words in found.problems[0]


def test_a_refused_connection_is_a_problem_until_it_is_made() -> None:
    """The doctor, another process, reads it in the register; it is gone once Slack has let the bot in."""
    store = Store(fakeredis.FakeRedis(), lambda pipe, changes: None)
    report = RefusalReport(store.problems)
    report.write("link_disabled")
    assert ["switch it on" in problem.remedy for problem in store.problems.current()] == [True]
    report.write("")
    assert store.problems.current() == []
