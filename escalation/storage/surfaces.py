"""Optional surfaces that Slack refuses here: switched off for a day, named by the doctor, and never a fault."""

from typing import Any

from redis import Redis

KEY = "tocsin:surface-off:"
TRIED_AGAIN_AFTER = 86_400  # seconds
DO_NOT_DISTURB = "Do Not Disturb"
SCHEDULED = "scheduled messages"
CANVAS = "canvases"
LIST = "Lists"


class Surfaces:
    """Which optional surfaces are switched off, for all processes."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def on(self, name: str) -> bool:
        """Check whether Slack may be sent a surface."""
        return not self._redis.exists(KEY + name)

    def switch_off(self, name: str, why: str) -> None:
        """Leave a surface out from now on; it is tried again a day later."""
        self._redis.set(KEY + name, why, ex=TRIED_AGAIN_AFTER)

    def why_off(self, name: str) -> str:
        """Return why a surface is switched off: Slack's error; empty if it is on."""
        why: Any = self._redis.get(KEY + name)
        return str(why or b"", "utf-8")
