"""What stands in Slack's queue of scheduled messages, in the hash `tocsin:stand-ins`: key -> JSON.

A record is written before Slack is asked, so that a lost reply leaves a trace; `scheduled` is empty until Slack's id is
known. Whoever removes a record owns what it stood for.
"""

from datetime import datetime

from redis import Redis

from escalation.dead_man import StandIn
from escalation.values import Frozen, PersonId

KEY = "tocsin:stand-ins"


class Record(Frozen):
    """A scheduled message: to which member, in which conversation, and its id.

    `refused`: Slack has no room for it in those minutes.
    """

    stand_in: StandIn
    member: PersonId
    channel: str
    scheduled: str = ""
    refused: bool = False


class Records:
    """All scheduled messages of ours. Its methods raise RedisError."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def all(self) -> dict[str, Record]:
        """Return every record by its key."""
        raw: dict[bytes, bytes] = self._redis.hgetall(KEY)  # type: ignore[assignment]  # redis-py types both clients
        return {str(key, "utf-8"): Record.model_validate_json(record, extra="ignore") for key, record in raw.items()}

    def keep(self, record: Record) -> None:
        """Write a record."""
        self._redis.hset(KEY, record.stand_in.key, record.model_dump_json())

    def drop(self, record: Record) -> bool:
        """Remove a record; True for the one who removed it."""
        return bool(self._redis.hdel(KEY, record.stand_in.key))

    def posted(self, incident: str, member: PersonId, now: datetime) -> Record | None:
        """Return the latest of a member's that Slack may have posted by now; None if there is none."""
        mine = (r for r in self.all().values() if (r.stand_in.incident, r.member) == (incident, member))
        due = [r for r in mine if r.scheduled and r.stand_in.sends_at <= now]
        return max(due, key=lambda r: r.stand_in.post_at, default=None)
