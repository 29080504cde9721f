"""Keep the status page, Statuspage and subscribers up to date, in threads of their own: they delay no alarm."""

import threading
from collections.abc import Callable
from datetime import datetime

import structlog
from redis import RedisError

from escalation.service import Clock
from escalation.storage.public.subscribers import Subscribers
from workers.context import Context
from workers.recurring.statuspage import Mirror
from workers.recurring.subscribers import Mailing

EVERY = 1.0  # seconds

log = structlog.get_logger()


def start(context: Context, stop: threading.Event) -> None:
    """Start the threads, of what is set up."""
    if context.status is None:
        return
    _start("status folder", context.status.renew, context.clock, stop)
    page = context.service.company.status_page
    if (mail := context.channels.subscribers) and page:
        root, subscribers = context.service.public_url, Subscribers(context.redis)
        mailing = Mailing(subscribers, mail, page, root, context.store.problems, context.service.mailboxes)
        _start("subscribers", mailing.step, context.clock, stop)
    if client := context.channels.statuspage:
        configured = page.maintenance if page else ()
        mirror = Mirror(context.redis, client, context.store.problems, configured)
        _start("statuspage", mirror.step, context.clock, stop)


def _start(name: str, step: Callable[[datetime], bool], clock: Clock, stop: threading.Event) -> None:
    threading.Thread(target=_run, args=(name, step, clock, stop), name=name, daemon=True).start()


def _run(name: str, step: Callable[[datetime], bool], clock: Clock, stop: threading.Event) -> None:
    while not stop.wait(EVERY):
        try:
            step(clock())
        except RedisError as error:
            log.warning("redis unavailable, waiting", thread=name, error=type(error).__name__)
