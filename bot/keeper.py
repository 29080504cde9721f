"""Keeper of alerts' bodies: in Redis, many in one transaction, or on the disk while Redis is away.

A source is answered once its body is safe. Some give up after a second and never send it again, so a Redis that does
not answer at once is not waited for: the disk takes the body, and Redis gets it from there.
"""

import asyncio
import contextlib
import math
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from typing import NamedTuple

import structlog
from redis import RedisError

from escalation.storage.intake import AsyncIntake, Body
from escalation.storage.problems import Problems
from escalation.storage.spool import Spool, SpoolFull

REDIS_PATIENCE = 0.7  # seconds; Sentry wants its answer within one
DRAIN_EVERY = 0.25  # seconds; what comes meanwhile waits behind what is there
EXAMINE_EVERY = 60.0  # seconds
FAULT_KEPT = 600.0  # seconds; nobody could clear the fault of a host that is gone
MAX_TOGETHER, MAX_BYTES = 200, 1_000_000  # bodies of one transaction, and their bytes
MAX_ON_LOOP = 64_000  # bytes of a body; handling more than that would hold up the clicks that come meanwhile
GATHER = 0.001  # seconds from one transaction to the next: it costs much the same for ten bodies as for one

log = structlog.get_logger("bot")


class NotKept(Exception):
    """Neither Redis nor the disk takes a body."""


class Kept(NamedTuple):
    """State of the intake of this process: bodies on the disk, their bytes, and bodies that nothing took since start.

    `fault` says why the last one was not kept; empty once one is kept again.
    """

    spooled: int = 0
    spooled_bytes: int = 0
    refused: int = 0
    fault: str = ""


class _Writer:
    """Writes bodies, all together that came while it was at the ones before."""

    def __init__(self, write: Callable[..., Awaitable[None]]) -> None:
        self._write = write
        self._waiting: list[tuple[Body, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._begun = -math.inf  # when the last transaction began, by the loop's clock

    @property
    def busy(self) -> bool:
        """True while anything is to be written."""
        return self._writing is not None and not self._writing.done()

    async def write(self, body: Body) -> None:
        """Wait until a body is written. What `write` raises passes through."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((body, written))
        if not self.busy:
            self._writing = asyncio.create_task(self._write_all())
        await written

    async def _write_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            await asyncio.sleep(self._begun + GATHER - loop.time())
            self._begun = loop.time()
            number = _fitting([len(body.raw) for body, _ in self._waiting[:MAX_TOGETHER]])
            together, self._waiting = self._waiting[:number], self._waiting[number:]
            alive = [(body, written) for body, written in together if not written.done()]
            failure: Exception | None = None
            try:
                await self._write(*(body for body, _ in alive))
            except (RedisError, SpoolFull, OSError) as error:
                failure = error
            for _, written in alive:
                if not written.done():
                    written.set_exception(failure) if failure else written.set_result(None)


class Keeper:
    """Keeps bodies, and empties the spool.

    The disk and large bodies have threads of their own: people's clicks do not wait behind them.
    """

    def __init__(self, intake: AsyncIntake, spool: Spool, problems: Problems) -> None:
        self._intake = intake
        self._spool = spool
        self._problems = problems
        self._disk_thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._large_thread = ThreadPoolExecutor(1, thread_name_prefix="intake")
        self._redis = _Writer(intake.keep_on_loop)
        self._large = _Writer(_in_thread(self._large_thread, intake.keep))
        self._disk = _Writer(_in_thread(self._disk_thread, spool.add))
        self._refused, self._fault = 0, ""

    def state(self) -> Kept:
        """Return how much waits on the disk, and what was not kept. Reads the folder. Raises OSError."""
        return Kept(*self._spool.depth(), self._refused, self._fault)

    async def keep(self, body: Body) -> None:
        """Keep a body for good. Raises NotKept.

        While others wait on the disk it joins them, behind those that came before: an end must not overtake its
        beginning.
        """
        with contextlib.suppress(SpoolFull, OSError):
            if self._spool.holds_any():
                await self._disk.write(body)
                self._fault = ""
                return
        large = len(body.raw) > MAX_ON_LOOP or self._large.busy
        try:
            async with asyncio.timeout(REDIS_PATIENCE):
                await (self._large if large else self._redis).write(body)
            self._fault = ""
        except (RedisError, TimeoutError) as error:
            await self._spool_body(body, error)

    async def _spool_body(self, body: Body, cause: Exception) -> None:
        try:
            await self._disk.write(body)
        except (SpoolFull, OSError) as error:
            self._refused, self._fault = self._refused + 1, str(error) or "it is full"
            log.error("alert not kept", source=body.source, redis=type(cause).__name__, spool=self._fault)
            raise NotKept from None
        self._fault = ""
        log.warning("redis unavailable, alert spooled", source=body.source, error=type(cause).__name__)

    async def stored(self, body_id: str) -> Body | None:
        """Return a body that Redis has; None if it has none of that id, or does not answer."""
        with contextlib.suppress(RedisError, ValueError):
            return await asyncio.to_thread(self._intake.stored, body_id)
        return None

    async def drain_spool(self) -> None:
        """Hand what is on the disk to Redis as soon as that answers; runs until cancelled."""
        loop = asyncio.get_running_loop()
        examined = -math.inf
        while True:
            if loop.time() - examined >= EXAMINE_EVERY:
                examined = loop.time()
                with contextlib.suppress(RedisError):
                    # Not in the thread of the disk: it waits for Redis, and bodies that need the disk do not.
                    await asyncio.to_thread(self.examine_spool)
            with contextlib.suppress(RedisError, OSError):
                drained = await loop.run_in_executor(self._disk_thread, self._spool.drain, self._intake.keep)
                if drained:
                    log.info("spool drained", alerts=drained)
            await asyncio.sleep(DRAIN_EVERY)

    def examine_spool(self) -> None:
        """Report a spool that would take nothing, before Redis is away and it is needed. Raises RedisError."""
        host = socket.gethostname()
        if fault := self._spool.fault():
            text = f"The disk of {host} would keep no alerts while Redis is away ({fault})"
            remedy = "make room, and let the bot's user write TOCSIN_DATA/spool"
            if self._problems.report(f"spool:{host}", text, remedy, kept=FAULT_KEPT):
                log.error("spool takes no alerts", why=fault)
        else:
            self._problems.clear(f"spool:{host}")

    async def close(self) -> None:
        """End the threads, once what they write is written."""
        await self._intake.close()
        self._large_thread.shutdown(wait=True)
        self._disk_thread.shutdown(wait=True)


def _in_thread(thread: ThreadPoolExecutor, write: Callable[..., None]) -> Callable[..., Awaitable[None]]:
    async def written(*bodies: Body) -> None:
        await asyncio.get_running_loop().run_in_executor(thread, write, *bodies)

    return written


def _fitting(sizes: list[int]) -> int:
    """Count the first bodies that fit into one transaction, one at the least."""
    return max(1, sum(total <= MAX_BYTES for total in accumulate(sizes)))
