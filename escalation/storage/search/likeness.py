"""Likeness of incidents by what is stored: found by the search, or of incidents that were found before."""

from collections.abc import Sequence

from escalation.incident.model import Incident
from escalation.reviews.action_items import ItemState
from escalation.search.document import document
from escalation.search.likeness import Likeness, find_alike
from escalation.storage.action_items import ActionItems
from escalation.storage.search.documents import Incidents, Search


class Likenesses:
    """Finder of what is like an incident. Its methods raise RedisError."""

    def __init__(self, store: Incidents, search: Search | None = None) -> None:
        self._store = store
        self._search = search or Search(store)
        self._items = ActionItems(store.redis)

    def of(self, incident: Incident) -> Likeness:
        """Find what is like an incident."""
        with self._search as index:
            found = find_alike(index, incident)
        return self._with_items(found)

    def named(self, still_open: Sequence[str], past: Sequence[str]) -> Likeness:
        """Read what was found before, as it stands; what became private since is left out."""
        known = {i.id: document(i) for i in self._store.read([*still_open, *past]) if not i.private}
        of_open, of_past = (tuple(known[i] for i in ids if i in known) for ids in (still_open, past))
        return self._with_items(Likeness(of_open, of_past))

    def _with_items(self, found: Likeness) -> Likeness:
        items = (item for other in found.past for item in self._items.of(other.id))
        return found._replace(items=tuple(item for item in items if item.state is ItemState.OPEN))
