"""Work on alerts that came in: read each body, take its alerts into their groups, write down what became of them."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice

import structlog

from bot.alerts import sources
from bot.alerts.document import Unreadable
from bot.alerts.mail import source as mail
from bot.alerts.source import Received
from bot.alerts.sources import ALL_SOURCES
from escalation.alert_service import AlertService
from escalation.alerts.alert import Alert
from escalation.processes import ALERTS
from escalation.storage.canary import SOURCE as CANARY
from escalation.storage.intake import Body, Intake, Outcome
from escalation.storage.spool import Spool
from workers import metrics
from workers.context import Context
from workers.inbound_mail import MailReceiver
from workers.queue.outbox import post_alerts
from workers.queue.rq import queue_key

TIMED = ("g:", "h:")  # groups and heartbeats, which have a time of their own; the others are bodies
LOST_AFTER = timedelta(seconds=1)  # a body that waits longer than that on an empty queue has lost its job

log = structlog.get_logger()


class AlertWork:
    """Works on members of the due set: ids of bodies, and groups."""

    def __init__(self, context: Context, take_canary: Callable[[Body], None]) -> None:
        self._context = context
        self._intake = Intake(context.redis, post_alerts)
        self._take_canary = take_canary
        self._mail = MailReceiver(context.service)
        titles = {name: source.title for name, source in ALL_SOURCES.items()}
        self._alerts = AlertService(self._intake, context.service, context.service.company.alerts, titles)

    def work(self, members: list[str]) -> None:
        """Take in the bodies, all at once, and look again at the groups."""
        for member in members:
            if member.startswith("g:") and (key := self._intake.group_of_member(member)):
                self._alerts.look_again(key)
            elif member.startswith("h:"):
                self._intake.note(*self._alerts.beat_missed(member))
        bodies = self._intake.bodies([member for member in members if not member.startswith(TIMED)])
        for canary in (body for body in bodies if body.source == CANARY):
            self._take_canary(canary)
        parsed = [(body, *self._parse(body)) for body in bodies if body.source != CANARY]
        taken = iter(self._alerts.take(alert for _, alerts, _ in parsed for alert in alerts))
        became = {body.id: [*outcomes, *islice(taken, len(alerts))] for body, alerts, outcomes in parsed}
        for body in (body for body, alerts, _ in parsed if alerts and body.source == mail.NAME):
            self._mail.reported(mail.mail_of(_received(body)), became[body.id][-1])
        self._intake.done({body.id: became.get(body.id, []) for body in bodies})
        self._count(outcome for outcomes in became.values() for outcome in outcomes)

    def _count(self, outcomes: Iterable[Outcome]) -> None:
        counts = Counter((outcome.source, outcome.result.partition(":")[0]) for outcome in outcomes)
        with self._context.redis.pipeline(transaction=False) as pipe:
            for (source, result), times in counts.items():
                metrics.count(pipe, "alerts_total", times, source=source, result=result)
            pipe.execute()

    def _parse(self, body: Body) -> tuple[tuple[Alert, ...], list[Outcome]]:
        """The alerts of a body, and what there is to say of one without any."""
        source = ALL_SOURCES.get(body.source)
        try:
            if source is None:
                raise Unreadable(f"there is no source {body.source}")
            parsed = sources.parsed(source, _received(body), self._context.service.company.alerts)
        except Unreadable as error:
            log.warning("unreadable alert", source=body.source, body=body.id)
            return (), [_outcome(body, f"unparsable: {error}")]
        outcomes = [_outcome(body, f"note: {parsed.note}")] if parsed.note else []
        if parsed.truncated:
            outcomes.append(_outcome(body, f"truncated: {parsed.truncated} more were left out"))
        if source is mail.SOURCE and (parsed.alerts or parsed.refused):
            return self._take_mail(body)
        return parsed.alerts, outcomes

    def _take_mail(self, body: Body) -> tuple[tuple[Alert, ...], list[Outcome]]:
        """The report that a mail is, or what else became of it."""
        letter = mail.mail_of(_received(body))
        became = self._mail.take(letter)
        if isinstance(became, Alert):
            return (became,), []
        return (), [_outcome(body, became.result, letter.subject, became.incident)]


def _outcome(body: Body, result: str, title: str = "", incident: str = "") -> Outcome:
    return Outcome(body.at, body.source, title, result, incident, body=body.id)


def _received(body: Body) -> Received:
    return Received(body.raw, body.headers, body.query, body.path)


def enqueue_overdue(context: Context, now: datetime) -> int:
    """Enqueue the groups whose time has come and the bodies whose job was lost; returns how many."""
    if context.redis.llen(queue_key(ALERTS)):
        return 0  # they may be in there
    intake = Intake(context.redis, post_alerts)
    due = list(_due(intake, now))
    if due:
        intake.enqueue(due)
    return len(due)


def drain_spool(context: Context) -> int:
    """Hand what the bot of this host left on its disk to Redis; returns how many. It may have ended since."""
    if context.spool is None:
        return 0
    drained = Spool(context.spool).drain(Intake(context.redis, post_alerts).keep)
    if drained:
        log.info("spool drained", alerts=drained)
    return drained


def _due(intake: Intake, now: datetime) -> Iterator[str]:
    yield from (member for member in intake.overdue(now) if member.startswith(TIMED))
    yield from (member for member in intake.overdue(now - LOST_AFTER) if not member.startswith(TIMED))
