"""Incidents in Redis. A change, its due times and its jobs are one commit. The domain does I/O in this package only.

Keys (JSON or plain text) beside those of `indexes` and `heartbeats`: `tocsin:counter:{day}` the day's number;
`tocsin:key:{key}` what a modal's submit made; `tocsin:directory` the workspace's people; `tocsin:away` the last outage;
`tocsin:duty` overrides, absences, calendar feeds and test pages; `tocsin:upkeep` is there for a
while after the regular work was asked for; `tocsin:ledger` what happened when, for the objectives.
"""

import functools
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

from redis import ConnectionError as RedisConnectionError
from redis import Redis, RedisError, WatchError
from redis.client import Pipeline

from escalation.config.company import Directory
from escalation.config.policy import Severity
from escalation.errors import NotFound, TooNew
from escalation.incident.model import Incident
from escalation.oncall.schedule import OncallState
from escalation.slo import LOST_AFTER, Objective, Record, Report, decode, report
from escalation.storage import indexes, migrations
from escalation.storage.alarms import Commit
from escalation.storage.indexes import ALARMS, ALL, OPEN, ROOMS, SHARED, open_of

DIRECTORY = "tocsin:directory"
DUTY = "tocsin:duty"
AWAY = "tocsin:away"
UPKEEP = "tocsin:upkeep"
LEDGER = "tocsin:ledger"
T = TypeVar("T")
MAX_SHARED = 20
MAX_LISTED = 200  # open incidents that are looked through for a list: reading each takes a tenth of a millisecond
READ_AT_ONCE = 1000
MAX_TRIES = 100  # far more than people who press at one instant
MAX_LOST_CONNECTIONS = 5  # connections
KEY_LIFETIME = 86_400  # seconds; a modal is not submitted a day later


class Outbox(Protocol):
    """Turns what a commit has to set off into jobs, inside the same transaction (`pipe` is in MULTI already)."""

    def __call__(self, pipe: "Pipeline", changes: "Sequence[Commit]") -> None: ...


