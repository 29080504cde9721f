"""The RQ jobs: ids only, safe to run twice, early or late. What is done is decided from the state as it stands then."""

from dataclasses import dataclass

from escalation.engine import checkpoints
from escalation.errors import NotFound, TooNew
from escalation.incident.events import CheckpointDue
from workers import metrics
from workers.context import Context
from workers.delivery.deliver import DeliveryPool
from workers.queue import outbox, rq
from workers.queue.rq import BEHIND
from workers.recurring.upkeep import Upkeep

# Until so many messages are on their way, those that wait are taken along with a job's own: RQ's work on a job takes
# longer than ours on one, and the sweep finds what is lost with a process that dies.
ALONG = 16


@dataclass
class _Bound:
    """RQ calls functions by name, so what they work with is this module's."""

    context: Context | None = None
    deliveries: DeliveryPool | None = None
    upkeep: Upkeep | None = None
    messages: str = ""


_bound = _Bound()


def bind(context: Context, queue: str = "") -> None:
    """Set what this process works with, and on which queue."""
    unbind()
    _bound.context, _bound.deliveries, _bound.upkeep = context, DeliveryPool(context), Upkeep(context)
    _bound.messages = queue if queue in BEHIND else ""


def unbind() -> None:
    """Finish the sends in flight and let go."""
    if _bound.deliveries:
        _bound.deliveries.close()
    if _bound.upkeep:
        _bound.upkeep.close()
    _bound.context = _bound.deliveries = _bound.upkeep = None
    _bound.messages = ""


def checkpoint_due(incident_id: str, checkpoint_id: str) -> None:
    """An alarm clock rang. Whatever is due fires; one that came early is set again, one we cannot read is handed on."""
    context = _bound.context
    if context is None:
        raise RuntimeError("bind() comes first")
    try:
        _ring(context, incident_id, checkpoint_id)
    except TooNew as newer:
        outbox.hand_on_checkpoint(context.redis, checkpoint_id, newer, context.clock())


def _ring(context: Context, incident_id: str, checkpoint_id: str) -> None:
    try:
        incident = context.store.get(incident_id)
    except NotFound:
        return
    due, now = checkpoints.alarms(incident).get(checkpoint_id), context.clock()
    if due is None:
        return
    if now < due:
        outbox.rearm(context.redis, incident, checkpoint_id, due, now)
        return
    context.service.handle(incident_id, CheckpointDue(checkpoint=checkpoint_id))
    metrics.count(context.redis, "checkpoints_total")
    metrics.observe(context.redis, "lateness_seconds", (context.clock() - due).total_seconds(), kind="checkpoint")


def checkpoints_due(alarms: list[tuple[str, str]]) -> None:
    """Many alarm clocks rang at once: (incident, checkpoint) for each. What cannot be done in one go is done singly."""
    context = _bound.context
    if context is None:
        raise RuntimeError("bind() comes first")
    now = context.clock()
    before = context.service.ring(list(dict.fromkeys(incident_id for incident_id, _ in alarms)))
    done = context.clock()
    clocks = {incident_id: checkpoints.alarms(incident) for incident_id, incident in before.items()}
    late = []
    for incident_id, checkpoint_id in alarms:
        due = clocks.get(incident_id, {}).get(checkpoint_id)
        if due is not None and due <= now:
            late.append((done - due).total_seconds())
        elif due is not None or incident_id not in clocks:
            checkpoint_due(incident_id, checkpoint_id)
    if late:
        metrics.count(context.redis, "checkpoints_total", len(late))
        metrics.observe(context.redis, "lateness_seconds", *late, kind="checkpoint")


def deliver(effect_ids: list[str]) -> None:
    """Carry out effects; those that are not pending any more are passed over. Messages that wait behind come along."""
    context, deliveries = _bound.context, _bound.deliveries
    if context is None or deliveries is None:
        raise RuntimeError("bind() comes first")
    deliveries.deliver(effect_ids)
    taken = len(effect_ids)
    while _takes_more(deliveries, taken) and (next_one := rq.take(context.redis, _bound.messages, "deliver")):
        (others,) = next_one
        deliveries.deliver(others)
        taken += len(others)


def _takes_more(deliveries: DeliveryPool, taken: int) -> bool:
    return bool(_bound.messages) and taken < ALONG and deliveries.has_capacity()


def upkeep() -> None:
    """What comes round again: handovers, test pages, activities, user groups, calendars."""
    if _bound.upkeep is None:
        raise RuntimeError("bind() comes first")
    _bound.upkeep.start()
