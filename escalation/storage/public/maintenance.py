"""Maintenance that people planned from Slack, beside that of the configuration.

Keys: `tocsin:public:maintenance` id -> window, as JSON; `tocsin:public:maintenance:made` how many there ever were.
"""

from datetime import datetime, timedelta
from typing import Any

from redis import Redis

from escalation.config.status_page import Maintenance
from escalation.errors import Refused
from escalation.status_page.standing import PlannedWindow
from escalation.storage.public.log import VERSION
from escalation.values import PersonId

WINDOWS = "tocsin:public:maintenance"
MADE = f"{WINDOWS}:made"
KEPT = timedelta(days=30)  # after its end; it leaves the page a day after it


class PlannedMaintenance:
    """The windows. Its methods raise RedisError."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def windows(self) -> list[PlannedWindow]:
        """Return all of them, the earliest first."""
        stored: Any = self._redis.hvals(WINDOWS)
        return sorted(map(PlannedWindow.model_validate_json, stored), key=lambda w: w.starts)

    def plan(self, maintenance: Maintenance, by: PersonId, key: str, now: datetime) -> PlannedWindow:
        """Announce maintenance; the same `key` announces it once."""
        if known := next((w for w in self.windows() if w.key == key), None):
            return known
        for old in self.windows():
            if old.ends + KEPT < now:
                self._redis.hdel(WINDOWS, old.id)
        number: Any = self._redis.incr(MADE)
        window = PlannedWindow(**maintenance.model_dump(exclude_defaults=True), id=f"M{number}", by=by, key=key)
        self._save(window)
        return window

    def cancel(self, window_id: str, now: datetime) -> PlannedWindow:
        """Cancel maintenance, visibly. Refused for one that is unknown, over, or cancelled."""
        window = next((w for w in self.windows() if w.id.lower() == window_id.lower()), None)
        if window is None:
            raise Refused(f"There is no maintenance {window_id}. `/incident maintenance list` shows what is planned.")
        if window.cancelled_at or window.ends <= now:
            raise Refused(f"Maintenance {window.id} is {'cancelled already' if window.cancelled_at else 'over'}.")
        cancelled = window.model_copy(update={"cancelled_at": now})
        self._save(cancelled)
        return cancelled

    def _save(self, window: PlannedWindow) -> None:
        with self._redis.pipeline() as pipe:
            pipe.hset(WINDOWS, window.id, window.model_dump_json(exclude_defaults=True))
            pipe.incr(VERSION)  # the page is written anew
            pipe.execute()
