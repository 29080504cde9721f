"""Rate limits kept on our side, before Slack has to: a rate with a short burst per key, shared by all processes.

The generic cell rate algorithm (GCRA) in one Lua call. A send that has to wait gets a slot of its own, so that twenty
messages for one channel are retried one after the other and not all at once.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from redis import Redis

from escalation.incident.model import Incident

# https://docs.slack.dev/apis/web-api/rate-limits: about one message a second and channel, with short bursts; tier 2 is
# 20 and tier 3 is 50 calls a minute for each method and workspace.
_TIER_2, _TIER_3 = 60 / 20, 60 / 50

_RESERVE = """
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

# One bucket for all, of which the less pressing leave a part to the others; those that wait stand in a line of their
# own (KEYS[3]), and look again when their time has come. Whoever then has to give way goes to a second line (KEYS[4]):
# however many wait, no more of them look than Slack lets go. ARGV[4] is how many calls they have to leave.
_RESERVE_BEHIND = """
local now, every, burst, left = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local slot = redis.call('GET', KEYS[2])
if slot and now < tonumber(slot) then return slot end
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local at = full - every * (burst - 1 - left)
if at <= now then
  redis.call('SET', KEYS[1], string.format('%.6f', full + every), 'PX', math.ceil((full + every - now) * 1000) + 1000)
  redis.call('DEL', KEYS[2])
  return ''
end
local line = slot and KEYS[4] or KEYS[3]
at = math.max(at, tonumber(redis.call('GET', line) or 0) + every)
redis.call('SET', line, string.format('%.6f', at), 'PX', math.ceil((at - now) * 1000) + 1000)
at = string.format('%.6f', at)
redis.call('SET', KEYS[2], at, 'PX', math.ceil((tonumber(at) - now) * 1000) + 60000)
return at
"""


@dataclass(frozen=True)
class Budget:
    """Rate limit of one key: `every` seconds between two calls in the long run, after a burst of `burst`.

    `leaves` is set where calls of several urgencies share the limit: how much of the burst is left to more urgent ones.
    `once`: it counts what people get, not tries: whoever had a slot needs no other to try again.
    """

    key: str
    every: float
    burst: int
    leaves: int | None = None
    once: bool = False


def message(channel: str) -> Budget:
    """Budget of messages in one channel. Direct messages are a channel each, so pages wait behind nobody else's."""
    return Budget(f"post:{channel}", 1.0, 3)


def urgent(budget: Budget) -> Budget:
    """Budget of the urgent incidents alone, as in their queue: a P0 page never waits behind P3 messages.

    Both together may ask for more than Slack gives; then Slack says when to retry, and nobody has waited for long.
    """
    return budget if budget.leaves is not None else replace(budget, key=f"{budget.key}:urgent")


def update(incident: Incident, *, card: bool) -> Budget:
    """Budget of one update: all share Slack's limit, and what people look at now goes first.

    First the cards of what is urgent and open, or has just ended, and what became private; then other cards, and
    messages that lose their buttons; last the copies of a drill.
    """
    if incident.drill:
        return replace(UPDATE, leaves=_LEAVES[2])
    first = incident.private or (card and (incident.policy.urgent or not incident.open))
    return replace(UPDATE, leaves=_LEAVES[0] if first else _LEAVES[1])


def longest_update(redis: Redis, now: datetime) -> float:
    """Seconds until the last of the updates that wait has its turn."""
    lines: list[Any] = redis.mget([f"tocsin:pace:{UPDATE.key}:{leaves}" for leaves in _LEAVES])
    return max((float(at) - now.timestamp() for at in lines if at), default=0.0)


HAD_SECONDS = 86_400  # nothing is tried for longer
_LEAVES = (0, 10, 15)
UPDATE = Budget("update", _TIER_3, 20, leaves=_LEAVES[1])
INVITE = Budget("invite", _TIER_3, 20)
CREATE = Budget("create", _TIER_2, 10)
TOPIC = Budget("topic", _TIER_2, 10)
PIN = Budget("pin", _TIER_2, 10)
ARCHIVE = Budget("archive", _TIER_2, 10)
CANVAS = Budget("canvas", _TIER_3, 10)
BOOKMARK = Budget("bookmark", _TIER_2, 10)


def reserve(redis: Redis, budget: Budget, ticket: str, now: datetime) -> datetime | None:
    """None: send now. Else the time to retry, with the same ticket."""
    had = f"tocsin:slot:{ticket}:had"
    if budget.once and redis.exists(had):
        return None
    keys = [f"tocsin:pace:{budget.key}", f"tocsin:slot:{ticket}"]
    arguments: list[str | int | float] = [repr(now.timestamp()), repr(budget.every), budget.burst]
    if budget.leaves is None:
        slot: Any = redis.eval(_RESERVE, 2, *keys, *arguments)
    else:
        line = f"tocsin:pace:{budget.key}:{budget.leaves}"
        slot = redis.eval(_RESERVE_BEHIND, 4, *keys, line, f"{line}:again", *arguments, budget.leaves)
    if budget.once and not slot:
        redis.set(had, 1, ex=HAD_SECONDS)
    return datetime.fromtimestamp(float(slot), UTC) if slot else None
