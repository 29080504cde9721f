"""After an outage one mail pages a person for all that they missed: its letters share an envelope.

The first that an outage held up opens the envelope and waits a moment for the others. What goes with it counts as sent
once the mail was taken; if it is called off instead, those that were in it share a new one. What is urgent waits for
nothing that is not. Like every mail this is at least once: after a crash in mid-send a letter may come in two mails.

`tocsin:envelope:{address}` says of each effect whose mail it goes with, and `SENT` when that was taken; `first` is the
one that others may still join, since `since`, and `urgent` whether it is that.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from escalation.errors import TooNew
from escalation.incident.effects import PageBy
from escalation.incident.events import Delivered
from escalation.incident.model import Incident
from escalation.storage.alarms import incident_of
from escalation.storage.store import Store
from workers.delivery.outage_grouping import held_up
from workers.delivery.plan import RetryAt, SendResult
from workers.queue.leases import TRIES_SECONDS, tries_key

OPEN_FOR = timedelta(seconds=2)  # what an outage held up is decided within that
LONGEST = timedelta(seconds=30)  # between two looks at a mail that is still on its way
MOST = 30  # letters beside the first: mail servers have limits
FORGOTTEN = 86_400  # seconds; what was in an envelope of the day before is settled
SENT = "sent"

_JOIN = """
local known = redis.call('HGET', KEYS[1], ARGV[1])
local first, since, urgent = unpack(redis.call('HMGET', KEYS[1], 'first', 'since', 'urgent'))
if known and known ~= ARGV[2] then return {known, (known ~= ARGV[1] or first == ARGV[1]) and since or '0'} end
if not known and redis.call('HEXISTS', KEYS[2], 'sent') == 1 then return {ARGV[1], '0'} end
if not first or first == ARGV[2] or (ARGV[5] == '1' and urgent ~= '1') then
  if since and tonumber(ARGV[3]) - tonumber(since) > tonumber(ARGV[6]) then redis.call('DEL', KEYS[1]) end
  first, since = ARGV[1], ARGV[3]
  redis.call('HSET', KEYS[1], 'first', first, 'since', since, 'urgent', ARGV[5])
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
    """The pages by mail that go together. `to` is the address that they go to."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def join(self, incident: Incident, effect: PageBy, to: str, now: datetime) -> RetryAt | SendResult | None:
        """None when its own mail is to go now; else until when to wait, or that it went with another."""
        if not held_up(incident, effect, now):
            return None
        gone = ""
        while True:
            first, since = self._join(incident, effect, to, now, gone)
            if first == SENT:
                return SendResult(Delivered(effect=effect.id), adopted=True)
            waited = now - datetime.fromtimestamp(since, now.tzinfo)
            if first == effect.id:
                return RetryAt(now + OPEN_FOR - waited) if waited < OPEN_FOR else None
            if self._is_to_go(first):
                return RetryAt(now + min(LONGEST, max(OPEN_FOR, waited / 4)))
            gone = first

    def seal(self, to: str, effect: PageBy) -> tuple[str, ...]:
        """Nothing joins this mail any more: the other effects that go with it."""
        found: Any = self._store.redis.eval(_SEAL, 1, _key(to), effect.id)
        names = [str(raw, "utf-8") for raw in found]
        return tuple(k for k, v in zip(names[::2], names[1::2], strict=True) if v == effect.id != k)[:MOST]

    def sent(self, to: str, others: Iterable[str]) -> None:
        """The mail that they went with was taken."""
        self._mark(to, dict.fromkeys(others, SENT))

    def part(self, to: str, others: Iterable[str]) -> None:
        """The mail that they were to go with was refused, perhaps for what one of them says: each goes by itself."""
        self._mark(to, {other: other for other in others})

    def _mark(self, to: str, marks: Any) -> None:
        if marks:
            self._store.redis.hset(_key(to), mapping=marks)

    def _join(self, incident: Incident, effect: PageBy, to: str, now: datetime, gone: str) -> tuple[str, float]:
        keys = (_key(to), tries_key(effect.id))
        urgent = "1" if incident.policy.urgent else ""
        words = (effect.id, gone, repr(now.timestamp()), TRIES_SECONDS, urgent, FORGOTTEN)
        first, since = self._store.redis.eval(_JOIN, len(keys), *keys, *words)
        return str(first, "utf-8"), float(since or 0)

    def _is_to_go(self, effect_id: str) -> bool:
        """Whether another mail is still on its way; what a newer Tocsin holds is that one's to send."""
        try:
            return self._store.get(incident_of(effect_id)).effect(effect_id) is not None
        except TooNew:
            return True
        except (KeyError, ValueError):  # it is not there, or cannot be read
            return False


def _key(to: str) -> str:
    return f"tocsin:envelope:{to}"
