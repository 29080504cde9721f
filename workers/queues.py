"""RQ in one place: the two queues, what a job's hash holds, and where a job waits for its time."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from redis import Redis
from redis.client import Pipeline
from rq import Queue
from rq.job import Job, JobStatus
from rq.registry import ScheduledJobRegistry
from rq.serializers import JSONSerializer
from rq.utils import utcformat

from escalation.incident import Incident

URGENT, NORMAL = "urgent", "normal"
QUEUES = (URGENT, NORMAL)
JOB_PREFIX = Job.redis_job_namespace_prefix
JOB_SECONDS = 60
FAILED_SECONDS = 3600  # how long a failed job can be looked at; a finished one leaves at once

# Only a job that still waits is deleted: the hash of one that runs belongs to its worker.
_UNSCHEDULE = """
for i = 1, #KEYS - 1 do
  if redis.call('ZREM', KEYS[i], ARGV[1]) == 1 then redis.call('DEL', KEYS[#KEYS]) end
end
"""


@dataclass(frozen=True)
class Task:
    """One RQ job before it is written. `func` is a function of `workers.jobs`; `args` are ids, nothing else."""

    id: str
    queue: str
    func: str
    args: tuple[Any, ...]

    @property
    def key(self) -> str:
        return JOB_PREFIX + self.id

    @property
    def queue_key(self) -> str:
        return queue_key(self.queue)


def queue_of(incident: Incident) -> str:
    """The worst incidents have a queue, and so a worker, of their own."""
    return URGENT if incident.policy.urgent else NORMAL


def queue(redis: Redis, name: str) -> Queue:
    return Queue(name, connection=redis, serializer=JSONSerializer)


def queue_key(name: str) -> str:
    return f"{Queue.redis_queue_namespace_prefix}{name}"


def registry_key(name: str) -> str:
    """RQ's own registry of scheduled jobs: a sorted set, scored here in epoch seconds as floats."""
    return str(ScheduledJobRegistry.key_template.format(name))


def job_hash(redis: Redis, task: Task, status: JobStatus, enqueued_at: datetime | None = None) -> dict[Any, Any]:
    """The fields that RQ needs to run a task."""
    job = Job.create(
        f"workers.jobs.{task.func}",
        args=task.args,
        id=task.id,
        connection=redis,
        serializer=JSONSerializer,
        origin=task.queue,
        status=status,
        timeout=JOB_SECONDS,
        result_ttl=0,
        failure_ttl=FAILED_SECONDS,
    )
    job.enqueued_at = enqueued_at and enqueued_at.astimezone(UTC)
    return dict(job.to_dict())


def push(pipe: "Pipeline", task: Task, at: datetime) -> None:
    """Put a job on its queue with the rest of the transaction; `at` is when it came there."""
    pipe.sadd(Queue.redis_queues_keys, task.queue_key)
    pipe.hset(task.key, mapping=job_hash(pipe, task, JobStatus.QUEUED, at))
    pipe.rpush(task.queue_key, task.id)


def schedule(pipe: "Pipeline", task: Task, at: datetime) -> None:
    """Have the ticker put a job on its queue at an instant, to the microsecond (RQ's own method cuts to seconds)."""
    pipe.sadd(Queue.redis_queues_keys, task.queue_key)
    pipe.hset(task.key, mapping=job_hash(pipe, task, JobStatus.SCHEDULED))
    pipe.zadd(registry_key(task.queue), {task.id: at.timestamp()})


def unschedule(pipe: "Pipeline", job_id: str) -> None:
    """Take a waiting job away: housekeeping, for a stale one does nothing anyway."""
    keys = [*map(registry_key, QUEUES), JOB_PREFIX + job_id]
    pipe.eval(_UNSCHEDULE, len(keys), *keys, job_id)


def rq_time(at: datetime) -> str:
    """An instant as RQ writes it into a job's hash."""
    return str(utcformat(at.astimezone(UTC)))
