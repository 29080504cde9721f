"""Tell an open incident which open action items of earlier ones were meant to prevent it, and their owners.

In the background: nobody who declares or is paged waits for it. An incident is compared again once its service, the
category of its cause or what it is like is known: `tocsin:action-items:compared` has what it was compared by.
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
from escalation.incident.state.entries import EntryKind
from escalation.messages.entries.likeness import ids_of
from escalation.reviews.action_items import ActionItem, ItemState
from escalation.storage.action_items import ActionItems
from workers.context import Context

COMPARED = "tocsin:action-items:compared"
MOST_INCIDENTS = 20  # in one round: after a storm the others follow in the next ones

log = structlog.get_logger()


class Preventions:
    """Compares open incidents with open action items. `stopping` ends a round early."""

    def __init__(self, context: Context, stopping: Callable[[], bool] = lambda: False) -> None:
        self._context = context
        self._stopping = stopping
        self._items = ActionItems(context.redis)

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
        for of in (*same, *(i for i in _alike(incident) if i in earlier and i not in same)):
            for item in earlier[of]:
                if item.at < incident.declared_at:
                    yield Prevention(
                        item=item.id,
                        at=item.at,
                        owner=item.owner if item.commitment else "",
                        due=item.due,
                        like=of not in same,
                    )

    def _on_path(self, incident: Incident, earlier: dict[str, list[ActionItem]]) -> list[str]:
        own = (incident.facts.service, incident.cause_category.casefold())
        return [s.id for s in self._context.store.observed(sorted(earlier)) if path_of(s) == own] if all(own) else []


def _compared_by(incident: Incident) -> str:
    return " ".join((incident.facts.service, incident.cause_category.casefold(), *_alike(incident)))


def _alike(incident: Incident) -> tuple[str, ...]:
    """The incidents of the past that this one is said to be like, once the search has looked."""
    entry = incident.latest(EntryKind.ALIKE)
    return ids_of(entry, "past") if entry else ()


def _recurred(item: ActionItem, incident: str, at: datetime) -> ActionItem:
    if any(known == incident for known, _ in item.again):
        return item
    return replace(item, again=(*item.again, (incident, at)))
