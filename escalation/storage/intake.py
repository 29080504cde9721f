"""Intake of alerts in Redis: bodies as they came, the groups they belong to, and what became of them.

Keys: `tocsin:intake:{id}` a body; `tocsin:intake:due` bodies by id, groups as `g:{name}` and heartbeats as `h:{name}`,
by the time at which they have to be worked on (a sorted set, epoch seconds); `tocsin:group:{name}` a group;
`tocsin:heartbeat:{name}` a heartbeat as it last came; `tocsin:alerts` the group of each alert that fires;
`tocsin:intake:log` what came and what became of it, a stream, and `tocsin:intake:dropped` what nothing came of once
more, so that no storm pushes it out. A body is kept for a week after it was worked on.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from redis import Redis, ResponseError, WatchError
from redis.asyncio import Redis as AsyncRedis
from redis.client import Pipeline

from escalation.alerts.alert import Alert
from escalation.alerts.groups import Group

DUE = "tocsin:intake:due"
LOG, DROPPED = "tocsin:intake:log", "tocsin:intake:dropped"
NOTHING_CAME_OF = ("dropped", "unparsable", "truncated")  # how such an outcome's result begins
FIRING = "tocsin:alerts"
KEPT = 7 * 86_400  # seconds
MAX_HELD = 200  # of the list that people look at
LOG_LENGTH = 10_000
MAX_WAITING = 20_000  # members of the due set that are looked at together
TIMED = ("g:", "h:")  # groups and heartbeats, which have a time of their own; the others are bodies
MAX_TRIES = 50
GROUPS_KEPT = 16  # of this process, to be read without parsing; a storm is a handful
Enqueue = Callable[[Pipeline, list[str]], None]

# The spool may have a body that was kept already, after a lost reply or a drain that was killed: it is due once.
_KEEP = """
for i = 2, #KEYS do
  if redis.call('SET', KEYS[i], ARGV[3 * i - 3], 'NX') then
    redis.call('ZADD', KEYS[1], ARGV[3 * i - 4], ARGV[3 * i - 5])
  end
end
"""


# What became of bodies, in one command: a transaction of as many commands takes several times as long.
_DONE = """
for i = 4, #KEYS do
  redis.call('ZREM', KEYS[1], ARGV[i])
  redis.call('EXPIRE', KEYS[i], ARGV[1])
end
local outcomes = tonumber(ARGV[3])
for i = #KEYS + 1, #ARGV do
  local stream = i <= #KEYS + outcomes and KEYS[2] or KEYS[3]
  redis.call('XADD', stream, 'MAXLEN', '~', ARGV[2], '*', 'o', ARGV[i])
