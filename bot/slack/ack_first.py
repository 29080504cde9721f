"""Ack Slack's requests before running handlers, so that load never costs a three-second timeout.

A busy handler takes processor time from the event loop that acknowledges. Commands and clicks are acknowledged as soon
as they are known to be Slack's, before Bolt sees them: it has nothing to add to that answer.
"""

import asyncio
import contextlib
from collections.abc import Iterator

MAX_WAIT = 0.25  # seconds that a handler waits; a trigger_id lasts three
QUIET = 0.05  # seconds without a request: of many at once, the next is still on its way through the kernel


class AckFirst:
    """Count of the requests that Slack waits to see acknowledged."""

    def __init__(self) -> None:
        self._waiting = 0
        self._quiet_timer: asyncio.TimerHandle | None = None
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def busy(self) -> bool:
        """True while a request waits for its acknowledgement."""
        return bool(self._waiting)

    @contextlib.contextmanager
    def acknowledging(self) -> Iterator[None]:
        """Count a request as waiting for its acknowledgement for as long as the block lasts."""
        self._waiting += 1
        self._idle.clear()
        if self._quiet_timer:
            self._quiet_timer.cancel()
        try:
            yield
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._quiet_timer = asyncio.get_running_loop().call_later(QUIET, self._idle.set)

    async def wait_for_acks(self) -> None:
        """Wait until no request waits for its acknowledgement, MAX_WAIT at most. Await it between ack and handler."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(MAX_WAIT):
                await self._idle.wait()
