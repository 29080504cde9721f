"""Messages of the incident's places join its timeline, are edited, and leave it. Nothing is posted about it.

Slack's events come to several processes, and in any order. So each counts, also one that changes nothing, and what
follows from a reading of the message in Slack is recorded only if none came since that.
"""

from escalation.engine.change import Change
from escalation.errors import Outdated
from escalation.incident.events.news import MessageNoted
from escalation.incident.noted import Noting, standing_message
from escalation.incident.state.entries import EntryKind

MAX_NOTED = 200  # entries of messages, edits included: a record that grew without end could not be stored


def noted(change: Change, event: MessageNoted) -> None:
    """Note what became of a message, also once the incident is closed; the same twice is noted once.

    Outdated if more was heard since the message was read.
    """
    if event.heard is not None and event.heard != change.incident.heard:
        raise Outdated("This message changed just now, so it was not noted. Take your mark away and set it again.")
    change.set(heard=change.incident.heard + 1)
    standing = standing_message(change.incident, event.channel, event.ts)
    fields = {"what": str(event.what), "channel": event.channel, "ts": event.ts, "files": "\n".join(event.files)}
    fields |= {"edited": event.edited} if event.edited else {}
    if event.what is Noting.ADDED:
        count = sum(entry.kind is EntryKind.NOTED for entry in change.incident.timeline)
        if standing is None and count < MAX_NOTED:
            sent = {"sent_at": event.sent_at.isoformat()} if event.sent_at else {}
            known = fields | sent | {"url": event.url, "noted_by": event.by, "how": event.how}
            change.note(EntryKind.NOTED, by=event.author, text=event.text, fields=known)
    elif standing is not None:
        edited = event.what is Noting.EDITED
        same = (event.text, fields["files"]) == (standing.text, standing.files)
        overtaken = bool(event.edited) and event.edited < standing.edited
        if not edited or not (same or overtaken):
            fields |= {"of": str(standing.entry.n)}
            change.note(EntryKind.NOTED, by=event.by, text=event.text if edited else "", fields=fields)
