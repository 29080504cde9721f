"""What waits on the queues, and for how long."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from redis import Redis
from rq.utils import utcparse

from escalation.processes import QUEUES
from workers.queue.rq import JOB_PREFIX, queue_key, registry_key

TICKER_GONE = 5.0  # seconds: a job that was due that long ago waits for a ticker in vain

# In one step: a head that is taken between two reads would make a queue of thousands look empty. A dead id has no hash.
_HEADS = """
local function head(queue)
  for _, id in ipairs(redis.call('LRANGE', queue, 0, 99)) do
    local at = redis.pcall('HGET', ARGV[1] .. id, 'enqueued_at')
    if type(at) == 'string' then return at end
  end
  return ''
end
local found = {}
for i = 1, #KEYS, 2 do
  local due = redis.call('ZRANGEBYSCORE', KEYS[i + 1], ARGV[2], '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2] or ''
  found[#found + 1] = {redis.call('LLEN', KEYS[i]), head(KEYS[i]), due}
end
return found
"""


class Waiting(NamedTuple):
    """A queue: how many jobs are on it, and the time (epoch seconds) before which every job has been taken off it.

    A job that is due waits too until the ticker, which may be late, has moved it there.
    """

    length: int
    drained_until: float


def waiting(redis: Redis, now: datetime) -> dict[str, Waiting]:
    """Return what waits, by queue."""
    keys = [key for name in QUEUES for key in (queue_key(name), registry_key(name))]
    found: Any = redis.eval(_HEADS, len(keys), *keys, JOB_PREFIX, repr(now.timestamp() - TICKER_GONE))
    return {name: _waiting(now, *each) for name, each in zip(QUEUES, found, strict=True)}


def _waiting(now: datetime, length: int, enqueued_at: bytes, due: bytes) -> Waiting:
    drained = now.timestamp() if length == 0 else 0.0
    if enqueued_at:
        drained = utcparse(str(enqueued_at, "utf-8")).astimezone(UTC).timestamp()
    return Waiting(length, min(drained, float(due)) if due else drained)
