"""Firing of due checkpoints."""

from datetime import timedelta

from escalation.config.rules.checkpoints import PlannedCheckpoint
from escalation.engine import cards, communications, warroom
from escalation.engine.automatic import actions, reviews
from escalation.engine.change import Change
from escalation.engine.channels import reaching
from escalation.engine.checkpoints import due, moot, plan_of, tiers_left
from escalation.engine.paging import fall_back, page_tiers, repeat_pages
from escalation.engine.upcoming import UNLISTED
from escalation.incident.effects import Place, Reminded
from escalation.incident.events.news import CheckpointDue
from escalation.incident.model import Incident
from escalation.incident.responders import commander, in_roles
from escalation.incident.state.checkpoints import Checkpoint, CheckpointKind
from escalation.incident.state.entries import EntryKind
from escalation.values import PersonId

LATE = timedelta(seconds=10)  # beyond that it is an outage, and people are told


def note_outage(change: Change, event: CheckpointDue) -> None:
    """Note an outage on the timeline: from when until when, and what was due meanwhile and is not moot."""
    late = [c for c in due(change.incident, change.now) if change.now - c.due > LATE and c.kind not in UNLISTED]
    missed = [c for c in late if not moot(c, change.incident)]
    if not missed:
        return
    # The last outage is the reason if something was due in it; else it is only that the worker had too much to do.
    away = event.away if event.away and any(event.away[0] <= c.due <= event.away[1] for c in missed) else None
    fields = {
        "missed": "\n".join(f"{c.due.isoformat()} {_missed(change.incident, c)}" for c in missed),
        "from": away[0].isoformat() if away else "",
        "to": away[1].isoformat() if away else "",
    }
    change.say(change.note(EntryKind.RECOVERED, why="it was due and Tocsin was away", fields=fields))


def _missed(incident: Incident, checkpoint: Checkpoint) -> str:
    plan = plan_of(checkpoint, incident)
    return plan.why if plan else checkpoint.kind.replace("_", " ")


def fire_due(change: Change) -> None:
    """Fire all due checkpoints, in order. One that an earlier one made moot does not fire."""
    if not due(change.incident, change.now):
        return
    change.prune()  # what is moot before any of it fires stays so, whatever fires
    grouped: dict[CheckpointKind, list[Checkpoint]] = {kind: [] for kind in _FIRE_TOGETHER}
    for checkpoint in due(change.incident, change.now):
        change.remove(checkpoint)
        if checkpoint.kind in grouped:
            grouped[checkpoint.kind].append(checkpoint)
        elif not moot(checkpoint, change.incident):
            _FIRE[checkpoint.kind](change, checkpoint)
    for kind, fire in _FIRE_TOGETHER.items():
        if left := tuple(c for c in grouped[kind] if not moot(c, change.incident)):
            fire(change, left)


def _policy(change: Change, checkpoint: Checkpoint) -> None:
    plan = change.incident.policy.checkpoint(checkpoint.about)
    fields = {
        "checkpoint": plan.id,
        "due": checkpoint.due.isoformat(),
        "say": plan.say or "",
        "offer": ",".join(plan.offer),
    }
    entry = change.note(EntryKind.CHECKPOINT, why=plan.why, fields=fields)
    if plan.room:
        warroom.open_room(change)
    if plan.say:
        change.say(entry)
    if plan.team:
        change.say(entry, Place.TEAM)
    page_tiers(change, tiers_left(change.incident, plan.page), plan.why)
    _notify(change, plan)
    actions.run(change, plan.id)


def _notify(change: Change, plan: PlannedCheckpoint) -> None:
    """Notify people without paging them: nobody is asked to acknowledge."""
    if not plan.notify:
        return
    people = in_roles(change.incident, change.roster, plan.notify)
    names = ", ".join(change.incident.policy.role_name(r) for r in plan.notify)
    entry = change.note(EntryKind.NOTIFIED, people=people, why=plan.why, fields={"roles": names})
    change.say(entry)
    if change.incident.private:  # who hears of it becomes a member of its room
        warroom.invite(change, people)
    change.notify(entry, *people)


def _update_due(change: Change, checkpoint: Checkpoint) -> None:
    entry = change.note(
        EntryKind.UPDATE_DUE, why="no progress update came in time", fields=_promise(change, checkpoint)
    )
    cards.remind(change, Reminded.UPDATE, entry, checkpoint.due)
    cadence = change.incident.policy.updates
    if cadence is None:  # promised by a person, where the policy asks for none
        return
    following = change.incident.after(checkpoint.due, cadence.every)
    while following <= change.now:  # after an outage: one reminder, not one for each half-hour missed
        following = change.incident.after(following, cadence.every)
    change.arm(CheckpointKind.UPDATE, following)
    change.disarm(CheckpointKind.SILENCE)
    if _untold(change, Reminded.UPDATE):
        change.arm(CheckpointKind.SILENCE, change.now + change.incident.scaled(cadence.silence))


def _promise(change: Change, checkpoint: Checkpoint) -> dict[str, str]:
    """Return who promised the update that did not come, and for when; empty if nobody did."""
    if not checkpoint.about:
        return {}
    update = change.incident.entry(int(checkpoint.about))
    return {"promised_by": update.by, "due": checkpoint.due.isoformat()}


def _silence(change: Change, checkpoint: Checkpoint) -> None:
    if recipients := _untold(change, Reminded.UPDATE):
        entry = change.note(EntryKind.SILENCE, people=recipients, why="no progress update came after the reminder")
        cards.remind_people(change, Reminded.UPDATE, entry, *recipients)


def _untold(change: Change, about: Reminded) -> tuple[PersonId, ...]:
    """Return who leads and was not told directly yet: each is told once, their message is edited from then on."""
    reminder = change.incident.reminders.get(about)
    told = reminder.told if reminder else ()
    return tuple(p for p in commander(change.incident, change.roster) if p not in told)


def _monitored(change: Change, checkpoint: Checkpoint) -> None:
    commanders = commander(change.incident, change.roster)
    entry = change.note(EntryKind.MONITORED, people=commanders, why="monitoring is over")
    cards.remind(change, Reminded.STABLE, entry, checkpoint.due)
    cards.remind_people(change, Reminded.STABLE, entry, *_untold(change, Reminded.STABLE))
    # Checkpoints rest until somebody answers, so it is asked again rather than forgotten.
    change.arm(CheckpointKind.MONITORING, change.now + change.incident.scaled(change.incident.policy.monitor_for))


def _archive(change: Change, checkpoint: Checkpoint) -> None:
    warroom.archive(change)


def _redraw(change: Change, checkpoint: Checkpoint) -> None:
    """Have the cards drawn again: a time that stands on them has passed."""
    change.set(redrawn_at=change.now)
    change.advance_face()


_FIRE = {
    CheckpointKind.STEP: reaching.take_step,
    CheckpointKind.POLICY: _policy,
    CheckpointKind.COMMUNICATION: communications.begin,
    CheckpointKind.OWED: communications.overdue,
    CheckpointKind.PHASE: warroom.time_box_over,
    CheckpointKind.UPDATE: _update_due,
    CheckpointKind.SILENCE: _silence,
    CheckpointKind.MONITORING: _monitored,
    CheckpointKind.REDRAW: _redraw,
    CheckpointKind.ARCHIVE: _archive,
    CheckpointKind.REVIEW: reviews.due,
}
# One line in the thread for all of them.
_FIRE_TOGETHER = {CheckpointKind.FALLBACK: fall_back, CheckpointKind.REPEAT: repeat_pages}
