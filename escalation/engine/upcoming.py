"""Upcoming checkpoints, and whom they will page."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from escalation.config.rules.checkpoints import Unless
from escalation.engine.checkpoints import running, tiers_left
from escalation.incident.actions import actions_at
from escalation.incident.closing.reviews import asked
from escalation.incident.communications import name_of
from escalation.incident.model import Incident
from escalation.incident.responders import People, commander, effective_tier, holders, in_roles, speaker
from escalation.incident.state.checkpoints import Checkpoint, CheckpointKind
from escalation.oncall.roster import Roster

UNLISTED = (
    CheckpointKind.FALLBACK,
    CheckpointKind.STEP,
    CheckpointKind.PHASE,
    CheckpointKind.REDRAW,
    CheckpointKind.ARCHIVE,
)  # of no interest before they fire


@dataclass(frozen=True)
class Upcoming:
    """An upcoming checkpoint: when, why, unless which facts, which tiers.

    `people` are paged; `notified` are notified; `says` is what happens instead where no tier is paged. `runs` are the
    actions that begin as well.
    """

    due: datetime
    kind: CheckpointKind
    why: str
    unless: tuple[Unless, ...] = ()
    tiers: tuple[int, ...] = ()
    people: People = ()
    notified: People = ()
    says: str = ""
    runs: tuple[str, ...] = ()


def upcoming(incident: Incident, roster_at: Callable[[datetime], Roster]) -> tuple[Upcoming, ...]:
    """Return the upcoming checkpoints, soonest first, with the people who will be on call at that time."""
    shown = (c for c in running(incident) if c.kind not in UNLISTED)
    waiting = sorted(shown, key=lambda c: c.due)
    return tuple(_upcoming(c, incident, roster_at(c.due)) for c in waiting)


def _upcoming(checkpoint: Checkpoint, incident: Incident, roster: Roster) -> Upcoming:
    def what(why: str, **more: Any) -> Upcoming:
        return Upcoming(checkpoint.due, checkpoint.kind, why, **more)

    match checkpoint.kind:
        case CheckpointKind.POLICY:
            return _upcoming_policy(checkpoint, incident, roster)
        case CheckpointKind.COMMUNICATION:
            communication = incident.policy.communication(checkpoint.about)
            return what(communication.why, unless=communication.unless)
        case CheckpointKind.OWED:
            owed = incident.owed(int(checkpoint.about))
            return what(f"the {name_of(owed)} is not sent", notified=speaker(incident, roster))
        case CheckpointKind.REPEAT:
            page = incident.page(int(checkpoint.about))
            return what("the page was not acknowledged", tiers=(page.tier,), people=(page.person,))
        case CheckpointKind.FALLBACK | CheckpointKind.STEP:
            page = incident.page(int(checkpoint.about.split()[0]))
            return what("Slack did not take the page", people=(page.person,))
        case CheckpointKind.UPDATE:
            return what("a progress update is due")
        case CheckpointKind.SILENCE:
            return what("no progress update came", notified=commander(incident, roster))
        case CheckpointKind.MONITORING:
            return what("monitoring is over: is it stable?", notified=commander(incident, roster))
        case CheckpointKind.PHASE:
            return what("the time box is over")
        case CheckpointKind.REDRAW:
            return what("a time on the card has passed")
        case CheckpointKind.ARCHIVE:
            return what("the war room of a cancelled incident is archived")
        case CheckpointKind.REVIEW:
            return what("the post-incident review is not done", notified=asked(incident, roster))


def _upcoming_policy(checkpoint: Checkpoint, incident: Incident, roster: Roster) -> Upcoming:
    plan = incident.policy.checkpoint(checkpoint.about)
    tiers = tuple(effective_tier(incident, roster, t) for t in tiers_left(incident, plan.page))
    found = tuple(dict.fromkeys(t for t in tiers if t))
    paged = tuple(p for t in found for p in holders(incident, roster, t))
    notified = in_roles(incident, roster, plan.notify)
    says = "" if plan.page else plan.say or plan.why
    runs = tuple(action.name for action in actions_at(incident, plan.id))
    return Upcoming(checkpoint.due, checkpoint.kind, plan.why, plan.unless, found, paged, notified, says, runs)
