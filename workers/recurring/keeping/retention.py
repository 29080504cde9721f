"""Keeping, once a day: remove what the configuration keeps no longer, and pack closed incidents that are not yet."""

from datetime import datetime

import structlog

from escalation.storage.keeping import retention
from workers.context import Context

DONE = "tocsin:retention:done"
EVERY_SECONDS = 86_400

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
        packed = sum(store.tidy(incident_id) for incident_id in store.closed_ids())
        removed = retention.remove(store, self._context.service.company.retention, now)
        if packed or removed.anything:
            log.info("record kept", packed=packed, removed=len(removed.incidents), alerts=removed.alerts)
