"""Documents of the search in Redis, and the index that each process builds of them.

Keys: `tocsin:search`, a hash id -> JSON; `tocsin:search:changed`, a stream of the ids that changed;
`tocsin:search:folded`, how far the documents follow the stream. All of it can be made of the incidents again.

A commit only appends the id to the stream: documents are made in the background (`fold`), or by who searches before
that. Nobody who declares, and no checkpoint, waits for them.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, NamedTuple, Protocol

from redis import Redis, WatchError
from redis.client import Pipeline

from escalation.incident.model import Incident
from escalation.search.document import Document, decode, document, encode
from escalation.search.index import Index
from escalation.storage.alarms import Commit

DOCUMENTS = "tocsin:search"
CHANGED = "tocsin:search:changed"
FOLDED = "tocsin:search:folded"
MAX_CHANGES = 10_000  # who missed more than these reads all incidents again
BATCH = 200
_START = "0-0"  # before the first change
_shown = attrgetter(
    *("severity", "status", "facts", "root_cause", "workaround", "resolution", "stretches"),
    *("assigned", "acknowledgement", "leads"),
)


class Incidents(Protocol):
    """The store, as far as the search reads it."""

    redis: Redis

    def all_ids(self) -> tuple[str, ...]: ...
    def read(self, ids: Sequence[str]) -> tuple[Incident, ...]: ...


class Changes(NamedTuple):
    """Ids that changed, with the number of each one's latest change in the stream, and the number of the last."""

    ids: Mapping[str, str]
    last: str


def note(pipe: Pipeline, changes: Iterable[Commit]) -> None:
    """Note, inside the transaction of the commit, which incidents read differently now."""
    for change in changes:
        if change.before is None or _shown(change.before) != _shown(change.after):
            note_id(pipe, change.after.id)


def note_id(pipe: Pipeline, incident_id: str) -> None:
    """Note that an incident changed or is gone, inside the transaction in which it does."""
    pipe.xadd(CHANGED, {"i": incident_id}, maxlen=MAX_CHANGES, approximate=True)


def remove(pipe: Pipeline, incident_id: str) -> None:
    """Remove the document of an incident, inside the transaction in which it goes."""
    pipe.hdel(DOCUMENTS, incident_id)
    note_id(pipe, incident_id)


def fold(store: Incidents) -> tuple[Incident, ...]:
    """Bring the documents up to date, a batch of changes at most; returns the incidents that changed.

    The first time, and after too many changes, all documents are made; the open incidents are returned then. Nothing
    is done while another process does the same. Raises RedisError.
    """
    raw: Any = store.redis.get(FOLDED)
    changes = _since(store.redis, _text(raw), BATCH) if raw else None
    if changes is None:
        return _made_anew(store, raw)
    incidents = store.read(tuple(changes.ids))
    gone = set(changes.ids).difference(incident.id for incident in incidents)
    return incidents if _write(store.redis, raw, incidents, gone, changes.last) else ()


def _made_anew(store: Incidents, raw: Any) -> tuple[Incident, ...]:
    last = _last(store.redis)  # before the incidents: a change meanwhile is read twice
    known: Any = store.redis.hkeys(DOCUMENTS)
    made, still_open = set[str](), list[Incident]()
    for incidents in _batches(store, store.all_ids()):
        made |= {incident.id for incident in incidents}
        still_open += (incident for incident in incidents if incident.open)
        if not _write(store.redis, raw, incidents):
            return ()
    return tuple(still_open) if _write(store.redis, raw, gone=set(map(_text, known)) - made, last=last) else ()


