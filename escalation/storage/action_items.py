"""Action items in Redis.

Keys: `tocsin:action-items`, a hash id -> JSON; `tocsin:action-items:made`, incident -> its last number.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from datetime import date, datetime
from functools import partial
from typing import Any

from redis import Redis, WatchError

from escalation.config.tickets import Vendor
from escalation.errors import Refused
from escalation.reviews.action_items import ActionItem, ItemState, ItemTicket

ITEMS = "tocsin:action-items"
MADE = "tocsin:action-items:made"
MAX_TRIES = 20


class ActionItems:
    """Register of action items. Its methods raise RedisError."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def add(self, incident_id: str, make: Callable[[str], ActionItem]) -> ActionItem:
        """Add an item under the incident's next number; what was noted before by the same key is returned as it is."""
        for _ in range(MAX_TRIES):
            with self._redis.pipeline() as pipe:
                pipe.watch(MADE)  # type: ignore[no-untyped-call]  # redis-py left it untyped
                made: Any = pipe.hget(MADE, incident_id)
                number = int(made or 0) + 1
                item = make(f"{incident_id}/{number}")
                if item.once and (before := self._noted(incident_id, item.once)):
                    return before
                pipe.multi()
                pipe.hset(MADE, incident_id, number)
                pipe.hset(ITEMS, item.id, _encode(item))
                try:
                    pipe.execute()
                    return item
                except WatchError:
                    continue
        raise Refused("Too many people note action items at once. Try again.")

    def _noted(self, incident_id: str, once: str) -> ActionItem | None:
        return next((item for item in self.of(incident_id) if item.once == once), None)

    def all(self) -> list[ActionItem]:
        """Return every item, in no order."""
        stored: Any = self._redis.hvals(ITEMS)
        return [_decode(raw) for raw in stored]

    def of(self, incident_id: str) -> list[ActionItem]:
        """Return an incident's items, in the order of their numbers."""
        made: Any = self._redis.hget(MADE, incident_id)
        ids = [f"{incident_id}/{n}" for n in range(1, int(made or 0) + 1)]
        stored: Any = self._redis.hmget(ITEMS, ids) if ids else []
        return [_decode(raw) for raw in stored if raw]

    def get(self, item_id: str) -> ActionItem | None:
        """Return an item; None if there is none."""
        raw: Any = self._redis.hget(ITEMS, item_id)
        return _decode(raw) if raw else None

    def change(self, item_id: str, step: Callable[[ActionItem], ActionItem]) -> ActionItem:
        """Apply a pure step to an item. Raises Refused for an unknown one; what the step raises passes through."""
        for _ in range(MAX_TRIES):
            with self._redis.pipeline() as pipe:
                pipe.watch(ITEMS)  # type: ignore[no-untyped-call]  # redis-py left it untyped
                raw: Any = pipe.hget(ITEMS, item_id)
                if raw is None:
                    raise Refused(f"There is no action item {item_id}. `/incident actions` lists them.")
                after = step(_decode(raw))
                pipe.multi()
                pipe.hset(ITEMS, item_id, _encode(after))
                try:
                    pipe.execute()
                    return after
                except WatchError:
                    continue
        raise Refused("Too many people change action items at once. Try again.")

    def make_private(self, incident_id: str) -> None:
        """Take over that an incident became private: no item of others is said to have been meant to prevent it."""
        for item in self.all():
            if any(later == incident_id for later, _ in item.again):
                self.change(item.id, partial(_without_later, incident_id=incident_id))
        for item in self.of(incident_id):
            if not item.private:
                self.change(item.id, lambda before: replace(before, private=True))


def _without_later(item: ActionItem, incident_id: str) -> ActionItem:
    return replace(item, again=tuple(each for each in item.again if each[0] != incident_id))


def _encode(item: ActionItem) -> str:
    stored = {name: value for name, value in asdict(item).items() if value}
    if item.ticket:
        stored["ticket"] = {name: value for name, value in stored["ticket"].items() if value != _USUAL.get(name)}
    return json.dumps(stored, default=lambda at: at.isoformat(), ensure_ascii=False)


def _decode(raw: bytes) -> ActionItem:
    stored = _known(json.loads(raw), _FIELDS)
    stored["again"] = tuple((incident, datetime.fromisoformat(at)) for incident, at in stored.get("again", ()))
    stored["ticket"] = _ticket(stored["ticket"]) if stored.get("ticket") else None
    return ActionItem(**(stored | {"state": ItemState(stored["state"])}))


def _ticket(stored: dict[str, Any]) -> ItemTicket:
    known = _known(stored, _TICKET_FIELDS)
    given = {"vendor": Vendor(known["vendor"]), "assignees": tuple(known.get("assignees", ()))}
    return ItemTicket(**(known | given))


def _known(stored: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Leave out fields that a newer Tocsin added, and read days and instants."""
    read = {name: value for name, value in stored.items() if name in names}
    for name in ("at", "closed_at", "updated"):
        if read.get(name):
            read[name] = datetime.fromisoformat(read[name])
    for name in ("due", "promised"):
        if read.get(name):
            read[name] = date.fromisoformat(read[name])
    return read


_FIELDS = tuple(field.name for field in fields(ActionItem))
_TICKET_FIELDS = tuple(field.name for field in fields(ItemTicket))
_USUAL = {field.name: field.default for field in fields(ItemTicket)}
