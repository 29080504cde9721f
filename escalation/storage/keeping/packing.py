"""Packing what an earlier build or an import wrote: settled incidents that are stored whole, or without a chain."""

from collections.abc import Iterator

from escalation.errors import NotFound, TooNew
from escalation.incident.model import Incident
from escalation.storage import indexes
from escalation.storage.keeping import packed
from escalation.storage.store import Store


def pack_settled(store: Store, most: int) -> tuple[int, bool]:
    """Write settled incidents anew, `most` at once; returns how many, and whether more are left."""
    done = 0
    for incident in _unpacked(store):
        if done == most:
            return done, True
        store.update(incident.id, lambda before: before.model_copy())
        done += 1
    return done, False


def _unpacked(store: Store) -> Iterator[Incident]:
    """Yield settled incidents that are not packed; what cannot be read is left alone."""
    ids = store.closed_ids()
    with store.redis.pipeline(transaction=False) as pipe:
        for incident_id in ids:
            pipe.getrange(indexes.key(incident_id), 0, packed.START_LENGTH - 1)
        starts = pipe.execute()
    for incident_id, start in zip(ids, starts, strict=True):
        if start and not packed.is_packed(start) and (incident := _readable(store, incident_id)):
            yield incident


def _readable(store: Store, incident_id: str) -> Incident | None:
    try:
        incident = store.get(incident_id)
    except (NotFound, TooNew, ValueError):
        return None
    return incident if packed.settled(incident) else None
