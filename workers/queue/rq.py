"""RQ in one place: queues, the fields of a job's hash, and the registries of scheduled jobs."""

import functools
import json
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from redis import Redis
from redis.client import Pipeline
from rq import Queue
from rq.exceptions import DeserializationError
from rq.job import Job, JobStatus
from rq.registry import ScheduledJobRegistry
from rq.serializers import JSONSerializer
from rq.utils import now as rq_now
from rq.utils import utcformat

from escalation.incident.effects import is_page
from escalation.processes import MESSAGES, NORMAL, QUEUES, URGENT, URGENT_MESSAGES

YIELDS_TO = {URGENT_MESSAGES: (URGENT,), MESSAGES: (URGENT, NORMAL)}  # queue: those that go before it
JOB_PREFIX = Job.redis_job_namespace_prefix
JOB_SECONDS = 60
_OURS = "workers.jobs."
FUNCTIONS = frozenset(
    _OURS + name for name in ("checkpoint_due", "checkpoints_due", "deliver", "upkeep", "take_alerts")
)
FAILED_SECONDS = 3600  # how long a failed job is kept to look at; a finished one is deleted at once

# Only a waiting job is deleted: the hash of a running one belongs to its worker.
_UNSCHEDULE = """
for i = 2, #ARGV do
  for _, registry in ipairs(KEYS) do
    if redis.call('ZREM', registry, ARGV[i]) == 1 then redis.call('DEL', ARGV[1] .. ARGV[i]) end
  end
end
"""

_TAKE = """
local taken = {}
while #taken < tonumber(ARGV[3]) do
  local id = redis.call('LINDEX', KEYS[1], 0)
  if not id then break end
  local job = redis.call('HMGET', ARGV[1] .. id, 'description', 'data')
  if job[1] ~= ARGV[2] then break end
  redis.call('LPOP', KEYS[1])
  redis.call('DEL', ARGV[1] .. id)
  taken[#taken + 1] = job[2]
end
return taken
"""


@dataclass(frozen=True)
class Task:
    """An RQ job before it is written. `func` is a function of `workers.jobs`; `args` are ids, nothing else."""

    id: str
    queue: str
    func: str
    args: tuple[Any, ...]

    @property
    def key(self) -> str:
        """Redis key of the job's hash."""
        return JOB_PREFIX + self.id

    @property
    def queue_key(self) -> str:
        """Redis key of the job's queue."""
        return queue_key(self.queue)


class OwnJob(Job):
    """RQ job that runs functions of `workers.jobs` only: RQ imports any name that a job in Redis has.

    Write access to Redis must not be a way to run code. Our jobs have no callbacks or webhooks, so none is called.
    """

    def _deserialize_data(self) -> None:
        super()._deserialize_data()  # type: ignore[no-untyped-call]  # RQ left it untyped
        if self._instance is not None or self._func_name not in FUNCTIONS:
            self.data = self._data  # RQ reads it again, and must get the same error again
            raise DeserializationError("this job is none of ours")

    @property
    def success_callback(self) -> None:
        """None: our jobs have no callbacks."""
        return None

    @property
    def failure_callback(self) -> None:
        """None: our jobs have no callbacks."""
        return None

    @property
    def stopped_callback(self) -> None:
        """None: our jobs have no callbacks."""
        return None

    def send_webhooks(self, status: str | JobStatus, *, exc_string: str | None = None) -> None:
        """Do nothing: our jobs have no webhooks."""


def queue_of(urgent: bool, effect_id: str = "") -> str:
    """The queue of an effect or a checkpoint: urgent incidents and messages have queues and workers of their own."""
    if effect_id and not is_page(effect_id):
        return URGENT_MESSAGES if urgent else MESSAGES
    return URGENT if urgent else NORMAL


def queue(redis: Redis, name: str) -> Queue:
    """The RQ queue of that name."""
    return Queue(name, connection=redis, serializer=JSONSerializer, job_class=OwnJob)


def queue_key(name: str) -> str:
    """Redis key of a queue: the list of its job ids."""
    return f"{Queue.redis_queue_namespace_prefix}{name}"


def registry_key(name: str) -> str:
    """Redis key of RQ's registry of scheduled jobs: a sorted set, scored here in epoch seconds as floats."""
    return str(ScheduledJobRegistry.key_template.format(name))


def job_hash(task: Task, status: JobStatus, enqueued_at: datetime | None = None) -> dict[Any, Any]:
    """The fields that RQ needs to run a task."""
    name = _OURS + task.func
    own = {
        "created_at": utcformat(rq_now()),
        "description": name,
        "data": zlib.compress(json.dumps((name, None, task.args, {})).encode()),
        "status": str(status.value),
    }
    return _fields(task.queue) | own | ({"enqueued_at": rq_time(enqueued_at)} if enqueued_at else {})


@functools.cache
def _fields(queue: str) -> dict[Any, Any]:
    """The fields that all jobs of a queue share, as RQ writes them: a new Job each time takes five times as long."""
    job = Job.create(
        "",
        connection=Redis(),  # RQ wants one; nothing is read or written here
        serializer=JSONSerializer,
        origin=queue,
        timeout=JOB_SECONDS,
        result_ttl=0,
        failure_ttl=FAILED_SECONDS,
    )
    return {name: value for name, value in job.to_dict().items() if value != ""}


def push(pipe: "Pipeline", task: Task, at: datetime) -> None:
    """Enqueue a job in the transaction of `pipe`; `at` is when it was enqueued."""
    pipe.sadd(Queue.redis_queues_keys, task.queue_key)
    pipe.hset(task.key, mapping=job_hash(task, JobStatus.QUEUED, at))
    pipe.rpush(task.queue_key, task.id)


def take(redis: Redis, name: str, func: str, most: int = 1) -> list[list[Any]]:
    """Remove the next jobs of a queue, up to the first that calls another function, and return the arguments of each.

    They are removed in one command: written through to the disk, a hundred take as long as one.
    """
    taken: Any = redis.eval(_TAKE, 1, queue_key(name), JOB_PREFIX, _OURS + func, most)
    return [list(json.loads(zlib.decompress(data))[2]) for data in taken]


def schedule(pipe: "Pipeline", task: Task, at: datetime) -> None:
    """Schedule a job: the ticker enqueues it then, to the microsecond (RQ's own method cuts to seconds)."""
    pipe.hset(task.key, mapping=job_hash(task, JobStatus.SCHEDULED))
    pipe.zadd(registry_key(task.queue), {task.id: at.timestamp()})


def unschedule(pipe: "Pipeline", *job_ids: str) -> None:
    """Delete scheduled jobs: housekeeping, for a stale one does nothing anyway."""
    if job_ids:
        pipe.eval(_UNSCHEDULE, len(QUEUES), *map(registry_key, QUEUES), JOB_PREFIX, *job_ids)


def rq_time(at: datetime) -> str:
    """Format an instant as RQ writes it into a job's hash."""
    return str(utcformat(at.astimezone(UTC)))
