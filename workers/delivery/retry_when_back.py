"""What waits for its next try because Slack was away: it goes as soon as Slack takes anything, not half a minute later.

Tries that failed are further and further apart. So once a second the sweep has one of them tried before its time, and
the first send that succeeds calls the others in. `tocsin:held` has them, `{queue} {effect}`, by the time of their next
try in epoch seconds.
"""

from datetime import datetime
from itertools import groupby
from typing import Any

from redis import Redis
from redis.client import Pipeline

from escalation.incident.effects import SLACK, Effect
from escalation.incident.events import Delivered, RoomOpened
from escalation.storage.indexes import ALARMS
from workers.channels.failures import Failed, Kind
from workers.delivery.plan import SendResult
from workers.queue.outbox import HELD, batches, deliver_task, retry_id
from workers.queue.rq import push, unschedule

AT_ONCE = 1000
EVERY = 1.0  # seconds between two calls, and between two tries before their time

# An alarm that was set anew since then has its reasons: Slack may have said how long to wait.
_CALL = """
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


def is_held(effect: Effect, failed: Failed) -> bool:
    """Whether it failed for a reason that is over for all when it is over for one."""
    return effect.carried_by == SLACK and failed.kind in (Kind.PASSING, Kind.TOKEN) and not failed.wait


def is_back(effect: Effect, went: SendResult) -> bool:
    """Whether this send shows that Slack takes messages."""
    return effect.carried_by == SLACK and isinstance(went.outcome, Delivered | RoomOpened)


def call_in(redis: Redis, now: datetime) -> int:
    """Slack takes messages: try what is held now. How many that are."""
    return _call(redis, now, AT_ONCE, "tocsin:held:called")


def probe(redis: Redis, now: datetime) -> int:
    """Try one of them, unless the next comes soon anyway."""
    redis.zremrangebyscore(HELD, "-inf", repr(now.timestamp()))
    following: Any = redis.zrange(HELD, 0, 0, withscores=True)
    if not following or following[0][1] - now.timestamp() < EVERY:
        return 0
    return _call(redis, now, 1, "tocsin:held:probed")


def _call(redis: Redis, now: datetime, most: int, once: str) -> int:
    found: Any = redis.eval(_CALL, 3, HELD, ALARMS, once, repr(now.timestamp()), most, int(EVERY * 1000))
    if found:
        with redis.pipeline() as pipe:
            _queue(pipe, [(*str(member, "utf-8").split(" "), float(at)) for member, at in found], now)
            pipe.execute()
    return len(found)


def _queue(pipe: "Pipeline", found: list[Any], now: datetime) -> None:
    """Put them (queue, effect, time of its next try) on their queues, many to a job; the later try is taken away."""
    unschedule(pipe, *(retry_id(effect_id, at) for _, effect_id, at in found))
    for queue, some in groupby(sorted(found), key=lambda each: str(each[0])):
        for batch in batches([effect_id for _, effect_id, _ in some]):
            push(pipe, deliver_task(f"{batch[0]}-called-{round(now.timestamp() * 1000)}", batch, queue), now)
