"""Action items in Redis.

Keys: `tocsin:action-items`, a hash id -> JSON; `tocsin:action-items:made`, incident -> its last number.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import date, datetime
from typing import Any

from redis import Redis, WatchError

from escalation.errors import Refused
from escalation.reviews.action_items import ActionItem, ItemState

ITEMS = "tocsin:action-items"
MADE = "tocsin:action-items:made"
MAX_TRIES = 20


class ActionItems:
    """Register of action items. Its methods raise RedisError."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def add(self, incident_id: str, make: Callable[[str], ActionItem]) -> ActionItem:
        """Add an item under the incident's next number."""
        number = self._redis.hincrby(MADE, incident_id, 1)
        item = make(f"{incident_id}/{number}")
        self._redis.hset(ITEMS, item.id, _encode(item))
        return item

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


def _encode(item: ActionItem) -> str:
    stored = {name: value for name, value in asdict(item).items() if value}
    return json.dumps(stored, default=lambda at: at.isoformat(), ensure_ascii=False)


def _decode(raw: bytes) -> ActionItem:
    stored = {name: value for name, value in json.loads(raw).items() if name in _FIELDS}
    stored["at"] = datetime.fromisoformat(stored["at"])
    stored["due"] = date.fromisoformat(stored["due"]) if stored.get("due") else None
    closed_at = stored.get("closed_at")
    stored["closed_at"] = datetime.fromisoformat(closed_at) if closed_at else None
    return ActionItem(**(stored | {"state": ItemState(stored["state"])}))


_FIELDS = tuple(field.name for field in fields(ActionItem))
