"""Messages of ours in channels outside incidents, as Slack has them, so that forgetting somebody reaches them.

Keys: `tocsin:posted:{channel}:{ts}` JSON, for KEPT; `tocsin:posted:stale` those that read otherwise in Slack.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from redis import Redis

PREFIX = "tocsin:posted:"
STALE = f"{PREFIX}stale"
KEPT = timedelta(days=400)  # a year's reports, and the time to notice


@dataclass(frozen=True)
class Posted:
    """A message as it should read in Slack."""

    channel: str
    ts: str
    text: str
    blocks: list[dict[str, Any]]


class PostedMessages:
    """Register of messages. Its methods raise RedisError."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def note(self, posted: Posted) -> None:
        """Keep what was posted."""
        words = json.dumps({"text": posted.text, "blocks": posted.blocks}, ensure_ascii=False)
        self._redis.set(f"{PREFIX}{posted.channel}:{posted.ts}", words, ex=KEPT)

    def stale(self) -> Iterator[Posted]:
        """Yield the messages whose words were removed here, and still stand in Slack."""
        names: Any = self._redis.smembers(STALE)
        for name in sorted(str(raw, "utf-8") for raw in names):
            raw: Any = self._redis.get(name)
            channel, _, ts = name.removeprefix(PREFIX).partition(":")
            if raw is None:
                self._redis.srem(STALE, name)
            else:
                stored = json.loads(raw)
                yield Posted(channel, ts, stored["text"], stored["blocks"])

    def shown(self, posted: Posted) -> None:
        """Note that Slack has a message as it should read, or not at all any more."""
        self._redis.srem(STALE, f"{PREFIX}{posted.channel}:{posted.ts}")


def is_posted(key: str) -> bool:
    """True for the key of a message."""
    return key.startswith(PREFIX) and key != STALE
