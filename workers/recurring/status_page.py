"""Keep the folder of the status page up to date, in a thread of its own: a slow disk delays no alarm."""

import threading

import structlog
from redis import RedisError

from escalation.service import Clock
from escalation.storage.status_folder import StatusFolder
from workers.context import Context

EVERY = 1.0  # seconds

log = structlog.get_logger()


def start(context: Context, stop: threading.Event) -> threading.Thread | None:
    """Start the thread; None without a status page."""
    if context.status is None:
        return None
    thread = threading.Thread(target=_run, args=(context.status, context.clock, stop), name="status", daemon=True)
    thread.start()
    return thread


def _run(folder: StatusFolder, clock: Clock, stop: threading.Event) -> None:
    while not stop.wait(EVERY):
        try:
            folder.renew(clock())
        except RedisError as error:
            log.warning("redis unavailable, status page not renewed", error=type(error).__name__)
