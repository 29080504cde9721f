"""Retries held during a Slack outage, released by the first send that succeeds.

Retries back off to half a minute apart. So that nothing waits that long after Slack is back, the sweep probes with one
of them each second, and the first send that succeeds releases the others. `tocsin:held` has them, `{queue} {effect}`,
scored by the time of their next retry in epoch seconds.

A send that fails although Slack took another one since its first failure is not held: then it is not Slack that is
away, but one method that fails, perhaps for good. `tocsin:slack-took` is when Slack last took anything.
"""

from datetime import datetime
from itertools import groupby
from typing import Any

from redis import Redis
from redis.client import Pipeline

from escalation.incident.effects import SLACK, Effect
from escalation.incident.events.outcomes import Delivered, RoomOpened
from escalation.storage.indexes import ALARMS
from workers.channels.failures import Failed, Kind
from workers.delivery.plan import SendResult
from workers.queue.outbox import HELD, batches, deliver_task, retry_id
from workers.queue.rq import push, unschedule

TOOK = "tocsin:slack-took"
MAX_RELEASED = 1000
EVERY = 1.0  # seconds between two releases, and between two probes

# An alarm that was rescheduled since then is left alone: Slack may have said how long to wait.
_RELEASE = """
if not redis.call('SET', KEYS[3], 1, 'NX', 'PX', ARGV[3]) then return {} end
local found = {}
for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, ARGV[2] - 1)) do
  local at = redis.call('ZSCORE', KEYS[1], member)
  local alarm = 'e:' .. string.match(member, ' (.*)')
  redis.call('ZREM', KEYS[1], member)
  if redis.call('ZSCORE', KEYS[2], alarm) == at then
    redis.call('ZADD', KEYS[2], ARGV[1], alarm)
    table.insert(found, {member, at})
  end
end
return found
"""


def is_held(redis: Redis, effect: Effect, failed: Failed, failing_since: float) -> bool:
    """True if the failure is of a kind that ends for all sends when it ends for one. `failing_since`: epoch seconds."""
    if effect.carried_by != SLACK or failed.kind not in (Kind.PASSING, Kind.TOKEN) or failed.wait:
        return False
    took: Any = redis.get(TOOK)
    return took is None or float(took) <= failing_since


def is_back(effect: Effect, result: SendResult) -> bool:
    """True if this send shows that Slack takes messages again."""
    return effect.carried_by == SLACK and isinstance(result.outcome, Delivered | RoomOpened)


def release_all(redis: Redis, now: datetime) -> int:
    """Retry all that is held now, since Slack takes messages again; returns how many."""
    return _release(redis, now, MAX_RELEASED, "tocsin:held:called")


def probe(redis: Redis, now: datetime) -> int:
    """Retry one of the held effects before its time, unless the next retry is near; returns how many (0 or 1)."""
    redis.zremrangebyscore(HELD, "-inf", repr(now.timestamp()))
    next_retry: Any = redis.zrange(HELD, 0, 0, withscores=True)
    if not next_retry or next_retry[0][1] - now.timestamp() < EVERY:
        return 0
    return _release(redis, now, 1, "tocsin:held:probed")


def _release(redis: Redis, now: datetime, most: int, throttle_key: str) -> int:
    found: Any = redis.eval(_RELEASE, 3, HELD, ALARMS, throttle_key, repr(now.timestamp()), most, int(EVERY * 1000))
    if found:
        with redis.pipeline() as pipe:
            _enqueue(pipe, [(*str(member, "utf-8").split(" "), float(at)) for member, at in found], now)
            pipe.execute()
    return len(found)


def _enqueue(pipe: "Pipeline", found: list[Any], now: datetime) -> None:
    """Enqueue effects (queue, effect, time of its next retry), many to a job, and unschedule their later retry."""
    unschedule(pipe, *(retry_id(effect_id, at) for _, effect_id, at in found))
    for queue, group in groupby(sorted(found), key=lambda each: str(each[0])):
        for batch in batches([effect_id for _, effect_id, _ in group]):
            push(pipe, deliver_task(f"{batch[0]}-called-{round(now.timestamp() * 1000)}", batch, queue), now)
