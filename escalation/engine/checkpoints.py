"""Which checkpoint is due when, what makes it moot, and what it will do: pure arithmetic over an incident."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from escalation.config.company import Roster
from escalation.config.plans import Communication, Moment, PlannedCheckpoint, TierPage, Unless
from escalation.incident.effects import SendPage
from escalation.incident.model import Incident
from escalation.incident.records import Checkpoint, CheckpointKind, Lead, OwedState, PageState, Status
from escalation.values import PersonId

People = tuple[PersonId, ...]

# When several fall due at one instant: the policy first (its page replaces a repeat), reminders last.
_ORDER = list(CheckpointKind)


UNTOLD = (CheckpointKind.FALLBACK, CheckpointKind.PHASE)  # of no interest until they happen
PENDING = (OwedState.WAITING, OwedState.OWED)


def planned(incident: Incident, moment: Moment, start: datetime) -> tuple[Checkpoint, ...]:
    """What the policy sets when that moment has come: its checkpoints; with the start its communications too."""
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
    """What the policy says of a checkpoint that it planned."""
    match checkpoint.kind:
        case CheckpointKind.POLICY:
            return incident.policy.checkpoint(checkpoint.about)
        case CheckpointKind.COMMUNICATION:
            return incident.policy.communication(checkpoint.about)
        case _:
            return None


def tiers_left(incident: Incident, pages: tuple[TierPage, ...]) -> tuple[int, ...]:
    """The tiers that would really be paged now: those marked `again`, and those that never were."""
    return tuple(p.tier for p in pages if p.again or p.tier not in incident.tiers_paged)


def moot(checkpoint: Checkpoint, incident: Incident) -> bool:
    """Whether nothing is left for it to do, for good."""
    if checkpoint.kind is CheckpointKind.OWED:  # the end of an incident is owed to people, too
        return incident.owed(int(checkpoint.about)).state not in PENDING
    if incident.status.closed:
        return True
    plan = plan_of(checkpoint, incident)
    if plan is not None and any(_known(fact, incident) for fact in plan.unless):
        return True
    match checkpoint.kind:
        case CheckpointKind.POLICY:
            return not _has_work(incident, incident.policy.checkpoint(checkpoint.about))
        case CheckpointKind.COMMUNICATION:
            return incident.private
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


def _taken_by_slack(incident: Incident, page_n: int) -> bool:
    """Whether a page is out, or is none any more."""
    waits = any(isinstance(e, SendPage) and e.page == page_n for e in incident.effects)
    return not waits or incident.page(page_n).state is not PageState.OPEN


def _has_work(incident: Incident, plan: PlannedCheckpoint) -> bool:
    opens_room = plan.room and incident.room is None
    return bool(tiers_left(incident, plan.page) or plan.notify or plan.team or plan.say or opens_room)


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


def resting(checkpoint: Checkpoint, incident: Incident) -> bool:
    """Whether it stands still: its time may pass, and it fires when it wakes."""
    plan = plan_of(checkpoint, incident)
    if plan is None:
        return False
    if unsaid(plan, incident):
        return True
    watched = incident.status is Status.MONITORING
    return watched and isinstance(plan, PlannedCheckpoint) and plan.rests_while_monitoring


def unsaid(plan: PlannedCheckpoint | Communication, incident: Incident) -> bool:
    """Whether it waits for something that nobody said of the incident yet."""
    return not all(incident.facts.said(what) for what in plan.only_if)


def alarms(incident: Incident) -> dict[str, datetime]:
    """Checkpoint id -> due time, for every alarm clock that has to be set."""
    return {c.id: c.due for c in incident.checkpoints if not resting(c, incident)}


def due(incident: Incident, now: datetime) -> tuple[Checkpoint, ...]:
    """What fires now, in the order in which it should."""
    waiting = (c for c in incident.checkpoints if c.due <= now and not resting(c, incident))
    return tuple(sorted(waiting, key=lambda c: (c.due, _ORDER.index(c.kind), c.id)))


@dataclass(frozen=True)
class Upcoming:
    """One thing that will happen unless something changes: when, why, unless which facts, which tiers.

    `people` are paged; `told` hear of it without being paged; `says` is what else happens, where tiers are not paged.
    """

    due: datetime
    kind: CheckpointKind
    why: str
    unless: tuple[Unless, ...] = ()
    tiers: tuple[int, ...] = ()
    people: People = ()
    told: People = ()
    says: str = ""


def upcoming(incident: Incident, roster_at: Callable[[datetime], Roster]) -> tuple[Upcoming, ...]:
    """What fires next, soonest first, with the people who will be on duty at that time."""
    shown = (c for c in incident.checkpoints if not resting(c, incident) and c.kind not in UNTOLD)
    waiting = sorted(shown, key=lambda c: c.due)
    return tuple(_foretold(c, incident, roster_at(c.due)) for c in waiting)


def _foretold(checkpoint: Checkpoint, incident: Incident, roster: Roster) -> Upcoming:
    def what(why: str, **more: Any) -> Upcoming:
        return Upcoming(checkpoint.due, checkpoint.kind, why, **more)

    match checkpoint.kind:
        case CheckpointKind.POLICY:
            return _policy_foretold(checkpoint, incident, roster)
        case CheckpointKind.COMMUNICATION:
            communication = incident.policy.communication(checkpoint.about)
            return what(communication.why, unless=communication.unless)
        case CheckpointKind.OWED:
            return what("it is not published", told=speaker(incident, roster))
        case CheckpointKind.REPEAT:
            page = incident.page(int(checkpoint.about))
            return what("the page was not answered", tiers=(page.tier,), people=(page.person,))
        case CheckpointKind.FALLBACK:
            page = incident.page(int(checkpoint.about))
            return what("Slack did not take the page", people=(page.person,))
        case CheckpointKind.UPDATE:
            return what("a progress update is due")
        case CheckpointKind.SILENCE:
            return what("no progress update came", told=commander(incident, roster))
        case CheckpointKind.MONITORING:
            return what("monitoring is over: did the fix hold?", told=commander(incident, roster))
        case CheckpointKind.PHASE:
            return what("the time box is over")


def _policy_foretold(checkpoint: Checkpoint, incident: Incident, roster: Roster) -> Upcoming:
    plan = incident.policy.checkpoint(checkpoint.about)
    tiers = tuple(reached(incident, roster, t) for t in tiers_left(incident, plan.page))
    found = tuple(dict.fromkeys(t for t in tiers if t))
    paged = tuple(p for t in found for p in holders(incident, roster, t))
    told = in_roles(incident, roster, plan.notify)
    says = "" if plan.page else plan.say or plan.why
    return Upcoming(checkpoint.due, checkpoint.kind, plan.why, plan.unless, found, paged, told, says)


def holders(incident: Incident, roster: Roster, tier: int) -> tuple[PersonId, ...]:
    """Everybody on a tier at that moment, once each."""
    return in_roles(incident, roster, incident.policy.tiers[tier - 1].roles_for(incident.facts.security))


def in_roles(incident: Incident, roster: Roster, roles: Iterable[str]) -> People:
    """Everybody in these roles at that moment, once each; some roles follow the affected service."""
    return tuple(dict.fromkeys(p for role in roles for p in roster.of(role, incident.facts.service)))


def reached(incident: Incident, roster: Roster, tier: int) -> int:
    """The tier that a page to `tier` really reaches: an empty one is skipped. 0 when nobody is left above."""
    rungs = range(tier, len(incident.policy.tiers) + 1)
    return next((t for t in rungs if holders(incident, roster, t)), 0)


def commander(incident: Incident, roster: Roster) -> tuple[PersonId, ...]:
    """Who leads: who took it, else who acknowledged, else whoever the policy names (on call)."""
    if taken := incident.leads.get(Lead.COMMANDER):
        return (taken,)
    if incident.acknowledgement:
        return (incident.acknowledgement.by,)
    return in_roles(incident, roster, (incident.policy.commanding_role(),))[:1]


def speaker(incident: Incident, roster: Roster) -> tuple[PersonId, ...]:
    """Who speaks to the outside: the communications lead, else the commander."""
    taken = incident.leads.get(Lead.COMMUNICATIONS)
    return (taken,) if taken else commander(incident, roster)
