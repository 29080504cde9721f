"""What comes round again, said once: claim, look whether it stands there already, send, record.

The hash `tocsin:routine` says of each message when its first send began and whether it is done; `tocsin:lease:{id}`
who is at it. A lease outlives every send, so that only a worker that died leaves one to be taken over.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from bot.render import oncall
from bot.render.blockkit import Message
from bot.render.oncall import Here
from escalation.config.policy import HandoverRules
from escalation.incident.model import Incident
from escalation.messages.oncall import Announcer
from escalation.oncall import overrides as arranging
from escalation.oncall.reminders import (
    AnyReminder,
    DueActivity,
    DueHandover,
    DueNotice,
    DueRelease,
    DueTestPage,
    DueUnanswered,
    owed,
)
from escalation.oncall.schedule import TestPage
from workers import metrics
from workers.channels import Sent, Tag
from workers.channels.failures import Failed, Kind
from workers.context import Context
from workers.delivery.members import Members
from workers.delivery.plan import company_wording
from workers.queue.leases import lease_key

ROUTINE = "tocsin:routine"
SINCE = "tocsin:routine:since"
PLANNED = (DueTestPage, DueHandover, DueActivity)
REMEMBERED = timedelta(days=40)  # longer than anything stays owed
LEASE_SECONDS = 120  # a send has at most three calls of ten seconds

log = structlog.get_logger()


@dataclass(frozen=True)
class Mark:
    """What is written of a message: when its first send began, and whether it is done."""

    began: datetime
    done: bool

    def encode(self) -> str:
        return f"{'done' if self.done else 'begun'} {self.began.timestamp():.6f}"

    @classmethod
    def decode(cls, raw: bytes) -> "Mark":
        word, at = str(raw, "utf-8").split()
        return cls(datetime.fromtimestamp(float(at), UTC), word == "done")


class Reminders:
    """Says what is owed. `stopping` is asked between two messages."""

    def __init__(self, context: Context, stopping: Callable[[], bool] = lambda: False) -> None:
        self._context = context
        self._stopping = stopping
        self._people = Members(context.service, context.slack)
        self._wording = company_wording(context.service.company)

    def say(self, now: datetime) -> int:
        """Send all that is owed and not done; how many messages that were."""
        service = self._context.service
        since = self._since(now)
        owing = owed(service.company, service.policy, service.store.duty(), service.store.directory(), now)
        due = [o for o in owing if o.due >= since or not isinstance(o, PLANNED)]
        marks = self._marks(now)
        waiting = [o for o in due if not (o.id in marks and marks[o.id].done)]
        return sum(self._once(o, now) for o in waiting if not self._stopping())

    def _since(self, now: datetime) -> datetime:
        """When this Tocsin was first started: what had been due before is nobody's news on the first day."""
        self._context.redis.set(SINCE, repr(now.timestamp()), nx=True)
        raw: Any = self._context.redis.get(SINCE)
        return datetime.fromtimestamp(float(raw), UTC)

    def _marks(self, now: datetime) -> dict[str, Mark]:
        """What is known of earlier messages; the oldest are forgotten."""
        raw: Any = self._context.redis.hgetall(ROUTINE)
        marks = {str(id, "utf-8"): Mark.decode(mark) for id, mark in raw.items()}
        if old := [id for id, mark in marks.items() if mark.began < now - REMEMBERED]:
            self._context.redis.hdel(ROUTINE, *old)
        return marks

    def _once(self, item: AnyReminder, now: datetime) -> bool:
        redis = self._context.redis
        if not redis.set(lease_key(item.id), "1", nx=True, ex=LEASE_SECONDS):
            return False
        try:
            return self._send(item, now)
        finally:
            redis.delete(lease_key(item.id))

    def _send(self, item: AnyReminder, now: datetime) -> bool:
        """True when it is done."""
        mark, first = self._begin(item, now)
        if mark.done:  # by somebody else, since the marks were read
            return False
        try:
            sent = self._post(item, mark, first)
        except Failed as failed:
            if failed.kind is not Kind.PERSON:
                self._failed(item, failed)
                return False
            log.warning("somebody cannot be told", message=item.id, error=failed.error)
            sent = None
        self._record(item, mark, sent, now)
        return True

    def _begin(self, item: AnyReminder, now: datetime) -> tuple[Mark, bool]:
        """Write down that it is about to be sent; whether this is the first time."""
        fresh = Mark(now, done=False)
        if self._context.redis.hsetnx(ROUTINE, item.id, fresh.encode()):
            return fresh, True
        raw: Any = self._context.redis.hget(ROUTINE, item.id)
        return Mark.decode(raw), False

    def _post(self, item: AnyReminder, mark: Mark, first: bool) -> Sent:
        slack, tag = self._context.slack, Tag(item.id, 0)
        channel = slack.direct_channel(self._people.member(item.to)) if item.to else slack.rooms.channel(item.channel)
        found = None if first else slack.find(channel, tag, mark.began)
        return found or slack.post(channel, self._message(item), tag)

    def _record(self, item: AnyReminder, mark: Mark, sent: Sent | None, now: datetime) -> None:
        """A test page first, for with it begins the time for its answer. Nobody reached is nobody who answers."""
        if isinstance(item, DueTestPage):
            page = TestPage(
                rotation=item.change.rotation,
                shift_start=item.change.at,
                person=item.to,
                sent_at=_sent_at(sent, mark, now),
                channel=sent.channel if sent else "",
                ts=sent.ts if sent else "",
            )
            self._context.service.arrange(lambda before, _: arranging.tested(before, page))
        self._context.redis.hset(ROUTINE, item.id, Mark(mark.began, done=True).encode())
        metrics.count(self._context.redis, "routine_total", kind=item.id.split("-")[0])

    def _failed(self, item: AnyReminder, failed: Failed) -> None:
        log.warning("a message is tried again", message=item.id, error=failed.error)
        if failed.kind is Kind.LOST and item.channel and not item.to:
            self._context.slack.rooms.forget_channel(item.channel)
        elif failed.kind is Kind.LOST:
            self._context.slack.forget_direct_channel(self._people.member(item.to))

    # Words -----------------------------------------------------------------------------------------------------------

    def _message(self, item: AnyReminder) -> Message:
        service = self._context.service
        announcer = Announcer(service.company, service.store.directory(), self._wording)
        match item:
            case DueTestPage():
                here = Here(item.change.rotation, item.change.at, item.to)
                return oncall.test_page(announcer.test_page(item, self._rules()), here)
            case DueHandover():
                lines = announcer.handover(item.change, self._rules(), self._open())
                return oncall.handover(lines, self._rules().checklist, item.change.id)
            case DueUnanswered():
                lines = announcer.unanswered(item)
            case DueRelease():
                lines = announcer.released(item)
            case DueNotice():
                lines = announcer.notice(item.notice)
            case DueActivity():
                lines = announcer.activity(item, self._open() if item.activity.lists else ())
        return oncall.spoken(lines, "routine")

    def _open(self) -> Iterable[Incident]:
        return self._context.store.open_incidents()

    def _rules(self) -> HandoverRules:
        rules = self._context.service.policy.handover
        if rules is None:
            raise LookupError("nothing of a handover is owed without rules for it")
        return rules


def _sent_at(sent: Sent | None, mark: Mark, now: datetime) -> datetime:
    """By Slack's clock, which also knows of a send whose reply was lost; never outside of what ours says."""
    at = datetime.fromtimestamp(float(sent.ts), UTC) if sent else now
    return min(now, max(mark.began, at))
