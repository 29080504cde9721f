"""Work on alerts that came in: read each body, take its alerts into their groups, write down what became of them."""

import contextlib
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

import structlog
from redis import RedisError
from redis.exceptions import LockError
from redis.lock import Lock

from bot.alerts import sources
from bot.alerts.document import Unreadable
from bot.alerts.mail import source as mail
from bot.alerts.source import Received
from bot.alerts.sources import ALL_SOURCES
from escalation.alert_service import AlertService
from escalation.alerts.alert import Alert
from escalation.alerts.backlog import Backlog, Incoming
from escalation.errors import NotFound, TooNew
from escalation.processes import ALERTS
from escalation.storage.intake import TIMED, Body, Intake, Outcome
from escalation.storage.spool import Spool
from escalation.values import INCIDENT_ID
from workers import metrics
from workers.context import Context
from workers.inbound_mail import MailReceiver
from workers.queue import rq
from workers.queue.outbox import post_alerts
from workers.queue.rq import queue_key

UNREADABLE = "`tocsin alerts --dropped` says why, and `tocsin alerts try FILE` tries a body; correct the sender"
LOST_AFTER = timedelta(seconds=1)  # a body that waits longer than that on an empty queue has lost its job
LOCK, HOLDER = "tocsin:intake:lock", "tocsin:intake:holder"  # the worker at it, and the last one that was
LOCK_SECONDS = 1.2  # a worker that was killed holds up the others for no longer
# To read, so that the worst of it is known, and to take in what was read. Reading has most of the time: it must keep up
# with a storm, or what is critical waits, unread, behind all of it.
READ_SECONDS, ROUND_SECONDS = 0.5, 0.03
LOOK_SECONDS = 1.0  # from one look at the whole due set to the next
JOBS_AT_ONCE = 1_000
READ_AT_ONCE, MAX_READ = 100, 50_000_000  # bodies; bytes of bodies whose alerts are not yet taken in
PATIENCE = 2.0  # seconds that groups and heartbeats whose time has come wait for bodies to be read
RUN_SECONDS = 5.0  # until the process tells again that it is alive: another job goes on

log = structlog.get_logger()


@contextlib.contextmanager
def renewed(lock: Lock) -> Iterator[Callable[[], bool]]:
    """Renew a lock during the block, and release it then. Yields whether it is still held."""
    over = threading.Event()

    def renew() -> None:
        with contextlib.suppress(LockError, RedisError):
            while not over.wait(LOCK_SECONDS / 3):
                lock.reacquire()
        over.set()

    thread = threading.Thread(target=renew, name="alerts lock", daemon=True)
    thread.start()
    try:
        yield lambda: not over.is_set()
    finally:
        over.set()
        thread.join()
        with contextlib.suppress(LockError):
            lock.release()


@dataclass
class _Started:
    """A body that was read: its bytes, how many of its alerts are not taken in yet, and what became of the others.

    `mail` is the body where somebody reported by mail, who is answered.
    """

    size: int
    left: int
    outcomes: list[Outcome]
    mail: Body | None = None


