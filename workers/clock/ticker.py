"""Ticker: move due jobs from RQ's scheduled registries to its queues. Any number can run, without a lock.

RQ's own scheduler runs once a second, cuts due times to whole seconds (so jobs start early) and stops for minutes when
the process with its lock dies. Here one Lua call decides and moves, so that two tickers cannot move a job twice.
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
from workers.queue.outbox import checkpoints_task, is_checkpoint_job
from workers.queue.rq import JOB_PREFIX, job_hash, queue_key, registry_key, rq_time

BATCH = 500
COMBINED = 100  # checkpoints in one job: few enough for a quick commit that blocks nothing else
LONGEST_SLEEP = 0.1  # seconds: the most that a job can be late if it was scheduled during a sleep
RESTART_DELAY = 0.2
TICKED = "tocsin:ticked"
NOTE_EVERY = 1.0  # seconds
OUTAGE = 5.0  # seconds; a running ticker writes once a second, so a longer gap means that none ran

_FIND_DUE = """
local found = {}
for i, key in ipairs(KEYS) do
  local due = redis.call('ZRANGEBYSCORE', key, '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
  local next = redis.call('ZRANGEBYSCORE', key, '(' .. ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
  found[i] = {due, next or ''}
end
return found
"""
# Both scripts: the call that removes an id from the registry moves it; a damaged job is only removed. pcall: a key that
# is no hash must not stop the others.
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
_COMBINE = """
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
    """Move all jobs due at `now`; returns how many."""
    return _move_due(redis, now)[0]


def run(redis: Redis, clock: Clock, stop: threading.Event, beat: Callable[[], None]) -> None:
    """Tick until stopped; `beat` is called after each tick that succeeded."""
    last_noted = 0.0
    while not stop.is_set():
        try:
            now = clock()
            last_noted = _note_outage(redis, now, last_noted)
            _, next_due = _move_due(redis, now)
            beat()
            stop.wait(_sleep(next_due, clock()))
        except RedisError as error:
            log.warning("redis unavailable, ticker waiting", error=type(error).__name__)
            stop.wait(RESTART_DELAY)


def _note_outage(redis: Redis, now: datetime, last_noted: float) -> float:
    """Write once a second that a ticker runs, and record the outage if none did; returns when it was last written."""
    at = now.timestamp()
    if at - last_noted < NOTE_EVERY:
        return last_noted
    previous: Any = redis.set(TICKED, repr(at), get=True)
    if previous and at - float(previous) > OUTAGE:
        redis.set(AWAY, f"{float(previous)!r} {at!r}")
        log.warning("no ticker was running", seconds=round(at - float(previous), 1))
    return at


def _move_due(redis: Redis, now: datetime) -> tuple[int, float | None]:
    """Move due jobs, the most urgent queue first; returns how many, and when the next is due (epoch seconds)."""
    total, keys = 0, [registry_key(name) for name in QUEUES]
    while True:
        reply: Any = redis.eval(_FIND_DUE, len(keys), *keys, repr(now.timestamp()), BATCH)
        for name, (job_ids, _) in zip(QUEUES, reply, strict=True):
            total += _move(redis, name, [str(job_id, "utf-8") for job_id in job_ids], now)
        if all(len(job_ids) < BATCH for job_ids, _ in reply):
            return total, min((float(next_due) for _, next_due in reply if next_due), default=None)


def _move(redis: Redis, name: str, due: list[str], now: datetime) -> int:
    """Enqueue jobs in their order, consecutive checkpoints combined into one job; returns how many."""
    keys = (registry_key(name), queue_key(name))
    moved: Any = 0
    for separately, jobs in groupby(due, key=lambda job_id: not is_checkpoint_job(job_id)):
        remaining = iter(jobs)
        while ids := list(islice(remaining, COMBINED)):
            if separately or len(ids) == 1:
                moved += redis.eval(_MOVE, 2, *keys, JOB_PREFIX, rq_time(now), *ids)
            else:
                moved += redis.eval(_COMBINE, 2, *keys, JOB_PREFIX, *_combined_job(ids, name, now), *ids)
    return int(moved)


def _combined_job(job_ids: list[str], name: str, now: datetime) -> tuple[Any, ...]:
    """One job in place of many: its id, the number of items in its hash, and those items."""
    task = checkpoints_task(job_ids, name)
    fields = [x for pair in job_hash(task, JobStatus.QUEUED, now).items() for x in pair]
    return task.id, len(fields), *fields


def _sleep(next_due: float | None, now: datetime) -> float:
    """Seconds to sleep until the next job is due, at most `LONGEST_SLEEP`."""
    remaining = LONGEST_SLEEP if next_due is None else next_due - now.timestamp()
    return max(0.0, min(LONGEST_SLEEP, remaining))
