"""Records about tickets in trackers that are no part of an incident: creations in doubt, twins, our own logins.

`tocsin:ticket:begun:{key}`: how often a ticket was looked for in vain since its creation began. The key is an effect's
id, or `item:` and that of an action item.
`tocsin:ticket:twins`: incidents and action items that may have two tickets, by when to look (epoch seconds).
`tocsin:ticket:me:{vendor}`: our own login there.
"""

from datetime import datetime, timedelta
from typing import Any

from redis import Redis

from escalation.config.tickets import Vendor

BEGUN_SECONDS = 2 * 86_400  # longer than a creation is retried
ME_SECONDS = 30 * 86_400
TWINS_AFTER = timedelta(hours=1)  # Jira's search has caught up by then
TWINS = "tocsin:ticket:twins"


class TicketRecords:
    """Records about tickets. Its methods raise RedisError."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def searches(self, effect: str) -> int | None:
        """Return how often it was looked for what a creation may have made; None: none began, or it was refused."""
        raw: Any = self._redis.get(_begun(effect))
        return None if raw is None else int(raw)

    def begin(self, effect: str) -> None:
        """Record that a creation begins."""
        self._redis.set(_begun(effect), 0, ex=BEGUN_SECONDS)

    def searched(self, effect: str) -> None:
        """Count a search in vain."""
        self._redis.incr(_begun(effect))

    def refused(self, effect: str) -> None:
        """Record that nothing was made."""
        self._redis.delete(_begun(effect))

    def doubt(self, incident: str, now: datetime) -> None:
        """Have somebody look for a second ticket of an incident later on."""
        self._redis.zadd(TWINS, {incident: (now + TWINS_AFTER).timestamp()}, nx=True)

    def doubtful(self, now: datetime) -> list[str]:
        """Return the incidents to look at now."""
        due: Any = self._redis.zrangebyscore(TWINS, "-inf", now.timestamp())
        return [str(incident, "utf-8") for incident in due]

    def settled(self, incident: str) -> None:
        """Record that an incident has one ticket."""
        self._redis.zrem(TWINS, incident)

    def note_me(self, vendor: Vendor, login: str) -> None:
        """Record our own login."""
        if login:
            self._redis.set(f"tocsin:ticket:me:{vendor}", login, ex=ME_SECONDS)

    def me(self, vendor: Vendor) -> str:
        """Return our own login; empty until we made a ticket there."""
        raw: Any = self._redis.get(f"tocsin:ticket:me:{vendor}")
        return str(raw, "utf-8") if raw else ""


def _begun(effect: str) -> str:
    return f"tocsin:ticket:begun:{effect}"
