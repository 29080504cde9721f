"""Calendar feeds (iCal) of rotations: fetch them, read their events, save the shifts in the on-call state.

A feed that cannot be read changes nothing: its last good copy stays in use, and /incident oncall says so.
"""

import contextlib
import re
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from ipaddress import ip_address
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import httpx2
import icalendar
import recurring_ical_events  # type: ignore[import-untyped]  # it has hints, and no py.typed
import structlog

from escalation.config.company import Company
from escalation.config.rotations import Rotation, Shift
from escalation.hosts import is_loopback
from escalation.oncall import overrides
from escalation.oncall.schedule import Feed
from workers.context import Context

EVERY = timedelta(minutes=5)
BEFORE, AHEAD = timedelta(days=7), timedelta(days=100)
MARGIN = timedelta(days=2)  # the library misjudges instants around a DST change: it is asked for more than is used
LARGEST = 5 * 1024 * 1024
MOST_EVENTS = 1000
MOST_REDIRECTS = 3
STEP_TIMEOUT, TOTAL_TIMEOUT = 10.0, 30.0  # seconds
# Such rules are no shifts, and the library iterates over every repeat since the rule began.
_TOO_OFTEN = re.compile(rb"(?im)^RRULE[^\r\n]*(SECONDLY|MINUTELY|BYSECOND|BYMINUTE=\d+,)")

log = structlog.get_logger()


class FeedProblem(Exception):
    """Raised when a calendar cannot be used; the message is shown to people on call."""


@dataclass(frozen=True)
class CalendarEvent:
    """Event of a calendar: the people on call from `starts` (inclusive) until `ends` (exclusive), and its title."""

    people: tuple[str, ...]
    starts: datetime
    ends: datetime
    title: str


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
                raise FeedProblem(f"its server answered {response.status_code}")
            return _body(response.iter_bytes(), ends)
    except httpx2.TooManyRedirects:
        raise FeedProblem("its server sends us from one address to the next") from None
    except httpx2.TimeoutException:
        raise FeedProblem("its server did not answer in time") from None
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise FeedProblem(f"its server cannot be reached ({type(error).__name__})") from None


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
            raise FeedProblem("its server did not answer in time")
    return bytes(body)


# Reading -------------------------------------------------------------------------------------------------------------


def read(text: bytes, rotation: Rotation, company: Company, now: datetime) -> list[CalendarEvent]:
    """Read the events from a week ago to a hundred days ahead. Raises FeedProblem for no calendar, or no event."""
    window = (now - BEFORE, now + AHEAD)
    if _TOO_OFTEN.search(text):
        raise FeedProblem("it has shifts that come round every minute")
    try:
        calendar = icalendar.Calendar.from_ical(text)
        events = recurring_ical_events.of(calendar).between(window[0] - MARGIN, window[1] + MARGIN)
        found = [s for s in _events(events, rotation, company) if s.starts < window[1] and s.ends > window[0]]
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise FeedProblem(f"it is not a calendar that can be read ({type(error).__name__})") from None
    if len(found) > MOST_EVENTS:
        raise FeedProblem(f"it has more than {MOST_EVENTS} shifts in {(AHEAD + BEFORE).days} days")
    if not found:
        raise FeedProblem(f"it has no shift in the next {AHEAD.days} days")
    return found


def _events(events: Iterable[Any], rotation: Rotation, company: Company) -> Iterator[CalendarEvent]:
    for event in events:
        starts, ends = (_instant(event[name].dt, rotation) for name in ("DTSTART", "DTEND"))
        if starts < ends and str(event.get("STATUS", "")).upper() != "CANCELLED":
            people, title = _people(event, company)
            yield CalendarEvent(people, starts, ends, title)


def _instant(at: date | datetime, rotation: Rotation) -> datetime:
    """Convert to UTC. A whole day begins at the rotation's midnight; a time without a zone is in the rotation's."""
    local = at if isinstance(at, datetime) else datetime.combine(at, time_of_day())
    return (local if local.tzinfo else local.replace(tzinfo=ZoneInfo(rotation.timezone))).astimezone(UTC)


def _people(event: Any, company: Company) -> tuple[tuple[str, ...], str]:
    """The people and the title of an event.

    People by the attendees' addresses, else by the one key, name or address in the summary; none if that is not clear.
    """
    listed = event.get("ATTENDEE", [])
    attendees = [str(a).lower().removeprefix("mailto:") for a in (listed if isinstance(listed, list) else [listed])]
    summary = str(event.get("SUMMARY", "")).strip()
    by_address = tuple(dict.fromkeys(k for a in attendees for k in company.people if a in _addresses(k, company)))
    if by_address:
        return by_address, summary
    named = tuple(key for key in company.people if _is_named(key, summary, company))
    return (named if len(named) == 1 else ()), summary or ", ".join(attendees) or "no name"


def _addresses(key: str, company: Company) -> set[str]:
    entry = company.people[key]
    return {a.lower() for a in (entry.email, entry.mail) if a}


def _is_named(key: str, summary: str, company: Company) -> bool:
    names = {key, company.people[key].name or key, *_addresses(key, company)}
    return any(re.search(rf"(?<![\w.@-]){re.escape(n)}(?![\w@-])", summary, re.IGNORECASE) for n in names)


def shifts(events: Iterable[CalendarEvent]) -> Iterator[Shift]:
    """Convert events to shifts: where they overlap, the later one wins; adjacent ones of a person are joined.

    An event of unknown people hides no other.
    """
    joined: list[tuple[tuple[str, ...], datetime, datetime]] = []
    for people, starts, ends in _without_overlaps([s for s in events if s.people]):
        if joined and joined[-1][0] == people and joined[-1][2] == starts:
            starts = joined.pop()[1]
        joined.append((people, starts, ends))
    for people, starts, ends in joined:
        yield from (Shift(person=p, starts=starts, ends=ends) for p in people)


def _without_overlaps(events: list[CalendarEvent]) -> Iterator[tuple[tuple[str, ...], datetime, datetime]]:
    edges = sorted({e.starts for e in events} | {e.ends for e in events})
    for starts, ends in pairwise(edges):
        active = [e for e in events if e.starts <= starts < e.ends]
        if active:
            yield max(active, key=lambda e: (e.starts, e.title)).people, starts, ends


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
        company = self._context.service.company
        try:
            events = read(self._fetch(url), rotation, company, now)
        except FeedProblem as problem:
            self._on_failure(name, str(problem), now)
            return
        self._context.service.update_oncall(lambda before, _: overrides.record_feed(before, name, shifts(events), now))
        if unknown := [s for s in events if not s.people]:
            self._on_failure(name, _unknown_people(unknown), now)

    def _on_failure(self, name: str, why: str, now: datetime) -> None:
        if (known := self._context.service.store.oncall_state().feeds.get(name)) is None or known.error != why:
            log.warning("calendar feed problem", rotation=name, problem=why)
        self._context.service.update_oncall(lambda before, _: overrides.record_feed_failure(before, name, why, now))


def _last_fetch(feed: Feed | None) -> datetime:
    never = datetime.min.replace(tzinfo=UTC)
    return max(feed.fetched_at or never, feed.failed_at or never) if feed else never


def _unknown_people(events: list[CalendarEvent]) -> str:
    names = ", ".join(dict.fromkeys(f"'{s.title}'" for s in events[:5]))
    return f"the configuration has nobody called {names} (first on {events[0].starts:%Y-%m-%d %H:%M} UTC)"
