"""Send each reminder once: claim it, look whether it was posted already, post, record.

The hash `tocsin:routine` has for each message when its first send began and whether it is done; `tocsin:lease:{id}` is
the lease of the worker that sends it. A lease lasts longer than any send, so it expires only if its worker died.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from bot.render import oncall
from bot.render.blockkit import Message
from bot.render.oncall import AnswerValue
from escalation.config.policy import HandoverRules
from escalation.errors import NotFound, TooNew
from escalation.incident.model import Incident
from escalation.messages.oncall import Announcer
from escalation.oncall import overrides
from escalation.oncall.overrides import undo_of
from escalation.oncall.reminders import (
    AnyReminder,
    DueActivity,
    DueAsleep,
    DueEdit,
    DueGroupFault,
    DueHandover,
    DueLeft,
    DueNotice,
    DueRelease,
    DueRestOffer,
    DueRestUnmet,
    DueShift,
    DueTestPage,
    DueUnanswered,
    Recipient,
    due_reminders,
)
from escalation.oncall.schedule import TestPage
from escalation.reports.schedule import DueReport, due_reports
from escalation.reviews.action_items import ActionItem, DueActionItem, due_action_items, hearers, reminder_lines
from escalation.storage.action_items import ActionItems
from escalation.storage.keeping.posted import Posted, PostedMessages
from workers import metrics
from workers.channels import Sent, Tag
from workers.channels.failures import Failed, Kind
from workers.context import Context
from workers.delivery.destinations import Destinations
from workers.delivery.members import Members
from workers.delivery.plan import company_wording
from workers.delivery.problems import report_call
from workers.queue.leases import lease_key
from workers.recurring.reports.writer import ReportWriter

ROUTINE = "tocsin:routine"
SINCE = "tocsin:routine:since"
PLANNED = (DueTestPage, DueHandover, DueShift, DueAsleep, DueActivity, DueReport)
REMEMBERED = timedelta(days=40)  # longer than any reminder stays due
DIRECT = "slack:reminders"  # key of the problem with reminders in direct messages
UNHEARD_KEPT = 259_200.0  # seconds; three days, as it is said once
LEASE_SECONDS = 120  # a send has at most three calls of ten seconds

AnyDue = AnyReminder | DueActionItem | DueReport

log = structlog.get_logger()


@dataclass(frozen=True)
class SendRecord:
    """Stored state of a message: when its first send began, and whether it is done."""

    began: datetime
    done: bool

    def encode(self) -> str:
        """The record as stored in Redis."""
        return f"{'done' if self.done else 'begun'} {self.began.timestamp():.6f}"

    @classmethod
    def decode(cls, raw: bytes) -> "SendRecord":
        """Parse a stored record."""
        state, at = str(raw, "utf-8").split()
        return cls(datetime.fromtimestamp(float(at), UTC), state == "done")


class Reminders:
    """Sends reminders that are due. `stopping` is checked between two messages."""

    def __init__(self, context: Context, stopping: Callable[[], bool] = lambda: False) -> None:
        self._context = context
        self._stopping = stopping
        self._members = Members(context.service, context.slack)
        self._destinations = Destinations(context.service, context.slack, self._members)
        self._wording = company_wording(context.service.company, context.store.problems)
        self._reports = ReportWriter(context)
        self._posted = PostedMessages(context.redis)

    def send_due(self, now: datetime) -> int:
        """Send all reminders that are due and not done; returns how many."""
        service = self._context.service
        since = self._since(now)
        reminders = due_reminders(
            service.company,
            service.policy,
            service.store.oncall_state(),
            service.store.directory(),
            now,
            service.set_up,
        )
        items = due_action_items(ActionItems(self._context.redis).all(), service.company, now, self._hearers(now))
        reports = due_reports(service.company, service.policy, now)
        due = [o for o in (*reminders, *items, *reports) if o.due >= since or not isinstance(o, PLANNED)]
        records = self._records(now)
        unsent = [o for o in due if not (o.id in records and records[o.id].done)]
        return sum(self._send_once(o, now) for o in unsent if not self._stopping())

    def _since(self, now: datetime) -> datetime:
        """Time of the first start of this Tocsin: planned reminders that were due before that are not sent."""
        self._context.redis.set(SINCE, repr(now.timestamp()), nx=True)
        raw: Any = self._context.redis.get(SINCE)
        return datetime.fromtimestamp(float(raw), UTC)

    def _records(self, now: datetime) -> dict[str, SendRecord]:
        """The records of earlier messages; the oldest are deleted."""
        raw: Any = self._context.redis.hgetall(ROUTINE)
        records = {str(id, "utf-8"): SendRecord.decode(record) for id, record in raw.items()}
        if expired := [id for id, record in records.items() if record.began < now - REMEMBERED]:
            self._context.redis.hdel(ROUTINE, *expired)
        return records

    def _send_once(self, item: AnyDue, now: datetime) -> bool:
        """Send under a lease; True if it was sent now."""
        redis = self._context.redis
        if not redis.set(lease_key(item.id), "1", nx=True, ex=LEASE_SECONDS):
            return False
        try:
            return self._send(item, now)
        finally:
            redis.delete(lease_key(item.id))

    def _send(self, item: AnyDue, now: datetime) -> bool:
        """Send a reminder whose lease we hold; True if it is done now."""
        record, first = self._begin(item, now)
        if record.done:  # by another worker, since the records were read
            return False
        try:
            sent = self._post_to_first(item, record, first)
        except Failed as failed:
            self._on_failure(item, failed)
            return False
        self._record_done(item, record, sent, now)
        return True

    def _begin(self, item: AnyDue, now: datetime) -> tuple[SendRecord, bool]:
        """Record that a send is about to begin; returns the record, and True if this is the first try."""
        new = SendRecord(now, done=False)
        if self._context.redis.hsetnx(ROUTINE, item.id, new.encode()):
            return new, True
        raw: Any = self._context.redis.hget(ROUTINE, item.id)
        return SendRecord.decode(raw), False

    def _post_to_first(self, item: AnyDue, record: SendRecord, first: bool) -> Sent | None:
        """Post to whoever hears it: the first who can be reached. The id is the same for all, so it is sent once."""
        heard: AnyDue | None = item
        while heard and (heard.to or heard.channel or isinstance(heard, DueReport)):
            try:
                if heard.to and (heard.instead or heard.unheard):
                    self._context.slack.check_active(self._members.member(heard.to))
                return self._post(heard, record, first)
            except Failed as failed:
                if failed.kind is not Kind.PERSON:
                    raise
                log.warning("person unreachable, reminder handed on", message=item.id, error=failed.error)
                heard = heard.handed_on()
        if item.unheard:
            text = f"nobody can be told what is due: {item.id}"
            self._context.store.problems.report(f"reminder:{item.id}", text, item.unheard, kept=UNHEARD_KEPT)
        return None

    def _post(self, item: AnyDue, record: SendRecord, first: bool) -> Sent | None:
        """Send a reminder, unless it was sent before its reply was lost; None for a mail."""
        if isinstance(item, DueReport) and item.mail:
            self._reports.mail(item)
            return None
        slack, tag = self._context.slack, Tag(item.id, 0)
        member = self._members.member(item.to) if item.to else ""

        def send(channel: str) -> Sent:
            message = self._message(item)
            found = None if first else slack.find(channel, tag, record.began)
            sent = found or slack.post(channel, message, tag)
            posted = Posted(sent.channel, sent.ts, message.text, message.blocks, member)
            if not member or posted.names_incident:
                self._posted.note(posted)
            return sent

        if member:
            sent = send(slack.direct_channel(member))
            self._context.store.problems.clear(DIRECT)
            return sent
        return self._destinations.reach(item.channel, send)

    def _record_done(self, item: AnyDue, record: SendRecord, sent: Sent | None, now: datetime) -> None:
        """Record a reminder as done. A test page is saved first: the time to answer it begins with the send."""
        if isinstance(item, DueTestPage):
            page = TestPage(
                rotation=item.change.rotation,
                shift_start=item.change.at,
                person=item.to,
                sent_at=_sent_at(sent, record, now),
                channel=sent.channel if sent else "",
                ts=sent.ts if sent else "",
            )
            self._context.service.update_oncall(lambda before, _: overrides.record_test_page(before, page))
        self._context.redis.hset(ROUTINE, item.id, SendRecord(record.began, done=True).encode())
        metrics.count(self._context.redis, "routine_total", kind=item.id.split("-")[0])

    def _on_failure(self, item: AnyDue, failed: Failed) -> None:
        """Leave it to the next round. What an operator has to mend is among the problems; channels report theirs."""
        log.warning("reminder failed, retrying", message=item.id, error=failed.error)
        if item.to and failed.kind in (Kind.PASSING, Kind.OURS, Kind.TOKEN):
            problems, what = self._context.store.problems, "reminders cannot be sent to people"
            report_call(problems, DIRECT, "Slack", failed, self._context.clock(), what=what)
        if failed.kind is Kind.LOST and item.to:
            self._context.slack.forget_direct_channel(self._members.member(item.to))

    def _hearers(self, now: datetime) -> Callable[[ActionItem], tuple[Recipient, ...]]:
        """Return the function that says who else hears of an action item; the roster is read once."""
        service = self._context.service
        on_call, directory = service.roster(now), service.store.directory()

        def of(item: ActionItem) -> tuple[Recipient, ...]:
            try:
                incident = service.store.get(item.incident)
            except (NotFound, TooNew):  # deleted after its time; or to be read by a worker that is newer
                incident = None
            return hearers(item, service.company, directory, incident, on_call)

        return of

    # Words -----------------------------------------------------------------------------------------------------------

    def _message(self, item: AnyDue) -> Message:
        service = self._context.service
        announcer = Announcer(service.company, service.store.directory(), self._wording)
        match item:
            case DueTestPage():
                shift = AnswerValue(item.change.rotation, item.change.at, item.to)
                return oncall.test_page(announcer.test_page(item, self._rules()), shift)
            case DueHandover():
                lines = announcer.handover(item.change, self._rules(), self._open())
                return oncall.handover(lines, self._rules().checklist, item.change.id)
            case DueRestOffer():
                return oncall.rest_offer(announcer.rest_offer(item), item.debt.id)
            case DueRestUnmet():
                lines = announcer.rest_unmet(item)
            case DueShift():
                lines = announcer.shift(item)
            case DueUnanswered():
                lines = announcer.unanswered(item)
            case DueRelease():
                lines = announcer.released(item)
            case DueNotice() if item.to:
                lines = announcer.personal_notice(item.notice, item.to)
                return oncall.personal_notice(lines, undo_of(item.notice))
            case DueNotice():
                lines = announcer.notice(item.notice)
            case DueGroupFault():
                lines = announcer.group_fault(item)
            case DueAsleep():
                lines = announcer.asleep(item)
            case DueReport():
                return self._reports.message(item)
            case DueActionItem():
                lines = reminder_lines(item)
            case DueEdit():
                lines = announcer.edit(item)
            case DueLeft():
                lines = announcer.left(item)
            case DueActivity():
                lines = announcer.activity(item, self._open() if item.activity.lists else ())
        return oncall.lines_message(lines, "routine")

    def _open(self) -> Iterable[Incident]:
        return self._context.store.open_incidents()

    def _rules(self) -> HandoverRules:
        rules = self._context.service.policy.handover
        if rules is None:
            raise LookupError("no handover reminder is due without handover rules")
        return rules


def _sent_at(sent: Sent | None, record: SendRecord, now: datetime) -> datetime:
    """Time of a send by Slack's clock (it knows sends whose reply was lost), within the bounds of ours."""
    at = datetime.fromtimestamp(float(sent.ts), UTC) if sent else now
    return min(now, max(record.began, at))
