"""Calendar feeds (iCal) of rotations: fetch them, read their events, save the shifts in the on-call state.

A feed that cannot be read changes nothing: its last good copy stays in use, and /incident oncall says so.
"""

import contextlib
import re
import socket
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx2
import structlog

from escalation.config.rotations import Rotation
from escalation.hosts import is_loopback
from escalation.oncall import overrides
from escalation.oncall.schedule import Feed
from workers.context import Context
from workers.recurring.oncall.calendar_events import FeedProblem, Reading, read, shifts

EVERY = timedelta(minutes=5)
LARGEST = 5 * 1024 * 1024
MOST_REDIRECTS = 3
STEP_TIMEOUT, TOTAL_TIMEOUT = 10.0, 30.0  # seconds
STALE_AFTER = timedelta(hours=1)  # a server that was away for so long is a lasting fault

REMEDY = "`/incident oncall` says what is wrong; correct it in the calendar, or `rotations.*.ical`"

log = structlog.get_logger()


# Fetching ------------------------------------------------------------------------------------------------------------


def fetch(url: str) -> bytes:
    """Fetch a calendar. Raises FeedProblem if that fails, takes too long or is too large."""
    address = re.sub(r"^webcal://", "https://", url)
    host = urlsplit(address).hostname
    direct = is_loopback(host or "")  # a proxy would look for it on its own machine
    ends = time.monotonic() + TOTAL_TIMEOUT
    try:
        with (
            httpx2.Client(
                timeout=STEP_TIMEOUT,
                follow_redirects=True,
                max_redirects=MOST_REDIRECTS,
                trust_env=not direct,
                event_hooks={"request": [lambda request: _refuse_internal_redirect(request.url.host, host)]},
            ) as client,
            client.stream("GET", address, headers={"accept": "text/calendar"}) as response,
        ):
            if response.status_code != 200:
                passing = response.status_code in (408, 429) or response.status_code >= 500
                raise FeedProblem(f"its server answered {response.status_code}", passing=passing)
            return _body(response.iter_bytes(), ends)
    except httpx2.TooManyRedirects:
        raise FeedProblem("its server sends us from one address to the next") from None
    except httpx2.TimeoutException:
        raise FeedProblem("its server did not answer in time", passing=True) from None
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise FeedProblem(f"its server cannot be reached ({type(error).__name__})", passing=True) from None


def _refuse_internal_redirect(requested: str, configured: str | None) -> None:
    """Raise FeedProblem for a redirect into our own network: only the configuration may name a host there."""
    if requested == configured:
        return
    with contextlib.suppress(OSError):  # the request itself reports an unknown host
        addresses = {str(info[4][0]).partition("%")[0] for info in socket.getaddrinfo(requested, None)}
        if not all(ip_address(address).is_global for address in addresses):
            raise FeedProblem("its server sends us to an address that is not public")


def _body(chunks: Iterable[bytes], ends: float) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > LARGEST:
            raise FeedProblem("it is larger than 5 MB")
        if time.monotonic() > ends:
            raise FeedProblem("its server did not answer in time", passing=True)
    return bytes(body)


# Keeping -------------------------------------------------------------------------------------------------------------


class CalendarFeeds:
    """Refreshes the configuration's calendars every five minutes each; checks `stopping` between two."""

    def __init__(
        self,
        context: Context,
        stopping: Callable[[], bool] = lambda: False,
        fetch: Callable[[str], bytes] = fetch,
    ) -> None:
        self._context = context
        self._stopping = stopping
        self._fetch = fetch

    def refresh(self, now: datetime) -> None:
        """Fetch each calendar that was not fetched for five minutes."""
        service = self._context.service
        feeds = service.store.oncall_state().feeds
        for name, rotation in service.company.rotations.items():
            if rotation.ical and _last_fetch(feeds.get(name)) <= now - EVERY and not self._stopping():
                self._refresh_rotation(name, rotation, rotation.ical, now)

    def _refresh_rotation(self, name: str, rotation: Rotation, url: str, now: datetime) -> None:
        service = self._context.service
        try:
            reading = read(self._fetch(url), rotation, service.company, now)
        except FeedProblem as problem:
            self._on_failure(name, problem, now)
            return
        found = tuple(shifts(reading.events))
        notes = {"problems": reading.problems, "notes": reading.notes}
        service.update_oncall(lambda before, _: overrides.record_feed(before, name, found, now, **notes))
        self._report(name, reading)

    def _report(self, name: str, reading: Reading) -> None:
        """Keep the register of lasting faults; it is open to strangers, so an event's title is no part of it."""
        problems = self._context.service.store.problems
        if not reading.problems:
            problems.clear(_key(name))
        elif problems.report(_key(name), f"some events of the calendar of rotation {name} do not hold", REMEDY):
            log.warning("calendar events left out", rotation=name, count=len(reading.problems))

    def _on_failure(self, name: str, problem: FeedProblem, now: datetime) -> None:
        service, why = self._context.service, str(problem)
        feed = service.store.oncall_state().feeds.get(name, Feed(rotation=name))
        if feed.error != why:
            log.warning("calendar feed problem", rotation=name, problem=why)
        service.update_oncall(lambda before, _: overrides.record_feed_failure(before, name, why, now))
        stale = feed.fetched_at is None or feed.fetched_at < now - STALE_AFTER
        if stale or not problem.passing:
            service.store.problems.report(_key(name), f"the calendar of rotation {name} cannot be used", REMEDY)


def _key(rotation: str) -> str:
    return f"calendar:{rotation}"


def _last_fetch(feed: Feed | None) -> datetime:
    never = datetime.min.replace(tzinfo=UTC)
    return max(feed.fetched_at or never, feed.failed_at or never) if feed else never
