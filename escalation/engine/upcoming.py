"""What fires next, and whom it will page."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from escalation.config.policy import Unless
from escalation.engine.checkpoints import running, tiers_left
from escalation.engine.responders import People, commander, holders, in_roles, reached, speaker
from escalation.incident.model import Checkpoint, CheckpointKind, Incident
from escalation.oncall.roster import Roster

UNTOLD = (CheckpointKind.FALLBACK, CheckpointKind.PHASE)  # of no interest until they happen


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
    shown = (c for c in running(incident) if c.kind not in UNTOLD)
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
