"""Sweep: find alarms that are overdue because RQ lost their job, and enqueue them again.

It reads due alarms only, twice a second. An alarm may simply wait its turn: queues are first in, first out, so only one
that is older than the oldest job of its queue has lost its own. Thousands may wait without any incident being read.
Whoever took a job off a queue has a second to claim what it asks for.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from pydantic import ValidationError
from redis import Redis, RedisError
from rq.job import JobStatus

from escalation.engine import checkpoints
from escalation.errors import NotFound, TooNew
from escalation.incident.model import Incident
from escalation.storage.alarms import incident_of, ready
from escalation.storage.indexes import ALARMS, URGENT
from escalation.storage.problems import RECURRING
from escalation.storage.store import Store
from workers import alerts, metrics
from workers.clock.backlog import Backlogs
from workers.context import Context
from workers.delivery import retry_when_back
from workers.queue.leases import lease_key
from workers.queue.outbox import checkpoint_task
from workers.queue.rq import Task, job_hash, queue_of
from workers.queue.waiting import waiting
from workers.recurring import status_page, upkeep
from workers.recurring.canary import CanarySender
from workers.recurring.checks import Checks
from workers.recurring.dead_man import DeadMan

EVERY = 0.5  # seconds
OVERDUE = 1.0  # seconds: the promise, and more than RQ takes to hand a job over
REMEMBERED = 10.0  # seconds: longer than a round over thousands of alarms
READ_AT_ONCE, MAX_READ = 1000, 20_000
UNREADABLE = "restore it from an export or a backup; `tocsin verify` says which records are damaged"
REPAIR_MEMORY = 600  # seconds for which the repairs of one alarm are counted

# Write the job, unless the alarm has changed or any sweep repaired it a moment ago. Repeated repairs of one alarm back
# off, up to a minute.
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
    """A due member of the alarm set. `kind` is checkpoint or delivery; `about`: the checkpoint's or the effect's id."""

    member: str
    due: float
    kind: str
    incident: str
    about: str

    @classmethod
    def of(cls, member: str, due: float) -> "Alarm":
        """Parse a member of the alarm set; `due` in epoch seconds."""
        prefix, _, rest = member.partition(":")
        if prefix == "e":
            return cls(member, due, "delivery", incident_of(rest), rest)
        incident, _, checkpoint = rest.partition(":")
        return cls(member, due, "checkpoint", incident, checkpoint)

    def queue(self, urgent: bool) -> str:
        """The queue of its job; `urgent`: whether its incident is."""
        return queue_of(urgent, self.about if self.kind == "delivery" else "")


class Sweep:
    """Repairs lost jobs. Any number of sweeps can run side by side."""

    def __init__(self, redis: Redis, incidents: Store) -> None:
        self._redis = redis
        self._store = incidents
        self._drained: list[tuple[float, dict[str, float]]] = []  # when, and each queue's `drained_until` then

    def repair_lost(self, now: datetime) -> int:
        """Repair the alarms whose job was lost; returns how many."""
        taken_off = self._taken_off(now)
        return sum(self._repair_batch(batch, taken_off, now) for batch in self._overdue(now))

    def _taken_off(self, now: datetime) -> dict[str, float]:
        """Queue -> the time (epoch seconds) before which every job was off it a second ago."""
        at = now.timestamp()
        current = {name: queue.drained_until for name, queue in waiting(self._redis, now).items()}
        self._drained = [(then, found) for then, found in self._drained if then >= at - REMEMBERED]
        self._drained.append((at, current))
        earlier = [found for then, found in self._drained if then <= at - OVERDUE]
        return earlier[-1] if earlier else {name: until - OVERDUE for name, until in current.items()}

    def _overdue(self, now: datetime) -> Iterator[list[Alarm]]:
        """Batches of overdue alarms, the oldest first: a lost page must not hide behind a thousand waiting messages."""
        for start in range(0, MAX_READ, READ_AT_ONCE):
            found: Any = self._redis.zrangebyscore(
                ALARMS, "-inf", repr(now.timestamp() - OVERDUE), start=start, num=READ_AT_ONCE, withscores=True
            )
            if found:
                yield [Alarm.of(str(member, "utf-8"), score) for member, score in found]
            if len(found) < READ_AT_ONCE:
                return

    def _repair_batch(self, overdue: list[Alarm], taken_off: dict[str, float], now: datetime) -> int:
        urgent = self._urgent({a.incident for a in overdue})
        lost = self._unleased([a for a in overdue if a.due < taken_off[a.queue(a.incident in urgent)]])
        incidents = self._incidents({a.incident for a in lost})
        return sum(self._check(a, incidents[a.incident], taken_off, now) for a in lost if a.incident in incidents)

    def _unleased(self, alarms: list[Alarm]) -> list[Alarm]:
        """The alarms that no worker is sending right now."""
        sends = [a for a in alarms if a.kind == "delivery"]
        with self._redis.pipeline(transaction=False) as pipe:
            for alarm in sends:
                pipe.exists(lease_key(alarm.about))
            leased = dict(zip(sends, pipe.execute(), strict=True))
        return [a for a in alarms if not leased.get(a)]

    def _urgent(self, ids: set[str]) -> set[str]:
        """The ids of urgent incidents, from the index: the incidents are not read."""
        urgent: Any = self._redis.smismember(URGENT, list(ids))
        return {i for i, is_urgent in zip(ids, urgent, strict=True) if is_urgent}

    def _incidents(self, ids: set[str]) -> dict[str, Incident | None]:
        """The readable incidents, None for a missing one: one bad document must not stop the others."""
        incidents: dict[str, Incident | None] = {}
        for incident_id in ids:
            try:
                incidents[incident_id] = self._store.get(incident_id)
            except NotFound:
                incidents[incident_id] = None
            except TooNew:  # the newer version has a sweep of its own
                continue
            except ValidationError as error:
                log.error("unreadable incident", incident=incident_id, errors=error.error_count())
                text = f"the record of {incident_id} cannot be read: nothing of it fires any more"
                self._store.problems.report(f"incident:{incident_id}", text, UNREADABLE, kept=RECURRING)
        return incidents

    def _check(self, alarm: Alarm, incident: Incident | None, taken_off: dict[str, float], now: datetime) -> bool:
        if incident is None or not _pending(alarm, incident):
            self._redis.eval(_REMOVE, 1, ALARMS, alarm.member, repr(alarm.due))
            return False
        queue = alarm.queue(incident.policy.urgent)
        return alarm.due < taken_off[queue] and self._repair(alarm, queue, taken_off[queue], now)

    def _repair(self, alarm: Alarm, queue: str, taken_off: float, now: datetime) -> bool:
        """Enqueue the alarm's job, unless a repair made since `taken_off` still waits there; True if enqueued."""
        task = _task(alarm, queue, now)
        fields = job_hash(task, JobStatus.QUEUED, now).items()
        keys = (ALARMS, f"tocsin:repairs:{alarm.member}:{alarm.due!r}", task.key, task.queue_key)
        arguments: Iterable[Any] = (alarm.member, repr(alarm.due), repr(now.timestamp()), REPAIR_MEMORY)
        hash_items = (x for pair in fields for x in pair)
        times: Any = self._redis.eval(_REPAIR, len(keys), *keys, *arguments, repr(taken_off), task.id, *hash_items)
        if not times:
            return False
        log.warning("repaired lost job", alarm=alarm.member, late=round(now.timestamp() - alarm.due, 3), times=times)
        metrics.count(self._redis, "repaired_total", kind=alarm.kind)
        return True


