"""Calendars that others keep: what is read from them, what is refused, and what goes on meanwhile."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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
from workers.recurring.oncall import calendar_feeds
from workers.recurring.oncall.calendar_events import CalendarEvent, FeedProblem, read, shifts
from workers.recurring.oncall.calendar_feeds import CalendarFeeds, fetch

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
    return [s.person for s in shifts(read(text, of.rotations["primary"], of, NOW).events) if s.starts <= at < s.ends]


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
    ("declined", "who"), [((), ["omar", "dana"]), (("omar",), ["dana"]), (("omar", "dana"), ["omar", "dana"])]
)
def test_an_attendee_who_declined_is_not_on_call_while_another_is(declined: tuple[str, ...], who: list[str]) -> None:
    """Where all of them declined they hold it only if no other event is there, which beats nobody, and it is said."""
    status = {True: ";PARTSTAT=DECLINED", False: ";PARTSTAT=ACCEPTED"}
    attendees = (f"ATTENDEE{status[name in declined]}:mailto:{name}@example.com" for name in ("omar", "dana"))
    text, of = ics(event("On call", ":20261020T000000Z", ":20261021T000000Z", *attendees)), company()
    assert people_of(text, NOW) == who
    said = "".join(read(text, of.rotations["primary"], of, NOW).problems)
    assert ("declined 'On call' of 2026-10-20" in said) == (len(declined) == 2)
    week = event("mei", ":20261019T000000Z", ":20261026T000000Z")
    both = ics(week, *text.decode().split("UID:0\r\n")[1].split("\r\nEND:VEVENT")[:1])
    assert people_of(both, NOW) == (["mei"] if len(declined) == 2 else who)


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
    """At every hour: all known people who began last; one of unknown people hides nobody."""
    events = [
        CalendarEvent((who,) if who else (), NOW + a * HOUR, NOW + (a + n) * HOUR, f"{i:02}")
        for i, (who, a, n) in enumerate(drawn)
    ]
    found = list(shifts(events))
    for hour in range(62):
        at = NOW + hour * HOUR
        known = [e for e in events if e.people and e.starts <= at < e.ends]
        latest = max((e.starts for e in known), default=at)
        assert {s.person for s in found if s.starts <= at < s.ends} == {
            e.people[0] for e in known if e.starts == latest
        }


def test_two_events_of_the_same_time_are_both_on_call() -> None:
    """As with two attendees of one event, whatever the order in the alphabet."""
    text = ics(*(event(who, ":20261020T000000Z", ":20261021T000000Z") for who in ("omar", "dana")))
    assert people_of(text, NOW) == ["dana", "omar"]


def test_adjacent_events_of_a_person_are_one_shift() -> None:
    """A handover to oneself is none."""
    events = [CalendarEvent(("dana",), NOW + n * HOUR, NOW + (n + 1) * HOUR, str(n)) for n in range(3)]
    assert [(s.starts, s.ends) for s in shifts(events)] == [(NOW, NOW + 3 * HOUR)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"<html>log in</html>", "not a calendar"),
        (b"", "not a calendar"),
        (ics(event("dana", ":20261020T000000Z", ":20261021T000000Z"))[:-30], "breaks off"),
        (ics("SUMMARY:dana"), "the event 'dana' without a date is left out: it has no DTSTART"),
        (ics(event("dana", ":20200101T000000Z", ":20200102T000000Z")), "no shift"),
        (ics(event("dana", ":20261020T000000Z", ":20261020T003000Z", "RRULE:FREQ=HOURLY")), "more than 1000"),
    ],
)
def test_what_is_no_use_is_refused_in_words(text: bytes, words: str) -> None:
    """For whoever reads /incident oncall."""
    with pytest.raises(FeedProblem, match=words):
        people_of(text, NOW)


GOOD = (
    event("dana", ":20261020T000000Z", ":20261021T000000Z"),
    event("omar", ":20261021T000000Z", ":20261022T000000Z"),
)
DAY = ("DTSTART:20261021T080000Z", "DTEND:20261021T090000Z")


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ((), "no DTSTART"),
        (("DTSTART:soon",), "DTSTART cannot be read"),
        (("DTSTART:20261399T000000Z",), "DTSTART cannot be read"),
        ((*DAY, DAY[0]), "more than one DTSTART"),
        ((DAY[0],), "no end"),
        ((DAY[0], "DTEND:20261021T070000Z"), "ends before it begins"),
        ((DAY[0], "DURATION:long"), "DURATION cannot be read"),
        ((*DAY, "RRULE:garbage"), "RRULE cannot be read"),
        ((*DAY, "RRULE:FREQ=FOO"), "RRULE cannot be read"),
        ((*DAY, "RRULE:COUNT=3"), "RRULE cannot be read"),
        ((*DAY, "RRULE:FREQ=DAILY;UNTIL=then"), "RRULE cannot be read"),
        ((*DAY, "RRULE:FREQ=DAILY;INTERVAL=0"), "counts from zero"),
        ((*DAY, "RRULE:FREQ=DAILY;INTERVAL=-1"), "counts from zero"),
        ((*DAY, "RRULE:FREQ=DAILY;COUNT=0"), "counts from zero"),
        ((*DAY, "RRULE:FREQ=MINUTELY"), "every minute"),
        ((*DAY, "RRULE:FREQ=SECONDLY"), "every minute"),
        ((*DAY, "RRULE:FREQ=HOURLY"), "more than 1000 times"),
        ((*DAY, "RRULE:FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30"), "too narrow"),
        (("DTSTART:00010101T000000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY"), "too often"),
        ((*DAY, "EXDATE:never"), "EXDATE cannot be read"),
        ((*DAY, "EXRULE:FREQ=DAILY"), "EXRULE is not supported"),
        ((*DAY, "RDATE:sometimes"), "RDATE cannot be read"),
    ],
)
def test_a_bad_event_is_left_out_and_named(lines: tuple[str, ...], why: str) -> None:
    """Good events hold; the bad one is named with its title and date."""
    of = company()
    text = ics(GOOD[0], "\n".join(("SUMMARY:Stand-in", *lines)), GOOD[1])
    reading = read(text, of.rotations["primary"], of, NOW)
    assert [s.person for s in shifts(reading.events)] == ["dana", "omar"]
    (problem,) = [p for p in reading.problems if "left out" in p]
    assert problem.startswith("the event 'Stand-in'")
    assert why in problem
    assert ("of 2026-10-21" in problem) == any(line in DAY for line in lines)


@pytest.mark.parametrize(
    "extra",
    [
        "BEGIN:VALARM\nTRIGGER:whenever\nACTION:DISPLAY\nEND:VALARM",
        "BEGIN:VALARM\nTRIGGER;RELATED=MIDDLE:-PT1M\nEND:VALARM",
        "GEO:nowhere",
        "CREATED:once",
        "a line without a colon",
        "X-FOO;;=:1",
    ],
)
def test_what_does_not_say_who_or_when_spoils_nothing(extra: str) -> None:
    """An alarm, a place or a broken line: the event holds all the same."""
    of = company()
    reading = read(ics(GOOD[0] + "\n" + extra, GOOD[1]), of.rotations["primary"], of, NOW)
    assert [s.person for s in shifts(reading.events)] == ["dana", "omar"]
    assert not reading.problems


def test_a_bad_event_of_long_ago_is_no_news() -> None:
    """It happened once and is over: nobody has to mend it."""
    of = company()
    old = event("omar", ":20190101T000000Z", ":soon")
    assert not read(ics(*GOOD, old), of.rotations["primary"], of, NOW).problems


def test_an_event_that_was_not_ended_leaves_the_next_alone() -> None:
    """Each begins anew."""
    text = ics(*GOOD).replace(b"END:VEVENT\r\n", b"", 1)
    assert people_of(text, NOW) == ["dana"]


def test_a_bad_change_of_a_series_leaves_the_series() -> None:
    """As with any other event: the rest of the series holds, and what is left out is named."""
    of = company()
    series = event("dana", ":20261019T000000Z", ":20261020T000000Z", "RRULE:FREQ=DAILY")
    change = event("omar", ":20261021T000000Z", ":20261022T000000Z", "RECURRENCE-ID:tuesday")
    text = ics(series, change).replace(b"UID:1", b"UID:0")
    reading = read(text, of.rotations["primary"], of, NOW)
    assert {s.person for s in shifts(reading.events)} == {"dana"}
    assert "'omar' of 2026-10-21 is left out: its RECURRENCE-ID cannot be read" in reading.problems[0]


def test_events_that_share_a_uid_by_mistake_all_hold() -> None:
    """Two events of one number, neither a change of the other, are two events."""
    text = ics(*GOOD).replace(b"UID:1", b"UID:0")
    assert people_of(text, NOW) == ["dana"]
    assert people_of(text, NOW + timedelta(days=1)) == ["omar"]


@given(st.lists(st.sampled_from(("DTSTART", "RRULE", "EXDATE", "DURATION", "X")), max_size=3), st.text(max_size=12))
@settings(max_examples=examples(100), deadline=None)
def test_whatever_one_event_says_the_others_hold(names: list[str], value: str) -> None:
    """Of any text in any property."""
    noise = "\n".join(f"{name}:{value}" for name in names)
    of = company()
    reading = read(ics(GOOD[0], f"SUMMARY:x\n{noise}", GOOD[1]), of.rotations["primary"], of, NOW)
    assert {s.person for s in shifts(reading.events) if s.starts <= NOW < s.ends} == {"dana"}


KINDS = {
    "a whole day": (";VALUE=DATE:20261021", ";VALUE=DATE:20261022"),
    "a floating time": (":20261021T000000", ":20261022T000000"),
    "an unknown zone": (";TZID=Moon/Base:20261021T000000", ";TZID=Moon/Base:20261022T000000"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("own", "calendar", "midnight", "said"),
    [
        ("Europe/Berlin", "Asia/Shanghai", "2026-10-20T22:00", "its own time zone is Asia/Shanghai"),
        ("Europe/Berlin", "", "2026-10-20T22:00", ""),
        ("", "Asia/Shanghai", "2026-10-20T16:00", "read in the calendar's Asia/Shanghai"),
        ("", "China Standard Time", "2026-10-20T16:00", "read in the calendar's Asia/Shanghai"),
        ("", "", "2026-10-21T00:00", "neither it nor the rotation names a time zone"),
    ],
)
def test_one_rule_for_zones(kind: str, own: str, calendar: str, midnight: str, said: str) -> None:
    """The rotation's zone, else the calendar's; wherever one had to be chosen, it is said which."""
    of = company()
    rotation = of.rotations["primary"].model_dump(mode="json", include={"people", "ical"})
    zone = {"timezone": own} if own else {}
    of = Company.model_validate(of.model_dump(mode="json") | {"rotations": {"primary": rotation | zone}})
    text = ics(event("dana", *KINDS[kind]))
    if calendar:
        text = text.replace(b"BEGIN:VCALENDAR", f"BEGIN:VCALENDAR\r\nX-WR-TIMEZONE:{calendar}".encode())
    reading = read(text, of.rotations["primary"], of, NOW)
    assert [f"{e.starts:%Y-%m-%dT%H:%M}" for e in reading.events] == [midnight]
    notes = "; ".join(reading.notes)
    assert said in notes
    assert ("Moon/Base is unknown" in notes) == (kind == "an unknown zone")
    assert bool(notes) == bool(said or kind == "an unknown zone")


def test_a_calendar_of_clear_times_needs_no_zone() -> None:
    """Nothing is assumed, so nothing is said."""
    of = company()
    text = ics(*GOOD).replace(b"BEGIN:VCALENDAR", b"BEGIN:VCALENDAR\r\nX-WR-TIMEZONE:Asia/Shanghai")
    assert not read(text, of.rotations["primary"], of, NOW).notes


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


def test_an_event_left_out_is_said_wherever_one_looks(parts: Works) -> None:
    """On the on-call board with its title; in the register of faults without, until it is mended."""
    server = Server(ics(GOOD[0], "SUMMARY:Stand-in\nDTSTART:20261021T000000Z\nRRULE:garbage"))
    feeds = CalendarFeeds(parts.context, fetch=server)
    feeds.refresh(parts.clock())
    assert "the event 'Stand-in' of 2026-10-21 is left out" in told(parts)
    assert on_call_at("primary", parts.service.company, parts.service.store.oncall_state(), parts.clock()) == ("dana",)
    (problem,) = parts.service.store.problems.current()
    assert (problem.key, problem.blocks) == ("calendar:primary", False)
    assert "Stand-in" not in problem.text
    server.text = ics(GOOD[0])
    parts.clock.push(minutes=5)
    feeds.refresh(parts.clock())
    assert "left out" not in told(parts)
    assert not parts.service.store.problems.current()


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
