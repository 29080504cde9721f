"""Moves what is due from RQ's scheduled registries to its queues. Any number of these run, without a lock.

RQ's own scheduler looks once a second, cuts due times to whole seconds (so jobs start early) and stands still for
minutes when the process with its lock dies. Here one Lua call decides and moves, so that two cannot move a job twice.
"""

import threading
from collections.abc import Callable
from datetime import datetime
from itertools import groupby, islice
from typing import Any

import structlog
from redis import Redis, RedisError
from rq.job import JobStatus

from escalation.processes import QUEUES
from escalation.service import Clock
from escalation.storage.store import AWAY
from workers.queue.outbox import checkpoints_task, rings
from workers.queue.rq import JOB_PREFIX, job_hash, queue_key, registry_key, rq_time

BATCH = 500
GATHERED = 100  # checkpoints for one job: few enough for its commit to be soon, and to be in nobody's way
LONGEST_SLEEP = 0.1  # seconds: how late a job may start that was scheduled nearer than that
AWAY_SLEEP = 0.2
TICKED = "tocsin:ticked"
NOTED_EVERY = 1.0  # seconds
OUTAGE = 5.0  # seconds; any ticker writes once a second, so nobody did

_LOOK = """
local found = {}
for i, key in ipairs(KEYS) do
  local due = redis.call('ZRANGEBYSCORE', key, '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
  local next = redis.call('ZRANGEBYSCORE', key, '(' .. ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
  found[i] = {due, next or ''}
end
return found
"""
# Both: whoever removes an id from the registry moves it; a damaged job is only removed. pcall: a key that is no hash
# must not stop the others.
_MOVE = """
local moved = 0
for i = 3, #ARGV do
  local key = ARGV[1] .. ARGV[i]
  if redis.call('ZREM', KEYS[1], ARGV[i]) == 1 and redis.pcall('HGET', key, 'status') == 'scheduled' then
    redis.call('HSET', key, 'status', 'queued', 'enqueued_at', ARGV[2])
    redis.call('RPUSH', KEYS[2], ARGV[i])
    moved = moved + 1
  end
end
return moved
"""
_GATHER = """
local moved, first = 0, 4 + ARGV[3]
for i = first, #ARGV do
  local key = ARGV[1] .. ARGV[i]
  if redis.call('ZREM', KEYS[1], ARGV[i]) == 1 and redis.pcall('HGET', key, 'status') == 'scheduled' then
    redis.call('DEL', key)
    moved = moved + 1
  end
end
if moved > 0 then
  redis.call('HSET', ARGV[1] .. ARGV[2], unpack(ARGV, 4, first - 1))
  redis.call('RPUSH', KEYS[2], ARGV[2])
end
return moved
"""

log = structlog.get_logger()


def tick(redis: Redis, now: datetime) -> int:
    """Move all jobs due at `now`; how many there were."""
    return _advance(redis, now)[0]


def run(redis: Redis, clock: Clock, stop: threading.Event, beat: Callable[[], None]) -> None:
    """Tick until told to stop; `beat` is called each time it went well."""
    seen = 0.0
    while not stop.is_set():
        try:
            now = clock()
            seen = _watched(redis, now, seen)
            _, following = _advance(redis, now)
            beat()
            stop.wait(_sleep(following, clock()))
        except RedisError as away:
            log.warning("ticker: redis is away", error=type(away).__name__)
            stop.wait(AWAY_SLEEP)


def _watched(redis: Redis, now: datetime, seen: float) -> float:
    """Write down, once a second, that the clock is watched; and the gap, when nobody had for a while."""
    at = now.timestamp()
    if at - seen < NOTED_EVERY:
        return seen
    before: Any = redis.set(TICKED, repr(at), get=True)
    if before and at - float(before) > OUTAGE:
        redis.set(AWAY, f"{float(before)!r} {at!r}")
        log.warning("nobody watched the clock", seconds=round(at - float(before), 1))
    return at


def _advance(redis: Redis, now: datetime) -> tuple[int, float | None]:
    """How many were moved, and when the next is due (epoch seconds). One look at all queues, the most urgent first."""
    total, keys = 0, [registry_key(name) for name in QUEUES]
    while True:
        answer: Any = redis.eval(_LOOK, len(keys), *keys, repr(now.timestamp()), BATCH)
        for name, (found, _) in zip(QUEUES, answer, strict=True):
            total += _move(redis, name, [str(job_id, "utf-8") for job_id in found], now)
        if all(len(found) < BATCH for found, _ in answer):
            return total, min((float(following) for _, following in answer if following), default=None)


def _move(redis: Redis, name: str, due: list[str], now: datetime) -> int:
    """Queue jobs in their order: one by one, or as one job that rings for many checkpoints."""
    keys = (registry_key(name), queue_key(name))
    moved: Any = 0
    for alone, jobs in groupby(due, key=lambda job_id: not rings(job_id)):
        left = iter(jobs)
        while ids := list(islice(left, GATHERED)):
            if alone or len(ids) == 1:
                moved += redis.eval(_MOVE, 2, *keys, JOB_PREFIX, rq_time(now), *ids)
            else:
                moved += redis.eval(_GATHER, 2, *keys, JOB_PREFIX, *_carrier(ids, name, now), *ids)
    return int(moved)


def _carrier(job_ids: list[str], name: str, now: datetime) -> tuple[Any, ...]:
    """A job in place of many: its id, how many words its hash has, and the hash."""
    task = checkpoints_task(job_ids, name)
    fields = [x for pair in job_hash(task, JobStatus.QUEUED, now).items() for x in pair]
    return task.id, len(fields), *fields


def _sleep(following: float | None, now: datetime) -> float:
    left = LONGEST_SLEEP if following is None else following - now.timestamp()
    return max(0.0, min(LONGEST_SLEEP, left))
