"""What happens when a checkpoint's time has come."""

from escalation.change import Change
from escalation.checkpoints import commander, due, moot, tiers_left
from escalation.incident import Checkpoint, CheckpointKind, EntryKind
from escalation.paging import page_tiers, repeat_pages


def fire_due(change: Change) -> None:
    """Fire whatever is due, in order. What the first makes moot the second finds moot."""
    change.prune()
    repeats: list[Checkpoint] = []
    for checkpoint in due(change.incident, change.now):
        if moot(checkpoint, change.incident):
            continue
        change.remove(checkpoint)
        if checkpoint.kind is CheckpointKind.REPEAT:
            repeats.append(checkpoint)
        else:
            _FIRE[checkpoint.kind](change, checkpoint)
    still_open = tuple(c for c in repeats if not moot(c, change.incident))
    if still_open:
        repeat_pages(change, still_open)


def _policy(change: Change, checkpoint: Checkpoint) -> None:
    plan = change.incident.policy.checkpoint(checkpoint.about)
    change.note(EntryKind.CHECKPOINT, why=plan.why, fields={"checkpoint": plan.id, "due": checkpoint.due.isoformat()})
    page_tiers(change, tiers_left(change.incident, plan.page), plan.why)


def _update_due(change: Change, checkpoint: Checkpoint) -> None:
    cadence = change.incident.policy.updates
    if cadence is None:
        return
    entry = change.note(EntryKind.UPDATE_DUE, why="no progress update came in time")
    change.say(entry)
    every = change.incident.scaled(cadence.every)
    following = checkpoint.due + every
    while following <= change.now:  # after an outage: one reminder, not one for each half-hour missed
        following += every
    change.arm(CheckpointKind.UPDATE, following)
    change.disarm(CheckpointKind.SILENCE)
    change.arm(CheckpointKind.SILENCE, change.now + change.incident.scaled(cadence.silence))


def _silence(change: Change, checkpoint: Checkpoint) -> None:
    told = commander(change.incident, change.roster)
    entry = change.note(EntryKind.SILENCE, people=told, why="no progress update came after the reminder")
    change.say(entry)
    for person in told:
        change.tell(person, entry)


def _monitored(change: Change, checkpoint: Checkpoint) -> None:
    asked = commander(change.incident, change.roster)
    entry = change.note(EntryKind.MONITORED, people=asked, why="the fix was watched for the time agreed")
    change.say_everywhere(entry)
    for person in asked:
        change.tell(person, entry)
    # The clocks rest until somebody answers, so it is asked again rather than forgotten.
    change.arm(CheckpointKind.MONITORING, change.now + change.incident.scaled(change.incident.policy.monitor_for))


_FIRE = {
    CheckpointKind.POLICY: _policy,
    CheckpointKind.UPDATE: _update_due,
    CheckpointKind.SILENCE: _silence,
    CheckpointKind.MONITORING: _monitored,
}
