"""Acknowledgements go before deeds."""

import asyncio

from bot.slack.ack_first import QUIET, AckFirst


async def test_a_deed_gives_way_to_those_who_wait() -> None:
    """It begins once the last of them is acknowledged."""
    courtesy = AckFirst()
    with courtesy.acknowledging():
        deed = asyncio.create_task(courtesy.wait_for_acks())
        with courtesy.acknowledging():
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not deed.done()
    await deed


async def test_a_deed_waits_for_those_who_are_on_their_way() -> None:
    """Of many at once, the next comes a moment after the last one was acknowledged."""
    courtesy = AckFirst()
    with courtesy.acknowledging():
        pass
    deed = asyncio.create_task(courtesy.wait_for_acks())
    await asyncio.sleep(0)
    assert not deed.done()
    with courtesy.acknowledging():
        await asyncio.sleep(2 * QUIET)
        assert not deed.done()
    await deed


async def test_nobody_waits_nobody_gives_way() -> None:
    """A single click is done at once."""
    await asyncio.wait_for(AckFirst().wait_for_acks(), 0.2)


async def test_a_request_that_takes_long_holds_nobody_up_for_long() -> None:
    """A form is acknowledged after its deed: the others do not wait for it."""
    courtesy = AckFirst()
    with courtesy.acknowledging():
        await courtesy.wait_for_acks()
