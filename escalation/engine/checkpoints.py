"""Checkpoints of an incident: planned, moot, resting or due. Pure."""

from datetime import datetime

from escalation.config.rules.checkpoints import Moment, PlannedCheckpoint, Unless
from escalation.config.rules.communications import Communication
from escalation.config.rules.paging import TierPage
from escalation.incident.actions import actions_at
from escalation.incident.closing.reviews import outstanding
from escalation.incident.communications import PENDING, available_means
from escalation.incident.effects import SendPage
from escalation.incident.model import Incident
from escalation.incident.state.checkpoints import Checkpoint, CheckpointKind
from escalation.incident.state.facts import Status
from escalation.incident.state.pages import PageState

# When several fall due at one instant: the policy first (its page replaces a repeat), reminders last.
_ORDER = list(CheckpointKind)


def planned(incident: Incident, moment: Moment, start: datetime) -> tuple[Checkpoint, ...]:
    """Return the policy's checkpoints that count from that moment; for the start its communications too."""
    made = [
        _planned(incident, CheckpointKind.POLICY, p, start) for p in incident.policy.checkpoints if p.since is moment
    ]
    if moment is Moment.START:
        made += [_planned(incident, CheckpointKind.COMMUNICATION, p, start) for p in incident.policy.communications]
    return tuple(made)


def _planned(
    incident: Incident, kind: CheckpointKind, plan: PlannedCheckpoint | Communication, start: datetime
) -> Checkpoint:
    # The underscore keeps a communication's id apart from a checkpoint's of the same name: slugs have none.
    name = f"{plan.id}-{incident.round}" if kind is CheckpointKind.POLICY else f"com_{plan.id}-{incident.round}"
    return Checkpoint(id=name, kind=kind, due=incident.after(start, plan.after), about=plan.id)


def plan_of(checkpoint: Checkpoint, incident: Incident) -> PlannedCheckpoint | Communication | None:
    """Return the policy's plan of a checkpoint; None for one that it did not plan."""
    match checkpoint.kind:
        case CheckpointKind.POLICY:
            return incident.policy.checkpoint(checkpoint.about)
        case CheckpointKind.COMMUNICATION:
            return incident.policy.communication(checkpoint.about)
        case _:
            return None


def tiers_left(incident: Incident, pages: tuple[TierPage, ...]) -> tuple[int, ...]:
    """Return the tiers that would really be paged now: those marked `again`, and those not paged yet."""
    return tuple(p.tier for p in pages if p.again or p.tier not in incident.tiers_paged)


def moot(checkpoint: Checkpoint, incident: Incident) -> bool:
    """True if nothing is left for it to do, for good."""
    if checkpoint.kind is CheckpointKind.OWED:  # people are told of the end of an incident, too
        return incident.owed(int(checkpoint.about)).state not in PENDING
    if checkpoint.kind is CheckpointKind.ARCHIVE:
        return incident.status is not Status.CANCELLED or incident.room is None or incident.room.lost
    if checkpoint.kind is CheckpointKind.REVIEW:
        return not outstanding(incident)
    if incident.status.closed:
        return True
    if plan := plan_of(checkpoint, incident):
        idle = not _has_work(incident, plan) if isinstance(plan, PlannedCheckpoint) else _tells_nobody(incident, plan)
        return idle or any(_known(fact, incident) for fact in plan.unless)
    match checkpoint.kind:
        case CheckpointKind.STEP:
            return incident.page(int(checkpoint.about.split()[0])).state is not PageState.OPEN
        case CheckpointKind.REPEAT:
            return incident.page(int(checkpoint.about)).state is not PageState.OPEN
        case CheckpointKind.FALLBACK:
            return _taken_by_slack(incident, int(checkpoint.about))
        case CheckpointKind.MONITORING:
            return incident.status is not Status.MONITORING
        case CheckpointKind.PHASE:
            number = int(checkpoint.about)  # a severity may be changed to a policy that was edited since: fewer phases
            return incident.phase != number or number >= len(incident.policy.phases)
        case _:
            return False


def _tells_nobody(incident: Incident, plan: Communication) -> bool:
    """True if a communication reaches nobody: the incident is private, or the company keeps none of its lists."""
    return incident.private or bool(plan.to and not incident.drill and not available_means(incident, plan))


def _taken_by_slack(incident: Incident, page_n: int) -> bool:
    """True if a page was sent, or is no longer open."""
    waits = any(isinstance(e, SendPage) and e.page == page_n for e in incident.effects)
    return not waits or incident.page(page_n).state is not PageState.OPEN


def _has_work(incident: Incident, plan: PlannedCheckpoint) -> bool:
    opens_room = plan.room and incident.room is None
    acts = actions_at(incident, plan.id)
    return bool(acts or tiers_left(incident, plan.page) or plan.notify or plan.team or plan.say or opens_room)


def _known(fact: Unless, incident: Incident) -> bool:
    match fact:
        case Unless.ACKNOWLEDGED:
            return incident.acknowledgement is not None
        case Unless.ROOT_CAUSE:
            return incident.root_cause is not None
        case Unless.WORKAROUND:
            return incident.workaround is not None
        case Unless.SCHEDULED:
            return incident.schedule is not None
        case Unless.RESOLVED:
            return incident.status.closed


def running(incident: Incident) -> tuple[Checkpoint, ...]:
    """Return the checkpoints that do not rest. One that rests past its time fires as soon as it no longer rests."""
    resting = _resting(incident)
    return tuple(c for c in incident.checkpoints if (c.kind, c.about) not in resting)


def _resting(incident: Incident) -> set[tuple[CheckpointKind, str]]:
    """Return the resting ones by kind and plan: each plan is examined once, not for each checkpoint."""
    policy, watched = incident.policy, incident.status is Status.MONITORING
    found = {
        (CheckpointKind.POLICY, plan.id)
        for plan in policy.checkpoints
        if (watched and plan.rests_while_monitoring) or unsaid(plan, incident)
    }
    return found | {(CheckpointKind.COMMUNICATION, plan.id) for plan in policy.communications if unsaid(plan, incident)}


def unsaid(plan: PlannedCheckpoint | Communication, incident: Incident) -> bool:
    """True if it waits for something that nobody said of the incident yet."""
    return bool(plan.only_if) and not all(incident.facts.said(what) for what in plan.only_if)


def alarms(incident: Incident) -> dict[str, datetime]:
    """Due times by checkpoint id, for every alarm that has to be set."""
    return {c.id: c.due for c in running(incident)}


def due(incident: Incident, now: datetime) -> tuple[Checkpoint, ...]:
    """Return the checkpoints to fire now, in order."""
    waiting = (c for c in running(incident) if c.due <= now)
    return tuple(sorted(waiting, key=lambda c: (c.due, _ORDER.index(c.kind), *_in_order(c.id))))


def _in_order(checkpoint_id: str) -> tuple[str, int]:
    """Return the id as its name and its number, so that the tenth comes after the ninth."""
    name, _, number = checkpoint_id.rpartition("_")
    return (name, int(number)) if number.isdecimal() else (checkpoint_id, 0)