class AlertWork:
    """Works on the due set: bodies, and groups and heartbeats whose time has come.

    One worker at a time, since the order of bodies counts: an end that overtakes its beginning would end nothing.
    A storm waits for what is worse: bodies are read first, and after each group it is asked what else has come.
    `others` take the bodies that hold no alert, by source: canaries, and heartbeats of checks.
    """

    def __init__(self, context: Context, others: Mapping[str, Callable[[Body], None]]) -> None:
        self._context = context
        self._intake = Intake(context.redis, post_alerts)
        self._others = others
        self._mail = MailReceiver(context.service)
        titles = {name: source.title for name, source in ALL_SOURCES.items()}
        self._alerts = AlertService(self._intake, context.service, context.service.company.alerts, titles)
        self._name, self._patient_until = uuid.uuid4().hex.encode(), 0.0
        self._forget()

    def _forget(self) -> None:
        """Forget what was read here: it is found again as it stands."""
        self._timed, self._unread, self._backlog = list[str](), dict[str, None](), Backlog()
        self._started: dict[str, _Started] = {}
        self._ahead, self._looks_at = 0, 0.0

    def work(self) -> None:
        """Work on what is due until nothing is left, or another worker does."""
        lock = self._context.redis.lock(LOCK, timeout=LOCK_SECONDS, thread_local=False)
        ends = time.monotonic() + RUN_SECONDS
        self._look()
        self._patient_until = time.monotonic() + PATIENCE
        while self._has_work and lock.acquire(blocking=False):
            if self._context.redis.set(HOLDER, self._name, get=True) != self._name:
                self._forget()  # another one has worked since on what was read here
            with renewed(lock) as is_held:
                self._look_for_more()
                while self._has_work and is_held() and time.monotonic() < ends:
                    if not self._work_once():
                        return  # what is left only a newer worker can read
                    self._look_for_more()
            self._look()  # for what came while the other workers saw the lock
            if self._has_work and time.monotonic() >= ends:
                self._intake.enqueue([next(iter([*self._timed, *self._unread, *self._started]))])
                return

    @property
    def _has_work(self) -> bool:
        return bool(self._timed or self._unread or self._started)

    def _look(self) -> None:
        """Look at the whole due set."""
        self._timed, bodies, self._ahead = self._intake.due(self._context.clock())
        self._unread = dict.fromkeys(body_id for body_id in bodies if body_id not in self._started)
        self._looks_at = time.monotonic() + LOOK_SECONDS

    def _look_for_more(self) -> None:
        """Look at what came meanwhile. Its jobs name it; the whole set, of thousands in a storm, is for the rest."""
        for (members,) in rq.take(self._context.redis, ALERTS, "take_alerts", JOBS_AT_ONCE):
            bodies = (m for m in members if not m.startswith(TIMED) and m not in self._started)
            self._unread |= dict.fromkeys(bodies)
        known = len(self._timed) + len(self._unread) + len(self._started) + self._ahead
        if self._intake.depth() > known or time.monotonic() >= self._looks_at:
            self._look()

    def _work_once(self) -> bool:
        """Read the bodies, look at the groups whose time has come, and take in the worst of what was read.

        False if nothing of it could be done.
        """
        self._read()
        looked = self._look_at_timed()
        taken, ends = 0, time.monotonic() + ROUND_SECONDS
        for incoming, outcome in self._alerts.take(self._backlog, lambda: time.monotonic() < ends):
            self._note(incoming, outcome)
            taken += 1
        return bool(self._finish() or looked or taken)

    def _look_at_timed(self) -> bool:
        """Look at the groups and heartbeats whose time has come; False if there are none, or only for newer workers.

        After an outage what waits is read first: among it may be the end of an alert, or the heartbeat.
        """
        if self._unread and time.monotonic() < self._patient_until:
            return False
        timed, self._timed = self._timed, []
        looked = [self._look_again(member) for member in timed]
        return any(looked)

    def _look_again(self, member: str) -> bool:
        """Look at a group or heartbeat whose time has come; False if only a newer worker can read its incident.

        A group of the backlog is looked at with what is to be taken in.
        """
        with contextlib.suppress(TooNew):
            if member.startswith("h:"):
                self._intake.note(*self._alerts.beat_missed(member))
            elif key := self._intake.group_of_member(member):
                if self._backlog.holds(key):
                    return False
                self._alerts.look_again(key)
            return True
        return False

    def _read(self) -> None:
        """Read bodies that were not read yet, as many as there is room for."""
        ends, size = time.monotonic() + READ_SECONDS, sum(started.size for started in self._started.values())
        while self._unread and size < MAX_READ and time.monotonic() < ends:
            ids = list(islice(self._unread, READ_AT_ONCE))
            bodies = self._intake.bodies(ids)
            self._start(bodies)
            size += sum(len(body.raw) for body in bodies)
            for body_id in ids:
                del self._unread[body_id]

    def _start(self, bodies: Iterable[Body]) -> None:
        """Read bodies, and add their alerts to the backlog."""
        now, read, given = self._context.clock(), dict[str, _Started](), list[Incoming]()
        for body in bodies:
            take = self._others.get(body.source)
            alerts, outcomes = ((), []) if take else self._parse(body)
            reported = body if alerts and body.source == mail.NAME else None
            read[body.id] = _Started(len(body.raw), len(alerts), outcomes, reported)
            given += self._alerts.route(alerts, now, body.at, body.id)
            if take:
                take(body)
        dropped = self._alerts.admit(self._backlog, given)
        self._started |= read
        for incoming, outcome in dropped:
            self._note(incoming, outcome)

    def _note(self, incoming: Incoming, outcome: Outcome) -> None:
        started = self._started[incoming.body]
        started.outcomes.append(outcome)
        started.left -= 1

    def _finish(self) -> int:
        """Write down what became of the bodies that nothing is left of; returns how many."""
        over = {body_id: started for body_id, started in self._started.items() if not started.left}
        for started in over.values():
            if started.mail:
                self._mail.reported(mail.mail_of(_received(started.mail)), started.outcomes[-1])
        done = {body_id: started.outcomes for body_id, started in over.items()}
        self._intake.done(done)
        self._count(outcome for outcomes in done.values() for outcome in outcomes)
        self._started = {body_id: started for body_id, started in self._started.items() if started.left}
        return len(done)

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
            title = source.title if source else body.source
            text = f"an alert of {title} could not be read, so nothing came of it"
            self._context.store.problems.report(f"alerts:unreadable:{body.source}", text, UNREADABLE)
            return (), [_outcome(body, f"unparsable: {error}")]
        outcomes = [_outcome(body, f"note: {parsed.note}")] if parsed.note else []
        if parsed.truncated:
            outcomes.append(_outcome(body, f"truncated: {parsed.truncated} more were left out"))
        if source is mail.SOURCE and (parsed.alerts or parsed.refused):
            return self._take_mail(body)
        ours = [alert for alert in parsed.alerts if self._is_ours(alert.fingerprint)]
        outcomes += [_outcome(body, f"note: {a.state} of {a.fingerprint}, which Tocsin made", a.title) for a in ours]
        return tuple(alert for alert in parsed.alerts if alert not in ours), outcomes

    def _is_ours(self, fingerprint: str) -> bool:
        """True for an incident of ours, which another tool was told of and sends back: it declares no other."""
        if not INCIDENT_ID.fullmatch(fingerprint):
            return False
        try:
            self._context.service.store.get(fingerprint)
        except NotFound:
            return False
        except TooNew:
            return True
        return True

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
    if context.redis.llen(queue_key(ALERTS)) or context.redis.exists(LOCK):
        return 0  # they may be in there, or a worker finds them by itself
    intake = Intake(context.redis, post_alerts)
    timed, _, _ = intake.due(now)
    due = [*timed, *intake.lost(now, LOST_AFTER)]
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
