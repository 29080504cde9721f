"""Lasting faults of ours, in the hash `tocsin:problems`: key -> JSON. Readiness, doctor and metrics show them.

A fault of ours is one that no retry mends and no person caused: configuration, scope, token, an archived channel, a
vendor that refuses us. Whoever meets it reports it, and clears it with the first success. Readiness is open to anybody
who reaches the port: a text names channels, keys and vendors, never what people wrote, their addresses or a secret.
"""

import json
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from redis import Redis

PROBLEMS = "tocsin:problems"
FAILING = "tocsin:problems:failing"  # key -> since when it fails in a row, and until when that counts; epoch seconds
FORGOTTEN_AFTER = 86_400.0  # seconds without another report: nobody meets it any more, so nobody could clear it
LASTING = timedelta(hours=1)  # of failures in a row: outages and upgrades are mostly over by then, people begin to miss
IN_A_ROW = 3600.0  # seconds: failures further apart are not in a row, and one that is not met for so long is over
RECURRING = 600.0  # seconds that a fault of recurring work stands: it is met again each minute, until it is mended
REPORT_IT = "look for it in the log, and report it"
BLOCKS_FOR = 600.0  # seconds without another report after which it is listed only: it may have been mended unseen


class Problem(NamedTuple):
    """What fails, what to do about it, since when and until when it was seen (epoch seconds).

    `blocks` is True if Tocsin cannot do its work: readiness fails. Otherwise it is listed only. `kept` is how many
    seconds it stays without another report.
    """

    key: str
    text: str
    remedy: str
    since: float
    seen: float
    blocks: bool = False
    kept: float = FORGOTTEN_AFTER


class Problems:
    """Register of lasting faults, shared by all processes. Its methods raise RedisError."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def report(
        self,
        key: str,
        text: str,
        remedy: str,
        *,
        blocks: bool = False,
        kept: float = FORGOTTEN_AFTER,
        lasted: float = 0.0,
    ) -> bool:
        """Write a fault down, or that it was met again. Return True if it is new.

        `key` says what it is about, like `channel:teams.backend.channel`: one problem for each. `kept`: seconds, as is
        `lasted`, for one that began before it is reported.
        """
        now = self._now()
        known = self._read(key)
        new = known is None or known.seen < now - known.kept
        since = now - lasted if known is None or new else known.since
        problem = Problem(key, text, remedy, since, now, blocks, kept)
        self._redis.hset(PROBLEMS, key, json.dumps(problem._asdict()))
        return new

    def report_passing(self, key: str, text: str, remedy: str, now: datetime, *, wait: float = 0.0) -> bool:
        """Report what should pass by itself once it has failed for an hour without a success. Return True if it is new.

        `now` is by the clock of whoever retries; `wait`: seconds until the next retry, if the other side asked for it.
        """
        at, counts = now.timestamp(), IN_A_ROW + wait
        raw: Any = self._redis.hget(FAILING, key)
        since, until = map(float, raw.split()) if raw else (at, at)
        since = since if at <= until else at
        self._redis.hset(FAILING, key, f"{since!r} {at + counts!r}")
        if at - since < LASTING.total_seconds():
            return False
        return self.report(key, text, remedy, kept=counts, lasted=at - since)

    def report_bug(self, about: str, error: Exception, *, kept: float = FORGOTTEN_AFTER) -> bool:
        """Report a fault of Tocsin itself. Return True if it is new."""
        text = f"a fault in Tocsin itself: {about} failed ({type(error).__name__})"
        return self.report(f"bug:{about}", text, REPORT_IT, kept=kept)

    def clear(self, key: str) -> bool:
        """Remove a fault, and end its failures in a row. Return True if it was there."""
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.hdel(FAILING, key)
            pipe.hdel(PROBLEMS, key)
            return bool(pipe.execute()[1])

    def known(self, key: str) -> bool:
        """True if a fault is written down."""
        return bool(self._redis.hexists(PROBLEMS, key))

    def current(self) -> list[Problem]:
        """Return the faults as they stand, those that block work first, then by age."""
        now = self._now()
        raw: dict[Any, Any] = self._redis.hgetall(PROBLEMS)
        found = [_decode(value) for value in raw.values()]
        if old := [problem.key for problem in found if problem.seen < now - problem.kept]:
            self._redis.hdel(PROBLEMS, *old)
        current = [
            problem._replace(blocks=problem.blocks and problem.seen >= now - BLOCKS_FOR)
            for problem in found
            if problem.key not in old
        ]
        return sorted(current, key=lambda problem: (not problem.blocks, problem.since, problem.key))

    def _read(self, key: str) -> Problem | None:
        raw: Any = self._redis.hget(PROBLEMS, key)
        return None if raw is None else _decode(raw)

    def _now(self) -> float:
        seconds, micros = self._redis.time()
        return float(seconds) + float(micros) / 1e6


def _decode(raw: Any) -> Problem:
    """Decode a stored problem; fields that a newer Tocsin added are left out."""
    stored = json.loads(raw)
    return Problem(**{field: stored[field] for field in Problem._fields if field in stored})
