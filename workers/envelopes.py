"""After an outage one mail pages a person for all that they missed: its letters share an envelope.

The first that an outage held up opens the envelope and waits a moment for the others. What goes with it counts as sent
once the mail was taken; if it is called off instead, those that were in it share a new one.

`tocsin:envelope:{person}` says of each effect whose mail it goes with, and `SENT` when that was taken; `first` is the
one that others may still join, `since` when that was opened.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from escalation.agenda import incident_of
from escalation.effects import PageBy
from escalation.events import Delivered
from escalation.incident import Incident
from escalation.store import NotFound, Store
from escalation.values import PersonId
from escalation.versions import TooNew
from workers.gathering import held_up
from workers.leases import TRIES_SECONDS, tries_key
from workers.planning import Later

OPEN_FOR = timedelta(seconds=2)  # what an outage held up is decided within that
LONGEST = timedelta(seconds=30)  # between two looks at a mail that is still on its way
SENT = "sent"

_JOIN = """
local known = redis.call('HGET', KEYS[1], ARGV[1])
local since = redis.call('HGET', KEYS[1], 'since')
if known and known ~= ARGV[2] then return {known, since} end
if not known and redis.call('HEXISTS', KEYS[2], 'sent') == 1 then return {ARGV[1], '0'} end
local first = redis.call('HGET', KEYS[1], 'first')
if not first or first == ARGV[2] then
  first, since = ARGV[1], ARGV[3]
  redis.call('HSET', KEYS[1], 'first', first, 'since', since)
end
redis.call('HSET', KEYS[1], ARGV[1], first)
redis.call('EXPIRE', KEYS[1], ARGV[4])
return {first, since}
"""
_SEAL = """
if redis.call('HGET', KEYS[1], 'first') == ARGV[1] then redis.call('HDEL', KEYS[1], 'first') end
return redis.call('HGETALL', KEYS[1])
"""


class Envelopes:
    """The pages by mail that go together."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def join(self, incident: Incident, effect: PageBy, person: PersonId, now: datetime) -> Later | Delivered | None:
        """None when its own mail is to go now; else until when to wait, or that it went with another."""
        if not held_up(incident, effect, now):
            return None
        gone = ""
        while True:
            first, since = self._join(effect, person, now, gone)
            if first == SENT:
                return Delivered(effect=effect.id)
            if first == effect.id:
                closes = since + OPEN_FOR.total_seconds()
                return Later(now + OPEN_FOR) if now.timestamp() < closes else None
            if self._is_to_go(first):
                return Later(now + min(LONGEST, max(OPEN_FOR, (now - effect.at) / 4)))
            gone = first

    def seal(self, person: PersonId, effect: PageBy) -> tuple[str, ...]:
        """Nothing joins this mail any more: the other effects that go with it."""
        found: Any = self._store.redis.eval(_SEAL, 1, _key(person), effect.id)
        names = [str(raw, "utf-8") for raw in found]
        return tuple(k for k, v in zip(names[::2], names[1::2], strict=True) if v == effect.id != k and k != "first")

    def sent(self, person: PersonId, others: Iterable[str]) -> None:
        """The mail that they went with was taken."""
        gone: Any = dict.fromkeys(others, SENT)
        if gone:
            self._store.redis.hset(_key(person), mapping=gone)

    def _join(self, effect: PageBy, person: PersonId, now: datetime, gone: str) -> tuple[str, float]:
        keys = (_key(person), tries_key(effect.id))
        words = (effect.id, gone, repr(now.timestamp()), TRIES_SECONDS)
        first, since = self._store.redis.eval(_JOIN, len(keys), *keys, *words)
        return str(first, "utf-8"), float(since or 0)

    def _is_to_go(self, effect_id: str) -> bool:
        """Whether another mail is still on its way; what a newer Tocsin holds is that one's to send."""
        try:
            return self._store.get(incident_of(effect_id)).effect(effect_id) is not None
        except NotFound:
            return False
        except TooNew:
            return True


def _key(person: PersonId) -> str:
    return f"tocsin:envelope:{person}"
