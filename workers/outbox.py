"""What a commit sets off, as RQ jobs in the same transaction: alarm clocks for checkpoints, deliveries for effects."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice

from redis import Redis
from redis.client import Pipeline

from escalation import checkpoints, store
from escalation.effects import Effect, SendPage
from escalation.incident import Incident
from workers.queues import NORMAL, URGENT, Task, push, queue_of, schedule, unschedule

BATCH = 50  # effects that one job carries; they are sent concurrently


def post(pipe: "Pipeline", before: Incident | None, after: Incident) -> None:
    """The store's outbox (escalation.store.Outbox): `pipe` is in MULTI, nothing is read."""
    _set_clocks(pipe, before, after)
    fresh = _newly_ready(before, after)
    pages = [e for e in fresh if isinstance(e, SendPage)]
    rest = [e for e in fresh if not isinstance(e, SendPage)]
    for batch in (*_batches(pages), *_batches(rest)):
        push(pipe, deliver_task(f"{batch[0].id}-{after.stamp[:12]}", batch, queue_of(after)), max(e.at for e in batch))


def checkpoint_task(incident_id: str, checkpoint_id: str, queue: str, suffix: str = "") -> Task:
    """The job that rings for one checkpoint. Its id is the same whoever writes it."""
    return Task(f"{incident_id}-{checkpoint_id}{suffix}", queue, "checkpoint_due", (incident_id, checkpoint_id))


def deliver_task(name: str, effects: Iterable[Effect], queue: str) -> Task:
    """The job that carries out some effects."""
    return Task(f"deliver-{name}", queue, "deliver", ([e.id for e in effects],))


def retry(redis: Redis, effect_id: str, at: datetime, urgent: bool) -> None:
    """Try an effect (again) at an instant. The sweep, too, waits until then."""
    task = Task(
        f"retry-{effect_id}-{_micros(at)}",  # an id of its own: the job that asks for the retry is still running
        URGENT if urgent else NORMAL,
        "deliver",
        ([effect_id],),
    )
    with redis.pipeline() as pipe:
        pipe.zadd(store.ALARMS, {store.effect_alarm(effect_id): at.timestamp()}, xx=True)
        schedule(pipe, task, at)
        pipe.execute()


def rearm(redis: Redis, incident: Incident, checkpoint_id: str, due: datetime, now: datetime) -> None:
    """Set a checkpoint's alarm clock again, from within its own job that came too early."""
    with redis.pipeline() as pipe:
        schedule(pipe, checkpoint_task(incident.id, checkpoint_id, queue_of(incident), f"-again-{_micros(now)}"), due)
        pipe.execute()


def _set_clocks(pipe: "Pipeline", before: Incident | None, after: Incident) -> None:
    old = checkpoints.alarms(before) if before else {}
    new = checkpoints.alarms(after)
    for checkpoint_id in old.keys() - new.keys():
        unschedule(pipe, checkpoint_task(after.id, checkpoint_id, "").id)
    for checkpoint_id, due in new.items():
        if old.get(checkpoint_id) != due:
            schedule(pipe, checkpoint_task(after.id, checkpoint_id, queue_of(after)), due)


def _newly_ready(before: Incident | None, after: Incident) -> list[Effect]:
    old = store.ready(before) if before else {}
    return [effect for effect_id, effect in store.ready(after).items() if old.get(effect_id) != effect]


def _batches(effects: Sequence[Effect]) -> Iterator[list[Effect]]:
    left = iter(effects)
    while batch := list(islice(left, BATCH)):
        yield batch


def _micros(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000)
