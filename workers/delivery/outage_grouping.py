"""After an outage one page calls a person and lists what else they missed: the rest stands in its thread, notes too.

A message in a thread does not ring. So the leading page is never the less severe one, nor one that its person has
answered already, nor one that does not arrive: then the page that would have stood under it leads instead.

`tocsin:leads:{person}` is the page that leads, for as long as others may join it; `tocsin:under:{effect}` is the one
that an effect stands under, or the effect itself. That is decided before the first send and not again, so that a
retry looks for its message where it was sent.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from escalation.engine.firing import LATE
from escalation.errors import TooNew
from escalation.incident.effects import PageBy, SendPage, Tell
from escalation.incident.model import Copy, EntryKind, Incident, PageState
from escalation.storage.alarms import incident_of
from escalation.storage.store import Store
from escalation.values import PersonId
from workers.delivery.plan import RetryAt
from workers.queue.leases import TRIES_SECONDS, tries_key

JOINED_FOR = 60  # seconds: what an outage held up is decided within that, and a page later than that should ring
PATIENCE = timedelta(seconds=5)
AGAIN = timedelta(seconds=0.4)

_UNDER = """
local known = redis.call('HMGET', KEYS[2], 'leader', 'since')
local sent = redis.call('HEXISTS', KEYS[3], 'sent')
if known[1] and known[1] ~= ARGV[3] then return {known[1], known[2], sent} end
if sent == 1 and not known[1] then return {ARGV[1], ARGV[4], sent} end
local leads = redis.call('HMGET', KEYS[1], 'effect', 'severity')
local leader = ARGV[1]
if leads[1] and leads[1] ~= ARGV[3] and (ARGV[2] == '' or leads[2] <= ARGV[2]) then
  leader = leads[1]
elseif ARGV[2] ~= '' then
  redis.call('HSET', KEYS[1], 'effect', ARGV[1], 'severity', ARGV[2])
  redis.call('EXPIRE', KEYS[1], ARGV[5])
end
redis.call('HSET', KEYS[2], 'leader', leader, 'since', ARGV[4])
redis.call('EXPIRE', KEYS[2], ARGV[6])
return {leader, ARGV[4], sent}
"""


@dataclass(frozen=True)
class _Place:
    """The leader that was found for an effect, since when, and whether the effect may have been sent there."""

    leader: str
    since: float
    sent: bool


class OutageGrouping:
    """Finds the page that another one, or a note, stands under."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def leader(
        self, incident: Incident, effect: SendPage | Tell, person: PersonId, now: datetime
    ) -> Copy | RetryAt | None:
        """The message to answer to; None for one that stands alone; Later while the leading page is on its way."""
        if not held_up(incident, effect, now):
            return None
        gone = ""
        while True:
            place = self._place(incident, effect, person, now, gone)
            if place.leader == effect.id:
                return None
            found = self._look(place, now)
            if found:
                return found
            gone = place.leader

    def _place(self, incident: Incident, effect: SendPage | Tell, person: PersonId, now: datetime, gone: str) -> _Place:
        keys = (f"tocsin:leads:{person}", f"tocsin:under:{effect.id}", tries_key(effect.id))
        leads = incident.severity if isinstance(effect, SendPage) else ""
        words = (effect.id, leads, gone, repr(now.timestamp()), JOINED_FOR, TRIES_SECONDS)
        answer: Any = self._store.redis.eval(_UNDER, len(keys), *keys, *words)
        leader, since, sent = answer
        return _Place(str(leader, "utf-8"), float(since), bool(sent))

    def _look(self, place: _Place, now: datetime) -> Copy | RetryAt | None:
        """The leading page, if it can be stood under; Later if that is to be seen."""
        waits = now.timestamp() - place.since < PATIENCE.total_seconds()
        try:
            incident = self._store.get(incident_of(place.leader))
        except TooNew:  # only the newer Tocsin knows what became of it
            return RetryAt(now + AGAIN) if waits else None
        except (KeyError, ValueError):  # it is not there, or cannot be read
            return None
        copy = incident.copy_of(place.leader)
        if copy:
            calls = incident.open and incident.page(copy.page).state is PageState.OPEN
            return copy if place.sent or calls else None
        return RetryAt(now + AGAIN) if waits and incident.effect(place.leader) else None


def held_up(incident: Incident, effect: SendPage | Tell | PageBy, now: datetime) -> bool:
    """Whether an outage made this late: Slack's or the limits', since it was decided, or our own before that."""
    woken = any(e.kind is EntryKind.RECOVERED and e.at == effect.at for e in incident.timeline)
    return woken or now - effect.at > LATE
