"""Alerts take turns at the event loop, so that a click is acknowledged in the middle of a storm."""

import asyncio

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Scope

from bot.http.turns import BEHIND_SLACK, TOGETHER, TakeTurns, Turns

MANY = 5 * TOGETHER


class Counted:
    """Those that have had their turn, counted after each pass of the loop."""

    def __init__(self, turns: Turns) -> None:
        self.had: list[int] = []
        self._turns = turns

    async def take(self, n: int) -> None:
        await self._turns.wait()
        self.had.append(n)

    async def passes(self, tasks: list["asyncio.Task[None]"]) -> list[int]:
        """How many had their turn in each pass, until all have."""
        each = []
        while not all(task.done() for task in tasks):
            before = len(self.had)
            await asyncio.sleep(0)
            each.append(len(self.had) - before)
        return each


async def test_a_storm_goes_on_a_few_at_a_time() -> None:
    """In its order, never more than a few in one pass of the loop, and without a pause."""
    counted = Counted(Turns(lambda: False))
    each = await counted.passes([asyncio.create_task(counted.take(n)) for n in range(MANY)])
    assert counted.had == list(range(MANY))
    assert max(each) == TOGETHER
    assert len(each) <= MANY // TOGETHER + 3


async def test_slack_goes_first() -> None:
    """While it waits for an acknowledgement alerts go on one by one, so that clicks never end the intake."""
    counted = Counted(Turns(lambda: True))
    each = await counted.passes([asyncio.create_task(counted.take(n)) for n in range(TOGETHER)])
    assert max(each) == BEHIND_SLACK
    assert counted.had == list(range(TOGETHER))


async def test_who_has_gone_takes_no_turn() -> None:
    """A sender that gave up while it waited."""
    counted = Counted(Turns(lambda: False))
    tasks = [asyncio.create_task(counted.take(n)) for n in range(MANY)]
    await asyncio.sleep(0)
    for task in tasks[:-1]:
        task.cancel()
    await asyncio.wait(tasks)
    assert MANY - 1 in counted.had


async def test_a_request_of_alerts_waits_to_begin_and_to_be_answered() -> None:
    """Slack's requests and the pages of colleagues wait for neither."""
    taken = 0

    class Noted(Turns):
        async def wait(self) -> None:
            nonlocal taken
            taken += 1
            await super().wait()

    async def answer(request: object) -> Response:
        return Response("ok")

    paths = ("/alerts/grafana", "/v2/enqueue", "/slack/events", "/status/")
    app = TakeTurns(Starlette(routes=[Route(path, answer, methods=["POST"]) for path in paths]), Noted(lambda: False))
    for path, turns in zip(paths, (2, 2, 0, 0), strict=True):
        taken = 0
        assert await status(app, path) == 200
        assert taken == turns


async def status(app: TakeTurns, path: str) -> int:
    said: list[Message] = []
    scope: Scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": []}

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        said.append(message)

    await app(scope, receive, send)
    return int(said[0]["status"])
