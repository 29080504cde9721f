"""Senders that are turned away for want of a valid secret: they get an error that they rarely look at.

It is one problem for each door, until somebody gets in there, or nobody came for an hour.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from redis.exceptions import RedisError

from escalation.storage.problems import Problems

WRITTEN_EVERY = 60.0  # seconds between two reports of a door: anybody may knock as often as they like
KEPT = 3600.0  # seconds


class Doors:
    """Writes them down beside the answers, which wait for nothing; in their order, so that what is over stays over."""

    def __init__(self, problems: Problems, clock: Callable[[], float] = time.monotonic) -> None:
        self._problems = problems
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="doors")
        self._written: dict[str, float] = {}  # door -> when; 0.0: nothing stands there as far as we know

    def turned_away(self, door: str, text: str, remedy: str) -> None:
        """Note that somebody did not get in."""
        now = self._clock()
        if now - self._written.get(door, -WRITTEN_EVERY) >= WRITTEN_EVERY or not self._written[door]:
            self._written[door] = now
            self._aside(lambda: self._problems.report(f"door:{door}", text, remedy, kept=KEPT))

    def let_in(self, door: str) -> None:
        """Note that somebody got in: what stood there is over, also what the process before this one wrote."""
        if self._written.get(door, -1.0):
            self._written[door] = 0.0
            self._aside(lambda: self._problems.clear(f"door:{door}"))

    def _aside(self, write: Callable[[], object]) -> None:
        def quietly() -> None:
            with contextlib.suppress(RedisError):  # that is told elsewhere
                write()

        asyncio.get_running_loop().run_in_executor(self._thread, quietly)
