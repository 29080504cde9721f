"""Keep the status page, Statuspage and subscribers up to date, in threads of their own: they delay no alarm."""

import contextlib
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog
from redis import Redis, RedisError

from escalation.config.status_page import Maintenance
from escalation.storage.problems import RECURRING
from escalation.storage.public.maintenance import PlannedMaintenance
from escalation.storage.public.subscribers import Subscribers
from workers.context import Context
from workers.recurring.statuspage import Mirror
from workers.recurring.subscribers import Mailing

EVERY = 1.0  # seconds
FOLLOW_EVERY = timedelta(minutes=1)

log = structlog.get_logger()


def start(context: Context, stop: threading.Event) -> None:
    """Start the threads, of what is set up."""
    if context.status is None:
        return
    _start("status folder", context.status.renew, context, stop)
    page = context.service.company.status_page
    configured = page.maintenance if page else ()
    _start("maintenance", _Following(context.redis, configured).step, context, stop)
    if (mail := context.channels.subscribers) and page:
        root, subscribers = context.service.public_url, Subscribers(context.redis)
        mailing = Mailing(subscribers, mail, page, root, context.store.problems, context.service.mailboxes)
        _start("subscribers", mailing.step, context, stop)
    if client := context.channels.statuspage:
        mirror = Mirror(context.redis, client, context.store.problems, configured)
        _start("statuspage", mirror.step, context, stop)


class _Following:
    """Tells the others which maintenance this process's configuration has, once a minute."""

    def __init__(self, redis: Redis, configured: Sequence[Maintenance]) -> None:
        self._planned = PlannedMaintenance(redis)
        self._configured = configured
        self._since: datetime | None = None
        self._next: datetime | None = None

    def step(self, now: datetime) -> bool:
        """Tell them; True if it was time to. RedisError passes through."""
        if self._next and now < self._next:
            return False
        self._since = self._since or now
        self._planned.follow(self._configured, now, self._since)
        self._next = now + FOLLOW_EVERY
        return True


def _start(name: str, step: Callable[[datetime], bool], context: Context, stop: threading.Event) -> None:
    threading.Thread(target=_run, args=(name, step, context, stop), name=name, daemon=True).start()


def _run(name: str, step: Callable[[datetime], bool], context: Context, stop: threading.Event) -> None:
    while not stop.wait(EVERY):
        try:
            step(context.clock())
        except RedisError as error:
            log.warning("redis unavailable, waiting", thread=name, error=type(error).__name__)
        except Exception as error:  # top of the thread, which is to live on
            log.exception("step failed", thread=name)
            with contextlib.suppress(RedisError):
                context.store.problems.report_bug(name, error, kept=RECURRING)