def _write(
    redis: Redis, folded: Any, incidents: Iterable[Incident] = (), gone: Iterable[str] = (), last: str = ""
) -> bool:
    """Write and remove documents, unless another process has gone further meanwhile; False then."""
    with redis.pipeline() as pipe:
        pipe.watch(FOLDED)  # type: ignore[no-untyped-call]  # redis-py left it untyped
        if pipe.get(FOLDED) != folded:
            return False
        pipe.multi()
        for incident in incidents:
            pipe.hset(DOCUMENTS, incident.id, encode(document(incident)))
        for incident_id in gone:
            pipe.hdel(DOCUMENTS, incident_id)
        if last:
            pipe.set(FOLDED, last)
        try:
            pipe.execute()
        except WatchError:
            return False
    return True


class Search:
    """Search of one process. It writes nothing."""

    def __init__(self, store: Incidents) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._index: Index | None = None
        self._seen = _START

    def __enter__(self) -> Index:
        """Lock the index, and bring it up to date. Raises RedisError."""
        self._lock.acquire()
        try:
            return self._refreshed()
        except BaseException:
            self._lock.release()
            raise

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def _refreshed(self) -> Index:
        """Read what changed; or all, the first time and after too many changes."""
        changes = _since(self._store.redis, self._seen) if self._index else None
        if self._index is None or changes is None:
            self._index = self._built()
            return self._index
        for incident_id, found in _documents(self._store, changes):
            if found:
                self._index.put(found)
            else:
                self._index.remove(incident_id)
        self._seen = changes.last
        return self._index

    def _built(self) -> Index:
        redis = self._store.redis
        raw: Any = redis.get(FOLDED)
        changes = _since(redis, _text(raw)) if raw else None
        if changes is None:
            self._seen = _last(redis)  # before the incidents: a change meanwhile is read twice
            return Index(document(i) for batch in _batches(self._store, self._store.all_ids()) for i in batch)
        self._seen = changes.last
        stored: Any = redis.hgetall(DOCUMENTS)
        index = Index(decode(raw) for name, raw in stored.items() if _text(name) not in changes.ids)
        for _, found in _documents(self._store, changes):
            if found:
                index.put(found)
        return index


def _documents(store: Incidents, changes: Changes) -> Iterator[tuple[str, Document | None]]:
    """Yield the documents that changed, made of the incident where there is none yet; None of one that is gone."""
    raw: Any = store.redis.get(FOLDED)
    folded = [i for i, number in changes.ids.items() if raw and _order(number) <= _order(_text(raw))]
    stored: Any = store.redis.hmget(DOCUMENTS, folded) if folded else []
    for incident_id, found in zip(folded, stored, strict=True):
        yield incident_id, decode(found) if found else None
    rest = [incident_id for incident_id in changes.ids if incident_id not in set(folded)]
    for start in range(0, len(rest), BATCH):
        batch = rest[start : start + BATCH]
        made = {incident.id: document(incident) for incident in store.read(batch)}
        yield from ((incident_id, made.get(incident_id)) for incident_id in batch)


def _since(redis: Redis, seen: str, most: int | None = None) -> Changes | None:
    """Return the changes after one; None when the stream does not go back so far."""
    at_start = seen == _START
    if at_start and redis.xlen(CHANGED) >= MAX_CHANGES:
        return None
    found: Any = redis.xrange(CHANGED, min=seen, count=None if most is None else most + 1)
    if not at_start and (not found or _text(found[0][0]) != seen):
        return None
    fresh = found if at_start else found[1:]
    ids = {_text(fields[b"i"]): _text(number) for number, fields in fresh}
    return Changes(ids, _text(fresh[-1][0]) if fresh else seen)


def _last(redis: Redis) -> str:
    last: Any = redis.xrevrange(CHANGED, count=1)
    return _text(last[0][0]) if last else _START


def _order(number: str) -> tuple[int, ...]:
    return tuple(map(int, number.split("-")))


def _batches(store: Incidents, ids: Sequence[str]) -> Iterator[tuple[Incident, ...]]:
    for start in range(0, len(ids), BATCH):
        yield store.read(ids[start : start + BATCH])


def _text(raw: bytes) -> str:
    return str(raw, "utf-8")
