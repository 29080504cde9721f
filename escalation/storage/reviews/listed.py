"""The Slack List of action items. Keys: `tocsin:action-list`, JSON; `tocsin:action-list:rows`, a hash item -> JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

from redis import Redis

from escalation.reviews.listed import Listed

LIST, ROWS = "tocsin:action-list", "tocsin:action-list:rows"


@dataclass(frozen=True)
class SlackList:
    """The list: its id in Slack, its columns' ids by our keys, and its choices' values by our states.

    Without `id` it is being created since `begun`, or is to be. `made` counts creations that may have made one.
    `shared` is the channel whose members may read it.
    """

    id: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)
    shared: str = ""
    begun: datetime | None = None
    made: int = 0


class ListRecords:
    """What is known of the list and its rows. Its methods raise RedisError."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def get(self) -> SlackList | None:
        """Return the list; None if none was ever begun."""
        raw: Any = self._redis.get(LIST)
        if raw is None:
            return None
        stored = _known(raw, _LIST_FIELDS)
        begun = datetime.fromisoformat(stored["begun"]) if stored.get("begun") else None
        return SlackList(**(stored | {"begun": begun}))

    def save(self, there: SlackList) -> None:
        """Store what is known of the list."""
        self._redis.set(LIST, _encode(there))

    def forget(self) -> None:
        """Remove the list: one may be begun anew."""
        self._redis.delete(LIST)

    def rows(self) -> dict[str, Listed]:
        """Return every row by its item."""
        stored: Any = self._redis.hgetall(ROWS)
        return {str(item, "utf-8"): Listed(**_known(raw, _ROW_FIELDS)) for item, raw in stored.items()}

    def save_row(self, item: str, row: Listed) -> None:
        """Store what is known of a row."""
        self._redis.hset(ROWS, item, _encode(row))

    def forget_row(self, item: str) -> None:
        """Remove a row that is not there any more."""
        self._redis.hdel(ROWS, item)


def _encode(record: SlackList | Listed) -> str:
    kept = {name: value for name, value in asdict(record).items() if value}
    return json.dumps(kept, default=lambda at: at.isoformat(), ensure_ascii=False)


def _known(raw: bytes, names: tuple[str, ...]) -> dict[str, Any]:
    """Leave out fields that a newer Tocsin added."""
    return {name: value for name, value in json.loads(raw).items() if name in names}


_LIST_FIELDS = tuple(each.name for each in fields(SlackList))
_ROW_FIELDS = tuple(each.name for each in fields(Listed))
