"""What is like an incident: open ones that may be the same problem, and closed ones with what fixed them. Pure.

Private incidents are never among it, whoever asks; a drill is like drills only.
"""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from escalation.incident.model import Incident
from escalation.incident.state.facts import Status
from escalation.reviews.action_items import ActionItem, item_line
from escalation.search.document import Document, document
from escalation.search.index import Index
from escalation.text import Line, Strong, Verbatim, line

MOST = 3  # of each kind
MAX_ITEMS = 3


class Likeness(NamedTuple):
    """Open incidents that may be the same problem, closed ones that were alike, and what is still open from those."""

    open: tuple[Document, ...] = ()
    past: tuple[Document, ...] = ()
    items: tuple[ActionItem, ...] = ()

    def __bool__(self) -> bool:
        """True if anything is like it."""
        return bool(self.open or self.past)


def find_alike(index: Index, incident: Incident) -> Likeness:
    """Find what is most like an incident, without action items."""
    own = document(incident)
    past = index.alike(own, lambda d: _comparable(incident.drill, d) and not d.open, MOST)
    return Likeness(find_same(index, own), tuple(a.document for a in past))


def find_same(index: Index, described: Document) -> tuple[Document, ...]:
    """Find open incidents that may be the problem that somebody describes, before it is declared."""
    found = index.alike(described, lambda d: _comparable(described.drill, d) and d.open, MOST)
    return tuple(a.document for a in found)


def to_join(own: Document, still_open: Sequence[Document]) -> str:
    """Return the id of the open incident that one may be closed as a duplicate of: as bad or worse; "" where none is.

    Of two as bad the earlier one goes on, so that nobody closes both.
    """
    mine = (own.severity, own.declared, own.id)
    joined = (d.id for d in still_open if (d.severity, d.declared, d.id) < mine)
    return next(joined, "")


def _comparable(drill: bool, other: Document) -> bool:
    return not other.private and other.drill is drill and other.status != Status.CANCELLED


def same_lines(found: Likeness) -> tuple[Line, ...]:
    """Lines about open incidents that may be the same problem."""
    return tuple(line("• ", *incident_line(other)) for other in found.open)


def past_lines(found: Likeness, today: date) -> tuple[Line, ...]:
    """Lines about those of the past: cause, what fixed them, and what is still to be done."""
    lines: list[Line] = []
    for other in found.past:
        lines.append(line("• ", *incident_line(other)))
        lines += [line(f"{name}: ", Verbatim(text)) for name, text in _known(other) if text]
        lines += _still_open([item for item in found.items if item.incident == other.id], today)
    return tuple(lines)


def _still_open(items: Sequence[ActionItem], today: date) -> list[Line]:
    head = [line("Still open from it, and perhaps meant to prevent this:")] if items else []
    more = [line(f"… and {len(items) - MAX_ITEMS} more.")] if len(items) > MAX_ITEMS else []
    return [*head, *(item_line(item, today) for item in items[:MAX_ITEMS]), *more]


def incident_line(other: Document) -> Line:
    """Severity, id, title and service of an incident."""
    service = f" ({other.service})" if other.service else ""
    return line(Strong(f"{other.severity} {other.id} "), Verbatim(other.title), f"{service}")


def _known(other: Document) -> tuple[tuple[str, str], ...]:
    return (("Cause", other.cause), ("What fixed it", other.fixed))
