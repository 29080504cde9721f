"""Transactional outbox: a commit's RQ jobs, delayed ones for its checkpoints and deliveries for its effects."""

import math
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import TypeVar

from redis import Redis
from redis.client import Pipeline

from escalation.errors import TooNew
from escalation.incident.effects import Effect
from escalation.incident.model import Incident
from escalation.processes import ALERTS, QUEUES
from escalation.storage.alarms import Commit, checkpoint_alarm, effect_alarm, incident_of
from escalation.storage.indexes import ALARMS
from workers import metrics
from workers.queue import ledger
from workers.queue.rq import Task, push, queue_of, schedule, unschedule

T = TypeVar("T")
MIN_POSTPONE, MAX_POSTPONE = 0.2, 5.0  # seconds until a job that this worker cannot read is tried again, by a newer one
BATCH = 50  # effects that one job carries; they are sent concurrently
HELD = "tocsin:held"
_MARK_SEPARATOR = "__"  # no checkpoint's id has two underscores in a row


def post(pipe: "Pipeline", changes: Sequence[Commit]) -> None:
    """Write the jobs of a commit (escalation.storage.store.Outbox). `pipe` is in MULTI, nothing is read."""
    ledger.post(pipe, changes)
    unschedule(pipe, *(job_id for change in changes for job_id in _schedule_checkpoints(pipe, change)))
    by_queue: dict[str, list[Effect]] = {name: [] for name in QUEUES}
    for change in changes:
        for effect in _newly_ready(change):
            by_queue[queue_of(change.after.policy.urgent, effect.id)].append(effect)
    for queue, effects in by_queue.items():
        for batch in batches(effects):
            name = f"{batch[0].id}-{changes[0].after.stamp[:12]}"
            push(pipe, deliver_task(name, (e.id for e in batch), queue), max(e.at for e in batch))


def checkpoint_task(incident_id: str, checkpoint_id: str, queue: str, mark: str = "") -> Task:
    """The job that fires one checkpoint. Its id follows from the checkpoint; `mark` makes it another job."""
    name = f"{incident_id}-{checkpoint_id}{_MARK_SEPARATOR + mark if mark else ''}"
    return Task(name, queue, "checkpoint_due", (incident_id, checkpoint_id))


def checkpoints_task(job_ids: Iterable[str], queue: str) -> Task:
    """One job that fires many checkpoints: RQ's own work on a job takes longer than ours on a checkpoint."""
    return Task(f"checkpoints-{uuid.uuid4().hex}", queue, "checkpoints_due", ([_alarm_of(i) for i in job_ids],))


def is_checkpoint_job(job_id: str) -> bool:
    """True if a scheduled job is that of a single checkpoint."""
    return job_id.startswith("INC-")


def _alarm_of(job_id: str) -> tuple[str, str]:
    """The incident and the checkpoint of a `checkpoint_task`."""
    incident_id = incident_of(job_id)
    return incident_id, job_id.removeprefix(f"{incident_id}-").partition(_MARK_SEPARATOR)[0]


def deliver_task(name: str, effect_ids: Iterable[str], queue: str) -> Task:
    """The job that carries out some effects."""
    return Task(f"deliver-{name}", queue, "deliver", (list(effect_ids),))


def retry(redis: Redis, effect_id: str, at: datetime, urgent: bool, *, held: bool = False) -> None:
    """Schedule a try of an effect; the sweep waits until then, too. `held`: see delivery.retry_when_back."""
    queue, due = queue_of(urgent, effect_id), at.timestamp()
    with redis.pipeline() as pipe:
        pipe.zadd(ALARMS, {effect_alarm(effect_id): due}, xx=True)
        if held:
            pipe.zadd(HELD, {f"{queue} {effect_id}": due})
        schedule(pipe, Task(retry_id(effect_id, due), queue, "deliver", ([effect_id],)), at)
        pipe.execute()


def retry_id(effect_id: str, at: float) -> str:
    """Job id of a retry, not the effect's own: that job is still running. `at` in epoch seconds."""
    return f"retry-{effect_id}-{round(at * 1_000_000)}"


def reschedule_checkpoint(redis: Redis, incident: Incident, checkpoint_id: str, due: datetime, now: datetime) -> None:
    """Schedule a checkpoint again, from within its own job that ran too early."""
    with redis.pipeline() as pipe:
        schedule(
            pipe,
            checkpoint_task(incident.id, checkpoint_id, queue_of(incident.policy.urgent), f"again-{_micros(now)}"),
            due,
        )
        pipe.execute()


def postpone_checkpoint(redis: Redis, checkpoint_id: str, newer: TooNew, now: datetime) -> None:
    """Reschedule a checkpoint for a newer worker, which can read its incident."""
    task = checkpoint_task(newer.incident, checkpoint_id, queue_of(newer.urgent))
    _postpone(redis, checkpoint_alarm(newer.incident, checkpoint_id), task, now)


def postpone_effect(redis: Redis, effect_id: str, newer: TooNew, now: datetime) -> None:
    """Reschedule an effect for a newer worker, which can read its incident."""
    task = Task(f"deliver-{effect_id}", queue_of(newer.urgent, effect_id), "deliver", ([effect_id],))
    _postpone(redis, effect_alarm(effect_id), task, now)


def _postpone(redis: Redis, alarm: str, task: Task, now: datetime) -> None:
    """Reschedule with a delay that grows with the time overdue. The alarm itself stays, so that it shows as overdue."""
    due = redis.zscore(ALARMS, alarm)
    if due is None:
        return
    wait = min(MAX_POSTPONE, max(MIN_POSTPONE, (now.timestamp() - due) / 4))
    slot = math.ceil((now.timestamp() + wait) / MIN_POSTPONE)  # two jobs for one alarm become one
    with redis.pipeline() as pipe:
        at = datetime.fromtimestamp(slot * MIN_POSTPONE, UTC)
        schedule(pipe, replace(task, id=f"{task.id}{_MARK_SEPARATOR}on-{slot}"), at)
        pipe.execute()
    metrics.count(redis, "handed_on_total", job=task.func)


def _schedule_checkpoints(pipe: "Pipeline", change: Commit) -> Iterable[str]:
    """Schedule an incident's new checkpoints; returns the job ids of those that are gone."""
    after, old, new = change.after, change.old.due_checkpoints, change.new.due_checkpoints
    for checkpoint_id, due in new.items():
        if old.get(checkpoint_id) != due:
            schedule(pipe, checkpoint_task(after.id, checkpoint_id, queue_of(after.policy.urgent)), due)
    return [checkpoint_task(after.id, checkpoint_id, "").id for checkpoint_id in old.keys() - new.keys()]


def _newly_ready(change: Commit) -> list[Effect]:
    """The effects that can be carried out since this commit."""
    old = change.old.ready
    return [effect for effect_id, effect in change.new.ready.items() if old.get(effect_id) != effect]


def post_alerts(pipe: "Pipeline", members: list[str]) -> None:
    """Write the job that works on due bodies and groups of alerts (escalation.storage.intake.Enqueue)."""
    push(pipe, Task(f"alerts-{uuid.uuid4().hex}", ALERTS, "take_alerts", (members,)), datetime.now(UTC))


def batches(effects: Sequence[T]) -> Iterator[list[T]]:
    """Cut into batches of what one job carries."""
    remaining = iter(effects)
    while batch := list(islice(remaining, BATCH)):
        yield batch


def _micros(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000)
