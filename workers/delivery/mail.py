"""Planner of mail: pages to people, invitations to meetings, and communications to stakeholders.

After an outage one mail pages a person for all that they missed. The first page that the outage delayed opens a shared
mail and waits a moment for the others to join. Those count as sent once that mail was accepted; if it is called off
instead, they share a new one. Urgent pages never wait for others. Like every mail this is at least once: after a crash
in mid-send a page may come in two mails.

`tocsin:envelope:{address}` maps each effect to the effect whose mail it goes with, or to `SENT` once that was accepted;
`first` is the mail that can still be joined, `since` when it was opened, `urgent` if it is of an urgent incident.
"""

import contextlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from bot.render.reviews.html import html
from bot.render.reviews.markdown import markdown
from escalation.answers import AnswerService
from escalation.config.notify import MeetingKind, Via
from escalation.config.rules.communications import ListName
from escalation.errors import TooNew
from escalation.incident.effects import Effect, MailOut, MailReview, PageBy, SendInvitation
from escalation.incident.events.outcomes import Delivered, Dropped
from escalation.incident.model import Incident
from escalation.messages.mail import IncidentPage, Mail, invitation_mail, page_mail, review_mail, stakeholder_mail
from escalation.messages.pages import TEST
from escalation.reviews.draft import draft
from escalation.service import IncidentService
from escalation.storage.action_items import ActionItems
from escalation.storage.alarms import incident_of
from escalation.storage.reviews import Reviews
from escalation.storage.store import Store
from escalation.values import PersonId
from workers.channels.failures import Failed, Kind
from workers.channels.smtp import MailClient
from workers.delivery.outage_grouping import is_delayed
from workers.delivery.plan import Plan, Planned, RetryAt, SendResult, company_wording, sending
from workers.delivery.rate_limits import Budget
from workers.queue.leases import TRIES_SECONDS, tries_key

STAKEHOLDERS = "stakeholders"
# A provider's patience is not known beforehand; ten at once and then five a second troubles none.
MAIL = Budget("mail", 0.2, 10)
OPEN_FOR = timedelta(seconds=2)  # pages that an outage delayed are decided within that
LONGEST_RECHECK = timedelta(seconds=30)  # between two checks of a mail that is still on its way
MAX_OTHERS = 30  # pages beside the first in one mail: mail servers have limits
KEPT_SECONDS = 86_400  # seconds; shared mails of the day before are done
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
_CLOSE = """
if redis.call('HGET', KEYS[1], 'first') == ARGV[1] then redis.call('HDEL', KEYS[1], 'first') end
return redis.call('HGETALL', KEYS[1])
"""


