"""Which incident a mail is about: of every mail that was taken, so that a reply to it joins that incident.

`tocsin:mail:{digest of the Message-ID}` is the incident's id.
"""

import hashlib
from collections.abc import Iterable

from redis import Redis

KEPT_SECONDS = 30 * 86_400  # after the last mail of a thread; a reply to an older one is a report of its own


class MailThreads:
    """Incidents by Message-ID."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def incident_of(self, message_ids: Iterable[str]) -> str:
        """Return the incident of the last of these mails that is known; empty if none is."""
        keys = [_key(name) for name in message_ids if name]
        found = self._redis.mget(keys) if keys else []
        known = [str(raw, "utf-8") for raw in found if isinstance(raw, bytes)] if isinstance(found, list) else []
        return known[-1] if known else ""

    def note(self, message_id: str, incident_id: str) -> None:
        """Note which incident a mail is about."""
        if message_id:
            self._redis.set(_key(message_id), incident_id, ex=KEPT_SECONDS)


def _key(message_id: str) -> str:
    return f"tocsin:mail:{hashlib.sha256(message_id.encode('utf-8', 'replace')).hexdigest()[:32]}"
