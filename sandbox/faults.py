"""Faults on demand for Web API calls: each waits for a call that matches and is then used up."""

from collections.abc import Collection
from typing import Any, Literal

from sandbox.records import Json, Record

Kind = Literal["ratelimited", "error", "status", "drop_before", "drop_after", "hang", "slow", "without"]


class Fault(Record):
    """What goes wrong, for which method ("*": any) and arguments, and how many more times (None: always)."""

    id: str = ""
    method: str = "*"
    kind: Kind
    error: str = "internal_error"
    status: int = 500
    retry_after: int = 1
    seconds: float | None = None
    fields: tuple[str, ...] = ()
    times: int | None = 1
    match: Json = {}


class Faults:
    """The faults that are waiting, oldest first."""

    def __init__(self) -> None:
        self._waiting: dict[str, Fault] = {}
        self._serial = 0

    def add(self, fault: Fault) -> Fault:
        self._serial += 1
        named: Fault = fault.changed(id=f"fault-{self._serial}")
        self._waiting[named.id] = named
        return named

    def waiting(self) -> list[Fault]:
        return list(self._waiting.values())

    def clear(self) -> None:
        self._waiting.clear()

    def take(self, method: str, args: Json) -> Fault | None:
        """The oldest fault for this call, counted as used."""
        fault = next((row for row in self._waiting.values() if _matches(row, method, args)), None)
        if fault is not None and fault.times is not None:
            self._use(fault, fault.times - 1)
        return fault

    def _use(self, fault: Fault, left: int) -> None:
        if left > 0:
            self._waiting[fault.id] = fault.changed(times=left)
        else:
            del self._waiting[fault.id]


def lacking(answer: Any, fields: Collection[str]) -> Any:
    """The answer without these fields, wherever they stand in it."""
    if isinstance(answer, dict):
        return {name: lacking(value, fields) for name, value in answer.items() if name not in fields}
    return [lacking(value, fields) for value in answer] if isinstance(answer, list) else answer


def _matches(fault: Fault, method: str, args: Json) -> bool:
    if fault.method not in ("*", method):
        return False
    return all(str(args.get(name)) == str(value) for name, value in fault.match.items())
