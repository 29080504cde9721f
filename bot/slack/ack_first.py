"""Ack Slack's requests before running handlers, so that load never costs a three-second timeout.

A handler keeps the processor busy, and the loop that acknowledges would have to share it. Commands and clicks are
acknowledged as soon as they are known to be Slack's, before Bolt looks at them: it has nothing to add to that answer.
"""

import asyncio
import contextlib
from collections.abc import Iterator

LONGEST = 0.25  # seconds that a handler gives way; a trigger_id lasts three
QUIET = 0.05  # seconds without a request: of many at once, the next is still on its way through the kernel


class AckFirst:
    """Counts the requests that Slack waits for."""

    def __init__(self) -> None:
        self._waiting = 0
        self._quiet: asyncio.TimerHandle | None = None
        self._nobody = asyncio.Event()
        self._nobody.set()

    @contextlib.contextmanager
    def acknowledging(self) -> Iterator[None]:
        """Somebody waits to be acknowledged for as long as the block lasts."""
        self._waiting += 1
        self._nobody.clear()
        if self._quiet:
            self._quiet.cancel()
        try:
            yield
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._quiet = asyncio.get_running_loop().call_later(QUIET, self._nobody.set)

    async def wait_for_acks(self) -> None:
        """To be awaited between acknowledging and handling: returns once nobody waits, or after a moment anyway."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LONGEST):
                await self._nobody.wait()
