"""Which checkpoint is due when, what makes it moot, and what it will do: pure arithmetic over an incident."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from escalation.company import Roster
from escalation.incident import Checkpoint, CheckpointKind, Incident, PageState, Status
from escalation.policy import SeverityPolicy, TierPage, Unless
from escalation.values import PersonId

People = tuple[PersonId, ...]

# When several fall due at one instant: the policy first (its page replaces a repeat), reminders last.
_ORDER = list(CheckpointKind)


def planned(policy: SeverityPolicy, clock_from: datetime, speed: float, round_: int) -> tuple[Checkpoint, ...]:
    """The checkpoints that a policy sets when its clocks start. Distances are divided by `speed`."""
    return tuple(
        Checkpoint(
            id=f"{plan.id}-{round_}", kind=CheckpointKind.POLICY, due=clock_from + plan.after / speed, about=plan.id
        )
        for plan in policy.checkpoints
    )


def tiers_left(incident: Incident, pages: tuple[TierPage, ...]) -> tuple[int, ...]:
    """The tiers that would really be paged now: those marked `again`, and those that never were."""
    return tuple(p.tier for p in pages if p.again or p.tier not in incident.tiers_paged)


def moot(checkpoint: Checkpoint, incident: Incident) -> bool:
    """Whether nothing is left for it to do, for good."""
    if incident.status.closed:
        return True
    match checkpoint.kind:
        case CheckpointKind.POLICY:
            plan = incident.policy.checkpoint(checkpoint.about)
            return _known(plan.unless, incident) or not tiers_left(incident, plan.page)
        case CheckpointKind.REPEAT:
            return incident.page(int(checkpoint.about)).state is not PageState.OPEN
        case CheckpointKind.MONITORING:
            return incident.status is not Status.MONITORING
        case _:
            return False


def _known(fact: Unless, incident: Incident) -> bool:
    match fact:
        case Unless.ACKNOWLEDGED:
            return incident.acknowledgement is not None
        case Unless.ROOT_CAUSE:
            return incident.root_cause is not None
        case Unless.RESOLVED:
            return incident.status.closed


def resting(checkpoint: Checkpoint, incident: Incident) -> bool:
    """Whether it stands still: its time may pass, and it fires when it wakes."""
    return (
        checkpoint.kind is CheckpointKind.POLICY
        and incident.status is Status.MONITORING
        and incident.policy.checkpoint(checkpoint.about).rests_while_monitoring
    )


def alarms(incident: Incident) -> dict[str, datetime]:
    """Checkpoint id -> due time, for every alarm clock that has to be set."""
    return {c.id: c.due for c in incident.checkpoints if not resting(c, incident)}


def due(incident: Incident, now: datetime) -> tuple[Checkpoint, ...]:
    """What fires now, in the order in which it should."""
    waiting = (c for c in incident.checkpoints if c.due <= now and not resting(c, incident))
    return tuple(sorted(waiting, key=lambda c: (c.due, _ORDER.index(c.kind), c.id)))


@dataclass(frozen=True)
class Upcoming:
    """One thing that will happen unless something changes: when, why, unless which fact, which tier, whom."""

    due: datetime
    kind: CheckpointKind
    why: str
    unless: Unless | None = None
    tiers: tuple[int, ...] = ()
    people: People = ()


def upcoming(incident: Incident, roster_at: Callable[[datetime], Roster]) -> tuple[Upcoming, ...]:
    """What fires next, soonest first, with the people who will be on duty at that time."""
    waiting = sorted((c for c in incident.checkpoints if not resting(c, incident)), key=lambda c: c.due)
    return tuple(_foretold(c, incident, roster_at(c.due)) for c in waiting)


def _foretold(checkpoint: Checkpoint, incident: Incident, roster: Roster) -> Upcoming:
    def what(why: str, unless: Unless | None = None, tiers: tuple[int, ...] = (), people: People = ()) -> Upcoming:
        return Upcoming(checkpoint.due, checkpoint.kind, why, unless, tiers, people)

    match checkpoint.kind:
        case CheckpointKind.POLICY:
            plan = incident.policy.checkpoint(checkpoint.about)
            tiers = tuple(reached(incident, roster, t) for t in tiers_left(incident, plan.page))
            found = tuple(dict.fromkeys(t for t in tiers if t))
            return what(plan.why, plan.unless, found, tuple(p for t in found for p in holders(incident, roster, t)))
        case CheckpointKind.REPEAT:
            page = incident.page(int(checkpoint.about))
            return what("the page was not answered", tiers=(page.tier,), people=(page.person,))
        case CheckpointKind.UPDATE:
            return what("a progress update is due")
        case CheckpointKind.SILENCE:
            return what("no progress update came", people=commander(incident, roster))
        case CheckpointKind.MONITORING:
            return what("monitoring is over: did the fix hold?", people=commander(incident, roster))


def holders(incident: Incident, roster: Roster, tier: int) -> tuple[PersonId, ...]:
    """Everybody on a tier at that moment, once each."""
    roles = incident.policy.tiers[tier - 1].roles_for(incident.facts.security)
    return tuple(dict.fromkeys(p for role in roles for p in roster.of(role)))


def reached(incident: Incident, roster: Roster, tier: int) -> int:
    """The tier that a page to `tier` really reaches: an empty one is skipped. 0 when nobody is left above."""
    rungs = range(tier, len(incident.policy.tiers) + 1)
    return next((t for t in rungs if holders(incident, roster, t)), 0)


def commander(incident: Incident, roster: Roster) -> tuple[PersonId, ...]:
    """Who leads until somebody is named: who acknowledged, else who is on call (the first role of the first tier)."""
    if incident.acknowledgement:
        return (incident.acknowledgement.by,)
    return roster.of(incident.policy.tiers[0].roles[0])[:1]
