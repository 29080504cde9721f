"""Mails to subscribers of the status page, in a thread of their own: no page waits for them.

Each update, and each notice of planned maintenance, goes to each subscriber once. A mail is claimed before it is sent,
since SMTP cannot be asked afterwards: a crash may cost the one mail in hand, and doubles none. An address that bounces
is deleted.
"""

import hashlib
import itertools
import time
from collections.abc import Mapping
from datetime import datetime, timedelta

import structlog

from escalation.config.status_page import StatusPage
from escalation.notify.mailboxes import Mailboxes
from escalation.status_page.mails import confirmation_mail, maintenance_mail, subscribed_mail, update_mail
from escalation.status_page.maintenance import Notice
from escalation.status_page.publications import Publication
from escalation.status_page.standing import PublicIncident, incidents_of
from escalation.storage.problems import Problems
from escalation.storage.public.log import PublicLog
from escalation.storage.public.maintenance import PlannedMaintenance
from escalation.storage.public.subscribers import MOST_TRIES, Addressee, Confirmation, Subscribers
from workers.channels.failures import Failed, Kind
from workers.channels.smtp import MailClient, MailSession
from workers.delivery.problems import remedy_of, report_call

LOCK, PAUSED = "tocsin:public:subscribers:lock", "tocsin:public:subscribers:paused"
LONGEST_TURN = 60  # seconds
LOCKED_FOR = 300  # seconds: longer than a turn whose last mail meets every time limit of SMTP
PAUSE = 60  # seconds, after the server refused us or did not answer
PROBLEM, NOT_MAILED = "status_page:subscribers", "subscribers are not mailed"
MAILED_FOR = timedelta(days=1)  # an older publication is no news: it is not mailed to anybody any more
REFUSALS_IN_A_ROW = 3  # then it is us that the server refuses, not an address

NO_MAIL = Mailboxes()
log = structlog.get_logger()


