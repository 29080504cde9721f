"""Published reviews: what stands where, and which incidents are to be looked at.

Keys: `tocsin:review-documents`, a hash slot -> JSON, where a slot is an incident and the service, and `private` for the
private place. The sets of incidents to look at are kept by escalation.storage.indexes: REVIEWS_HELD, REVIEWS_PRIVATE.
"""

import json
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from redis import Redis

from escalation.config.documents.reviews import ReviewVendor
from escalation.storage.indexes import REVIEWS_HELD, REVIEWS_PRIVATE

DOCUMENTS = "tocsin:review-documents"


@dataclass(frozen=True)
class Document:
    """A review in a service: `place` is the repository or space, `key` its name there.

    Without `key` it is being created since `since`, under `title`, and may be there. `titled` and `shown` are
    fingerprints of the title and of all that stands there; `held` is when the review was. `withdrawn`: it became
    private and was emptied there. `trouble` says what keeps it from being in step; `doubted` is when a creation got no
    answer, so that there may be a second one.
    """

    place: str
    since: datetime
    held: datetime
    key: str = ""
    url: str = ""
    title: str = ""
    titled: str = ""
    shown: str = ""
    withdrawn: bool = False
    trouble: str = ""
    doubted: datetime | None = None


class ReviewDocuments:
    """Register of published reviews. Its methods raise RedisError."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def due(self) -> list[str]:
        """Return the incidents whose review was held, or that became private, and that were not looked at since."""
        found: Any = self._redis.sunion([REVIEWS_HELD, REVIEWS_PRIVATE])
        return sorted(str(raw, "utf-8") for raw in found)

    def done(self, incident_id: str) -> None:
        """Record that an incident was looked at, and that nothing is left to do for it now."""
        with self._redis.pipeline() as pipe:
            pipe.srem(REVIEWS_HELD, incident_id)
            pipe.srem(REVIEWS_PRIVATE, incident_id)
            pipe.execute()

    def all(self) -> dict[str, Document]:
        """Return every document by its slot."""
        stored: Any = self._redis.hgetall(DOCUMENTS)
        return {str(name, "utf-8"): _decode(raw) for name, raw in stored.items()}

    def of(self, incident_id: str) -> dict[str, Document]:
        """Return an incident's documents by their slots."""
        slots = slots_of(incident_id)
        stored: Any = self._redis.hmget(DOCUMENTS, slots)
        return {name: _decode(raw) for name, raw in zip(slots, stored, strict=True) if raw}

    def save(self, name: str, document: Document) -> None:
        """Store what is known of a document."""
        kept = {key: value for key, value in asdict(document).items() if value}
        self._redis.hset(DOCUMENTS, name, json.dumps(kept, default=lambda at: at.isoformat(), ensure_ascii=False))

    def forget(self, name: str) -> None:
        """Remove a document that is not there any more."""
        self._redis.hdel(DOCUMENTS, name)


def slot(incident_id: str, vendor: ReviewVendor, *, private: bool) -> str:
    """Return the name under which a document is kept."""
    return f"{incident_id}/{vendor}{'/private' if private else ''}"


def slots_of(incident_id: str) -> list[str]:
    """Return every slot that an incident may have."""
    return [slot(incident_id, vendor, private=private) for vendor in ReviewVendor for private in (False, True)]


def parts_of(name: str) -> tuple[str, ReviewVendor, bool]:
    """Return what a slot is of: the incident, the service, and whether it is the private place."""
    incident_id, vendor, *private = name.split("/")
    return incident_id, ReviewVendor(vendor), bool(private)


_FIELDS = tuple(field.name for field in fields(Document))


def _decode(raw: bytes) -> Document:
    """Decode a document; fields that a newer Tocsin added are left out."""
    stored = {name: value for name, value in json.loads(raw).items() if name in _FIELDS}
    instants = {name: datetime.fromisoformat(stored[name]) for name in ("since", "held", "doubted") if name in stored}
    return Document(**(stored | instants))
