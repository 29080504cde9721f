"""The auditor: what should have happened by now and has not, although nobody is at it, is put on its queue again.

It looks at due alarms only, twice a second. An alarm may simply wait its turn: queues are first in, first out, so one
that is older than the oldest job of its queue has lost its own. Thousands may wait so, and none of them is read.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from pydantic import ValidationError
from redis import Redis, RedisError
from rq.job import JobStatus
from rq.utils import utcparse

from escalation.engine import checkpoints
from escalation.errors import NotFound, TooNew
from escalation.incident.model import Incident
from escalation.processes import QUEUES
from escalation.storage.alarms import incident_of, ready
from escalation.storage.indexes import ALARMS, URGENT
from escalation.storage.store import Store
from workers import metrics
from workers.context import Context
from workers.delivery import retry_when_back
from workers.queue.leases import lease_key
from workers.queue.outbox import checkpoint_task
from workers.queue.rq import JOB_PREFIX, Task, job_hash, queue_key, queue_of
from workers.recurring import upkeep

EVERY = 0.5  # seconds
OVERDUE = 1.0  # seconds: what is promised, and more than RQ needs to hand a job over
AT_A_TIME, MOST = 1000, 20_000
REPAIR_MEMORY = 600  # seconds for which the repairs of one alarm are counted

# Write the job, unless the alarm has changed or was repaired a moment ago, by whichever sweep. One that is repaired
# again and again waits longer each time, up to a minute.
_REPAIR = """
if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or 'nan') ~= tonumber(ARGV[2]) then return 0 end
local now = tonumber(ARGV[3])
if now < tonumber(redis.call('HGET', KEYS[2], 'until') or 0) then return 0 end
local last = redis.call('HGET', KEYS[2], 'at')
if last and tonumber(last) >= tonumber(ARGV[5]) then return 0 end
local times = redis.call('HINCRBY', KEYS[2], 'times', 1)
redis.call('HSET', KEYS[2], 'at', ARGV[3], 'until', string.format('%.6f', now + math.min(60, 2 ^ times)))
redis.call('EXPIRE', KEYS[2], ARGV[4])
redis.call('HSET', KEYS[3], unpack(ARGV, 7))
redis.call('RPUSH', KEYS[4], ARGV[6])
return times
"""
_REMOVE = """
if tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or 'nan') ~= tonumber(ARGV[2]) then return 0 end
return redis.call('ZREM', KEYS[1], ARGV[1])
"""

log = structlog.get_logger()


@dataclass(frozen=True)
class Alarm:
    """A member of the alarm set that is due. `kind` is checkpoint or delivery; `about` the checkpoint or the effect."""

    member: str
    due: float
    kind: str
    incident: str
    about: str

    @classmethod
    def of(cls, member: str, due: float) -> "Alarm":
        sort, _, rest = member.partition(":")
        if sort == "e":
            return cls(member, due, "delivery", incident_of(rest), rest)
        incident, _, checkpoint = rest.partition(":")
        return cls(member, due, "checkpoint", incident, checkpoint)

    def queue(self, urgent: bool) -> str:
        """Where its job waits its turn; `urgent` is its incident."""
        return queue_of(urgent, self.about if self.kind == "delivery" else "")


class Sweep:
    """Looks once, each time it is asked. Any number of these run side by side."""

    def __init__(self, redis: Redis, incidents: Store) -> None:
        self._redis = redis
        self._store = incidents

    def look(self, now: datetime) -> int:
        """Repair what was lost; how many alarms that were."""
        return sum(self._repair_lost(some, now) for some in self._overdue(now))

    def _overdue(self, now: datetime) -> Iterator[list[Alarm]]:
        """All of them, the longest overdue first: a lost page must not hide behind a thousand messages that wait."""
        for start in range(0, MOST, AT_A_TIME):
            found: Any = self._redis.zrangebyscore(
                ALARMS, "-inf", repr(now.timestamp() - OVERDUE), start=start, num=AT_A_TIME, withscores=True
            )
            if found:
                yield [Alarm.of(str(member, "utf-8"), score) for member, score in found]
            if len(found) < AT_A_TIME:
                return

    def _repair_lost(self, overdue: list[Alarm], now: datetime) -> int:
        taken_until = {name: self._taken_until(name, now) for name in QUEUES}
        urgent = self._urgent({a.incident for a in overdue})
        lost = self._free([a for a in overdue if a.due < taken_until[a.queue(a.incident in urgent)] - OVERDUE])
        known = self._incidents({a.incident for a in lost})
        return sum(self._check(a, known[a.incident], taken_until, now) for a in lost if a.incident in known)

    def _free(self, alarms: list[Alarm]) -> list[Alarm]:
        """Those that nobody is sending just now."""
        sends = [a for a in alarms if a.kind == "delivery"]
        with self._redis.pipeline(transaction=False) as pipe:
            for alarm in sends:
                pipe.exists(lease_key(alarm.about))
            held = dict(zip(sends, pipe.execute(), strict=True))
        return [a for a in alarms if not held.get(a)]

    def _taken_until(self, name: str, now: datetime) -> float:
        """Every job that came to a queue before this time has been taken off it."""
        head: Any = self._redis.lindex(queue_key(name), 0)
        came: Any = self._redis.hget(JOB_PREFIX + str(head, "utf-8"), "enqueued_at") if head else None
        return utcparse(str(came, "utf-8")).astimezone(UTC).timestamp() if came else now.timestamp()

    def _urgent(self, ids: set[str]) -> set[str]:
        """Those whose queues are the urgent ones, without reading them."""
        urgent: Any = self._redis.smismember(URGENT, list(ids))
        return {i for i, yes in zip(ids, urgent, strict=True) if yes}

    def _incidents(self, ids: set[str]) -> dict[str, Incident | None]:
        """Those that can be read, None for one that is not there: one bad document must not hold up the others."""
        known: dict[str, Incident | None] = {}
        for incident_id in ids:
            try:
                known[incident_id] = self._store.get(incident_id)
            except NotFound:
                known[incident_id] = None
            except TooNew:  # its version has a sweep of its own
                continue
            except ValidationError as wrong:
                log.error("an incident cannot be read", incident=incident_id, errors=wrong.error_count())
        return known

    def _check(self, alarm: Alarm, incident: Incident | None, taken_until: dict[str, float], now: datetime) -> bool:
        if incident is None or not _pending(alarm, incident):
            self._redis.eval(_REMOVE, 1, ALARMS, alarm.member, repr(alarm.due))
            return False
        queue = alarm.queue(incident.policy.urgent)
        taken = taken_until[queue] - OVERDUE
        return alarm.due < taken and self._repair(alarm, queue, taken, now)

    def _repair(self, alarm: Alarm, queue: str, taken: float, now: datetime) -> bool:
        """`taken`: what came before has been taken off the queue; a repair since then still waits its turn there."""
        task = _task(alarm, queue, now)
        fields = job_hash(task, JobStatus.QUEUED, now).items()
        keys = (ALARMS, f"tocsin:repairs:{alarm.member}:{alarm.due!r}", task.key, task.queue_key)
        arguments: Iterable[Any] = (alarm.member, repr(alarm.due), repr(now.timestamp()), REPAIR_MEMORY)
        hashed = (x for pair in fields for x in pair)
        times: Any = self._redis.eval(_REPAIR, len(keys), *keys, *arguments, repr(taken), task.id, *hashed)
        if not times:
            return False
        log.warning("repaired", alarm=alarm.member, late=round(now.timestamp() - alarm.due, 3), times=times)
        metrics.count(self._redis, "repaired_total", kind=alarm.kind)
        return True


def run(context: Context, stop: threading.Event, beat: Callable[[], None]) -> None:
    """Look until told to stop; `beat` is called each time it went well."""
    sweep = Sweep(context.redis, context.store)
    while not stop.wait(EVERY):
        try:
            now = context.clock()
            sweep.look(now)
            retry_when_back.probe(context.redis, now)
            upkeep.ask(context.redis, now)
            beat()
        except RedisError as away:
            log.warning("sweep: redis is away", error=type(away).__name__)


def _pending(alarm: Alarm, incident: Incident) -> bool:
    if alarm.kind == "delivery":
        return alarm.about in ready(incident)
    return alarm.about in checkpoints.alarms(incident)


def _task(alarm: Alarm, queue: str, now: datetime) -> Task:
    """A job of its own id: the lost one's hash may still be in somebody's hands."""
    mark = f"swept-{round(now.timestamp() * 1000)}"
    if alarm.kind == "checkpoint":
        return checkpoint_task(alarm.incident, alarm.about, queue, mark)
    return Task(f"deliver-{alarm.about}-{mark}", queue, "deliver", ([alarm.about],))
