"""Slack's rate limits, kept before Slack has to: a rate with a short burst for each key, shared by all processes.

The generic cell rate algorithm in one Lua call. Whatever has to wait gets a slot of its own, so that twenty messages
for one channel wake one after the other and not all at once.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from redis import Redis

# https://docs.slack.dev/apis/web-api/rate-limits: about one message a second and channel, with short bursts; tier 2 is
# 20 and tier 3 is 50 calls a minute for each method and workspace.
_TIER_2, _TIER_3 = 60 / 20, 60 / 50

_ASK = """
local now, every, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local slot = redis.call('GET', KEYS[2])
if slot then
  if now < tonumber(slot) then return slot end
  redis.call('DEL', KEYS[2])
  return ''
end
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local at = full - every * (burst - 1)
redis.call('SET', KEYS[1], string.format('%.6f', full + every), 'PX', math.ceil((full + every - now) * 1000) + 1000)
if at <= now then return '' end
at = string.format('%.6f', at)
redis.call('SET', KEYS[2], at, 'PX', math.ceil((tonumber(at) - now) * 1000) + 60000)
return at
"""


@dataclass(frozen=True)
class Budget:
    """So many seconds between two calls in the long run, after a burst."""

    key: str
    every: float
    burst: int


def message(channel: str) -> Budget:
    """A message into a channel. A person's direct messages are a channel of their own: pages wait behind nobody."""
    return Budget(f"post:{channel}", 1.0, 3)


def urgent(budget: Budget) -> Budget:
    """The worst incidents wait for each other only, as in their queue: a P0 page never stands behind P3 chatter.

    Both together may ask for more than Slack gives; then Slack says when to come back, and nobody has waited for long.
    """
    return replace(budget, key=f"{budget.key}:urgent")


UPDATE = Budget("update", _TIER_3, 20)
INVITE = Budget("invite", _TIER_3, 20)
CREATE = Budget("create", _TIER_2, 10)
TOPIC = Budget("topic", _TIER_2, 10)
PIN = Budget("pin", _TIER_2, 10)
ARCHIVE = Budget("archive", _TIER_2, 10)
BOOKMARK = Budget("bookmark", _TIER_2, 10)


def ask(redis: Redis, budget: Budget, ticket: str, now: datetime) -> datetime | None:
    """None: go now. Else when to come back, with the same ticket; that slot is then kept free."""
    keys = (f"tocsin:pace:{budget.key}", f"tocsin:slot:{ticket}")
    answer: Any = redis.eval(_ASK, 2, *keys, repr(now.timestamp()), repr(budget.every), budget.burst)
    return datetime.fromtimestamp(float(answer), UTC) if answer else None