class Store:
    """Incidents by id. `outbox` is handed in, so that this module knows nothing of jobs.

    `read` turns a stored document into an incident; whatever meets one of a newer Tocsin raises its TooNew, but lists
    leave that one out.
    """

    def __init__(self, redis: Redis, outbox: Outbox, read: Callable[[Any], Incident] = migrations.read) -> None:
        self.redis = redis
        self._outbox = outbox
        self._read = read

    def get(self, incident_id: str) -> Incident:
        """The incident as it stands; NotFound if there is none."""
        raw = self.redis.get(indexes.key(incident_id))
        if raw is None:
            raise NotFound(incident_id)
        return self._read(raw)

    def update(self, incident_id: str, step: Callable[[Incident], Incident]) -> Incident:
        """Apply a pure step to the latest state and commit all that follows from it, at once or not at all.

        The step may run several times. What it raises passes through, and nothing is committed then.
        """

        def attempt(pipe: Pipeline, stamp: str) -> Incident:
            pipe.watch(indexes.key(incident_id))  # type: ignore[no-untyped-call]  # redis-py left it untyped
            before = self._load(pipe, incident_id)
            if before is None:
                raise NotFound(incident_id)
            if before.stamp == stamp:
                return before
            after = step(before)
            return before if after is before else self._commit(pipe, before, after, stamp)

        return self._until_committed(attempt)

    def update_all(
        self, ids: Sequence[str], step: Callable[[Incident], Incident]
    ) -> dict[str, tuple[Incident, Incident]]:
        """Apply a pure step to several incidents in one commit, tried once: before and after, by id.

        Incidents that are not in the answer were left as they are: unknown, unreadable, or changed by somebody else in
        that instant (then it is none of them). `update` deals with those.
        """
        stamp = uuid.uuid4().hex
        with self.redis.pipeline() as pipe:
            pipe.watch(*map(indexes.key, ids))  # type: ignore[no-untyped-call]  # as above
            found: Any = pipe.mget([indexes.key(i) for i in ids])
            known = [incident for raw in found if raw and (incident := self._intact(raw))]
            changes = {before.id: (before, step(before)) for before in known}
            changed = ((b, a) for b, a in changes.values() if a is not b)
            written = [Commit(b, a.model_copy(update={"stamp": stamp})) for b, a in changed]
            pipe.multi()
            _write(pipe, written)
            self._outbox(pipe, written)
            try:
                pipe.execute()
            except WatchError:
                return {}
        return changes

    def declare(self, day: str, key: str, make: Callable[[str], Incident]) -> Incident:
        """Commit a new incident under the day's next number (`day` as 20241218). A known `key` gives its incident."""
        born = ""

        def attempt(pipe: Pipeline, stamp: str) -> Incident:
            nonlocal born
            counter, once = f"tocsin:counter:{day}", f"tocsin:key:{key}"
            pipe.watch(counter, once)  # type: ignore[no-untyped-call]  # as above
            if born and (done := self._load(pipe, born)) and done.stamp == stamp:
                return done
            if key and (known := pipe.get(once)):
                return self.get(_text(known))
            number = int(_text(pipe.get(counter) or b"0")) + 1
            born = f"INC-{day}-{number:03d}"
            after = make(born)
            pipe.multi()
            pipe.set(counter, number)
            if key:
                pipe.set(once, born, ex=KEY_LIFETIME)
            return self._commit(pipe, None, after, stamp)

        return self._until_committed(attempt)

    def _load(self, pipe: Pipeline, incident_id: str) -> Incident | None:
        raw: Any = pipe.get(indexes.key(incident_id))
        return self._read(raw) if raw else None

    def _commit(self, pipe: Pipeline, before: Incident | None, after: Incident, stamp: str) -> Incident:
        after = after.model_copy(update={"stamp": stamp})
        if before is not None:
            pipe.multi()
        changes = [Commit(before, after)]
        _write(pipe, changes)
        self._outbox(pipe, changes)
        pipe.execute()
        return after

    def _until_committed(self, attempt: Callable[[Pipeline, str], T]) -> T:
        """Try until the transaction went through.

        redis-py reports a lost connection as WatchError too, even when EXEC had arrived: the stamp tells. It does so
        for a server that takes no writes as well (a failover without replicas), which must not be asked for long:
        somebody who clicked waits, and with sentinels each new connection takes its time.
        """
        stamp, lost = uuid.uuid4().hex, 0
        for _ in range(MAX_TRIES):
            try:
                with self.redis.pipeline() as pipe:
                    return attempt(pipe, stamp)
            except WatchError as disturbed:
                lost += isinstance(disturbed.__context__, RedisError)
                if lost == MAX_LOST_CONNECTIONS:
                    break
        raise RedisConnectionError("no transaction went through: is there a server that takes writes?")

    # Reading ---------------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The server's clock: the one that all hosts agree on."""
        seconds, micros = self.redis.time()
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)

    def open_incidents(self, most: int | None = None) -> tuple[Incident, ...]:
        """Open incidents, the newest first; when there are more than `most`, those of the worst severities."""
        ids = {_text(i) for i in self.redis.smembers(OPEN)} if most is None else self._worst(most)
        return tuple(self._many(sorted(ids, reverse=True)))

    def _worst(self, most: int) -> set[str]:
        with self.redis.pipeline(transaction=False) as pipe:
            for severity in Severity:
                pipe.zrevrange(open_of(severity), 0, most - 1)
            found = [_text(i) for ids in pipe.execute() for i in ids]
        return set(found[:most])

    def open_counts(self) -> dict[Severity, int]:
        """How many are open of each severity; nothing is read of them."""
        with self.redis.pipeline(transaction=False) as pipe:
            for severity in Severity:
                pipe.zcard(open_of(severity))
            return dict(zip(Severity, pipe.execute(), strict=True))

    def open_count(self) -> int:
        """How many are open, those that only a newer Tocsin can read included."""
        return int(self.redis.scard(OPEN))

    def recent(self, count: int = 20) -> tuple[Incident, ...]:
        """The latest incidents, open or closed, the newest first."""
        return tuple(self._many([_text(i) for i in self.redis.zrevrange(ALL, 0, count - 1)]))

    def shared(self) -> tuple[Incident, ...]:
        """Open incidents whose war room the next one would share: the first of them first, no more than a few."""
        ids = sorted(_text(i) for i in self.redis.smembers(SHARED))
        return tuple(self._many(ids[:MAX_SHARED]))

    def of_room(self, channel: str) -> Incident | None:
        """The incident whose war room a channel is, or was."""
        known = self.redis.hget(ROOMS, channel)
        return self.get(_text(known)) if known else None

    def _many(self, ids: list[str]) -> Iterator[Incident]:
        if ids:
            yield from filter(None, map(self._readable, filter(None, self.redis.mget([indexes.key(i) for i in ids]))))

    def _readable(self, raw: Any) -> Incident | None:
        """For lists: one document of a newer version must not hide the others."""
        try:
            return self._read(raw)
        except TooNew:
            return None

    def _intact(self, raw: Any) -> Incident | None:
        """For work on many: one that cannot be read must not stop the others."""
        try:
            return self._readable(raw)
        except (ValueError, KeyError):  # no JSON, no incident, or nothing that its version explains
            return None

    def report(self, objective: Objective, last: timedelta, now: datetime) -> Report:
        """How well the objective was kept of late."""
        lost = self.redis.zcount(ALARMS, "-inf", repr((now - LOST_AFTER).timestamp()))
        return report(self._ledger(now - last), objective, now - last, now, int(lost))

    def _ledger(self, since: datetime) -> Iterator[Record]:
        """What was written down since then: the stream's ids are the server's time in milliseconds."""
        start = str(max(0, int(since.timestamp() * 1000)))
        while True:
            found: Any = self.redis.xrange(LEDGER, min=start, count=READ_AT_ONCE)
            yield from (record for _, fields in found for record in decode(fields[b"r"]))
            if len(found) < READ_AT_ONCE:
                return
            start = f"({_text(found[-1][0])}"

    def directory(self) -> Directory:
        """What the workspace told us about its people, last time it was asked."""
        return _directory(self.redis.get(DIRECTORY))

    def save_directory(self, directory: Directory) -> None:
        self.redis.set(DIRECTORY, directory.model_dump_json())

    def last_outage(self) -> tuple[datetime, datetime] | None:
        """From when until when nobody watched the clock, the last time that this was so."""
        raw: Any = self.redis.get(AWAY)
        if not raw:
            return None
        since, until = (datetime.fromtimestamp(float(at), UTC) for at in _text(raw).split())
        return since, until

    # Duty ------------------------------------------------------------------------------------------------------------

    def oncall_state(self) -> OncallState:
        """Overrides, absences, feeds and test pages as they stand."""
        return _duty(self.redis.get(DUTY))

    def directory_and_oncall_state(self) -> tuple[Directory, OncallState]:
        """Both at once: whatever happens asks for them."""
        people, arranged = self.redis.mget(DIRECTORY, DUTY)
        return _directory(people), _duty(arranged)

    def request_upkeep(self) -> None:
        """Have what was arranged told now, rather than within half a minute."""
        self.redis.delete(UPKEEP)

    def update_oncall_state(self, step: Callable[[OncallState], OncallState]) -> OncallState:
        """Apply a pure step to the latest duty and commit it. The step may run several times; what it raises passes."""

        def attempt(pipe: Pipeline, stamp: str) -> OncallState:
            pipe.watch(DUTY)  # type: ignore[no-untyped-call]  # as above
            raw: Any = pipe.get(DUTY)
            before = _duty(raw)
            if before.stamp == stamp:
                return before
            after = step(before)
            if after is before:
                return before
            after = after.model_copy(update={"stamp": stamp})
            pipe.multi()
            pipe.set(DUTY, after.model_dump_json())
            pipe.execute()
            return after

        return self._until_committed(attempt)


