"""Maintenance that people planned from Slack, beside that of the configuration, and what subscribers are told of both.

Keys: `tocsin:public:maintenance` id -> window, as JSON; `tocsin:public:maintenance:made` how many there ever were;
`tocsin:public:maintenance:notices` window and phase -> notice, as JSON.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from redis import Redis

from escalation.config.status_page import Maintenance
from escalation.errors import Refused
from escalation.status_page.maintenance import NEWS_FOR, Notice, Phase, PlannedWindow, news_of, window_id
from escalation.storage.public.log import VERSION
from escalation.values import PersonId

WINDOWS = "tocsin:public:maintenance"
MADE, NOTICES = f"{WINDOWS}:made", f"{WINDOWS}:notices"
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

    def notices(self) -> list[Notice]:
        """Return what subscribers were told, or are being told, the oldest first."""
        stored: Any = self._redis.hvals(NOTICES)
        return sorted(map(Notice.model_validate_json, stored), key=lambda n: (n.at, n.name))

    def take_notice(self, configured: Iterable[Maintenance], subscriber: int, now: datetime) -> list[Notice]:
        """Note what subscribers have to hear by now, each once; returns what is news today, the oldest first.

        `configured` are the windows of the configuration, `subscriber` the number of the latest subscriber.
        """
        known = self.notices()
        told: dict[str, set[Phase]] = {}
        for notice in known:
            told.setdefault(notice.window, set()).add(notice.phase)
        for window in (*configured, *self.windows()):
            name = window_id(window)
            if phase := news_of(window, told.get(name, ()), now):
                said = window.model_dump(include=set(Maintenance.model_fields), exclude_defaults=True)
                planned = Maintenance.model_validate(said)
                notice = Notice(window=name, phase=phase, at=now, planned=planned, subscriber=subscriber)
                if self._redis.hsetnx(NOTICES, notice.name, notice.model_dump_json(exclude_defaults=True)):
                    known.append(notice)
        for notice in known:
            if notice.planned.ends + KEPT < now:
                self._redis.hdel(NOTICES, notice.name)
        return [notice for notice in known if now < notice.at + NEWS_FOR]

    def _save(self, window: PlannedWindow) -> None:
        with self._redis.pipeline() as pipe:
            pipe.hset(WINDOWS, window.id, window.model_dump_json(exclude_defaults=True))
            pipe.incr(VERSION)  # the page is written anew
            pipe.execute()