class Mailing:
    """Sends what is due, `page.mails_a_second` in a turn. One process at a time."""

    def __init__(
        self,
        subscribers: Subscribers,
        client: MailClient,
        page: StatusPage,
        root: str,
        problems: Problems,
        mailboxes: Mailboxes = NO_MAIL,
    ) -> None:
        self._subscribers = subscribers
        self._redis = subscribers.redis
        self._log = PublicLog(subscribers.redis)
        self._planned = PlannedMaintenance(subscribers.redis)
        self._client = client
        self._page = page
        self._root = root
        self._mailboxes = mailboxes
        self._problems = problems
        self._version = -1
        self._updates: tuple[Publication, ...] = ()
        self._incidents: Mapping[str, PublicIncident] = {}
        self._notices: Mapping[str, Notice] = {}
        self._refused = set[str]()

    def step(self, now: datetime) -> bool:
        """Send the next few mails; True if there was one. RedisError passes through."""
        if self._redis.exists(PAUSED) or not self._redis.set(LOCK, "1", nx=True, ex=LOCKED_FOR):
            return False
        try:
            return self._turn(now)
        finally:
            self._redis.delete(LOCK)

    def _turn(self, now: datetime) -> bool:
        confirmation, addressee = self._subscribers.next_confirmation(now), None
        if confirmation is None and (addressee := self._next(now)) is None:
            return False
        try:
            session = self._client.session()
        except Failed as failed:
            if confirmation:
                self._subscribers.put_back(confirmation, now)
            self._pause(failed)
            return False
        ends = time.monotonic() + LONGEST_TURN
        with session:
            for left in reversed(range(self._page.mails_a_second)):
                failed_one = self._send(session, confirmation, addressee, now)
                if session.broken and failed_one:
                    self._pause(failed_one)
                if not left or time.monotonic() > ends or self._redis.exists(PAUSED):
                    break
                confirmation = self._subscribers.next_confirmation(now)
                addressee = None if confirmation else self._next(now)
                if not (confirmation or addressee):
                    break
        return True

    def _send(
        self, session: MailSession, confirmation: Confirmation | None, addressee: Addressee | None, now: datetime
    ) -> Failed | None:
        if confirmation:
            return self._confirm(session, confirmation, now)
        return self._mail(session, addressee, now) if addressee else None

    def _next(self, now: datetime) -> Addressee | None:
        """The next mail that is due: what is tried again, then each update and notice, the oldest first."""
        self._read_log(now)
        while again := self._subscribers.due_again(now):
            if again.letter in self._notices or any(str(u.n) == again.letter for u in self._updates):
                return again
            self._subscribers.give_up(again)  # it was withdrawn
        updates = (self._subscribers.next_addressee(str(u.n), u.n) for u in self._updates)
        notices = (self._subscribers.next_addressee(n.name, upto=n.subscriber) for n in self._notices.values())
        return next(filter(None, itertools.chain(updates, notices)), None)

    def _read_log(self, now: datetime) -> None:
        """Read what was published: anew whenever that changed, so that nothing is mailed that was withdrawn."""
        if (version := self._log.version()) != self._version:
            publications = self._log.publications()
            self._incidents = {i.id: i for i in incidents_of(publications)}
            self._updates, self._version = tuple(publications), version
        latest = self._subscribers.latest()
        notices = {n.name: n for n in self._planned.take_notice(self._page.maintenance, latest, now)}
        updates = tuple(u for u in self._updates if u.at >= now - MAILED_FOR)
        if len(updates) < len(self._updates) or self._notices.keys() - notices:
            self._subscribers.keep({*(str(u.n) for u in updates), *notices})
        self._updates, self._notices = updates, notices

    def _confirm(self, session: MailSession, wanted: Confirmation, now: datetime) -> Failed | None:
        if wanted.token:
            mail = confirmation_mail(self._page, f"{self._root}/status/confirm/{wanted.token}")
        else:
            mail = subscribed_mail(self._page, self._leave(wanted.subscriber))
        failed = session.send(wanted.to, mail, f"confirm-{_mark(wanted.token or wanted.subscriber)}")
        if failed is None:
            self._succeeded(now)
        elif failed.kind is not Kind.PERSON or failed.for_now:
            self._subscribers.put_back(wanted, now)
            self._not_taken(wanted.to, failed, now)
        return failed

    def _mail(self, session: MailSession, to: Addressee, now: datetime) -> Failed | None:
        if notice := self._notices.get(to.letter):
            mail, about = maintenance_mail(self._page, notice, self._leave(to.id)), notice.name
        else:
            update = next(u for u in self._updates if str(u.n) == to.letter)
            mail = update_mail(self._page, self._incidents[update.incident], update, self._leave(to.id))
            about = f"{update.incident}-{update.n}"
        self._subscribers.claim(to)
        delivery = f"status-{about}-{_mark(to.id)}"
        failed = session.send(to.address, mail, delivery, self._mailboxes.bounce_address(to.id))
        if failed is None:
            self._subscribers.give_up(to)
            self._succeeded(now)
        elif failed.kind is Kind.PERSON and not failed.for_now:
            self._end(to, failed)
        else:
            self._not_now(to, failed, now)
        return failed

    def _not_now(self, to: Addressee, failed: Failed, now: datetime) -> None:
        """Try it again later. What one address alone meets again and again, while others get theirs, is a bounce."""
        tries = self._subscribers.try_again(to, now)
        self._not_taken(to.id, failed, now)
        if tries >= MOST_TRIES and failed.kind is Kind.OURS and self._subscribers.others_went(to):
            self._end(to, failed)
        elif tries >= MOST_TRIES and failed.kind is not Kind.OURS:
            self._subscribers.give_up(to)

    def _not_taken(self, who: str, failed: Failed, now: datetime) -> None:
        """Report what lasts. Pause once so many were refused in a row that it cannot be about their addresses."""
        if failed.kind is Kind.PASSING:
            report_call(self._problems, PROBLEM, "the mail server", failed, now, what=NOT_MAILED)
        if failed.kind is Kind.OURS:
            self._refused.add(who)
        if len(self._refused) >= REFUSALS_IN_A_ROW:
            self._pause(failed)

    def _end(self, to: Addressee, failed: Failed) -> None:
        log.info("subscription ended, its mail bounced", error=failed.error)
        self._subscribers.give_up(to)
        self._subscribers.end(to.id)

    def _succeeded(self, now: datetime) -> None:
        self._refused.clear()
        self._subscribers.note_success(now)
        self._problems.clear(PROBLEM)

    def _pause(self, failed: Failed) -> None:
        self._redis.set(PAUSED, "1", ex=PAUSE)
        remedy = remedy_of(failed, "the mail server")
        self._problems.report(PROBLEM, f"{NOT_MAILED}: {failed.reason.text}", remedy)

    def _leave(self, subscriber: str) -> str:
        return f"{self._root}/status/unsubscribe/{subscriber}"


def _mark(secret: str) -> str:
    """Tell mails apart by a digest: ids of mails stand in logs, and a token is a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()[:12]