@functools.lru_cache(maxsize=4)  # read at every turn, and seldom another one
def _directory(raw: Any) -> Directory:
    return Directory.model_validate_json(raw, extra="ignore") if raw else Directory()


@functools.lru_cache(maxsize=4)
def _duty(raw: Any) -> OncallState:
    return OncallState.model_validate_json(raw, extra="ignore") if raw else OncallState()


def _text(raw: Any) -> str:
    """Redis hands out bytes; redis-py's types allow for clients that decode."""
    return str(raw, "utf-8")


def _write(pipe: "Pipeline", changes: Sequence[Commit]) -> None:
    """The states, and what has changed in their indexes."""
    for change in changes:
        pipe.set(indexes.key(change.after.id), migrations.write(change.after))
        _set_indexes(pipe, change)
    moved, gone = indexes.alarms(changes)
    if moved:
        pipe.zadd(ALARMS, moved)
    if gone:
        pipe.zrem(ALARMS, *gone)


def _set_indexes(pipe: "Pipeline", change: Commit) -> None:
    before, after = change.before, change.after
    declared = {after.id: after.declared_at.timestamp()}
    if before is None:
        pipe.zadd(ALL, declared)
    if (left := indexes.listed(before)) != (entered := indexes.listed(after)):
        if left:
            pipe.zrem(left, after.id)
        if entered:
            pipe.zadd(entered, declared)
    old, new = indexes.sets(before, change.old), indexes.sets(after, change.new)
    for index in new - old:
        pipe.sadd(index, after.id)
    for index in old - new:
        pipe.srem(index, after.id)
    if opened := indexes.rooms(after) - indexes.rooms(before):
        pipe.hset(ROOMS, mapping=dict.fromkeys(opened, after.id))
