"""Store of incidents in Redis. A change, its due times and its jobs are one commit. All I/O of the domain is here.

Keys (JSON or plain text) beside those of `indexes`, `heartbeats`, `problems`, `search`: `tocsin:counter:{day}` the last
number of a day; `tocsin:key:{key}` what a modal's submit declared; `tocsin:directory` the workspace's people;
`tocsin:away` the last outage; `tocsin:duty` overrides, absences, calendar feeds and test pages; `tocsin:silences`
whose Slack makes no sound; `tocsin:upkeep` exists
for a while after the recurring work was queued; `tocsin:ledger` times of checkpoints and sends, for the objectives.
"""

import functools
import secrets
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Protocol, TypeVar

from redis import ConnectionError as RedisConnectionError
from redis import Redis, RedisError, WatchError
from redis.client import Pipeline

from escalation.config.company import Directory
from escalation.config.policy import Severity
from escalation.errors import NotFound, TooNew
from escalation.figures import observation as figures
from escalation.figures.observation import Observation, observe
from escalation.incident.model import Incident
from escalation.oncall.schedule import OncallState
from escalation.oncall.silences import Silences
from escalation.records.chain import Chain, extended
from escalation.slo import LOST_AFTER, Objective, Record, Report, decode, report
from escalation.storage import indexes, migrations
from escalation.storage.alarms import Commit
from escalation.storage.canary import Canary
from escalation.storage.indexes import ALARMS, ALL, OPEN, ROOMS, SHARED, TO_REVIEW, URGENT, open_of
from escalation.storage.keeping import packed
from escalation.storage.keeping.deleted import DeletedMessages
from escalation.storage.oncall.cover import CoverBook
from escalation.storage.problems import Problems
from escalation.storage.search import documents

DIRECTORY = "tocsin:directory"
DUTY = "tocsin:duty"
SILENCES = "tocsin:silences"
AWAY = "tocsin:away"
UPKEEP = "tocsin:upkeep"
LEDGER = "tocsin:ledger"
T = TypeVar("T")
MAX_SHARED = 20
MAX_LISTED = 200  # open incidents to read for a list: each takes a tenth of a millisecond
READ_AT_ONCE = 1000
BATCH = 200  # incidents read at once
MAX_TRIES = 100  # far more than people who click at one instant
MAX_LOST_CONNECTIONS = 5
KEY_LIFETIME = 86_400  # seconds; a modal is not submitted a day later


class Outbox(Protocol):
    """Enqueue the jobs that follow from a commit, inside the same transaction (`pipe` is in MULTI already)."""

    def __call__(self, pipe: "Pipeline", changes: "Sequence[Commit]") -> None: ...


