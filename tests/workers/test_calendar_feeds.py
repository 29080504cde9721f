"""Calendars that others keep: what is read from them, what is refused, and what goes on meanwhile."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any

import fakeredis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.render.mrkdwn import plain
from bot.render.oncall import Board
from escalation.config.company import Company, Directory
from escalation.oncall.schedule import on_call_at
from tests.support.clock import PushedClock
from tests.support.profiles import examples
from tests.support.worker import Works, works
from workers.recurring import calendar_feeds
from workers.recurring.calendar_feeds import CalendarEvent, CalendarFeeds, FeedProblem, fetch, read, shifts

NOW = datetime(2026, 10, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
URL = "https://cal.example/oncall.ics"


def company(zone: str = "Europe/Berlin") -> Company:
    people = {
        "dana": {"email": "dana@example.com", "name": "Dana Smith"},
        "omar": {"email": "omar@example.com"},
        "mei": {"slack": "UMEI00001"},
    }
    rotation = {"people": ["dana", "omar", "mei"], "timezone": zone, "ical": URL}
    return Company.model_validate({"policy": "kars", "people": people, "rotations": {"primary": rotation}})


def ics(*events: str) -> bytes:
    """A calendar of these events, each the lines of its properties."""
    bodies = "\n".join(f"BEGIN:VEVENT\nUID:{n}\n{event}\nEND:VEVENT" for n, event in enumerate(events))
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:test\n{bodies}\nEND:VCALENDAR\n".replace("\n", "\r\n").encode()


def event(who: str, starts: str, ends: str, *more: str) -> str:
    return "\n".join((f"SUMMARY:{who}", f"DTSTART{starts}", f"DTEND{ends}", *more))


def people_of(text: bytes, at: datetime, zone: str = "Europe/Berlin") -> list[str]:
    of = company(zone)
    stretches = read(text, of.rotations["primary"], of, NOW)
    return [s.person for s in shifts(stretches) if s.starts <= at < s.ends]


@pytest.mark.parametrize("summary", ["dana", "DANA", "On call: Dana Smith (primary)", "dana@example.com", "Dana rules"])
def test_people_are_found_by_their_names(summary: str) -> None:
    """By key, name or address, wherever it stands in the summary."""
    text = ics(event(summary, ":20261020T000000Z", ":20261021T000000Z"))
    assert people_of(text, NOW) == ["dana"]


@pytest.mark.parametrize("summary", ["Zoe", "danais", "dana and omar", "", "omar@elsewhere.example"])
def test_whoever_is_not_clear_is_nobody(summary: str) -> None:
    """Better nobody, which is said aloud, than the wrong one."""
    assert people_of(ics(event(summary, ":20261020T000000Z", ":20261021T000000Z")), NOW) == []


def test_attendees_count_before_the_summary() -> None:
    """Two of them are both on call; those that nobody knows are left out."""
    attendees = (
        "ATTENDEE:mailto:OMAR@example.com",
        "ATTENDEE;CN=Dana:mailto:dana@example.com",
        "ATTENDEE:mailto:x@y.z",
    )
    text = ics(event("mei", ":20261020T000000Z", ":20261021T000000Z", *attendees))
    assert people_of(text, NOW) == ["omar", "dana"]


@pytest.mark.parametrize(
    ("at", "who"),
    [
        (datetime(2026, 10, 23, 21, 59, tzinfo=UTC), []),
        (datetime(2026, 10, 23, 22, 0, tzinfo=UTC), ["dana"]),  # midnight in Berlin, in summer
        (datetime(2026, 10, 25, 22, 59, tzinfo=UTC), ["dana"]),  # the last hour of a day of 25
        (datetime(2026, 10, 25, 23, 0, tzinfo=UTC), []),  # midnight in Berlin, in winter
    ],
)
def test_whole_days_begin_at_the_rotations_midnight(at: datetime, who: list[str]) -> None:
    """Also where the clocks are put back on one of them."""
    assert people_of(ics(event("dana", ";VALUE=DATE:20261024", ";VALUE=DATE:20261026")), at) == who


@pytest.mark.parametrize("hours", range(25 * 2))
def test_a_shift_over_the_autumn_change_has_no_hole(hours: int) -> None:
    """A weekly shift of local midnights: somebody is on call in each hour around the change."""
    weekly = event(
        "dana",
        ";TZID=Europe/Berlin:20261018T000000",
        ";TZID=Europe/Berlin:20261025T000000",
        "RRULE:FREQ=WEEKLY;INTERVAL=2",
    )
    other = event(
        "omar",
        ";TZID=Europe/Berlin:20261025T000000",
        ";TZID=Europe/Berlin:20261101T000000",
        "RRULE:FREQ=WEEKLY;INTERVAL=2",
    )
    at = datetime(2026, 10, 24, 12, 30, tzinfo=UTC) + hours * HOUR
    change = datetime(2026, 10, 24, 22, tzinfo=UTC)
    assert people_of(ics(weekly, other), at) == (["dana"] if at < change else ["omar"])


def test_a_time_without_a_zone_is_the_rotations() -> None:
    """As calendars call it: floating."""
    text = ics(event("dana", ":20261021T090000", ":20261021T170000"))
    assert people_of(text, datetime(2026, 10, 21, 7, tzinfo=UTC)) == ["dana"]
    assert people_of(text, datetime(2026, 10, 21, 9, tzinfo=UTC), "UTC") == ["dana"]
    assert people_of(text, datetime(2026, 10, 21, 8, 59, tzinfo=UTC), "UTC") == []


def test_a_cancelled_event_holds_nobody() -> None:
    """It stays in many exports; the one below it holds."""
    week = event("omar", ":20261019T000000Z", ":20261026T000000Z")
    off = event("dana", ":20261020T000000Z", ":20261021T000000Z", "STATUS:CANCELLED")
    assert people_of(ics(week, off), NOW) == ["omar"]


@given(st.lists(st.tuples(st.sampled_from(("dana", "omar", "")), st.integers(0, 40), st.integers(1, 20)), max_size=12))
@settings(max_examples=examples(150), deadline=None)
def test_where_events_overlap_the_later_one_holds(drawn: list[tuple[str, int, int]]) -> None:
    """At every hour: whoever of known people began last; one of unknown people hides nobody."""
    events = [
        CalendarEvent((who,) if who else (), NOW + a * HOUR, NOW + (a + n) * HOUR, f"{i:02}")
        for i, (who, a, n) in enumerate(drawn)
    ]
    found = list(shifts(events))
    for hour in range(62):
        at = NOW + hour * HOUR
        known = [e for e in events if e.people and e.starts <= at < e.ends]
        expected = [max(known, key=lambda e: (e.starts, e.title)).people[0]] if known else []
        assert [s.person for s in found if s.starts <= at < s.ends] == expected
    assert all(a.ends != b.starts or a.person != b.person for a, b in pairwise(found))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"<html>log in</html>", "not a calendar"),
        (b"", "not a calendar"),
        (ics("SUMMARY:dana"), "not a calendar"),
        (ics("SUMMARY:dana\nDTSTART:20261020T000000Z\nRRULE:FREQ=FOO"), "not a calendar"),
        (ics("SUMMARY:dana\nDTSTART:20261020T000000Z\nRRULE:FREQ=SECONDLY"), "every minute"),
        (ics(event("dana", ":20200101T000000Z", ":20200102T000000Z")), "no shift"),
        (ics(event("dana", ":20261020T000000Z", ":20261020T003000Z", "RRULE:FREQ=HOURLY")), "more than 1000"),
    ],
)
def test_what_is_no_use_is_refused_in_words(text: bytes, words: str) -> None:
    """For whoever reads /incident oncall."""
    with pytest.raises(FeedProblem, match=words):
        people_of(text, NOW)


# Keeping ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def parts() -> Iterator[Works]:
    with fakeredis.FakeRedis() as redis:
        redis.flushall()
        yield works(redis, clock=PushedClock(NOW), company=company())


class Server:
    """A calendar's server that answers what it is told to, and counts."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.asked = 0

    def __call__(self, url: str) -> bytes:
        self.asked += 1
        if not self.text:
            raise FeedProblem("its server answered 503")
        return self.text


