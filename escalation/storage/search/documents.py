"""Documents of the search in Redis, and the index that each process builds of them.

Keys: `tocsin:search`, a hash id -> JSON; `tocsin:search:changed`, a stream of the ids that changed. Both follow
from the incidents: what is missing is made of them again.
"""

import threading
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from redis import Redis
from redis.client import Pipeline

from escalation.incident.model import Incident
from escalation.search.document import decode, document, encode
from escalation.search.index import Index
from escalation.storage.alarms import Commit

DOCUMENTS = "tocsin:search"
CHANGED = "tocsin:search:changed"
MAX_CHANGES = 10_000  # a process that missed more than these reads all documents again
BATCH = 200


class Incidents(Protocol):
    """The store, as far as the search reads it."""

    redis: Redis

    def all_ids(self) -> tuple[str, ...]: ...
    def read(self, ids: Sequence[str]) -> tuple[Incident, ...]: ...


def write(pipe: Pipeline, changes: Sequence[Commit]) -> None:
    """Write the documents that changed, inside the transaction of the commit."""
    for change in changes:
        after = document(change.after)
        if change.before is None or document(change.before) != after:
            pipe.hset(DOCUMENTS, after.id, encode(after))
            pipe.xadd(CHANGED, {"i": after.id}, maxlen=MAX_CHANGES, approximate=True)


def remove(redis: Redis, ids: Iterable[str]) -> None:
    """Remove the documents of incidents that are gone, those too that a process wrote while they went."""
    known: Any = redis.hkeys(DOCUMENTS)
    stale = {str(name, "utf-8") for name in known}.intersection(ids)
    if stale:
        with redis.pipeline() as pipe:
            pipe.hdel(DOCUMENTS, *stale)
            for incident_id in sorted(stale):
                pipe.xadd(CHANGED, {"i": incident_id}, maxlen=MAX_CHANGES, approximate=True)
            pipe.execute()


class Search:
    """Search of one process. `keep`: it writes documents that were missing, as after an import."""

    def __init__(self, store: Incidents, keep: bool = True) -> None:
        self._store = store
        self._keep = keep
        self._lock = threading.Lock()
        self._index: Index | None = None
        self._seen = "0-0"

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
        changed = self._changes() if self._index else None
        if self._index is None or changed is None:
            self._index = self._built()
        elif changed:
            ids = list(dict.fromkeys(changed))
            stored: Any = self._store.redis.hmget(DOCUMENTS, ids)
            for incident_id, raw in zip(ids, stored, strict=True):
                if raw:
                    self._index.put(decode(raw))
                else:
                    self._index.remove(incident_id)
        return self._index

    def _changes(self) -> list[str] | None:
        """Ids that changed since the last look; None when the stream does not go back so far."""
        redis = self._store.redis
        last: Any = redis.xrevrange(CHANGED, count=1)
        if not last:
            return None if self._seen != "0-0" else []
        if str(last[0][0], "utf-8") == self._seen:
            return []
        found: Any = redis.xrange(CHANGED, min=self._seen)
        if self._seen != "0-0" and (not found or str(found[0][0], "utf-8") != self._seen):
            return None
        self._seen = str(found[-1][0], "utf-8")
        return [str(fields[b"i"], "utf-8") for _, fields in found]

    def _built(self) -> Index:
        redis = self._store.redis
        last: Any = redis.xrevrange(CHANGED, count=1)  # before the documents: a change meanwhile is read twice
        self._seen = str(last[0][0], "utf-8") if last else "0-0"
        stored: Any = redis.hgetall(DOCUMENTS)
        known = {str(name, "utf-8") for name in stored}
        index = Index(map(decode, stored.values()))
        missing = [i for i in self._store.all_ids() if i not in known]
        for start in range(0, len(missing), BATCH):
            for incident in self._store.read(missing[start : start + BATCH]):
                made = document(incident)
                index.put(made)
                if self._keep:  # only where none is: a commit may have written a newer one meanwhile
                    redis.hsetnx(DOCUMENTS, made.id, encode(made))
        return index
