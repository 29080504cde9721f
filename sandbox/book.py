"""A dictionary that remembers which of its rows changed, so that storage can write just those."""

from collections.abc import Iterator, MutableMapping
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")


class Book(MutableMapping[str, T], Generic[T]):
    """Rows of one kind, by id, in the order they were first written."""

    def __init__(self, kind: str, row_type: Any) -> None:
        self.kind = kind
        self._adapter: TypeAdapter[T] = TypeAdapter(row_type)
        self._rows: dict[str, T] = {}
        self._changed: dict[str, None] = {}

    def __getitem__(self, key: str) -> T:
        return self._rows[key]

    def __setitem__(self, key: str, row: T) -> None:
        self._rows[key] = row
        self._changed[key] = None

    def __delitem__(self, key: str) -> None:
        del self._rows[key]
        self._changed[key] = None

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def take_changes(self) -> list[tuple[str, str, str | None]]:
        """(kind, key, JSON or None when the row is gone) of every row changed since the last call."""
        changes = [(self.kind, key, self._json(key)) for key in self._changed]
        self._changed.clear()
        return changes

    def forget(self, keys: list[str]) -> None:
        """Count rows of an earlier book as gone, so that storage drops them."""
        self._changed.update(dict.fromkeys(keys))

    def restore(self, key: str, json: str) -> None:
        """Put a stored row back, without counting it as a change."""
        self[key] = self._adapter.validate_json(json)
        self._changed.pop(key, None)

    def _json(self, key: str) -> str | None:
        return self._adapter.dump_json(self._rows[key]).decode() if key in self._rows else None
