"""The canary's journeys: `tocsin:canary` has the departure of one under way, `tocsin:canary:times` how long each took.

The former is a hash, the latter a sorted set of `departure seconds` by departure, in epoch seconds.
"""

from datetime import datetime, timedelta
from typing import Any

from redis import Redis

SOURCE = "canary"  # of its bodies in the intake; it has no address
LAST = "tocsin:canary"
TIMES = "tocsin:canary:times"
KEPT = timedelta(days=90)


class Canary:
    """Record of the journeys, shared by all processes. Its methods raise RedisError."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def departs(self, slot: int, now: datetime, every: timedelta) -> bool:
        """Note a departure; True for the one worker that sends the canary of this slot."""
        lasts = max(60, int(every.total_seconds() * 2))
        if not self._redis.set(f"tocsin:canary:{slot}", 1, nx=True, ex=lasts):
            return False
        self._redis.hsetnx(LAST, "waits", repr(now.timestamp()))
        return True

    def arrived(self, departed: float, now: datetime) -> float:
        """Note an arrival; returns how many seconds the journey took."""
        took = max(0.0, now.timestamp() - departed)
        with self._redis.pipeline() as pipe:
            pipe.hdel(LAST, "waits")
            pipe.zadd(TIMES, {f"{departed!r} {took!r}": departed})
            pipe.zremrangebyscore(TIMES, "-inf", (now - KEPT).timestamp())
            pipe.execute()
        return took

    def waits_since(self) -> float | None:
        """Return the departure of the oldest canary since the last arrival; None while none is under way."""
        raw: Any = self._redis.hget(LAST, "waits")
        return float(raw) if raw else None

    def forget(self) -> bool:
        """Forget a canary that is under way: none is sent any more. True if there was one."""
        return bool(self._redis.hdel(LAST, "waits"))

    def times(self, since: datetime) -> list[float]:
        """Return how many seconds each journey took, of those that departed since then."""
        found: Any = self._redis.zrangebyscore(TIMES, since.timestamp(), "+inf")
        return [float(member.split()[1]) for member in found]
