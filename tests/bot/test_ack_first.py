"""Requests are acknowledged before handlers run."""

import asyncio

import pytest

from bot.slack import ack_first
from bot.slack.ack_first import AckFirst

A_WHILE = 0.05  # seconds


@pytest.fixture
def calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is given up for as long as a test runs, however long the machine takes."""
    monkeypatch.setattr(ack_first, "MAX_WAIT", 60.0)


async def test_a_handler_gives_way_to_those_who_wait(calm: None) -> None:
    """It begins once the last of them is acknowledged."""
    acks = AckFirst()
    with acks.acknowledging():
        handler = asyncio.create_task(acks.wait_for_acks())
        with acks.acknowledging():
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not handler.done()
    await handler


async def test_a_handler_waits_for_those_who_are_on_their_way(calm: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many at once, the next comes a moment after the last one was acknowledged."""
    monkeypatch.setattr(ack_first, "QUIET", 60.0)
    acks = AckFirst()
    with acks.acknowledging():
        pass
    handler = asyncio.create_task(acks.wait_for_acks())
    await asyncio.sleep(0)
    assert not handler.done()
    monkeypatch.setattr(ack_first, "QUIET", A_WHILE)
    with acks.acknowledging():
        await asyncio.sleep(2 * A_WHILE)
        assert not handler.done()
    await handler


async def test_nobody_waits_nobody_gives_way() -> None:
    """A single click is done at once: the first step of its handler is its last."""
    handler = asyncio.create_task(AckFirst().wait_for_acks())
    await asyncio.sleep(0)
    assert handler.done()


async def test_a_request_that_takes_long_holds_nobody_up_for_long() -> None:
    """A form is acknowledged after its handler: the others do not wait for it."""
    acks = AckFirst()
    with acks.acknowledging():
        await acks.wait_for_acks()
