"""Messages of the incident's places join its timeline, are edited, and leave it. Nothing is posted about it."""

from escalation.engine.change import Change
from escalation.incident.events.news import MessageNoted
from escalation.incident.noted import Noting, standing_message
from escalation.incident.state.entries import EntryKind

MAX_NOTED = 200  # entries of messages, edits included: a record that grew without end could not be stored


def noted(change: Change, event: MessageNoted) -> None:
    """Note what became of a message, also once the incident is closed; the same twice is noted once."""
    standing = standing_message(change.incident, event.channel, event.ts)
    fields = {"what": str(event.what), "channel": event.channel, "ts": event.ts, "files": "\n".join(event.files)}
    if event.what is Noting.ADDED:
        count = sum(entry.kind is EntryKind.NOTED for entry in change.incident.timeline)
        if standing is None and count < MAX_NOTED:
            sent = {"sent_at": event.sent_at.isoformat()} if event.sent_at else {}
            known = fields | sent | {"url": event.url, "noted_by": event.by, "how": event.how}
            change.note(EntryKind.NOTED, by=event.author, text=event.text, fields=known)
    elif standing is not None:
        same = (event.text, fields["files"]) == (standing.text, standing.files)
        if event.what is not Noting.EDITED or not same:
            fields |= {"of": str(standing.entry.n)}
            edited = event.what is Noting.EDITED
            change.note(EntryKind.NOTED, by=event.by, text=event.text if edited else "", fields=fields)