class MailPlanner:
    """Plans mails. A retry is sent like a first try: SMTP cannot be asked whether a mail was accepted."""

    def __init__(self, client: MailClient, service: IncidentService) -> None:
        self._client = client
        self._service = service
        self._shared = SharedMails(service.store)
        self._answers = AnswerService(service)
        self._wording = company_wording(service.company, service.store.problems)

    def test(self, via: Via, to: str, delivery: str) -> None:
        """Send a marked test."""
        self._client.send([to], Mail("Tocsin: test", TEST), delivery)

    def plan(self, incident: Incident, effect: Effect, now: datetime) -> Planned:
        """Plan the mail of an effect, or return its outcome if there is nothing (left) to send."""
        match effect:
            case PageBy():
                return self._page(incident, effect, now)
            case MailOut():
                return self._communication(incident, effect)
            case MailReview():
                return self._review(incident, effect)
            case SendInvitation():
                return self._invitation(incident, effect)
            case _:
                raise TypeError(f"mail does not carry {effect.kind}")

    def _page(self, incident: Incident, effect: PageBy, now: datetime) -> Planned:
        call = self._call(incident, effect)
        if call is None:
            return Dropped(effect=effect.id, why="moot")
        to = self._address(call.page.person)
        if not to:
            return Dropped(effect=effect.id, why="no address is known")
        not_now = self._shared.join(incident, effect, to, now)
        if not_now:
            return not_now
        return Plan(MAIL, sending(effect, lambda: self._send_together(to, call, effect)))

    def _send_together(self, to: str, call: IncidentPage, effect: PageBy) -> None:
        included = self._included(self._shared.close(to, effect))
        mail = page_mail([call, *filter(None, included.values())], self._service.store.directory().names)
        try:
            self._client.send([to], mail, effect.id, self._answers.bounce_address(call.incident, call.page))
        except Failed as failed:
            if failed.kind is Kind.OURS:
                self._shared.split(to, included)
            raise
        self._shared.mark_sent(to, included)

    def _included(self, effect_ids: tuple[str, ...]) -> dict[str, IncidentPage | None]:
        """The pages of other effects in the same mail; None for a moot one. Skips unreadable incidents."""
        calls: dict[str, IncidentPage | None] = {}
        for effect_id in effect_ids:
            with contextlib.suppress(KeyError, ValueError, TooNew):
                incident = self._service.store.get(incident_of(effect_id))
                calls[effect_id] = self._call(incident, incident.effect(effect_id))
        return calls

    def _communication(self, incident: Incident, effect: MailOut) -> Planned:
        holders = self._service.roster(self._service.clock()).of(STAKEHOLDERS) if effect.to_role else ()
        to = {address: address for name in effect.lists for address in self._listed(name)}
        to |= {a: p for p in holders if (a := self._address(p))}
        if not to or incident.private:
            return Dropped(effect=effect.id, why="there is nobody to mail")
        names = self._service.store.directory().names
        mail = stakeholder_mail(incident, incident.entry(effect.entry), self._wording, names)
        return Plan(MAIL, lambda retrying: self._send_to_each(to, mail, effect))

    def _review(self, incident: Incident, effect: MailReview) -> Planned:
        to = {address: address for name in effect.lists for address in self._listed(name)}
        if not to or incident.private:
            return Dropped(effect=effect.id, why="there is nobody to mail")
        redis, names = self._service.store.redis, self._service.store.directory().names
        review = draft(incident, Reviews(redis).written(incident.id), ActionItems(redis).of(incident.id))
        mail = review_mail(incident, markdown(review, names), html(review, names))
        return Plan(MAIL, lambda retrying: self._send_to_each(to, mail, effect))

    def _invitation(self, incident: Incident, effect: SendInvitation) -> Planned:
        over = not incident.open and incident.invited[effect.n - 1].about is MeetingKind.CALL
        if over and not effect.cancelled:
            return Dropped(effect=effect.id, why="moot")
        to = {a: p for p in effect.people if (a := self._address(p))}
        if not to:
            return Dropped(effect=effect.id, why="no address is known")
        mail = invitation_mail(incident, effect, self._service.store.directory().names)
        return Plan(MAIL, lambda retrying: self._send_to_each(to, mail, effect))

    def _send_to_each(
        self, to: Mapping[str, PersonId], mail: Mail, effect: MailOut | MailReview | SendInvitation
    ) -> SendResult:
        """Send to those who did not get it yet. Raises the gravest failure that is no bad address, to be retried."""
        redis, key = self._service.store.redis, f"tocsin:mailed:{effect.id}"  # address -> SENT, or why it is bad
        done: Any = redis.hgetall(key)
        bad = {str(address, "utf-8"): str(why, "utf-8") for address, why in done.items() if why != SENT.encode()}
        remaining = [address for address in to if address.encode() not in done]
        failures = self._client.send_each(remaining, mail, effect.id) if remaining else {}
        bad |= {address: failed.reason.text for address, failed in failures.items() if failed.kind is Kind.PERSON}
        decided: Any = {a: bad.get(a, SENT) for a in remaining if a in bad or a not in failures}
        if decided:
            redis.hset(key, mapping=decided)
            redis.expire(key, KEPT_SECONDS)
        others = [failed for failed in failures.values() if failed.kind is not Kind.PERSON]
        if others:
            raise next((failed for failed in others if failed.kind is Kind.OURS), others[0])
        refused = {to[a]: why for a, why in bad.items() if a in to}
        return SendResult(Delivered(effect=effect.id, reached=len(to) - len(refused), refused=refused))

    def _call(self, incident: Incident, effect: Effect | None) -> IncidentPage | None:
        """The page that a mail effect is for; None if it is moot."""
        page = incident.page_to_send(effect) if isinstance(effect, PageBy) else None
        if page is None:
            return None
        link, reply_to = self._answers.link(incident, page), self._answers.reply_address(incident, page)
        return IncidentPage(incident, page, link, reply_to)

    def _listed(self, name: ListName) -> tuple[str, ...]:
        """The addresses of a list, as the configuration has it now."""
        kept = self._service.company.lists.get(name)
        return kept.mail if kept else ()

    def _address(self, person: PersonId) -> str:
        return self._service.company.mail_of(person, self._service.store.directory())


