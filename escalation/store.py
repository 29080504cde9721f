"""Incidents in Redis: the one module of the domain that does I/O. A change, its due times and its jobs are one commit.

Keys (JSON or plain text): `tocsin:incident:{id}` the state; `tocsin:open` the open ids; `tocsin:incidents` all ids by
declaration; `tocsin:rooms` whose war room a channel is or was; `tocsin:alarms` what must happen when;
`tocsin:counter:{day}` the day's number; `tocsin:key:{key}` what a modal's submit made; `tocsin:directory` the
workspace's people. Sorted sets are scored in epoch seconds, as floats.
"""

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Protocol

from redis import Redis, WatchError
from redis.client import Pipeline

from escalation import checkpoints
from escalation.company import Directory
from escalation.effects import Effect
from escalation.incident import Incident

ALARMS = "tocsin:alarms"
OPEN = "tocsin:open"
ALL = "tocsin:incidents"
ROOMS = "tocsin:rooms"
DIRECTORY = "tocsin:directory"
KEY_LIFETIME = 86_400  # seconds; a modal is not submitted a day later


class Outbox(Protocol):
    """Turns what a commit has to set off into jobs, inside the same transaction (`pipe` is in MULTI already)."""

    def __call__(self, pipe: "Pipeline", before: Incident | None, after: Incident) -> None: ...


class NotFound(KeyError):
    """There is no incident of that id."""

    def __str__(self) -> str:
        return f"There is no incident {self.args[0]}."


def checkpoint_alarm(incident_id: str, checkpoint_id: str) -> str:
    """The member of the alarm set that stands for a checkpoint."""
    return f"c:{incident_id}:{checkpoint_id}"


def effect_alarm(effect_id: str) -> str:
    """The member of the alarm set that stands for a pending effect."""
    return f"e:{effect_id}"


def incident_of(effect_id: str) -> str:
    """`INC-20241218-001-7-refresh` -> `INC-20241218-001`."""
    return "-".join(effect_id.split("-")[:3])


def ready(incident: Incident) -> dict[str, Effect]:
    """The pending effects that nothing stands before, by id."""
    pending = {e.id for e in incident.effects}
    return {e.id: e for e in incident.effects if e.after not in pending}


def alarms(incident: Incident | None) -> dict[str, float]:
    """Everything that has to happen for an incident, with its time in epoch seconds."""
    if incident is None:
        return {}
    times = {checkpoint_alarm(incident.id, c): due.timestamp() for c, due in checkpoints.alarms(incident).items()}
    return times | {effect_alarm(e.id): e.at.timestamp() for e in ready(incident).values()}


class Store:
    """Incidents by id. `outbox` is handed in, so that this module knows nothing of jobs."""

    def __init__(self, redis: Redis, outbox: Outbox) -> None:
        self.redis = redis
        self._outbox = outbox

    def get(self, incident_id: str) -> Incident:
        """The incident as it stands; NotFound if there is none."""
        raw = self.redis.get(_key(incident_id))
        if raw is None:
            raise NotFound(incident_id)
        return Incident.model_validate_json(raw)

    def update(self, incident_id: str, step: Callable[[Incident], Incident]) -> Incident:
        """Apply a pure step to the latest state and commit all that follows from it, at once or not at all.

        The step may run several times. What it raises passes through, and nothing is committed then.
        """

        def attempt(pipe: Pipeline, stamp: str) -> Incident:
            pipe.watch(_key(incident_id))  # type: ignore[no-untyped-call]  # redis-py left it untyped
            before = self._load(pipe, incident_id)
            if before is None:
                raise NotFound(incident_id)
            if before.stamp == stamp:
                return before
            after = step(before)
            return before if after is before else self._commit(pipe, before, after, stamp)

        return self._until_committed(attempt)

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
        raw: Any = pipe.get(_key(incident_id))
        return Incident.model_validate_json(raw) if raw else None

    def _commit(self, pipe: Pipeline, before: Incident | None, after: Incident, stamp: str) -> Incident:
        after = after.model_copy(update={"stamp": stamp})
        if before is not None:
            pipe.multi()
        pipe.set(_key(after.id), after.model_dump_json())
        pipe.zadd(ALL, {after.id: after.declared_at.timestamp()}, nx=True)
        (pipe.sadd if after.open else pipe.srem)(OPEN, after.id)
        if opened := _rooms(after) - _rooms(before):
            pipe.hset(ROOMS, mapping=dict.fromkeys(opened, after.id))
        _set_alarms(pipe, alarms(before), alarms(after))
        self._outbox(pipe, before, after)
        pipe.execute()
        return after

    def _until_committed(self, attempt: Callable[[Pipeline, str], Incident]) -> Incident:
        """Try until the transaction went through.

        redis-py reports a lost connection as WatchError too, even when EXEC had arrived: the stamp tells.
        """
        stamp = uuid.uuid4().hex
        while True:
            try:
                with self.redis.pipeline() as pipe:
                    return attempt(pipe, stamp)
            except WatchError:
                continue

    # Reading ---------------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The server's clock: the one that all hosts agree on."""
        seconds, micros = self.redis.time()
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)

    def open_incidents(self) -> tuple[Incident, ...]:
        """Open incidents, the newest first."""
        ids = sorted((_text(i) for i in self.redis.smembers(OPEN)), reverse=True)
        return tuple(self._many(ids))

    def recent(self, count: int = 20) -> tuple[Incident, ...]:
        """The latest incidents, open or closed, the newest first."""
        return tuple(self._many([_text(i) for i in self.redis.zrevrange(ALL, 0, count - 1)]))

    def of_room(self, channel: str) -> Incident | None:
        """The incident whose war room a channel is, or was."""
        known = self.redis.hget(ROOMS, channel)
        return self.get(_text(known)) if known else None

    def _many(self, ids: list[str]) -> Iterator[Incident]:
        if ids:
            yield from (Incident.model_validate_json(raw) for raw in self.redis.mget([_key(i) for i in ids]) if raw)

    def directory(self) -> Directory:
        """What the workspace told us about its people, last time it was asked."""
        raw = self.redis.get(DIRECTORY)
        return Directory.model_validate_json(raw) if raw else Directory()

    def save_directory(self, directory: Directory) -> None:
        self.redis.set(DIRECTORY, directory.model_dump_json())


def _text(raw: Any) -> str:
    """Redis hands out bytes; redis-py's types allow for clients that decode."""
    return str(raw, "utf-8")


def _key(incident_id: str) -> str:
    return f"tocsin:incident:{incident_id}"


def _rooms(incident: Incident | None) -> set[str]:
    return {r.channel for r in (incident.room, *incident.old_rooms) if r} if incident else set()


def _set_alarms(pipe: "Pipeline", before: dict[str, float], after: dict[str, float]) -> None:
    """Write only what differs, so that a retry's later time is not put back."""
    changed = {member: at for member, at in after.items() if before.get(member) != at}
    gone = [member for member in before if member not in after]
    if changed:
        pipe.zadd(ALARMS, dict(changed))
    if gone:
        pipe.zrem(ALARMS, *gone)
