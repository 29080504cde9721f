"""`tocsin watchdog`: a separate process, on another host if you like, that pages when Tocsin does not."""

import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import click
import structlog

from tocsin.commands.terminal import Length
from tocsin.config import loader
from tocsin.config.settings import Settings, load
from tocsin.run import embedded, lifeline, logs, redis

if TYPE_CHECKING:
    from tocsin.watchdog.watchdog import Watchdog

EVERY = 1.0  # seconds between checks
LIMIT = timedelta(seconds=30)  # overdue for longer than that is reported
TIMEOUT = 5.0  # seconds for the heartbeat
NEEDS = (
    "REDIS_URL", "TOCSIN_DATA", "TOCSIN_CONFIG", "LOG_LEVEL", "SMTP_URL", "SMTP_FROM", "PAGERDUTY_URL",
    "WATCHDOG_TO", "WATCHDOG_HEARTBEAT_URL",
)  # fmt: skip
NO_CHANNEL = (
    "The watchdog has no way to reach anybody. Set SMTP_URL, SMTP_FROM and WATCHDOG_TO (addresses, with commas "
    "between) for mail, or PAGERDUTY_ROUTING_KEY for PagerDuty, or both."
)
log = structlog.get_logger(__name__)


@click.command()
@click.option(
    "--limit", type=Length(), default=LIMIT, metavar="D", help="How long something may be overdue (default: 30s)."
)
@click.option("--once", is_flag=True, help="Check once, for cron. Exit code 1 when something is wrong.")
def watchdog(limit: timedelta, once: bool) -> None:
    """Page by mail or PagerDuty when Tocsin does not. Reports what is overdue, and when Tocsin is down."""
    settings = load(NEEDS)
    if not (settings.pagerduty_key or (settings.smtp_url and settings.watchdog_to)):
        raise click.UsageError(NO_CHANNEL)
    if not once:
        lifeline.exit_with_supervisor()
    logs.setup("watchdog", settings.log_level, settings.secrets())
    dog = _watchdog(settings, limit)
    if not once:
        _watch(dog)
        return
    problems = dog.check()
    click.echo("\n".join(problems) or "All is well.")
    raise SystemExit(1 if problems else 0)


def _watchdog(settings: Settings, limit: timedelta) -> "Watchdog":
    # HTTP and mail, which the other commands need not wait for.
    from tocsin.run import channels  # noqa: PLC0415
    from tocsin.watchdog.observe import Observer  # noqa: PLC0415
    from tocsin.watchdog.watchdog import Memory, Notifier, Watchdog  # noqa: PLC0415

    embedded.make_folder(settings.data)
    store = redis.read_only_store(redis.connect(settings))
    company = loader.load(settings.config).company
    memory = Memory(settings.data / "watchdog.json")
    notifier = Notifier(channels.mail(settings), settings.watchdog_to, channels.pagerduty(settings), memory)
    observer = Observer(store, company, lambda: datetime.now(UTC))
    return Watchdog(observer, notifier, memory, limit, _heartbeat(settings))


def _heartbeat(settings: Settings) -> Callable[[], None] | None:
    url = settings.heartbeat_url
    return partial(ping, url.get_secret_value()) if url else None


def ping(url: str) -> None:
    """Ping the dead man's switch outside. A failure is only logged."""
    import httpx2  # noqa: PLC0415 - as above

    try:
        httpx2.get(url, timeout=TIMEOUT).raise_for_status()
    except httpx2.HTTPError as error:
        log.warning("heartbeat failed", error=type(error).__name__)


def _watch(dog: "Watchdog") -> None:
    """Check every second until told to end."""
    stop = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: stop.set())
    reported: list[str] = []
    while not stop.wait(EVERY):
        try:
            problems = dog.check()
        except Exception:  # the next check may succeed; until then no heartbeat is sent
            log.exception("watchdog check failed")
            continue
        if problems != reported:
            log.warning("problems found", what=problems) if problems else log.info("no problems left")
        reported = problems
