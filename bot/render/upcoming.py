"""Upcoming checkpoints on a card: when, on which condition, and whom they page. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from bot.render.common import SAME_DAY, SHORT, Names, names_of, short_time
from bot.render.mrkdwn import brief
from escalation.config.rules.checkpoints import PlannedCheckpoint, Unless
from escalation.engine.checkpoints import plan_of
from escalation.engine.paging import next_tier
from escalation.engine.upcoming import Upcoming
from escalation.incident.model import Incident
from escalation.incident.state.checkpoints import Checkpoint, CheckpointKind
from escalation.incident.state.facts import Status
from escalation.text import Line, Time, line, people

_UNLESS = {
    Unless.ACKNOWLEDGED: "nobody acknowledges",
    Unless.ROOT_CAUSE: "no root cause is found",
    Unless.WORKAROUND: "there is no workaround",
    Unless.SCHEDULED: "it is not scheduled",
    Unless.RESOLVED: "it is not resolved",
}
_NOBODY_ELSE = "*Nobody else will be paged:* every tier has been. Page someone by name, or call them."
_NOBODY_BY_ITSELF = "*Nobody else will be paged automatically.* Escalate, or page someone by name."
_MAX_SHOWN = 3


def next_escalations(incident: Incident, ahead: tuple[Upcoming, ...], names: Names) -> list[str]:
    """Heading and at most three lines: the next checkpoints; nothing for a closed incident."""
    if not incident.open:
        return []
    lines = []
    if _no_page_ahead(incident, ahead):
        lines.append(f"• 🚫 {_NOBODY_ELSE if next_tier(incident) is None else _NOBODY_BY_ITSELF}")
    if incident.status is Status.MONITORING and any(_is_paused(c, incident) for c in incident.checkpoints):
        lines.append("• Escalations are paused while the fix is monitored.")
    soonest = _soonest(_merge(ahead), _MAX_SHOWN - len(lines))
    lines += [f"• {short_time(u.due, incident)} {_describe(incident, u, names)}" for u in soonest]
    return ["⏭️ *Next escalations*", *lines] if lines else []


def next_page(incident: Incident, ahead: tuple[Upcoming, ...], names: Names) -> list[str]:
    """Line that says when others will be paged, unless somebody acts; nothing when nobody will."""
    following = next((u for u in ahead if u.kind is CheckpointKind.POLICY and u.tiers), None)
    if following is None or Unless.ACKNOWLEDGED not in following.unless:
        return []
    return [f"If not acknowledged by {short_time(following.due, incident)}: pages {_tiers(incident, following, names)}"]


def _is_paused(checkpoint: Checkpoint, incident: Incident) -> bool:
    """True if a checkpoint rests because the fix is watched, and not because it waits for a fact."""
    plan = plan_of(checkpoint, incident)
    return isinstance(plan, PlannedCheckpoint) and plan.rests_while_monitoring


def _no_page_ahead(incident: Incident, ahead: tuple[Upcoming, ...]) -> bool:
    """True if an unacknowledged incident has no page ahead. Tickets never have: a team reads them."""
    to_come = any(u.kind is CheckpointKind.REPEAT or u.tiers for u in ahead)
    expected = not incident.policy.ticket and not incident.acknowledgement
    return expected and not incident.nobody_left and not to_come


def _merge(ahead: tuple[Upcoming, ...]) -> list[Upcoming]:
    """Merge checkpoints with the same due time, kind and reason."""
    merged: dict[tuple[datetime, CheckpointKind, str], Upcoming] = {}
    for checkpoint in ahead:
        key = (checkpoint.due, checkpoint.kind, checkpoint.why)
        previous = merged.get(key)
        people = tuple(dict.fromkeys((*(previous.people if previous else ()), *checkpoint.people)))
        tiers = previous.tiers if previous else checkpoint.tiers
        merged[key] = replace(checkpoint, tiers=tiers, people=people)
    return list(merged.values())


def _soonest(ahead: list[Upcoming], most: int) -> list[Upcoming]:
    """Pick the next few; the next escalation and the question whether the fix held are always among them."""
    next_page = next((u for u in ahead if u.kind is CheckpointKind.POLICY and u.tiers), None)
    question = next((u for u in ahead if u.kind is CheckpointKind.MONITORING), None)
    always = [u for u in (question, next_page) if u][:most]
    others = [u for u in ahead if u not in always][: most - len(always)]
    return [u for u in ahead if u in always or u in others]


def _describe(incident: Incident, upcoming: Upcoming, names: Names) -> str:
    targets = names_of(upcoming.notified, names) or "nobody"
    match upcoming.kind:
        case CheckpointKind.POLICY:
            return f"{_condition(upcoming)}{_outcome(incident, upcoming, names)}{_runs(upcoming)}"
        case CheckpointKind.COMMUNICATION:
            return f"{_condition(upcoming)}📣 {brief(upcoming.why, SHORT)}"
        case CheckpointKind.OWED:
            return f"📣 if {upcoming.why} → remind {targets}"
        case CheckpointKind.REPEAT:
            return f"if not acknowledged → page again: {names_of(upcoming.people, names)}"
        case CheckpointKind.UPDATE:
            return "a progress update is due"
        case CheckpointKind.SILENCE:
            return f"if no progress update is posted → remind {targets}"
        case CheckpointKind.MONITORING:
            return f"monitoring ends → ask {targets} whether it is stable"
        case CheckpointKind.REVIEW:
            return f"if {upcoming.why} → ask {targets}"
        case (
            CheckpointKind.PHASE
            | CheckpointKind.FALLBACK
            | CheckpointKind.STEP
            | CheckpointKind.REDRAW
            | CheckpointKind.ARCHIVE
        ):
            return brief(upcoming.why, SHORT)


def _condition(upcoming: Upcoming) -> str:
    """Condition and arrow, or nothing: the plan's reason is worded for when it has fired."""
    facts = [fact for fact in upcoming.unless if fact is not Unless.RESOLVED] or upcoming.unless
    return "if " + " and ".join(_UNLESS[fact] for fact in facts) + " → " if facts else ""