end
"""


@dataclass(frozen=True)
class Body:
    """One request of a source as it came. `at`: when it was received, epoch seconds; `id` is the same after a retry."""

    id: str
    source: str
    at: float
    raw: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    path: str = ""

    def dump(self) -> str:
        """Encode for Redis or a file."""
        fields = {name: getattr(self, name) for name in ("id", "source", "at", "headers", "query", "path")}
        return json.dumps({**fields, "raw": base64.b64encode(self.raw).decode()})

    @classmethod
    def load(cls, text: str | bytes) -> "Body":
        """Decode what `dump` wrote. ValueError for anything else."""
        fields = json.loads(text)
        try:
            return cls(**{**fields, "raw": base64.b64decode(fields["raw"])})
        except (TypeError, KeyError) as error:
            raise ValueError(f"not a body: {error}") from None


@dataclass(frozen=True)
class Outcome:
    """What became of one alert or body, for the list that people look at."""

    at: float
    source: str
    title: str
    result: str
    incident: str = ""
    severity: str = ""
    fingerprint: str = ""
    body: str = ""

    @property
    def dropped(self) -> bool:
        """True if nothing came of it."""
        return self.result.partition(":")[0] in NOTHING_CAME_OF


class Intake:
    """Bodies, groups and outcomes. `enqueue` writes the job that works on due members into the same transaction."""

    def __init__(self, redis: Redis, enqueue: Enqueue) -> None:
        self._redis = redis
        self._enqueue = enqueue
        self._groups = _ReadGroups()

    def keep(self, *bodies: Body) -> None:
        """Keep bodies durably, with the job that works on them, in one transaction. The same id is kept once."""
        if bodies:
            with self._redis.pipeline() as pipe:
                self._write(pipe, bodies)
                pipe.execute()

    def _write(self, pipe: Pipeline, bodies: Sequence[Body]) -> None:
        keys = [DUE, *(f"tocsin:intake:{body.id}" for body in bodies)]
        pipe.eval(_KEEP, len(keys), *keys, *(a for body in bodies for a in (body.id, repr(body.at), body.dump())))
        self._enqueue(pipe, [body.id for body in bodies])

    def bodies(self, ids: Sequence[str]) -> list[Body]:
        """Return these bodies of the due set, in this order; one that is not there any more is due no more."""
        if not ids:
            return []
        with self._redis.pipeline(transaction=False) as pipe:
            pipe.mget([f"tocsin:intake:{body_id}" for body_id in ids])
            pipe.zmscore(DUE, list(ids))
            found: Any = pipe.execute()
        due = [(body_id, raw) for body_id, raw, at in zip(ids, *found, strict=True) if at is not None]
        if gone := [body_id for body_id, raw in due if raw is None]:
            self._redis.zrem(DUE, *gone)
        return [body for body_id, raw in due if raw is not None and (body := self._load(body_id, raw))]

    def _load(self, body_id: str, raw: bytes) -> Body | None:
        """Decode a body; a damaged one is set aside, for it must not hold up the others."""
        try:
            return Body.load(raw)
        except ValueError:
            damaged = Outcome(0.0, "", "", "unparsable: what is stored of it is damaged", body=body_id)
            self.done({body_id: [damaged]})
            return None

    def stored(self, body_id: str) -> Body | None:
        """Return a body, also one that was worked on; None once it is forgotten."""
        raw: Any = self._redis.get(f"tocsin:intake:{body_id}")
        return Body.load(raw) if raw else None

    def done(self, became: Mapping[str, Iterable[Outcome]]) -> None:
        """Write down what became of bodies, by id, and forget them after a while."""
        if not became:
            return
        self._write_done(list(became), [outcome for outcomes in became.values() for outcome in outcomes])

    def note(self, *outcomes: Outcome) -> None:
        """Write down what became of alerts without a body, like those whose time was over."""
        self._write_done([], outcomes)

    def _write_done(self, ids: Sequence[str], outcomes: Sequence[Outcome]) -> None:
        keys = [DUE, LOG, DROPPED, *(f"tocsin:intake:{body_id}" for body_id in ids)]
        logged = [json.dumps(vars(outcome)) for outcome in outcomes]
        dropped = [text for outcome, text in zip(outcomes, logged, strict=True) if outcome.dropped]
        self._redis.eval(_DONE, len(keys), *keys, KEPT, LOG_LENGTH, len(logged), *ids, *logged, *dropped)

    def due(self, now: datetime) -> tuple[list[str], list[str], int]:
        """Return the groups and heartbeats whose time has come, the bodies that wait, as they came, and a count.

        The count is of groups and heartbeats whose time lies ahead.
        """
        found = self._due()
        timed = [at for member, at in found if member.startswith(TIMED)]
        come = [member for member, at in found if member.startswith(TIMED) and at <= now.timestamp()]
        bodies = [member for member, _ in found if not member.startswith(TIMED)]
        return come, bodies, len(timed) - len(come)

    def lost(self, now: datetime, after: timedelta) -> list[str]:
        """Return bodies that nobody has worked on for so long; by a clock that is wrong, they came in the future."""
        early, late = (now - after).timestamp(), (now + after).timestamp()
        return [m for m, at in self._due() if not m.startswith(TIMED) and (at <= early or at > late)]

    def _due(self) -> list[tuple[str, float]]:
        found: Any = self._redis.zrange(DUE, 0, MAX_WAITING - 1, withscores=True)
        return [(str(member, "utf-8"), at) for member, at in found]

    def enqueue(self, members: list[str]) -> None:
        """Enqueue the job for due members."""
        with self._redis.pipeline() as pipe:
            self._enqueue(pipe, members)
            pipe.execute()

    def depth(self) -> int:
        """Count what waits: bodies, and groups with a time ahead."""
        return int(self._redis.zcard(DUE))

    def log(self, since: datetime, most: int = LOG_LENGTH) -> list[Outcome]:
        """Return what came since then, the newest first; of what is older than so many, what nothing came of."""
        start = str(max(0, int(since.timestamp() * 1000)))
        found: Any = self._redis.xrevrange(LOG, min=start, count=most)
        before = f"({str(found[-1][0], 'utf-8')}" if found else "+"
        older: Any = self._redis.xrevrange(DROPPED, max=before, min=start, count=most)
        return [Outcome(**json.loads(fields[b"o"])) for _, fields in (*found, *older)]

    # Groups ------------------------------------------------------------------------------------------------------

    def group(self, key: str) -> Group:
        """Return a group; a new one if there is none."""
        raw: Any = self._redis.get(_group_key(key))
        return Group.model_validate_json(raw) if raw else Group(key=key)

    def groups_of(self, names: list[str]) -> dict[str, str]:
        """Return the groups in which alerts fire, by the alerts' names; those that do not fire are left out."""
        found: Any = self._redis.hmget(FIRING, names) if names else []
        return {name: str(key, "utf-8") for name, key in zip(names, found, strict=True) if key}

    def held(self, most: int = MAX_HELD) -> list[Group]:
        """Return groups that wait for somebody to declare them, the latest first."""
        keys = sorted({str(key, "utf-8") for key in self._values_of_firing()})
        raw: Any = self._redis.mget([_group_key(key) for key in keys]) if keys else []
        groups = (Group.model_validate_json(text) for text in raw if text)
        waiting = [group for group in groups if group.held]
        return sorted(waiting, key=lambda group: max(f.last for f in group.firing), reverse=True)[:most]

    def held_group(self, digest: str) -> Group | None:
        """Return the group of that digest; None if it is not known any more."""
        raw: Any = self._redis.get(f"tocsin:group:{digest}")
        return Group.model_validate_json(raw) if raw else None

    def _values_of_firing(self) -> list[bytes]:
        found: Any = self._redis.hvals(FIRING)
        return list(found)

    def beat(self, alert: Alert, due: datetime) -> None:
        """Note a heartbeat: without another one it is due then."""
        member = f"h:{group_digest(alert.name)}"
        with self._redis.pipeline() as pipe:
            pipe.set(f"tocsin:heartbeat:{member[2:]}", alert.model_dump_json())
            pipe.zadd(DUE, {member: due.timestamp()})
            pipe.execute()

    def last_beat(self, member: str) -> Alert | None:
        """Return a heartbeat as it last came."""
        raw: Any = self._redis.get(f"tocsin:heartbeat:{member.removeprefix('h:')}")
        return Alert.model_validate_json(raw) if raw else None

    def beat_due(self, member: str) -> datetime | None:
        """Return until when a heartbeat is waited for; None for one that is not."""
        at: Any = self._redis.zscore(DUE, member)
        return None if at is None else datetime.fromtimestamp(at, UTC)

    def beat_over(self, member: str) -> None:
        """Take a heartbeat that did not come off the list: its absence is an alert now."""
        self._redis.zrem(DUE, member)

    def group_of_member(self, member: str) -> str | None:
        """Return the key of a due group; None if its record is gone, and with it what was due."""
        raw: Any = self._redis.get(f"tocsin:group:{member.removeprefix('g:')}")
        if not raw:
            self._redis.zrem(DUE, member)
        return Group.model_validate_json(raw).key if raw else None

    def update_group(self, key: str, step: Callable[[Group], Group]) -> Group:
        """Apply a step to a group and keep what it returns.

        The step acts on incidents, and may run again after a lost race or a lost connection: acting twice must change
        nothing. What it raises passes through, and the group stays as it was.
        """
        name = _group_key(key)
        for _ in range(MAX_TRIES):
            with self._redis.pipeline() as pipe:
                pipe.watch(name)  # type: ignore[no-untyped-call]  # redis-py left it untyped
                raw: Any = pipe.get(name)
                before = self._groups.read(name, raw) if raw else Group(key=key)
                after = step(before)
                pipe.multi()
                written = _write_group(pipe, before, after)
                try:
                    pipe.execute()
                except WatchError:
                    continue
                self._groups.keep(name, written, after)
                return after
        raise WatchError(f"group changed {MAX_TRIES} times in a row")


