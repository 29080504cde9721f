"""Open action items of earlier incidents that were meant to prevent this one, each said once."""

from escalation.engine.change import Change
from escalation.incident.events.news import PreventionsFound
from escalation.incident.state.entries import EntryKind

MOST = 5  # of one incident: more would be read by nobody


def found(change: Change, event: PreventionsFound) -> None:
    """Say in the thread and in the room which they are, while the incident is open."""
    said = [e.fields["item"] for e in change.incident.timeline if e.kind is EntryKind.PREVENTION]
    fresh = [item for item in event.items if item.item not in said]
    for item in fresh[: max(0, MOST - len(said))] if change.incident.open else ():
        due = item.due.isoformat() if item.due else ""
        fields = {"item": item.item, "owner": item.owner, "due": due, "at": item.at.isoformat()}
        fields |= {"like": "yes"} if item.like else {}
        change.say(change.note(EntryKind.PREVENTION, fields=fields))
