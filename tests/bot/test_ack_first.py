"""Requests are acknowledged before handlers run."""

import asyncio

from bot.slack.ack_first import QUIET, AckFirst


async def test_a_handler_gives_way_to_those_who_wait() -> None:
    """It begins once the last of them is acknowledged."""
    acks = AckFirst()
    with acks.acknowledging():
        handler = asyncio.create_task(acks.wait_for_acks())
        with acks.acknowledging():
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not handler.done()
    await handler


async def test_a_handler_waits_for_those_who_are_on_their_way() -> None:
    """Of many at once, the next comes a moment after the last one was acknowledged."""
    acks = AckFirst()
    with acks.acknowledging():
        pass
    handler = asyncio.create_task(acks.wait_for_acks())
    await asyncio.sleep(0)
    assert not handler.done()
    with acks.acknowledging():
        await asyncio.sleep(2 * QUIET)
        assert not handler.done()
    await handler


async def test_nobody_waits_nobody_gives_way() -> None:
    """A single click is done at once."""
    await asyncio.wait_for(AckFirst().wait_for_acks(), 0.2)


async def test_a_request_that_takes_long_holds_nobody_up_for_long() -> None:
    """A form is acknowledged after its handler: the others do not wait for it."""
    acks = AckFirst()
    with acks.acknowledging():
        await acks.wait_for_acks()
