"""Moves what is due from RQ's scheduled registries to its queues. Any number of these run, without a lock.

RQ's own scheduler looks once a second, cuts due times to whole seconds (so jobs start early) and stands still for
minutes when the process with its lock dies. Here one Lua call decides and moves, so that two cannot move a job twice.
"""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog
from redis import Redis, RedisError

from escalation.desk import Clock
from workers.queues import JOB_PREFIX, QUEUES, queue_key, registry_key, rq_time

BATCH = 500
LONGEST_SLEEP = 0.1  # seconds: how late a job may start that was scheduled nearer than that
AWAY_SLEEP = 0.2

# pcall: a key that is no hash must not stop the others.
_MOVE = """
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])
local moved = 0
for _, id in ipairs(due) do
  local key = ARGV[4] .. id
  if redis.pcall('HGET', key, 'status') == 'scheduled' then
    redis.call('HSET', key, 'status', 'queued', 'enqueued_at', ARGV[2])
    redis.call('RPUSH', KEYS[2], id)
    moved = moved + 1
  end
  redis.call('ZREM', KEYS[1], id)
end
return {#due, moved, redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2] or ''}
"""

log = structlog.get_logger()


def tick(redis: Redis, now: datetime) -> int:
    """Move all jobs due at `now`; how many there were."""
    return sum(_advance(redis, name, now)[0] for name in QUEUES)


def run(redis: Redis, clock: Clock, stop: threading.Event, beat: Callable[[], None]) -> None:
    """Tick until told to stop; `beat` is called each time it went well."""
    while not stop.is_set():
        try:
            now = clock()
            following = [_advance(redis, name, now)[1] for name in QUEUES]
            beat()
            stop.wait(_sleep(following, clock()))
        except RedisError as away:
            log.warning("ticker: redis is away", error=type(away).__name__)
            stop.wait(AWAY_SLEEP)


def _advance(redis: Redis, name: str, now: datetime) -> tuple[int, float | None]:
    """How many were moved, and when the next is due (epoch seconds)."""
    total = 0
    while True:
        arguments = (repr(now.timestamp()), rq_time(now), BATCH, JOB_PREFIX)
        answer: Any = redis.eval(_MOVE, 2, registry_key(name), queue_key(name), *arguments)
        found, moved, following = answer
        total += moved
        if found < BATCH:
            return total, float(following) if following else None


def _sleep(following: list[float | None], now: datetime) -> float:
    left = (at - now.timestamp() for at in following if at is not None)
    return max(0.0, min(LONGEST_SLEEP, *left, LONGEST_SLEEP))
