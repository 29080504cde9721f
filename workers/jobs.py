"""The RQ jobs: ids only, safe to run twice, early or late. What is done is decided from the state as it stands then."""

from dataclasses import dataclass

from escalation import checkpoints
from escalation.events import CheckpointDue
from escalation.store import NotFound
from workers import metrics, outbox
from workers.context import Context
from workers.delivery import Deliveries


@dataclass
class _Bound:
    """RQ calls functions by name, so what they work with is this module's."""

    context: Context | None = None
    deliveries: Deliveries | None = None


_bound = _Bound()


def bind(context: Context) -> None:
    """Set what this process works with."""
    unbind()
    _bound.context, _bound.deliveries = context, Deliveries(context)


def unbind() -> None:
    """Finish the sends in flight and let go."""
    if _bound.deliveries:
        _bound.deliveries.close()
    _bound.context = _bound.deliveries = None


def checkpoint_due(incident_id: str, checkpoint_id: str) -> None:
    """An alarm clock rang. Whatever is due fires; one that came early is set again."""
    context = _bound.context
    if context is None:
        raise RuntimeError("bind() comes first")
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
    context.desk.handle(incident_id, CheckpointDue(checkpoint=checkpoint_id))
    metrics.count(context.redis, "checkpoints_total")
    metrics.observe(context.redis, "lateness_seconds", (context.clock() - due).total_seconds(), kind="checkpoint")


def deliver(effect_ids: list[str]) -> None:
    """Carry out effects; those that are not pending any more are passed over."""
    if _bound.deliveries is None:
        raise RuntimeError("bind() comes first")
    _bound.deliveries.deliver(effect_ids)
