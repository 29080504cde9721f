"""`tocsin watchdog`: a process of its own, on another host if you like, that pages when Tocsin does not."""

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

EVERY = 1.0  # seconds
LIMIT = timedelta(seconds=30)
TIMEOUT = 5.0  # seconds
NEEDS = (
    "REDIS_URL", "TOCSIN_DATA", "TOCSIN_CONFIG", "LOG_LEVEL", "SMTP_URL", "SMTP_FROM", "PAGERDUTY_URL",
    "WATCHDOG_TO", "WATCHDOG_HEARTBEAT_URL",
)  # fmt: skip
NO_WAY = (
    "The watchdog has no way to reach anybody. Set SMTP_URL, SMTP_FROM and WATCHDOG_TO (addresses, with commas "
    "between) for mail, or PAGERDUTY_ROUTING_KEY for PagerDuty, or both."
)
log = structlog.get_logger(__name__)


@click.command()
@click.option(
    "--limit", type=Length(), default=LIMIT, metavar="D", help="How long something may be overdue. 30s if left out."
)
@click.option("--once", is_flag=True, help="Look once, for cron: exit code 1 when something is wrong.")
def watchdog(limit: timedelta, once: bool) -> None:
    """Page by mail or PagerDuty what Tocsin should have paged and did not."""
    settings = load(NEEDS)
    if not (settings.pagerduty_key or (settings.smtp_url and settings.watchdog_to)):
        raise click.UsageError(NO_WAY)
    if not once:
        lifeline.exit_with_supervisor()
    logs.setup("watchdog", settings.log_level, settings.secrets())
    dog = _watchdog(settings, limit)
    if not once:
        _watch(dog)
        return
    wrong = dog.round()
    click.echo("\n".join(wrong) or "All is well.")
    raise SystemExit(1 if wrong else 0)


def _watchdog(settings: Settings, limit: timedelta) -> "Watchdog":
    # HTTP and mail, which the other commands need not wait for.
    from tocsin.run import channels  # noqa: PLC0415
    from tocsin.watchdog.observe import Observer  # noqa: PLC0415
    from tocsin.watchdog.watchdog import Memory, Notifier, Watchdog  # noqa: PLC0415

    embedded.make_folder(settings.data)
    store = redis.read_only_store(redis.connect(settings))
    company = loader.load(settings.config).company
    memory = Memory(settings.data / "watchdog.json")
    voice = Notifier(channels.mail(settings), settings.watchdog_to, channels.pagerduty(settings), memory)
    sees = Observer(store, company, lambda: datetime.now(UTC))
    return Watchdog(sees, voice, memory, limit, _heartbeat(settings))


def _heartbeat(settings: Settings) -> Callable[[], None] | None:
    url = settings.heartbeat_url
    return partial(beat, url.get_secret_value()) if url else None


def beat(url: str) -> None:
    """Tell the dead man's switch outside that we are alive."""
    import httpx2  # noqa: PLC0415 - as above

    try:
        httpx2.get(url, timeout=TIMEOUT).raise_for_status()
    except httpx2.HTTPError as lost:
        log.warning("the heartbeat was not taken", error=type(lost).__name__)


def _watch(dog: "Watchdog") -> None:
    """Look every second until told to end."""
    stop = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: stop.set())
    said: list[str] = []
    while not stop.wait(EVERY):
        try:
            wrong = dog.round()
        except Exception:  # whatever it is, the next look may go well; the heartbeat stays away meanwhile
            log.exception("the watchdog stumbled")
            continue
        if wrong != said:
            log.warning("something is wrong", what=wrong) if wrong else log.info("all is well")
        said = wrong
