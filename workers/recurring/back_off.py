"""Back off from other systems that fail: one rule for the recurring work that keeps something of ours in step there.

A system that is away is left alone until the next round. One piece of work that is refused, or whose outcome is in
doubt, waits by itself. What does not pass, or passes for too long, is a problem, which ends with the first success.
"""

from typing import Protocol

import structlog

from workers.channels.failures import Failed, Kind
from workers.channels.trackers.tracker import InDoubt
from workers.context import Context
from workers.delivery.problems import report_call
from workers.delivery.trackers.creation import SETTLES

AGAIN_SECONDS = 60  # after a refusal

log = structlog.get_logger()


class Vendor(Protocol):
    """A system that work is done in: a text that is part of keys, and its name for people."""

    @property
    def words(self) -> str:
        """Its name, for people."""


class BackOff:
    """Decides what of one kind of work may be tried, in one process at a time.

    `waits` and `problems` begin its keys in Redis and in the register of problems; `what` says which work fails.
    """

    def __init__(self, context: Context, *, waits: str, problems: str, what: str) -> None:
        self._context = context
        self._waits = waits
        self._problems = problems
        self._what = what
        self._away: set[Vendor] = set()

    def start_round(self) -> None:
        """Ask every system again."""
        self._away.clear()

    def is_away(self, vendor: Vendor) -> bool:
        """True if a system is left alone for the rest of this round."""
        return vendor in self._away

    def holds(self, vendor: Vendor, work: str) -> bool:
        """True if a piece of work may not be tried now."""
        return self.is_away(vendor) or bool(self._context.redis.exists(f"{self._waits}:{work}"))

    def wait(self, work: str, seconds: float) -> None:
        """Let a piece of work wait."""
        self._context.redis.set(f"{self._waits}:{work}", "1", ex=max(1, int(seconds)))

    def failed(self, vendor: Vendor, work: str, failed: Failed) -> None:
        """Let the work wait as long as it has to, and report what an operator has to know."""
        log.warning("work in another system failed", work=work, error=failed.error)
        passing = failed.kind is Kind.PASSING
        if isinstance(failed, InDoubt) or not passing or failed.wait:
            self.wait(work, max(failed.wait, SETTLES if passing else AGAIN_SECONDS))
        if passing:
            self._away.add(vendor)
        self._report(self._key(work if failed.kind is Kind.LOST else vendor), vendor, failed)

    def succeeded(self, vendor: Vendor, work: str) -> None:
        """End the problems that a success disproves."""
        for about in (vendor, work):
            self._context.store.problems.clear(self._key(about))

    def unread(self, vendor: Vendor, failed: Failed) -> None:
        """Leave a system alone that does not show what is there, and report it by itself: changes may work."""
        log.warning("another system not read", system=f"{vendor}", of=self._problems, error=failed.error)
        self._away.add(vendor)
        self._report(self._unread(vendor), vendor, failed)

    def read(self, vendor: Vendor) -> None:
        """End the problem with a system that shows what is there."""
        self._context.store.problems.clear(self._unread(vendor))

    def _report(self, key: str, vendor: Vendor, failed: Failed) -> None:
        report_call(self._context.store.problems, key, vendor.words, failed, self._context.clock(), what=self._what)

    def _key(self, about: Vendor | str) -> str:
        return f"{self._problems}:{about}"

    def _unread(self, vendor: Vendor) -> str:
        return f"{self._key(vendor)}:read"