def told(parts: Works) -> str:
    board = Board(parts.service.company, Directory(), parts.service.store.oncall_state(), parts.clock())
    return "\n".join(map(plain, board.rotations()))


def test_the_last_good_copy_goes_on_while_the_server_is_away(parts: Works) -> None:
    """Asked each five minutes; who is on call says since when it is not fresh."""
    server = Server(ics(event("dana", ":20261020T000000Z", ":20261120T000000Z")))
    round_ = CalendarFeeds(parts.context, fetch=server)
    round_.refresh(parts.clock())
    assert on_call_at("primary", parts.service.company, parts.service.store.oncall_state(), parts.clock()) == ("dana",)
    assert "was read at 2026-10-20 12:00" in told(parts)
    server.text = b""
    for _ in range(20):
        parts.clock.push(seconds=30)
        round_.refresh(parts.clock())
    assert server.asked == 3
    assert on_call_at("primary", parts.service.company, parts.service.store.oncall_state(), parts.clock()) == ("dana",)
    assert "its server answered 503; its copy of 2026-10-20 12:00" in told(parts)
    server.text = ics(event("omar", ":20261020T000000Z", ":20261120T000000Z"))
    parts.clock.push(minutes=5)
    round_.refresh(parts.clock())
    assert on_call_at("primary", parts.service.company, parts.service.store.oncall_state(), parts.clock()) == ("omar",)
    assert "problem" not in told(parts)


