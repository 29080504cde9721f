"""Canvases of reviews. Keys: `tocsin:review-canvas:{incident}`, JSON; `tocsin:review-canvas-lock:{incident}`."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from redis import Redis

from escalation.values import fingerprint

LOCKED = 120  # seconds, should the process die that holds the lock


class Base(NamedTuple):
    """Fingerprints of a section's words when canvas and store were last compared: as they stood in each.

    They are only compared, and so the words themselves are kept in no second place that would have to forget them.
    """

    canvas: str
    stored: str

    @classmethod
    def of(cls, canvas: str, stored: str) -> "Base":
        """Take the fingerprints of words."""
        return cls(fingerprint(canvas), fingerprint(stored))


NOTHING = Base.of("", "")


@dataclass(frozen=True)
class Canvas:
    """The canvas of one review: its id and link in Slack, the channel that may write in it, and what we know of it.

    `lines` are marks of the lines that we wrote; `base` stands for people's words by section at the last comparison.
    """

    id: str
    url: str
    channel: str = ""
    lines: tuple[str, ...] = ()
    base: Mapping[str, Base] = field(default_factory=dict)


class Canvases:
    """Register of canvases. Its methods raise RedisError."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def of(self, incident_id: str) -> Canvas | None:
        """Return the canvas of an incident's review, if it has one."""
        raw: Any = self._redis.get(key(incident_id))
        if raw is None:
            return None
        stored = json.loads(raw)
        base = {section: Base.of(*words) for section, words in stored.pop("base", {}).items()}  # an earlier build's
        base |= {section: Base(*prints) for section, prints in stored.pop("compared", {}).items()}
        return Canvas(**stored | {"lines": tuple(stored.get("lines", ())), "base": base})

    def save(self, incident_id: str, canvas: Canvas) -> None:
        """Store what is known of a canvas."""
        record = asdict(canvas)
        record["compared"] = record.pop("base")
        self._redis.set(key(incident_id), json.dumps(record, ensure_ascii=False))

    def forget(self, incident_id: str) -> None:
        """Remove a canvas that is not there any more."""
        self._redis.delete(key(incident_id))

    def lock(self, incident_id: str) -> bool:
        """Take the right to change a canvas; False while somebody else has it."""
        return bool(self._redis.set(_lock(incident_id), "1", nx=True, ex=LOCKED))

    def unlock(self, incident_id: str) -> None:
        """Give it back."""
        self._redis.delete(_lock(incident_id))


def key(incident_id: str) -> str:
    """Return the key of what is known of an incident's canvas."""
    return f"tocsin:review-canvas:{incident_id}"


def _lock(incident_id: str) -> str:
    return f"tocsin:review-canvas-lock:{incident_id}"