class AsyncIntake(Intake):
    """Intake that also keeps bodies from an event loop: a thread for it made the median answer 1.5 ms later."""

    def __init__(self, redis: Redis, enqueue: Enqueue, on_loop: AsyncRedis) -> None:
        super().__init__(redis, enqueue)
        self._on_loop = on_loop

    async def keep_on_loop(self, *bodies: Body) -> None:
        """Keep bodies as `keep` does. Raises RedisError, TimeoutError."""
        if not bodies:
            return
        try:
            async with self._on_loop.pipeline() as pipe:
                self._write(cast(Pipeline, pipe), bodies)  # both collect commands alike; only `execute` is awaited
                await pipe.execute()
        except ResponseError:
            await self._on_loop.connection_pool.disconnect()  # the server may be the master no longer: ask again who is
            raise

    async def close(self) -> None:
        """Close the connections of the loop."""
        await self._on_loop.aclose()


class _ReadGroups:
    """Groups as this process last wrote them: in a storm one has thousands of alerts, and most of a batch is old."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[bytes, Group]] = {}

    def read(self, name: str, raw: bytes) -> Group:
        """Return the group of a document; it is parsed only if it is not the one that was kept."""
        written, group = self._known.get(name, (b"", None))
        return group if group is not None and written == raw else Group.model_validate_json(raw)

    def keep(self, name: str, written: bytes, group: Group) -> None:
        """Keep a group with its document; the one that was kept first makes room."""
        self._known.pop(name, None)
        self._known[name] = (written, group)
        if len(self._known) > GROUPS_KEPT:
            del self._known[next(iter(self._known))]


def group_member(key: str) -> str:
    """The member of the due set that stands for a group."""
    return f"g:{group_digest(key)}"


def _group_key(key: str) -> str:
    return f"tocsin:group:{group_digest(key)}"


def group_digest(key: str) -> str:
    """Short name of a group, for keys."""
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:32]


def _write_group(pipe: Pipeline, before: Group, group: Group) -> bytes:
    """Write a group, which alerts fire in it, and when it is due. Returns its document.

    A finished one is kept for a while, since its number of incidents goes on.
    """
    document = group.model_dump_json(exclude_defaults=True).encode()
    firing, fired = _names_firing(group), _names_firing(before)
    if began := firing - fired:
        pipe.hset(FIRING, mapping=dict.fromkeys(began, group.key))
    if ended := fired - firing:
        pipe.hdel(FIRING, *ended)
    pipe.set(_group_key(group.key), document, ex=KEPT if group.finished else None)
    if (due := group.due()) is not None:
        pipe.zadd(DUE, {group_member(group.key): due.timestamp()})
    else:
        pipe.zrem(DUE, group_member(group.key))
    return document


def _names_firing(group: Group) -> set[str]:
    return {name for name, fired in group.alerts.items() if fired.firing}
