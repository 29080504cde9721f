"""Messages that people keep on the timeline, as they stand: edits and removals are entries of their own."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from escalation.incident.model import Incident
from escalation.incident.state.entries import Entry, EntryKind


class Noting(StrEnum):
    """What became of a message: it joined the timeline, was edited, was taken out again, or was deleted in Slack."""

    ADDED = "added"
    EDITED = "edited"
    REMOVED = "removed"
    DELETED = "deleted"


@dataclass(frozen=True)
class NotedMessage:
    """A message on the timeline: the entry with which it joined, its last words, and what became of it last.

    `edited` is Slack's time of the last edit that is known.
    """

    entry: Entry
    text: str
    files: str
    last: Noting
    edited: str = ""

    @property
    def stands(self) -> bool:
        """True while it is part of the timeline."""
        return self.last in (Noting.ADDED, Noting.EDITED)


def noted_messages(incident: Incident) -> dict[int, NotedMessage]:
    """Return every message that joined, by the number of its entry."""
    found: dict[int, NotedMessage] = {}
    for entry in _noted(incident):
        what, of = Noting(entry.fields["what"]), int(entry.fields.get("of") or entry.n)
        files, at = entry.fields.get("files", ""), entry.fields.get("edited", "")
        if what is Noting.ADDED:
            found[entry.n] = NotedMessage(entry, entry.text, files, what, at)
        elif of in found:
            before = found[of]
            edited = what is Noting.EDITED
            text, files = (entry.text, files) if edited else (before.text, before.files)
            found[of] = NotedMessage(before.entry, text, files, what, at or before.edited)
    return found


def standing_message(incident: Incident, channel: str, ts: str) -> NotedMessage | None:
    """Return the message of this channel and instant, if it is part of the timeline now."""
    fields = {"channel": channel, "ts": ts}.items()
    return next((m for m in noted_messages(incident).values() if m.stands and fields <= m.entry.fields.items()), None)


def told_at(entry: Entry) -> datetime:
    """Return when what an entry is about happened: a message was written before it joined the timeline."""
    sent = entry.fields.get("sent_at", "") if entry.kind is EntryKind.NOTED else ""
    return datetime.fromisoformat(sent) if sent else entry.at


def _noted(incident: Incident) -> Iterator[Entry]:
    return (entry for entry in incident.timeline if entry.kind is EntryKind.NOTED)
