"""Keeping, once a day: remove what the configuration keeps no longer, and pack closed incidents that are not yet."""

from datetime import datetime

import structlog

from escalation.storage.keeping import retention
from escalation.storage.keeping.packing import pack_settled
from workers.context import Context

DONE = "tocsin:retention:done"
EVERY_SECONDS = 86_400
PACKED_AT_ONCE = 200  # each takes a few milliseconds

log = structlog.get_logger()


class Keeping:
    """Does the day's work of keeping, by whichever process comes first."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def run(self, now: datetime) -> None:
        """Do it, unless it was done today."""
        if not self._context.redis.set(DONE, "1", nx=True, ex=EVERY_SECONDS):
            return
        store = self._context.store
        packed, more = pack_settled(store, PACKED_AT_ONCE)
        if more:  # reminders wait behind it: the rest has its turn in the next rounds
            self._context.redis.delete(DONE)
        removed = retention.remove(store, self._context.service.company.retention, now)
        if packed or removed.anything:
            log.info("record kept", packed=packed, removed=len(removed.incidents), alerts=removed.alerts)
