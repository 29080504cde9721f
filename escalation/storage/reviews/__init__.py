"""People's words in reviews. Key: `tocsin:review:{incident}`, a hash section -> JSON (text, by, at)."""

import json
from datetime import datetime
from typing import Any

from redis import Redis, WatchError

from escalation.errors import Refused
from escalation.reviews.model import NOBODY, Written

MAX_TRIES = 20


class Reviews:
    """Words of reviews, each section by itself. Its methods raise RedisError."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def written(self, incident_id: str) -> dict[str, Written]:
        """Return what people wrote, by section."""
        stored: Any = self._redis.hgetall(_key(incident_id))
        return {str(section, "utf-8"): _decode(raw) for section, raw in stored.items()}

    def write(
        self, incident_id: str, texts: dict[str, str], by: str, at: datetime, *, seen: dict[str, str] | None = None
    ) -> list[str]:
        """Write sections all at once; return those that somebody else has changed meanwhile (then nothing is written).

        `seen` is what the writer saw before they began, by section; None writes over whatever there is. What is the
        same as before is no change.
        """
        for _ in range(MAX_TRIES):
            with self._redis.pipeline() as pipe:
                pipe.watch(_key(incident_id))  # type: ignore[no-untyped-call]  # redis-py left it untyped
                known = self.written(incident_id)
                before = {key: known.get(key, NOBODY).text for key in texts}
                changed = {key: text for key, text in texts.items() if not _same(text, before[key])}
                foreign = [key for key in changed if seen is not None and not _same(before[key], seen.get(key, ""))]
                if foreign or not changed:
                    return foreign
                pipe.multi()
                for key, text in changed.items():
                    document = json.dumps({"text": text, "by": by, "at": at.isoformat()}, ensure_ascii=False)
                    pipe.hset(_key(incident_id), key, document)
                try:
                    pipe.execute()
                    return []
                except WatchError:
                    continue
        raise Refused("Too many people write into this review at once. Try again.")


def _same(one: str, other: str) -> bool:
    """True if only space around the words differs: a form strips it."""
    return one.strip() == other.strip()


def _key(incident_id: str) -> str:
    return f"tocsin:review:{incident_id}"


def _decode(raw: bytes) -> Written:
    stored = json.loads(raw)
    return Written(stored["text"], stored.get("by", ""), datetime.fromisoformat(stored["at"]))