def _outcome(incident: Incident, upcoming: Upcoming, names: Names) -> str:
    """Outcome of a checkpoint: whom it pages, else whom it notifies, or what it says."""
    if upcoming.tiers or not (upcoming.notified or upcoming.says):
        return _tiers(incident, upcoming, names)
    return f"notify {names_of(upcoming.notified, names)}" if upcoming.notified else brief(upcoming.says, SHORT)


def _runs(upcoming: Upcoming) -> str:
    return f"; run {', '.join(upcoming.runs)}" if upcoming.runs else ""


def _tiers(incident: Incident, upcoming: Upcoming, names: Names) -> str:
    if not upcoming.people:
        return "*nobody is left to page*"
    tiers = incident.policy.tiers
    tier_names = " and ".join(f"tier {t} ({brief(tiers[t - 1].name, SHORT)})" for t in upcoming.tiers)
    return f"{tier_names}: {names_of(upcoming.people, names)}"


# In a sentence, for whoever just did something ----------------------------------------------------------------------

_NOT_YET = {
    Unless.ACKNOWLEDGED: "not acknowledged",
    Unless.ROOT_CAUSE: "no root cause is found",
    Unless.WORKAROUND: "there is no workaround",
    Unless.SCHEDULED: "not scheduled",
    Unless.RESOLVED: "not resolved",
}


def next_step(incident: Incident, ahead: Sequence[Upcoming]) -> Iterator[Line]:
    """Line about what happens next, and what prevents it; nothing when nothing is ahead."""
    for first in ahead[:1]:
        together = [u for u in ahead if (u.due, u.kind, u.why) == (first.due, first.kind, first.why)]
        whom = people(tuple(dict.fromkeys(p for u in together for p in u.people)))
        told = people(first.notified)
        at = Time(first.due, clock=abs(first.due - incident.clock_from) < SAME_DAY, seconds=incident.speed != 1)
        match first.kind:
            case CheckpointKind.REPEAT:
                yield line("If not acknowledged by ", at, ": pages ", *whom, " again.")
            case CheckpointKind.POLICY:
                yield line(*_unless_done(first, at), *_done(first, whom, told))
            case CheckpointKind.COMMUNICATION:
                yield line(*_unless_done(first, at), f"a communication is due ({first.why}).")
            case CheckpointKind.OWED:
                yield line(f"If {first.why} by ", at, ": reminds ", *told, ".")
            case CheckpointKind.UPDATE:
                yield line("If no progress update is posted by ", at, ": asks for one.")
            case CheckpointKind.SILENCE:
                yield line("If no progress update is posted by ", at, ": reminds ", *told, ".")
            case CheckpointKind.MONITORING:
                yield line("At ", at, ": asks ", *told, " whether it is stable.")
            case CheckpointKind.REVIEW:
                yield line("At ", at, ": asks ", *told, " about the post-incident review.")
            case _:
                yield line("At ", at, f": {first.why}.")


def _unless_done(first: Upcoming, at: Time) -> Line:
    facts = [fact for fact in first.unless if fact is not Unless.RESOLVED] or first.unless
    condition = " and ".join(_NOT_YET[fact] for fact in facts)
    return line(f"If {condition} by ", at, ": ") if condition else line("At ", at, ": ")


def _done(first: Upcoming, whom: Line, told: Line) -> Line:
    if first.people:
        return line("pages ", *whom, _runs(first), ".")
    if first.notified:
        return line("notifies ", *told, _runs(first), ".")
    said = f"{first.says or first.why}{_runs(first)}"
    return line(said if said.endswith((".", "?", "!")) else f"{said}.")
