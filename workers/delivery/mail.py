"""Mail: pages to who is paged, and communications to stakeholders.

After an outage one mail pages a person for all that they missed: its letters share an envelope. The first that an
outage held up opens the envelope and waits a moment for the others. What goes with it counts as sent once the mail was
taken; if it is called off instead, those that were in it share a new one. What is urgent waits for nothing that is not.
Like every mail this is at least once: after a crash in mid-send a letter may come in two mails.

`tocsin:envelope:{address}` says of each effect whose mail it goes with, and `SENT` when that was taken; `first` is the
one that others may still join, since `since`, and `urgent` whether it is that.
"""

import contextlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from escalation.errors import TooNew
from escalation.incident.effects import Effect, MailOut, PageBy
from escalation.incident.events import Delivered, Dropped
from escalation.incident.model import Incident
from escalation.messages.mail import Call, page_letter, stakeholder_letter
from escalation.service import IncidentService
from escalation.storage.alarms import incident_of
from escalation.storage.store import Store
from escalation.values import PersonId
from workers.channels.failures import Failed, Kind
from workers.channels.smtp import MailClient
from workers.delivery.outage_grouping import held_up
from workers.delivery.plan import Plan, Planned, RetryAt, SendResult, company_wording, sending
from workers.delivery.rate_limits import Budget
from workers.queue.leases import TRIES_SECONDS, tries_key

STAKEHOLDERS = "stakeholders"
# A provider's patience is not known beforehand; ten at once and then five a second troubles none.
MAIL = Budget("mail", 0.2, 10)
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


class MailPlanner:
    """Plans mails. Whether one may have gone before makes no difference: nobody can be asked."""

    def __init__(self, client: MailClient, service: IncidentService) -> None:
        self._client = client
        self._service = service
        self._envelopes = Envelopes(service.store)
        self._wording = company_wording(service.company)

    def plan(self, incident: Incident, effect: Effect, now: datetime) -> Planned:
        """The mail, or its outcome when there is nothing (left) to send."""
        match effect:
            case PageBy():
                return self._page(incident, effect, now)
            case MailOut():
                return self._communication(incident, effect)
            case _:
                raise TypeError(f"mail does not carry {effect.kind}")

    def _page(self, incident: Incident, effect: PageBy, now: datetime) -> Planned:
        call = _call(incident, effect)
        if call is None:
            return Dropped(effect=effect.id, why="moot")
        to = self._address(call.page.person)
        if not to:
            return Dropped(effect=effect.id, why="no address is known")
        elsewhere = self._envelopes.join(incident, effect, to, now)
        if elsewhere:
            return elsewhere
        return Plan(MAIL, sending(effect, lambda: self._send_together(to, call, effect)))

    def _send_together(self, to: str, call: Call, effect: PageBy) -> None:
        enclosed = self._enclosed(self._envelopes.seal(to, effect))
        letter = page_letter([call, *filter(None, enclosed.values())], self._service.store.directory().names)
        try:
            self._client.send([to], letter, effect.id)
        except Failed as failed:
            if failed.kind is Kind.OURS:
                self._envelopes.part(to, enclosed)
            raise
        self._envelopes.sent(to, enclosed)

    def _enclosed(self, effect_ids: tuple[str, ...]) -> dict[str, Call | None]:
        """What goes with a mail: None for what calls nobody by now. Without what cannot be read here."""
        found: dict[str, Call | None] = {}
        for effect_id in effect_ids:
            with contextlib.suppress(KeyError, ValueError, TooNew):
                incident = self._service.store.get(incident_of(effect_id))
                found[effect_id] = _call(incident, incident.effect(effect_id))
        return found

    def _communication(self, incident: Incident, effect: MailOut) -> Planned:
        roster = self._service.roster(self._service.clock())
        to = [a for p in roster.of(STAKEHOLDERS) if (a := self._address(p))]
        if not to or incident.private:
            return Dropped(effect=effect.id, why="there is nobody to mail")
        names = self._service.store.directory().names
        letter = stakeholder_letter(incident, incident.entry(effect.entry), self._wording, names)
        return Plan(MAIL, sending(effect, lambda: self._client.send(to, letter, effect.id)))

    def _address(self, person: PersonId) -> str:
        return self._service.company.mail_of(person, self._service.store.directory())


def _call(incident: Incident, effect: Effect | None) -> Call | None:
    """The page of a mail, while it still has to go out."""
    page = incident.page_to_send(effect) if isinstance(effect, PageBy) else None
    return Call(incident, page) if page else None


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