class SharedMails:
    """Groups pages by mail into one mail per address. `to` is that address."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def join(self, incident: Incident, effect: PageBy, to: str, now: datetime) -> RetryAt | SendResult | None:
        """None: send its own mail now. Else when to check again, or the result if another mail took it along."""
        if not is_delayed(incident, effect, now):
            return None
        obsolete = ""
        while True:
            first, since = self._join(incident, effect, to, now, obsolete)
            if first == SENT:
                return SendResult(Delivered(effect=effect.id), adopted=True)
            waited = now - datetime.fromtimestamp(since, now.tzinfo)
            if first == effect.id:
                return RetryAt(now + OPEN_FOR - waited) if waited < OPEN_FOR else None
            if self._is_pending(first):
                return RetryAt(now + min(LONGEST_RECHECK, max(OPEN_FOR, waited / 4)))
            obsolete = first

    def close(self, to: str, effect: PageBy) -> tuple[str, ...]:
        """Let no more pages join this mail; returns the other effects that go with it."""
        reply: Any = self._store.redis.eval(_CLOSE, 1, _key(to), effect.id)
        names = [str(raw, "utf-8") for raw in reply]
        return tuple(k for k, v in zip(names[::2], names[1::2], strict=True) if v == effect.id != k)[:MAX_OTHERS]

    def mark_sent(self, to: str, others: Iterable[str]) -> None:
        """Record that the mail they went with was accepted."""
        self._set(to, dict.fromkeys(others, SENT))

    def split(self, to: str, others: Iterable[str]) -> None:
        """Give each a mail of its own: the shared one was refused, perhaps for the words of one of them."""
        self._set(to, {other: other for other in others})

    def _set(self, to: str, values: Any) -> None:
        if values:
            self._store.redis.hset(_key(to), mapping=values)

    def _join(self, incident: Incident, effect: PageBy, to: str, now: datetime, obsolete: str) -> tuple[str, float]:
        keys = (_key(to), tries_key(effect.id))
        urgent = "1" if incident.policy.urgent else ""
        arguments = (effect.id, obsolete, repr(now.timestamp()), TRIES_SECONDS, urgent, KEPT_SECONDS)
        first, since = self._store.redis.eval(_JOIN, len(keys), *keys, *arguments)
        return str(first, "utf-8"), float(since or 0)

    def _is_pending(self, effect_id: str) -> bool:
        """True if another mail is still on its way. One of a newer Tocsin's is: that one sends it."""
        try:
            return self._store.get(incident_of(effect_id)).effect(effect_id) is not None
        except TooNew:
            return True
        except (KeyError, ValueError):  # missing or unreadable
            return False


def _key(to: str) -> str:
    return f"tocsin:envelope:{to}"
