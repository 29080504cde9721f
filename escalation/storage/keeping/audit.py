"""Audit log: what was removed from the record, when, and why. Key: `tocsin:audit`, a list of JSON, the oldest first."""

import json
from datetime import UTC, datetime
from typing import Any

from redis import Redis

AUDIT = "tocsin:audit"


def note(redis: Redis, did: str, what: str) -> None:
    """Note what was done, by the server's clock."""
    seconds, _ = redis.time()
    at = datetime.fromtimestamp(seconds, UTC).isoformat()
    redis.rpush(AUDIT, json.dumps({"at": at, "did": did, "what": what}, ensure_ascii=False))


def entries(redis: Redis) -> list[dict[str, Any]]:
    """Return all entries, the oldest first."""
    stored: Any = redis.lrange(AUDIT, 0, -1)
    return [json.loads(raw) for raw in stored]
