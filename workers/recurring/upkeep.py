"""Recurring work, about twice a minute: pages that follow a handover, silences, reminders, groups, feeds, and so on.

Every sweep asks for a round, and one of them enqueues it; the job only starts it in a thread of its own, because Slack
or a calendar's server may be slow and checkpoints wait behind the job.
"""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime

import structlog
from redis import Redis

from escalation.oncall.edits import record_running
from escalation.processes import MESSAGES
from escalation.storage.store import UPKEEP
from workers.context import Context
from workers.queue.rq import Task, push
from workers.recurring.calendar_feeds import CalendarFeeds
from workers.recurring.do_not_disturb import DoNotDisturb
from workers.recurring.keeping.retention import Keeping
from workers.recurring.keeping.search import SearchRounds
from workers.recurring.listening import Listening
from workers.recurring.method_trials import MethodTrials
from workers.recurring.oncall.rest import Rest
from workers.recurring.oncall.user_groups import UserGroups
from workers.recurring.reminders import Reminders
from workers.recurring.slo_breach import SloBreach
from workers.recurring.trackers.tickets import TicketRounds

EVERY_SECONDS = 30

log = structlog.get_logger()


def enqueue(redis: Redis, now: datetime) -> bool:
    """Enqueue a round, unless one was enqueued lately; True if so. Deleting the key makes the next call enqueue one."""
    if not redis.set(UPKEEP, "1", nx=True, ex=EVERY_SECONDS):
        return False
    with redis.pipeline() as pipe:
        push(pipe, Task(f"upkeep-{round(now.timestamp() * 1000)}", MESSAGES, "upkeep", ()), now)
        pipe.execute()
    return True


class Upkeep:
    """Runs the rounds of one process, one at a time."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="upkeep")
        self._round: Future[None] | None = None
        self._rest = Rest(context)
        self._reminders = Reminders(context, self._stop.is_set)
        self._groups = UserGroups(context)
        self._trials = MethodTrials(context)
        self._do_not_disturb = DoNotDisturb(context)
        self._listening = Listening(context)
        self._feeds = CalendarFeeds(context, self._stop.is_set)
        self._slo_breach = SloBreach(context)
        self._tickets = TicketRounds(context, self._stop.is_set)
        self._keeping = Keeping(context)
        self._search = SearchRounds(context, self._stop.is_set)

    def start(self) -> None:
        """Start a round, unless one is running. With `patience` None wait for its end, and raise its errors."""
        if self._round and not self._round.done():
            return
        self._round = self._pool.submit(self._run_round)
        self._round.add_done_callback(_log_error)
        if self._context.patience is None:
            self._round.result()

    def close(self) -> None:
        """Stop the round after its current message or calendar, and wait for that."""
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run_round(self) -> None:
        now, service = self._context.clock(), self._context.service
        service.update_oncall(lambda before, at: record_running(before, service.company, at))
        self._trials.run(now)
        self._do_not_disturb.refresh(now)
        self._rest.check(now)
        self._reminders.send_due(now)
        service.see_reviews()
        self._groups.sync(now)
        self._listening.refresh(now)
        self._feeds.refresh(now)
        self._slo_breach.check(now)
        self._tickets.refresh(now)
        self._keeping.run(now)
        self._search.run(now)


def _log_error(future: "Future[None]") -> None:
    """Log the error of a round: nothing waits for it, and the next one retries."""
    if not future.cancelled() and (error := future.exception()):
        log.error("upkeep failed", exc_info=error)