class Store:
    """Store of incidents by id. `outbox` is handed in, so that this module knows nothing of jobs.

    `read` turns a stored document into an incident. For one of a newer Tocsin every method raises its TooNew, but lists
    leave it out.
    """

    def __init__(self, redis: Redis, outbox: Outbox, read: Callable[[Any], Incident] = migrations.read) -> None:
        self.redis = redis
        self.problems = Problems(redis)
        self.canary = Canary(redis)
        self.deleted = DeletedMessages(redis)
        self.cover = CoverBook(redis, DUTY, self.oncall_state)
        self._outbox = outbox
        self._read_whole = read
        self._policies: dict[bytes, bytes] = {}  # texts by digest: they never change

    def get(self, incident_id: str) -> Incident:
        """Return the incident as it stands; NotFound if there is none."""
        raw = self.redis.get(indexes.key(incident_id))
        if raw is None:
            raise NotFound(incident_id)
        return self._read(raw)

    def update(self, incident_id: str, step: Callable[[Incident], Incident]) -> Incident:
        """Apply a pure step to the latest state and commit all that follows from it in one transaction.

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

        return self._retry_until_committed(attempt)

    def update_all(
        self, ids: Sequence[str], step: Callable[[Incident], Incident]
    ) -> dict[str, tuple[Incident, Incident]]:
        """Apply a pure step to several incidents in one commit, tried once; returns before and after, by id.

        Incidents missing from the result were left as they are: unknown, unreadable, or changed by somebody else in
        that instant (then all are missing). `update` deals with those.
        """
        stamp = uuid.uuid4().hex
        with self.redis.pipeline() as pipe:
            pipe.watch(*map(indexes.key, ids))  # type: ignore[no-untyped-call]  # as above
            found: Any = pipe.mget([indexes.key(i) for i in ids])
            known = [incident for raw in found if raw and (incident := self._read_or_skip(raw))]
            changes = {before.id: (before, step(before)) for before in known}
            changed = ((b, a) for b, a in changes.values() if a is not b)
            written = [Commit(b, _stamped(b, a, stamp)) for b, a in changed]
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
        new_id = ""

        def attempt(pipe: Pipeline, stamp: str) -> Incident:
            nonlocal new_id
            counter, key_name = f"tocsin:counter:{day}", f"tocsin:key:{key}"
            pipe.watch(counter, key_name)  # type: ignore[no-untyped-call]  # as above
            if new_id and (done := self._load(pipe, new_id)) and done.stamp == stamp:
                return done
            if key and (known := pipe.get(key_name)):
                return self.get(_text(known))
            number = int(_text(pipe.get(counter) or b"0")) + 1
            new_id = f"INC-{day}-{number:03d}"
            after = make(new_id)
            pipe.multi()
            pipe.set(counter, number)
            if key:
                pipe.set(key_name, new_id, ex=KEY_LIFETIME)
            return self._commit(pipe, None, after, stamp)

        return self._retry_until_committed(attempt)

    def _load(self, pipe: Pipeline, incident_id: str) -> Incident | None:
        raw: Any = pipe.get(indexes.key(incident_id))
        return self._read(raw) if raw else None

    def _commit(self, pipe: Pipeline, before: Incident | None, after: Incident, stamp: str) -> Incident:
        after = _stamped(before, after, stamp)
        if before is not None:
            pipe.multi()
        changes = [Commit(before, after)]
        _write(pipe, changes)
        self._outbox(pipe, changes)
        pipe.execute()
        return after

    def _retry_until_committed(self, attempt: Callable[[Pipeline, str], T]) -> T:
        """Retry until the transaction is committed.

        redis-py reports a lost connection as WatchError too, even when EXEC had arrived: the stamp tells. It does so
        for a server that takes no writes as well (a failover without replicas), which must not be retried for long:
        somebody who clicked waits, and with Sentinel each new connection takes its time.
        """
        stamp, lost = uuid.uuid4().hex, 0
        for _ in range(MAX_TRIES):
            try:
                with self.redis.pipeline() as pipe:
                    return attempt(pipe, stamp)
            except WatchError as error:
                lost += isinstance(error.__context__, RedisError)
                if lost == MAX_LOST_CONNECTIONS:
                    break
        raise RedisConnectionError("no transaction went through: is there a server that takes writes?")

    # Reading ---------------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """Read the server's clock: the one that all hosts agree on."""
        seconds, micros = self.redis.time()
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)

    def open_incidents(self, most: int | None = None) -> tuple[Incident, ...]:
        """Return open incidents, the newest first; when there are more than `most`, those of the worst severities."""
        ids = {_text(i) for i in self.redis.smembers(OPEN)} if most is None else self._worst(most)
        return tuple(self._read_many(sorted(ids, reverse=True)))

    def all_ids(self) -> tuple[str, ...]:
        """Return the ids of all incidents, open or closed, the newest first."""
        return tuple(_text(i) for i in self.redis.zrevrange(ALL, 0, -1))

    def declared_since(self, since: datetime) -> Iterator[Incident]:
        """Read the incidents declared since then, the newest first, in batches: there may be thousands."""
        ids = self.all_ids()
        for start in range(0, len(ids), BATCH):
            batch = self.read(ids[start : start + BATCH])
            yield from (incident for incident in batch if incident.declared_at >= since)
            if batch and batch[-1].declared_at < since:
                return

    def closed_ids(self) -> tuple[str, ...]:
        """Return the ids of closed incidents, the newest first."""
        still_open = {_text(i) for i in self.redis.smembers(OPEN)}
        return tuple(i for i in self.all_ids() if i not in still_open)

    def read(self, ids: Sequence[str]) -> tuple[Incident, ...]:
        """Return these incidents, in this order; unknown ones are left out."""
        return tuple(self._read_many(list(ids)))

    def _worst(self, most: int) -> set[str]:
        with self.redis.pipeline(transaction=False) as pipe:
            for severity in Severity:
                pipe.zrevrange(open_of(severity), 0, most - 1)
            found = [_text(i) for ids in pipe.execute() for i in ids]
        return set(found[:most])

    def urgent_with_work(self) -> tuple[Incident, ...]:
        """Return the urgent incidents for which a checkpoint or an effect is still to come."""
        return tuple(self._read_many(sorted(_text(i) for i in self.redis.smembers(URGENT))))

    def to_review(self) -> tuple[Incident, ...]:
        """Return the incidents whose required review was not held, the newest first."""
        return tuple(self._read_many(sorted((_text(i) for i in self.redis.smembers(TO_REVIEW)), reverse=True)))

    def open_counts(self) -> dict[Severity, int]:
        """Count the open incidents of each severity, without reading them."""
        with self.redis.pipeline(transaction=False) as pipe:
            for severity in Severity:
                pipe.zcard(open_of(severity))
            return dict(zip(Severity, pipe.execute(), strict=True))

    def open_count(self) -> int:
        """Count the open incidents, those that only a newer Tocsin can read included."""
        return int(self.redis.scard(OPEN))

    def recent(self, count: int = 20) -> tuple[Incident, ...]:
        """Return the latest incidents, open or closed, the newest first."""
        return tuple(self._read_many([_text(i) for i in self.redis.zrevrange(ALL, 0, count - 1)]))

    def shared(self) -> tuple[Incident, ...]:
        """Return open incidents whose war room the next one would share, the oldest first, MAX_SHARED at most."""
        ids = sorted(_text(i) for i in self.redis.smembers(SHARED))
        return tuple(self._read_many(ids[:MAX_SHARED]))

    def of_room(self, channel: str) -> Incident | None:
        """Return the incident whose war room a channel is, or was."""
        known = self.redis.hget(ROOMS, channel)
        return self.get(_text(known)) if known else None

    def documents(self) -> Iterator[tuple[str, bytes]]:
        """Yield every incident's document as it is stored, but unpacked, the newest first; a broken one as it is."""
        ids = self.all_ids()
        for start in range(0, len(ids), BATCH):
            batch = ids[start : start + BATCH]
            found: Any = self.redis.mget([indexes.key(i) for i in batch])
            for incident_id, raw in zip(batch, found, strict=True):
                try:
                    if raw:
                        yield incident_id, self._whole(raw)
                except ValueError:
                    yield incident_id, raw

    def _whole(self, raw: Any) -> bytes:
        return packed.unpack(raw, self._policy)

    def _policy(self, digest: str) -> bytes:
        """Return a policy's text. ValueError when it is missing."""
        if digest.encode() not in self._policies:
            found: Any = self.redis.hget(packed.POLICIES, digest)
            self._policies |= {digest.encode(): found} if found else {}
        return packed.kept_in(self._policies)(digest)

    def _read(self, raw: Any) -> Incident:
        return self._read_whole(self._whole(raw))

    def _read_many(self, ids: list[str]) -> Iterator[Incident]:
        if ids:
            found = filter(None, self.redis.mget([indexes.key(i) for i in ids]))
            yield from filter(None, map(self._read_unless_newer, found))

    def _read_unless_newer(self, raw: Any) -> Incident | None:
        """Read a document for a list: one of a newer version must not hide the others."""
        try:
            return self._read(raw)
        except TooNew:
            return None

    def _read_or_skip(self, raw: Any) -> Incident | None:
        """Read a document for work on many: one that cannot be read must not stop the others."""
        try:
            return self._read_unless_newer(raw)
        except (ValueError, KeyError):  # no JSON, no incident, or nothing that its version explains
            return None

    def report(self, objective: Objective, last: timedelta, now: datetime) -> Report:
        """Report how well the objective was met in the `last` period until now."""
        overdue: Any = self.redis.zrangebyscore(ALARMS, "-inf", repr((now - LOST_AFTER).timestamp()))
        ids = [str(member, "utf-8").removeprefix("e:") for member in overdue]
        return report(self._ledger(now - last), objective, now - last, now, ids)

    def report_of(self, objective: Objective, since: datetime, until: datetime, now: datetime) -> Report:
        """Report how well the objective was met in a period. What is overdue now is no matter of one that is over."""
        if until >= now:
            return self.report(objective, now - since, now)
        return report(self._ledger(since), objective, since, now, until=until)

    def observations(self, since: datetime) -> tuple[Observation, ...]:
        """Return what the figures need of every incident declared since then, the oldest first."""
        declared: Any = self.redis.zrangebyscore(ALL, repr(since.timestamp()), "+inf")
        return self.observed([_text(member) for member in declared])

    def observed(self, ids: Sequence[str]) -> tuple[Observation, ...]:
        """Return what the figures need of these incidents, in their order; those that are unknown are missing."""
        still_open = {_text(i) for i in self.redis.smembers(OPEN)}
        stored: Any = self.redis.hmget(indexes.FIGURES, ids) if ids else []
        known = {i: figures.decode(raw) for i, raw in zip(ids, stored, strict=True) if raw and i not in still_open}
        others = self._read_many([i for i in ids if i not in known])  # open, or closed by an earlier build
        known |= {incident.id: observe(incident) for incident in others}
        return tuple(known[i] for i in ids if i in known)

    def _ledger(self, since: datetime) -> Iterator[Record]:
        """Yield the ledger's records since then: the stream's ids are the server's time in milliseconds."""
        start = str(max(0, int(since.timestamp() * 1000)))
        while True:
            found: Any = self.redis.xrange(LEDGER, min=start, count=READ_AT_ONCE)
            yield from (record for _, fields in found for record in decode(fields[b"r"]))
            if len(found) < READ_AT_ONCE:
                return
            start = f"({_text(found[-1][0])}"

    def directory(self) -> Directory:
        """Return the workspace's people as Slack last reported them."""
        return _parse_directory(self.redis.get(DIRECTORY))

    def save_directory(self, directory: Directory) -> None:
        """Store the workspace's people."""
        self.redis.set(DIRECTORY, directory.model_dump_json())

    def last_outage(self) -> tuple[datetime, datetime] | None:
        """Return start and end of the last outage, in which no ticker ran; None if there was none."""
        raw: Any = self.redis.get(AWAY)
        if not raw:
            return None
        since, until = (datetime.fromtimestamp(float(at), UTC) for at in _text(raw).split())
        return since, until

    # On call ---------------------------------------------------------------------------------------------------------

    def oncall_state(self) -> OncallState:
        """Return overrides, absences, feeds and test pages as they stand."""
        return _parse_oncall_state(self.redis.get(DUTY))

    def roster_inputs(self) -> "RosterInputs":
        """Return what a roster is built from, in one round trip: every event needs it."""
        directory, state, silences = self.redis.mget(DIRECTORY, DUTY, SILENCES)
        return RosterInputs(_parse_directory(directory), _parse_oncall_state(state), _parse_silences(silences))

    def save_silences(self, silences: Silences) -> None:
        """Store whose Slack makes no sound."""
        self.redis.set(SILENCES, silences.model_dump_json())

    def request_upkeep(self) -> None:
        """Have the recurring work run now, rather than within half a minute: notices wait in it."""
        self.redis.delete(UPKEEP)

    def update_oncall_state(self, step: Callable[[OncallState], OncallState]) -> OncallState:
        """Apply a pure step to the on-call state and commit it. The step may run several times; its errors pass."""

        def attempt(pipe: Pipeline, stamp: str) -> OncallState:
            pipe.watch(DUTY)  # type: ignore[no-untyped-call]  # as above
            raw: Any = pipe.get(DUTY)
            before = _parse_oncall_state(raw)
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

        return self._retry_until_committed(attempt)


