"""RQ jobs: ids only, safe to run twice, early or late. Each decides what to do from the state when it runs."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bot.alerts.uptime import heartbeat
from escalation.engine import checkpoints
from escalation.errors import NotFound, TooNew
from escalation.incident.events.news import CheckpointDue
from escalation.storage import canary
from escalation.storage.intake import Body
from workers import metrics
from workers.alerts import AlertWork
from workers.context import Context
from workers.delivery.deliver import DeliveryPool
from workers.queue import outbox, rq
from workers.queue.rq import YIELDS_TO
from workers.recurring.canary import CanaryReceiver
from workers.recurring.checks import take_beat
from workers.recurring.upkeep import Upkeep

# A job for messages also takes those of the jobs behind it, up to this many: RQ's work on a job takes longer than ours
# on a message, and the sweep repairs what is lost with a process that dies.
MAX_IN_FLIGHT = 16


@dataclass
class _Bound:
    """Context and pools of this process, kept in this module because RQ calls functions by name."""

    context: Context | None = None
    deliveries: DeliveryPool | None = None
    upkeep: Upkeep | None = None
    alerts: AlertWork | None = None
    message_queue: str = ""


_bound = _Bound()


def bind(context: Context, queue: str = "") -> None:
    """Bind the jobs of this process to a context, and to the queue that it serves."""
    unbind()
    _bound.context, _bound.deliveries, _bound.upkeep = context, DeliveryPool(context), Upkeep(context)
    others: dict[str, Callable[[Body], None]] = {
        canary.SOURCE: CanaryReceiver(context).take,
        heartbeat.NAME: partial(take_beat, context),
    }
    _bound.alerts = AlertWork(context, others)
    _bound.message_queue = queue if queue in YIELDS_TO else ""


def unbind() -> None:
    """Finish the sends in flight and drop the context."""
    if _bound.deliveries:
        _bound.deliveries.close()
    if _bound.upkeep:
        _bound.upkeep.close()
    _bound.context = _bound.deliveries = _bound.upkeep = _bound.alerts = None
    _bound.message_queue = ""


def checkpoint_due(incident_id: str, checkpoint_id: str) -> None:
    """Fire a due checkpoint. An early one is scheduled again; one that we cannot read is left to a newer worker."""
    context = _bound.context
    if context is None:
        raise RuntimeError("bind() comes first")
    try:
        _fire(context, incident_id, checkpoint_id)
    except TooNew as too_new:
        outbox.postpone_checkpoint(context.redis, checkpoint_id, too_new, context.clock())


def _fire(context: Context, incident_id: str, checkpoint_id: str) -> None:
    """Fire all that is due for the incident, unless the checkpoint is gone or not due yet."""
    try:
        incident = context.store.get(incident_id)
    except NotFound:
        return
    due, now = checkpoints.alarms(incident).get(checkpoint_id), context.clock()
    if due is None:
        return
    if now < due:
        outbox.reschedule_checkpoint(context.redis, incident, checkpoint_id, due, now)
        return
    context.service.handle(incident_id, CheckpointDue(checkpoint=checkpoint_id))
    metrics.count(context.redis, "checkpoints_total")
    metrics.observe(context.redis, "lateness_seconds", (context.clock() - due).total_seconds(), kind="checkpoint")


def checkpoints_due(alarms: list[tuple[str, str]]) -> None:
    """Fire many due checkpoints, (incident, checkpoint) each, in one commit; those that cannot be are fired singly."""
    context = _bound.context
    if context is None:
        raise RuntimeError("bind() comes first")
    now = context.clock()
    incidents = context.service.fire_checkpoints(list(dict.fromkeys(incident_id for incident_id, _ in alarms)))
    fired_at = context.clock()
    due_times = {incident_id: checkpoints.alarms(incident) for incident_id, incident in incidents.items()}
    delays = []
    for incident_id, checkpoint_id in alarms:
        due = due_times.get(incident_id, {}).get(checkpoint_id)
        if due is not None and due <= now:
            delays.append((fired_at - due).total_seconds())
        elif due is not None or incident_id not in due_times:
            checkpoint_due(incident_id, checkpoint_id)
    if delays:
        metrics.count(context.redis, "checkpoints_total", len(delays))
        metrics.observe(context.redis, "lateness_seconds", *delays, kind="checkpoint")


def deliver(effect_ids: list[str]) -> None:
    """Carry out effects, except those that are no longer pending; take along messages of the jobs behind this one."""
    context, deliveries = _bound.context, _bound.deliveries
    if context is None or deliveries is None:
        raise RuntimeError("bind() comes first")
    deliveries.deliver(effect_ids)
    in_flight = len(effect_ids)
    while _can_take_more(deliveries, in_flight) and (taken := rq.take(context.redis, _bound.message_queue, "deliver")):
        ((more_ids,),) = taken
        deliveries.deliver(more_ids)
        in_flight += len(more_ids)


def _can_take_more(deliveries: DeliveryPool, in_flight: int) -> bool:
    return bool(_bound.message_queue) and in_flight < MAX_IN_FLIGHT and deliveries.has_capacity()


def take_alerts(members: list[str]) -> None:
    """Work on bodies of alerts and groups whose time has come: on all that are due, `members` or not."""
    if _bound.alerts is None:
        raise RuntimeError("bind() comes first")
    _bound.alerts.work()


def upkeep() -> None:
    """Start a round of recurring work: handovers, test pages, activities, user groups, calendars."""
    if _bound.upkeep is None:
        raise RuntimeError("bind() comes first")
    _bound.upkeep.start()
