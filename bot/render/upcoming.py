"""What fires next on a card: when, on which condition, and whom it pages. Pure."""

from dataclasses import replace
from datetime import datetime

from bot.render.common import SHORT, Names, called, near
from bot.render.mrkdwn import brief
from escalation.config.policy import PlannedCheckpoint, Unless
from escalation.engine.checkpoints import plan_of
from escalation.engine.paging import next_tier
from escalation.engine.upcoming import Upcoming
from escalation.incident.model import Checkpoint, CheckpointKind, Incident, Status

_UNLESS = {
    Unless.ACKNOWLEDGED: "nobody acknowledges",
    Unless.ROOT_CAUSE: "no root cause is found",
    Unless.WORKAROUND: "there is no workaround",
    Unless.SCHEDULED: "it is not scheduled",
    Unless.RESOLVED: "it is not resolved",
}
_NOBODY_ELSE = "*Nobody else will be paged:* every tier was. Page someone by name, or call them."
_NOBODY_BY_ITSELF = "*Nobody else will be paged by itself.* Escalate, or page someone by name."
_SHOWN_AHEAD = 3


def what_fires_next(incident: Incident, ahead: tuple[Upcoming, ...], names: Names) -> list[str]:
    """A heading and a line for each of the next few; nothing for an incident that is closed."""
    if not incident.open:
        return []
    lines = [f"• {near(u.due, incident)} {_foretold(incident, u, names)}" for u in _soonest(_merged(ahead))]
    if _unheard(incident, ahead):
        lines.insert(0, f"• 🚫 {_NOBODY_ELSE if next_tier(incident) is None else _NOBODY_BY_ITSELF}")
    if incident.status is Status.MONITORING and any(_rests(c, incident) for c in incident.checkpoints):
        lines.append("• Escalation rests while the fix is watched.")
    return ["⏭️ *What fires next*", *(lines or ["• Nothing: no checkpoint is ahead."])]


def _rests(checkpoint: Checkpoint, incident: Incident) -> bool:
    """Whether it rests because the fix is watched, rather than until something is said."""
    plan = plan_of(checkpoint, incident)
    return isinstance(plan, PlannedCheckpoint) and plan.rests_while_monitoring


def _unheard(incident: Incident, ahead: tuple[Upcoming, ...]) -> bool:
    """Nobody acknowledged what should be, and no page is to come any more. Tickets page nobody: a team reads them."""
    to_come = any(u.kind is CheckpointKind.REPEAT or u.tiers for u in ahead)
    expected = not incident.policy.ticket and not incident.acknowledgement
    return expected and not incident.nobody_left and not to_come


def _merged(ahead: tuple[Upcoming, ...]) -> list[Upcoming]:
    """What several pages have in common is said once."""
    merged: dict[tuple[datetime, CheckpointKind, str], Upcoming] = {}
    for one in ahead:
        key = (one.due, one.kind, one.why)
        before = merged.get(key)
        people = tuple(dict.fromkeys((*(before.people if before else ()), *one.people)))
        tiers = before.tiers if before else one.tiers
        merged[key] = replace(one, tiers=tiers, people=people)
    return list(merged.values())


def _soonest(ahead: list[Upcoming]) -> list[Upcoming]:
    """The next few; the next climb of the ladder and the question whether the fix held are always among them."""
    climb = next((u for u in ahead if u.kind is CheckpointKind.POLICY and u.tiers), None)
    question = next((u for u in ahead if u.kind is CheckpointKind.MONITORING), None)
    wanted = [u for u in (climb, question) if u]
    others = [u for u in ahead if u not in wanted][: _SHOWN_AHEAD - len(wanted)]
    return [u for u in ahead if u in wanted or u in others]


def _foretold(incident: Incident, upcoming: Upcoming, names: Names) -> str:
    told = called(upcoming.told, names) or "nobody"
    match upcoming.kind:
        case CheckpointKind.POLICY:
            return f"{_condition(upcoming)} → {_outcome(incident, upcoming, names)}"
        case CheckpointKind.COMMUNICATION:
            return f"{_condition(upcoming)} → 📣 {brief(upcoming.why, SHORT)}"
        case CheckpointKind.OWED:
            return f"📣 if those outside are not told by then → reminds {told}"
        case CheckpointKind.REPEAT:
            return f"if the page stays unanswered → again: {called(upcoming.people, names)}"
        case CheckpointKind.UPDATE:
            return "a progress update is due"
        case CheckpointKind.SILENCE:
            return f"if no progress update comes → tells {told}"
        case CheckpointKind.MONITORING:
            return f"the fix was watched long enough → asks {told} whether it held"
        case CheckpointKind.PHASE | CheckpointKind.FALLBACK:
            return brief(upcoming.why, SHORT)


def _condition(upcoming: Upcoming) -> str:
    """`if nobody acknowledges`: the plan's own reason is worded for the time when it has happened."""
    facts = [fact for fact in upcoming.unless if fact is not Unless.RESOLVED] or upcoming.unless
    return "if " + " and ".join(_UNLESS[fact] for fact in facts) if facts else "then"


def _outcome(incident: Incident, upcoming: Upcoming, names: Names) -> str:
    """Who is paged; else who is told, or what is said."""
    if upcoming.tiers or not (upcoming.told or upcoming.says):
        return _tiers(incident, upcoming, names)
    return f"tells {called(upcoming.told, names)}" if upcoming.told else brief(upcoming.says, SHORT)


def _tiers(incident: Incident, upcoming: Upcoming, names: Names) -> str:
    if not upcoming.people:
        return "*nobody is left to page*"
    tiers = incident.policy.tiers
    rungs = " and ".join(f"tier {t} ({brief(tiers[t - 1].name, SHORT)})" for t in upcoming.tiers)
    return f"{rungs}: {called(upcoming.people, names)}"
