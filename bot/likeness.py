"""What is like an incident: open ones that may be the same problem, and closed ones with what fixed them."""

from datetime import date
from typing import NamedTuple

from bot.access import Access
from bot.render.blockkit import Message
from bot.render.lists import buttons, say
from bot.render.replies import lines_reply
from escalation.incident.model import Incident
from escalation.incident.state.facts import Status
from escalation.reviews.action_items import ActionItem, ItemState, item_line
from escalation.search.document import Document, document
from escalation.storage.action_items import ActionItems
from escalation.storage.search.documents import Search
from escalation.text import Line, Strong, Verbatim, line

MOST = 3  # of each kind
MAX_ITEMS = 3
NONE = "No other incident is like this one."


class Likeness(NamedTuple):
    """Open incidents that may be the same problem, closed ones that were alike, and what is still open from those."""

    open: tuple[Document, ...]
    past: tuple[Document, ...]
    items: tuple[ActionItem, ...] = ()


class Likenesses:
    """Finder of what is like an incident. Private incidents are never among it, whoever asks."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._search = Search(access.deps.store)
        self._items = ActionItems(access.deps.redis)

    async def of(self, incident: Incident) -> Message | None:
        """Build the message about what is like an incident; None when nothing is."""
        found = await self._access.run(self._find, incident)
        if not found.open and not found.past:
            return None
        message = lines_reply(likeness_lines(incident, found))
        show = [say(f"show {d.id}", f"Show {d.id[4:]}", f"show-{d.id}") for d in (*found.open, *found.past)][:5]
        return Message(text=message.text, blocks=[*message.blocks, *buttons(show, "alike")])

    def _find(self, incident: Incident) -> Likeness:
        own = document(incident)

        def comparable(other: Document) -> bool:
            return not other.private and other.drill is incident.drill and other.status != Status.CANCELLED

        with self._search as index:
            same = index.alike(own, lambda d: comparable(d) and d.open, MOST)
            past = index.alike(own, lambda d: comparable(d) and not d.open, MOST)
        items = [i for a in past for i in self._items.of(a.document.id) if i.state is ItemState.OPEN]
        return Likeness(tuple(a.document for a in same), tuple(a.document for a in past), tuple(items))


def likeness_lines(incident: Incident, found: Likeness) -> tuple[Line, ...]:
    """Lines: likely duplicates and how to merge them, then the past with cause, fix and open action items."""
    lines: list[Line] = []
    if found.open:
        lines.append(line(Strong("Maybe the same problem as an open incident:")))
        lines += [_head(other) for other in found.open]
        cancel = f"`/incident cancel {incident.id} duplicate of {found.open[0].id}`"
        lines.append(line(f"If it is the same, {cancel} closes this one; go on in that one."))
    if found.past:
        lines.append(line(Strong("Similar incidents of the past:")))
    for other in found.past:
        lines.append(_head(other))
        lines += [line(f"{name}: ", Verbatim(text)) for name, text in _known(other) if text]
        open_items = [item for item in found.items if item.incident == other.id]
        if open_items:
            lines.append(line("Still open from it, and perhaps meant to prevent this:"))
        lines += [item_line(item, _today(incident)) for item in open_items[:MAX_ITEMS]]
    return tuple(lines)


def _today(incident: Incident) -> date:
    return incident.declared_at.date()


def _head(other: Document) -> Line:
    service = f" ({other.service})" if other.service else ""
    return line("• ", Strong(f"{other.severity} {other.id} "), Verbatim(other.title), f"{service}")


def _known(other: Document) -> tuple[tuple[str, str], ...]:
    return (("Cause", other.cause), ("What fixed it", other.fixed))
