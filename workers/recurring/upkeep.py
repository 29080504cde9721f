"""Recurring work, about twice a minute: pages that follow a handover, silences, reminders, groups, feeds, and so on.

Every sweep asks for a round, and one of them enqueues it; the job only starts it in a thread of its own, because Slack
or a calendar's server may be slow and checkpoints wait behind the job.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime

import structlog
from redis import Redis, RedisError

from escalation.oncall.edits import record_running
from escalation.processes import MESSAGES
from escalation.storage.problems import RECURRING
from escalation.storage.store import UPKEEP
from workers.context import Context
from workers.queue.rq import Task, push
from workers.recurring.action_items.listed import ListedItems
from workers.recurring.action_items.preventions import Preventions
from workers.recurring.action_items.tickets import ItemTickets
from workers.recurring.do_not_disturb import DoNotDisturb
from workers.recurring.keeping.posted import PostedRounds
from workers.recurring.keeping.retention import Keeping
from workers.recurring.keeping.search import SearchRounds
from workers.recurring.listening import Listening
from workers.recurring.method_trials import MethodTrials
from workers.recurring.oncall.calendar_feeds import CalendarFeeds
from workers.recurring.oncall.rest import Rest
from workers.recurring.oncall.user_groups import UserGroups
from workers.recurring.reminders import Reminders
from workers.recurring.reviews.documents import PublishedReviews
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
        self._preventions = Preventions(context, self._stop.is_set)
        self._reminders = Reminders(context, self._stop.is_set)
        self._groups = UserGroups(context)
        self._trials = MethodTrials(context)
        self._do_not_disturb = DoNotDisturb(context)
        self._listening = Listening(context)
        self._feeds = CalendarFeeds(context, self._stop.is_set)
        self._slo_breach = SloBreach(context)
        self._tickets = TicketRounds(context, self._stop.is_set)
        self._item_tickets = ItemTickets(context, self._stop.is_set)
        self._listed_items = ListedItems(context, self._stop.is_set)
        self._published = PublishedReviews(context)
        self._posted = PostedRounds(context, self._stop.is_set)
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
        """Take every step, though another fails: that one is among the problems. A test is told at the end."""
        failures = []
        for name, step in self._steps(self._context.clock()):
            try:
                step()
            except RedisError:
                raise
            except Exception as error:  # top of the thread
                log.exception("step of upkeep failed", step=name)
                self._context.store.problems.report_bug(name, error, kept=RECURRING)
                failures.append(error)
        if failures and self._context.patience is None:
            raise failures[0]

    def _steps(self, now: datetime) -> tuple[tuple[str, Callable[[], object]], ...]:
        service = self._context.service

        def record() -> None:
            service.update_oncall(lambda before, at: record_running(before, service.company, at))

        return (
            ("the record of shifts", record),
            ("tests of contact methods", lambda: self._trials.run(now)),
            ("the look at Do Not Disturb", lambda: self._do_not_disturb.refresh(now)),
            ("rest after nights", lambda: self._rest.check(now)),
            ("reminders", lambda: self._reminders.send_due(now)),
            ("overdue reviews", service.see_reviews),
            ("the search", lambda: self._search.run(now)),
            ("what action items were to prevent", lambda: self._preventions.check(now)),
            ("user groups", lambda: self._groups.sync(now)),
            ("channels that are listened in", lambda: self._listening.refresh(now)),
            ("calendars", lambda: self._feeds.refresh(now)),
            ("our own objectives", lambda: self._slo_breach.check(now)),
            ("tickets", lambda: self._tickets.refresh(now)),
            ("tickets of action items", lambda: self._item_tickets.refresh(now)),
            ("the list of action items", lambda: self._listed_items.refresh(now)),
            ("published reviews", lambda: self._published.refresh(now)),
            ("posts that name somebody forgotten", self._posted.run),
            ("retention", lambda: self._keeping.run(now)),
        )


def _log_error(future: "Future[None]") -> None:
    """Log the error of a round: nothing waits for it, and the next one retries."""
    if not future.cancelled() and (error := future.exception()):
        log.error("upkeep failed", exc_info=error)
