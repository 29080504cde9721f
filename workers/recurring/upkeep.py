"""What comes round again, about twice a minute: messages that are owed, user groups, calendar feeds,
Tocsin's own objective.

Every sweep asks for it, and one of them gets through; the job only starts it, in a thread of its own, because
Slack or a calendar's server may be slow and checkpoints wait behind the job.
"""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime

import structlog
from redis import Redis

from escalation.processes import MESSAGES
from escalation.storage.store import UPKEEP
from workers.context import Context
from workers.queue.rq import Task, push
from workers.recurring.calendar_feeds import CalendarFeeds
from workers.recurring.reminders import Reminders
from workers.recurring.slo_breach import SloBreach
from workers.recurring.user_groups import UserGroups

EVERY_SECONDS = 30

log = structlog.get_logger()


def ask(redis: Redis, now: datetime) -> bool:
    """Put the job on its queue, unless somebody did so lately; deleting the key asks for it at once."""
    if not redis.set(UPKEEP, "1", nx=True, ex=EVERY_SECONDS):
        return False
    with redis.pipeline() as pipe:
        push(pipe, Task(f"upkeep-{round(now.timestamp() * 1000)}", MESSAGES, "upkeep", ()), now)
        pipe.execute()
    return True


class Upkeep:
    """The upkeep of one process: one round at a time."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="upkeep")
        self._round: Future[None] | None = None
        self._routine = Reminders(context, self._stop.is_set)
        self._groups = UserGroups(context)
        self._feeds = CalendarFeeds(context, self._stop.is_set)
        self._breach = SloBreach(context)

    def start(self) -> None:
        """Begin a round, unless one goes on. Who has all patience waits for its end, and gets what it raises."""
        if self._round and not self._round.done():
            return
        self._round = self._pool.submit(self._once)
        self._round.add_done_callback(_ended)
        if self._context.patience is None:
            self._round.result()

    def close(self) -> None:
        """Finish what is in flight."""
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _once(self) -> None:
        now = self._context.clock()
        self._routine.say(now)
        self._groups.sync(now)
        self._feeds.refresh(now)
        self._breach.look(now)


def _ended(finished: "Future[None]") -> None:
    """Nobody waits for a round: what went wrong is said here, and the next one tries again."""
    if not finished.cancelled() and (error := finished.exception()):
        log.error("upkeep failed", exc_info=error)
