"""Messages that were deleted in Slack a moment ago: the send of one of ours may not be recorded yet.

The bot adds a message and then reads its incident; a worker records a send and then looks here. So whichever comes
second knows of both. Key: `tocsin:deleted`, a sorted set of `{channel}:{ts}` scored by when, in epoch seconds.
"""

from datetime import datetime, timedelta
from typing import Final

from redis import Redis

DELETED: Final = "tocsin:deleted"
KEPT = timedelta(minutes=15)  # a send is recorded within a second; Redis may fail over in between


class DeletedMessages:
    """Register of deleted messages. Its methods raise RedisError."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def add(self, channel: str, ts: str, now: datetime) -> None:
        """Remember that a message was deleted, and forget those of long ago."""
        with self._redis.pipeline() as pipe:
            pipe.zadd(DELETED, {f"{channel}:{ts}": now.timestamp()})
            pipe.zremrangebyscore(DELETED, "-inf", repr((now - KEPT).timestamp()))
            pipe.execute()

    def has(self, channel: str, ts: str) -> bool:
        """True if a message was deleted a moment ago."""
        return self._redis.zscore(DELETED, f"{channel}:{ts}") is not None