def test_an_unknown_name_is_said_and_the_rest_holds(parts: Works) -> None:
    """So that it is mended before that shift begins."""
    text = ics(
        event("dana", ":20261020T000000Z", ":20261021T000000Z"), event("Zoe", ":20261021T000000Z", ":20261022T000000Z")
    )
    CalendarFeeds(parts.context, fetch=Server(text)).refresh(parts.clock())
    assert on_call_at("primary", parts.service.company, parts.service.store.oncall_state(), parts.clock()) == ("dana",)
    assert "nobody called 'Zoe' (first on 2026-10-21 00:00 UTC)" in told(parts)


def test_before_the_first_copy_it_says_so(parts: Works) -> None:
    """Nobody is on call then, and that is no secret."""
    assert "was not read yet" in told(parts)


# Fetching --------------------------------------------------------------------------------------------------------


@contextmanager
def served(answer: Any) -> Iterator[str]:
    """A server on this machine; `answer` is handed each request."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/oncall.ics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def says(status: int, body: bytes = b"", **headers: str) -> Any:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


def test_a_calendar_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    """From this machine without the environment's proxies."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with served(says(200, b"BEGIN:VCALENDAR")) as url:
        assert fetch(url) == b"BEGIN:VCALENDAR"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (says(404), "answered 404"),
        (says(302, Location="/oncall.ics"), "from one address to the next"),
        (says(200, b"x" * (calendar_feeds.LARGEST + 1)), "larger than 5 MB"),
    ],
)
def test_a_server_that_is_no_use_is_named(answer: Any, words: str) -> None:
    """Each in words of its own."""
    with served(answer) as url, pytest.raises(FeedProblem, match=words):
        fetch(url)


def test_a_server_that_is_away_is_named() -> None:
    """Without its address, which is a secret in most calendars."""
    with pytest.raises(FeedProblem, match=r"^its server cannot be reached \(ConnectError\)$"):
        fetch("http://127.0.0.1:9/secret.ics")


def test_today_is_a_date() -> None:
    """Whole days of other zones begin at their own midnight."""
    text = ics(event("dana", ";VALUE=DATE:20261021", ";VALUE=DATE:20261022"))
    midnight = datetime.combine(date(2026, 10, 21), datetime.min.time(), UTC) - 9 * HOUR
    assert people_of(text, midnight, "Asia/Tokyo") == ["dana"]
    assert people_of(text, midnight - HOUR, "Asia/Tokyo") == []