class RosterInputs(NamedTuple):
    """What a roster is built from, beside the configuration."""

    directory: Directory
    state: OncallState
    silences: Silences


@functools.lru_cache(maxsize=4)  # read for every event, and rarely changed
def _parse_directory(raw: Any) -> Directory:
    return Directory.model_validate_json(raw, extra="ignore") if raw else Directory()


@functools.lru_cache(maxsize=4)
def _parse_oncall_state(raw: Any) -> OncallState:
    return OncallState.model_validate_json(raw, extra="ignore") if raw else OncallState()


def _text(raw: Any) -> str:
    """Decode Redis' bytes; redis-py's types allow for clients that decode."""
    return str(raw, "utf-8")


def _stamped(before: Incident | None, after: Incident, stamp: str) -> Incident:
    """Return what is to be stored: with its stamp, and its chain over all that was appended to the timeline."""
    return chained(before, after).model_copy(update={"stamp": stamp})


def chained(before: Incident | None, after: Incident) -> Incident:
    """Extend an incident's chain to the end of its timeline; what an earlier build wrote is adopted."""
    chain = after.chain
    if chain.length == len(after.timeline):
        return after
    if not chain.head:
        chain = Chain(seed=secrets.token_hex(16), adopted=len(before.timeline) if before else 0)
    fresh = [entry.model_dump(mode="json") for entry in after.timeline[chain.length :]]
    return after.model_copy(update={"chain": extended(chain, fresh)})


def _write(pipe: "Pipeline", changes: Sequence[Commit]) -> None:
    """Write the states, and the changes of their indexes."""
    for change in changes:
        _set_document(pipe, change.after)
        indexes.update(pipe, change)
        if not change.after.open:
            pipe.hset(indexes.FIGURES, change.after.id, figures.encode(observe(change.after)))
    documents.note(pipe, changes)
    changed, removed = indexes.alarms(changes)
    if changed:
        pipe.zadd(ALARMS, changed)
    if removed:
        pipe.zrem(ALARMS, *removed)


def _set_document(pipe: "Pipeline", incident: Incident) -> None:
    """Write an incident: packed once nothing is to be done any more."""
    if not packed.settled(incident):
        pipe.set(indexes.key(incident.id), migrations.write(incident))
        return
    document, policies = packed.pack(incident)
    for digest, text in policies.items():
        pipe.hset(packed.POLICIES, digest, text)
    pipe.set(indexes.key(incident.id), document)


@functools.lru_cache(maxsize=4)
def _parse_silences(raw: Any) -> Silences:
    return Silences.model_validate_json(raw, extra="ignore") if raw else Silences()
