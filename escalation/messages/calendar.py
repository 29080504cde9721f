"""Calendar events as mail carries them: iCalendar (RFC 5545), as a request or a cancellation (iTIP, RFC 5546)."""

from dataclasses import dataclass
from datetime import UTC, datetime

from escalation.text import clean

_LINE = 75  # octets of a line, beside its end: RFC 5545, 3.1


@dataclass(frozen=True)
class CalendarEvent:
    """An event to which one person is invited. `sequence` counts its changes; `stamp` is when it was last changed."""

    uid: str
    sequence: int
    starts: datetime
    ends: datetime
    stamp: datetime
    summary: str
    description: str = ""
    location: str = ""
    cancelled: bool = False

    @property
    def method(self) -> str:
        """What is asked of the reader's calendar; header and body have to say the same."""
        return "CANCEL" if self.cancelled else "REQUEST"


def icalendar(event: CalendarEvent, organizer: str, attendee: str) -> str:
    """Render an event for one attendee. Both are mail addresses; the organizer has to be the mail's sender."""
    lines = (
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Tocsin//Incidents//EN",
        "CALSCALE:GREGORIAN",
        f"METHOD:{event.method}",
        "BEGIN:VEVENT",
        f"UID:{_text(event.uid)}",
        f"SEQUENCE:{event.sequence}",
        f"DTSTAMP:{_instant(event.stamp)}",
        f"DTSTART:{_instant(event.starts)}",
        f"DTEND:{_instant(event.ends)}",
        f"SUMMARY:{_text(event.summary)}",
        *([f"DESCRIPTION:{_text(event.description)}"] if event.description else []),
        *([f"LOCATION:{_text(event.location)}"] if event.location else []),
        f"ORGANIZER;CN=Tocsin:mailto:{organizer}",
        "ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE"
        f";CN={_parameter(attendee)}:mailto:{attendee}",
        f"STATUS:{'CANCELLED' if event.cancelled else 'CONFIRMED'}",
        "TRANSP:OPAQUE",
        "END:VEVENT",
        "END:VCALENDAR",
    )
    return "".join(f"{_folded(line)}\r\n" for line in lines)


def _instant(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _text(raw: str) -> str:
    """Escape a text value: RFC 5545, 3.3.11."""
    escaped = clean(raw).replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return escaped.replace("\n", "\\n")


def _parameter(raw: str) -> str:
    """Quote a parameter's value, which holds no quote and no control character: RFC 5545, 3.2."""
    return '"' + "".join(c for c in raw if c >= " " and c != '"') + '"'


def _folded(line: str) -> str:
    """Fold a long line, between characters: each further line begins with a blank."""
    pieces, piece, size = [], "", 0
    for character in line:
        width = len(character.encode("utf-8", "replace"))
        if size + width > _LINE:
            pieces.append(piece)
            piece, size = " ", 1
        piece, size = piece + character, size + width
    return "\r\n".join((*pieces, piece))
