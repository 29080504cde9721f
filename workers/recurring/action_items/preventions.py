"""Tell an open incident which open action items of earlier ones were meant to prevent it, and their owners.

In the background: nobody who declares or is paged waits for it. An incident is compared when it is there, and again
once its service or the category of its cause is another one: `tocsin:action-items:compared` has what those were.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import structlog

from escalation.errors import NotFound, Refused
from escalation.figures.recurrence import path_of
from escalation.incident.events.news import Prevention, PreventionsFound
from escalation.incident.model import Incident
from escalation.reviews.action_items import ActionItem, ItemState
from escalation.search.document import document
from escalation.storage.action_items import ActionItems
from escalation.storage.search.documents import Search
from workers.context import Context

COMPARED = "tocsin:action-items:compared"
MOST_INCIDENTS = 20  # in one round: after a storm the others follow in the next ones
MOST_ALIKE = 3  # earlier incidents, as in what whoever declares is shown

log = structlog.get_logger()


class Preventions:
    """Compares open incidents with open action items. `stopping` ends a round early."""

    def __init__(self, context: Context, stopping: Callable[[], bool] = lambda: False) -> None:
        self._context = context
        self._stopping = stopping
        self._items = ActionItems(context.redis)
        self._search = Search(context.store)

    def check(self, now: datetime) -> None:
        """Compare what was not compared yet. Private incidents' items are named nowhere, and drills repeat nothing."""
        incidents = [i for i in self._context.store.open_incidents() if not i.drill]
        known = self._compared(incidents)
        fresh = [i for i in incidents if known.get(i.id) != _compared_by(i)][:MOST_INCIDENTS]
        items = self._open_items() if fresh else {}
        for incident in fresh:
            if not self._stopping():
                self._tell(incident, items, now)
                self._context.redis.hset(COMPARED, incident.id, _compared_by(incident))

    def _compared(self, incidents: Iterable[Incident]) -> dict[str, str]:
        """What each open incident was compared by; of the others it is forgotten."""
        raw: Any = self._context.redis.hgetall(COMPARED)
        known = {str(name, "utf-8"): str(by, "utf-8") for name, by in raw.items()}
        if over := known.keys() - {incident.id for incident in incidents}:
            self._context.redis.hdel(COMPARED, *over)
        return known

    def _open_items(self) -> dict[str, list[ActionItem]]:
        """Open items by the incident that they are from, of those that are over and that everybody may see."""
        found: dict[str, list[ActionItem]] = {}
        for item in self._items.all():
            if item.state is ItemState.OPEN and not item.private:
                found.setdefault(item.incident, []).append(item)
        seen = self._context.store.observed(sorted(found))
        return {s.id: found[s.id] for s in seen if not (s.private or s.drill or s.cancelled or s.open)}

    def _tell(self, incident: Incident, items: dict[str, list[ActionItem]], now: datetime) -> None:
        found = tuple(self._found(incident, items))
        if not found:
            return
        try:
            self._context.service.handle(incident.id, PreventionsFound(items=found))
        except (Refused, NotFound) as error:  # during an upgrade, or it was removed
            log.warning("action items not named", incident=incident.id, why=str(error))
            return
        if not incident.private:  # nobody outside hears that there is one
            for each in found:
                self._items.change(each.item, partial(_recurred, incident=incident.id, at=now))

    def _found(self, incident: Incident, items: dict[str, list[ActionItem]]) -> Iterator[Prevention]:
        """Yield the items on its path: of incidents with the same service and cause, then of those that are alike."""
        earlier = {of: kept for of, kept in items.items() if of != incident.id}
        same = self._on_path(incident, earlier)
        for of in (*same, *(i for i in self._alike(incident, earlier) if i not in same)):
            for item in earlier[of]:
                if item.at < incident.declared_at:
                    yield Prevention(
                        item=item.id,
                        text=item.text,
                        by=item.by,
                        at=item.at,
                        owner=item.owner if item.commitment else "",
                        due=item.due,
                        like=of not in same,
                    )

    def _on_path(self, incident: Incident, earlier: dict[str, list[ActionItem]]) -> list[str]:
        own = (incident.facts.service, incident.cause_category.casefold())
        return [s.id for s in self._context.store.observed(sorted(earlier)) if path_of(s) == own] if all(own) else []

    def _alike(self, incident: Incident, earlier: dict[str, list[ActionItem]]) -> list[str]:
        if not earlier:
            return []
        with self._search as index:
            near = index.alike(document(incident), lambda d: d.id in earlier and not d.private, MOST_ALIKE)
        return [each.document.id for each in near]


def _compared_by(incident: Incident) -> str:
    return f"{incident.facts.service} {incident.cause_category.casefold()}"


def _recurred(item: ActionItem, incident: str, at: datetime) -> ActionItem:
    if any(known == incident for known, _ in item.again):
        return item
    return replace(item, again=(*item.again, (incident, at)))
