"""Slack's rate limits: calls a minute for each method, and about one message a second for each channel.

Tiers: https://docs.slack.dev/apis/web-api/rate-limits
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.records import Json


@dataclass(frozen=True)
class Rate:
    """`burst` calls at once, then one each `seconds`."""

    burst: int
    seconds: float


TIERS = {
    "tier1": Rate(1, 60),
    "tier2": Rate(20, 60 / 20),
    "tier3": Rate(50, 60 / 50),
    "tier4": Rate(100, 60 / 100),
    "special": Rate(600, 60 / 600),
    # chat.postMessage: several hundred a minute for the workspace, and the channel's own limit below.
    "posting": Rate(400, 60 / 400),
}
CHANNEL_POSTS = Rate(4, 1.0)
ROUNDING = 1e-5


class Limits:
    """Which calls are too many now. Each key has a "theoretical arrival time": when its debt is paid."""

    def __init__(self, now: Callable[[], float], on: bool) -> None:
        self.on = on
        self._now = now
        self._due: dict[str, float] = {}

    def retry_after(self, method: str, tier: str, args: Json) -> int | None:
        """Whole seconds to wait, or None when the call may go on (it then counts)."""
        if not self.on:
            return None
        keys = {method: TIERS[tier]}
        if tier == "posting":
            keys[f"posts to {args.get('channel')}"] = CHANNEL_POSTS
        wait = max(self._wait(key, rate) for key, rate in keys.items())
        if wait > ROUNDING:
            return max(1, math.ceil(wait))
        for key, rate in keys.items():
            self._due[key] = max(self._due.get(key, 0.0), self._now()) + rate.seconds
        return None

    def _wait(self, key: str, rate: Rate) -> float:
        room = (rate.burst - 1) * rate.seconds
        return self._due.get(key, 0.0) - room - self._now()

    def clear(self) -> None:
        self._due.clear()
