"""Record of effective cover in Redis.

Keys: `tocsin:cover`, the record of now (JSON); `tocsin:cover:ended`, a sorted set of the stretches that have ended
(JSON), scored by their end. A stretch has about 150 bytes: ten rotations of daily shifts take half a megabyte a year.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

from redis import Redis, WatchError

from escalation.config.company import Staff
from escalation.oncall.cover import Cover, CoverRecord, advance, clipped, joined, planned_cover
from escalation.oncall.schedule import OncallState

RECORD = "tocsin:cover"
ENDED = "tocsin:cover:ended"
MAX_TRIES = 20


class CoverPeriod(NamedTuple):
    """Cover of a period; what lies before `recorded_since` is by the schedule as it stands (None: all of it).

    Nothing lies before `removed_until`: it was removed, and what the schedule would say of it is not what was.
    """

    covers: tuple[Cover, ...]
    recorded_since: datetime | None
    removed_until: datetime | None = None


class CoverBook:
    """Book of who was on call when. `read` returns the on-call state, and `duty` is its key.

    Its methods raise RedisError.
    """

    def __init__(self, redis: Redis, duty: str, read: Callable[[], OncallState]) -> None:
        self._redis = redis
        self._duty = duty
        self._read = read

    def record(self, company: Staff, now: datetime) -> None:
        """Record the cover until now, by the state as it stands.

        If that changes meanwhile, whoever changed it has recorded what was before: then this is tried again.
        """
        for _ in range(MAX_TRIES):
            with self._redis.pipeline() as pipe:
                pipe.watch(RECORD, self._duty)  # type: ignore[no-untyped-call]  # redis-py left it untyped
                before = _parse(pipe.get(RECORD)) or CoverRecord(since=now, until=now)
                if now < before.until:
                    return
                after, ended = advance(before, company, self._read(), now)
                pipe.multi()
                pipe.set(RECORD, after.model_dump_json())
                if ended:
                    pipe.zadd(ENDED, {cover.model_dump_json(): cover.ends.timestamp() for cover in ended})
                try:
                    pipe.execute()
                except WatchError:
                    continue
                return

    def between(self, company: Staff, start: datetime, end: datetime) -> CoverPeriod:
        """Return the cover between two instants: as recorded, and by the schedule where nothing is recorded."""
        record, state = _parse(self._redis.get(RECORD)), self._read()
        if record is None:
            return CoverPeriod(planned_cover(company, state, start, end), None)
        start = max(start, record.removed_until or start)
        ended: Any = self._redis.zrangebyscore(ENDED, f"({start.timestamp()!r}", "+inf")
        recorded = (*(Cover.model_validate_json(raw) for raw in ended), *record.running)
        before = planned_cover(company, state, start, min(end, record.since))
        after = planned_cover(company, state, max(start, record.until), end)
        found = joined((*before, *clipped(recorded, start, end), *after))
        order = [*company.rotations, *(cover.rotation for cover in recorded)]
        covers = sorted(found, key=lambda cover: (order.index(cover.rotation), cover.starts))
        return CoverPeriod(tuple(covers), record.since, record.removed_until)

    def ended_before(self, at: datetime) -> int:
        """Count the stretches that ended before an instant."""
        return int(self._redis.zcount(ENDED, "-inf", f"({at.timestamp()!r}"))

    def remove_before(self, at: datetime) -> None:
        """Remove the stretches that ended before an instant, and note until when they were."""
        for _ in range(MAX_TRIES):
            with self._redis.pipeline() as pipe:
                pipe.watch(RECORD, ENDED)  # type: ignore[no-untyped-call]  # redis-py left it untyped
                gone: Any = pipe.zrangebyscore(ENDED, "-inf", f"({at.timestamp()!r}")
                record = _parse(pipe.get(RECORD))
                if not gone or record is None:
                    return
                latest = max(Cover.model_validate_json(raw).ends for raw in gone)
                pipe.multi()
                pipe.zrem(ENDED, *gone)
                pipe.set(RECORD, record.model_copy(update={"removed_until": latest}).model_dump_json())
                try:
                    pipe.execute()
                except WatchError:
                    continue
                return


def _parse(raw: Any) -> CoverRecord | None:
    return CoverRecord.model_validate_json(raw, extra="ignore") if raw else None