def run(context: Context, stop: threading.Event, beat: Callable[[], None]) -> None:
    """Run the sweep until stopped; `beat` is called after each round that succeeded."""
    sweep = Sweep(context.redis, context.store)
    backlogs = Backlogs(context.redis, context.store.problems)
    checks, canary, dead_man = Checks(context), CanarySender(context), DeadMan(context)
    status_page.start(context, stop)
    while not stop.wait(EVERY):
        try:
            now = context.clock()
            sweep.repair_lost(now)
            retry_when_back.probe(context.redis, now)
            upkeep.enqueue(context.redis, now)
            alerts.enqueue_overdue(context, now)
            alerts.drain_spool(context)
            checks.start_due(now)
            canary.send_due(now)
            dead_man.start_due(now)
            backlogs.tell(now)
            beat()
        except RedisError as error:
            log.warning("redis unavailable, sweep waiting", error=type(error).__name__)
        except OSError as error:
            log.error("spool of alerts cannot be read", error=error.strerror)
            text = f"the disk of {socket.gethostname()} does not give back its spooled alerts ({error.strerror})"
            with contextlib.suppress(RedisError):
                context.store.problems.report("spool:read", text, "look at TOCSIN_DATA/spool there", kept=RECURRING)


def _pending(alarm: Alarm, incident: Incident) -> bool:
    if alarm.kind == "delivery":
        return alarm.about in ready(incident)
    return alarm.about in checkpoints.alarms(incident)


def _task(alarm: Alarm, queue: str, now: datetime) -> Task:
    """The job for a repair, with an id of its own: the lost job's hash may still be in use."""
    mark = f"swept-{round(now.timestamp() * 1000)}"
    if alarm.kind == "checkpoint":
        return checkpoint_task(alarm.incident, alarm.about, queue, mark)
    return Task(f"deliver-{alarm.about}-{mark}", queue, "deliver", ([alarm.about],))
