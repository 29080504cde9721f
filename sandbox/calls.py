"""The log of Web API calls, in order, for assertions."""

from collections import deque
from dataclasses import asdict, dataclass

from sandbox.records import Json

REMEMBERED = 20_000


@dataclass
class LoggedCall:
    """One call: `n` counts from 1, `at` is Unix seconds; `ok` and `status` are None until it was answered."""

    n: int
    method: str
    args: Json
    token: str
    at: float
    ok: bool | None = None
    error: str | None = None
    status: int | None = None


class CallLog:
    """The last 20,000 calls since the start, or since it was cleared."""

    def __init__(self) -> None:
        self._calls: deque[LoggedCall] = deque(maxlen=REMEMBERED)
        self._count = 0

    def begin(self, method: str, args: Json, token: str, at: float) -> LoggedCall:
        self._count += 1
        call = LoggedCall(self._count, method, args, token, at)
        self._calls.append(call)
        return call

    def after(self, n: int, method: str | None) -> list[Json]:
        """The calls numbered above `n`, of one method or of all."""
        return [asdict(call) for call in self._calls if call.n > n and method in (None, "", call.method)]

    def clear(self) -> None:
        self._calls.clear()
