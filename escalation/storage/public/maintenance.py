"""Maintenance that people planned from Slack, beside that of the configuration, and what subscribers are told of both.

What the configuration announced is remembered: taken out of it before its end, it is cancelled, as visibly as from
Slack. A process that still has it, or has it already, keeps it alive, so that a rolling restart cancels nothing.

Keys: `tocsin:public:maintenance` id -> window, as JSON; `tocsin:public:maintenance:made` how many there ever were;
`tocsin:public:maintenance:notices` window and phase -> notice, as JSON; `tocsin:public:maintenance:configured` id -> a
window of the configuration, and when a process last had it.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from redis import Redis

from escalation.config.status_page import Maintenance
from escalation.errors import Refused
from escalation.status_page.maintenance import NEWS_FOR, Notice, Phase, PlannedWindow, news_of, window_id
from escalation.storage.public.log import VERSION
from escalation.values import Frozen, PersonId, machine

WINDOWS = "tocsin:public:maintenance"
MADE, NOTICES, CONFIGURED = f"{WINDOWS}:made", f"{WINDOWS}:notices", f"{WINDOWS}:configured"
KEPT = timedelta(days=30)  # after its end; it leaves the page a day after it
TAKEN_OUT_AFTER = timedelta(minutes=10)  # without a process that has it: longer than a restart of them all
THE_CONFIGURATION = machine("the configuration")


class Configured(Frozen):
    """A window that the configuration announced. `n` counts how often, for it may come back after a cancellation."""

    window: Maintenance
    seen: datetime
    n: int = 1

    def planned(self, cancelled_at: datetime | None = None) -> PlannedWindow:
        """Return it as a window of its own."""
        said = self.window.model_dump(exclude_defaults=True)
        return PlannedWindow(**said, id=self.id, by=THE_CONFIGURATION, cancelled_at=cancelled_at)

    @property
    def id(self) -> str:
        """Its id: the one by title and start, the first time."""
        return window_id(self.window) + (f"-{self.n}" if self.n > 1 else "")


class PlannedMaintenance:
    """The windows. Its methods raise RedisError."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    # Of the configuration --------------------------------------------------------------------------------------------

    def follow(self, configured: Iterable[Maintenance], now: datetime, since: datetime) -> None:
        """Remember the windows that a process has, and cancel those that none has any more.

        `since`: when this process began to look; before TAKEN_OUT_AFTER it cannot know what others have.
        """
        known, own = self._configured(), {window_id(window): window for window in configured}
        cancelled = {window.id for window in self.windows() if window.cancelled_at}
        for name, window in own.items():
            before = known.get(name)
            seen = Configured(window=window, seen=now, n=before.n if before else 1)
            if seen.id in cancelled:
                seen = seen.model_copy(update={"n": seen.n + 1})
            self._redis.hset(CONFIGURED, name, seen.model_dump_json(exclude_defaults=True))
        for name, old in known.items():
            if old.window.ends + KEPT < now:
                self._redis.hdel(CONFIGURED, name)
        for gone in self.taken_out(own.values(), now):
            if min(now - gone.seen, now - since) > TAKEN_OUT_AFTER:
                self._save(gone.planned(cancelled_at=now))

    def taken_out(self, configured: Iterable[Maintenance], now: datetime) -> list[Configured]:
        """Return the windows that are cancelled once every process has this configuration, the earliest first."""
        own = {window_id(window) for window in configured}
        cancelled = {window.id for window in self.windows() if window.cancelled_at}
        left = (gone for name, gone in self._configured().items() if name not in own and gone.id not in cancelled)
        return sorted((gone for gone in left if now < gone.window.ends), key=lambda gone: gone.window.starts)

    def all(self, configured: Iterable[Maintenance]) -> list[Maintenance]:
        """Return every window that is or was announced: of this configuration, of another process's, and from Slack.

        One that was cancelled is there once, as cancelled.
        """
        known, planned = self._configured(), self.windows()
        cancelled = {window.id for window in planned if window.cancelled_at}
        own = {window_id(window): window for window in configured}
        windows: list[Maintenance] = []
        for name in own.keys() | known.keys():
            remembered = known.get(name)
            window = own[name] if name in own else known[name].window
            if remembered is None or remembered.n == 1:
                windows += [window] if name not in cancelled else []
            elif remembered.id not in cancelled:
                windows.append(remembered.model_copy(update={"window": window}).planned())
        return [*sorted(windows, key=lambda w: (w.starts, w.title)), *planned]

    def _configured(self) -> dict[str, Configured]:
        stored: Any = self._redis.hgetall(CONFIGURED)
        return {str(name, "utf-8"): Configured.model_validate_json(raw) for name, raw in stored.items()}

    # From Slack ------------------------------------------------------------------------------------------------------

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

    # Subscribers -----------------------------------------------------------------------------------------------------

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
        for window in self.all(configured):
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
