"""Group the pages of one person after an outage: one leads and lists the rest, which goes into its thread.

A message in a thread does not notify. So the leading page is never the less severe one, nor one that its person has
acknowledged already, nor one that does not arrive: then the next page leads instead.

`tocsin:leads:{person}` is the leading page, for as long as others may join it; `tocsin:under:{effect}` is the leader of
an effect, or the effect itself. That is decided before the first send and not again, so that a retry looks for its
message where it was sent.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from escalation.engine.firing import LATE
from escalation.errors import TooNew
from escalation.incident.effects import PageBy, RemindPerson, SendPage, Tell
from escalation.incident.model import Incident
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.pages import PageState
from escalation.incident.state.posted import Copy
from escalation.storage.alarms import incident_of
from escalation.storage.store import Store
from escalation.values import PersonId
from workers.delivery.plan import RetryAt
from workers.queue.leases import TRIES_SECONDS, tries_key

JOINED_FOR = 60  # seconds: delayed pages are decided within that, and a page later than that should notify
PATIENCE = timedelta(seconds=5)
RECHECK_AFTER = timedelta(seconds=0.4)

_FIND_LEADER = """
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


def _under(effect_id: str) -> str:
    return f"tocsin:under:{effect_id}"


@dataclass(frozen=True)
class _Grouping:
    """Leader of an effect, since when (epoch seconds), and whether the effect may have been sent there."""

    leader: str
    since: float
    sent: bool


class OutageGrouping:
    """Finds the leading page for a page or a note that an outage delayed."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def leader(
        self, incident: Incident, effect: SendPage | Tell | RemindPerson, person: PersonId, now: datetime
    ) -> Copy | RetryAt | None:
        """The message to reply to; None for a message of its own; RetryAt while the leading page is on its way."""
        if not is_delayed(incident, effect, now):
            return None
        obsolete = ""
        while True:
            grouping = self._grouping(incident, effect, person, now, obsolete)
            if grouping.leader == effect.id:
                return None
            answer = self._leading_copy(grouping, now)
            if answer:
                return answer
            obsolete = grouping.leader

    def known_leader(self, effect_id: str) -> Copy | None:
        """The leading page that an effect may have been sent under; None if it was to be a message of its own."""
        leader: Any = self._store.redis.hget(_under(effect_id), "leader")
        if leader is None or str(leader, "utf-8") == effect_id:
            return None
        try:
            return self._store.get(incident_of(str(leader, "utf-8"))).copy_of(str(leader, "utf-8"))
        except (KeyError, ValueError, TooNew):  # missing, or unreadable here
            return None

    def _grouping(
        self, incident: Incident, effect: SendPage | Tell | RemindPerson, person: PersonId, now: datetime, obsolete: str
    ) -> _Grouping:
        keys = (f"tocsin:leads:{person}", _under(effect.id), tries_key(effect.id))
        leads = incident.severity if isinstance(effect, SendPage) else ""
        arguments = (effect.id, leads, obsolete, repr(now.timestamp()), JOINED_FOR, TRIES_SECONDS)
        reply: Any = self._store.redis.eval(_FIND_LEADER, len(keys), *keys, *arguments)
        leader, since, sent = reply
        return _Grouping(str(leader, "utf-8"), float(since), bool(sent))

    def _leading_copy(self, grouping: _Grouping, now: datetime) -> Copy | RetryAt | None:
        """The leading page, if it can be replied to; RetryAt while that is not known."""
        may_wait = now.timestamp() - grouping.since < PATIENCE.total_seconds()
        try:
            incident = self._store.get(incident_of(grouping.leader))
        except TooNew:  # only the newer Tocsin knows its state
            return RetryAt(now + RECHECK_AFTER) if may_wait else None
        except (KeyError, ValueError):  # missing or unreadable
            return None
        copy = incident.copy_of(grouping.leader)
        if copy:
            is_open = incident.open and incident.page(copy.page).state is PageState.OPEN
            return copy if grouping.sent or is_open else None
        return RetryAt(now + RECHECK_AFTER) if may_wait and incident.effect(grouping.leader) else None


def is_delayed(incident: Incident, effect: SendPage | Tell | RemindPerson | PageBy, now: datetime) -> bool:
    """True if an outage made this late: Slack's (or its rate limits) after it was decided, or our own before that."""
    recovered = any(e.kind is EntryKind.RECOVERED and e.at == effect.at for e in incident.timeline)
    return recovered or now - effect.at > LATE
