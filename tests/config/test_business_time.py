"""Business time: waits that are counted in it, across nights, weekends, holidays, leap days and both DST changes."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from escalation.config.business_time import Calendar, Wait, WaitFor, parse_wait
from escalation.times import weekday

WAITS: TypeAdapter[Wait] = TypeAdapter(WaitFor)
BERLIN = Calendar(timezone="Europe/Berlin")
NEW_YORK = Calendar(timezone="America/New_York", hours="08:30-16:00")
CLOSED = Calendar(closed={date(2024, 12, 25): "Christmas Day", date(2024, 12, 26): "Boxing Day"})
SUNDAY = Calendar(timezone="Asia/Jerusalem", days="Sunday-Thursday")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def wait(text: str) -> Wait:
    return WAITS.validate_python(text)


@pytest.mark.parametrize(
    ("calendar", "start", "how_long", "over"),
    [
        # clock time knows no calendar
        (Calendar(), "2024-12-21 03:00", "15m", "2024-12-21 03:15"),
        (Calendar(), "2024-12-21 03:00", "at once", "2024-12-21 03:00"),
        # the next opening: at once while open, at the first minute, not at the last
        (Calendar(), "2024-12-18 15:30", "next opening", "2024-12-18 15:30"),
        (Calendar(), "2024-12-18 09:00", "next opening", "2024-12-18 09:00"),
        (Calendar(), "2024-12-18 17:00", "next opening", "2024-12-19 09:00"),
        (Calendar(), "2024-12-20 22:00", "next opening", "2024-12-23 09:00"),
        (CLOSED, "2024-12-24 17:00", "next opening", "2024-12-27 09:00"),
        # moved to the next opening
        (Calendar(), "2024-12-18 15:30", "24h, moved to the next opening", "2024-12-19 15:30"),
        (Calendar(), "2024-12-20 15:30", "24h, moved to the next opening", "2024-12-23 09:00"),
        # business hours stop at closing time
        (Calendar(), "2024-12-18 12:00", "4 business hours", "2024-12-18 16:00"),
        (Calendar(), "2024-12-18 13:00", "4 business hours", "2024-12-18 17:00"),
        (Calendar(), "2024-12-18 15:30", "4 business hours", "2024-12-19 11:30"),
        (Calendar(), "2024-12-20 16:59", "2 business minutes", "2024-12-23 09:01"),
        (CLOSED, "2024-12-24 16:00", "4 business hours", "2024-12-27 12:00"),
        (Calendar(), "2024-12-18 12:00", "40 business hours", "2024-12-25 12:00"),
        # business days keep the time of day
        (Calendar(), "2024-12-18 15:30", "1 business day", "2024-12-19 15:30"),
        (Calendar(), "2024-12-20 15:30", "1 business day", "2024-12-23 15:30"),
        (Calendar(), "2024-12-21 15:30", "1 business day", "2024-12-24 09:00"),
        (CLOSED, "2024-12-24 10:00", "2 business days", "2024-12-30 10:00"),
        # a leap day is a day
        (Calendar(), "2024-02-28 10:00", "1 business day", "2024-02-29 10:00"),
        (Calendar(), "2023-02-28 10:00", "1 business day", "2023-03-01 10:00"),
        (Calendar(), "2024-02-28 16:00", "4 business hours", "2024-02-29 12:00"),
        # Berlin goes to summer time on Sunday 31 March 2024, and back on Sunday 27 October
        (BERLIN, "2024-03-29 15:00", "4 business hours", "2024-04-01 10:00"),
        (BERLIN, "2024-03-29 15:00", "1 business day", "2024-04-01 14:00"),
        (BERLIN, "2024-03-29 20:00", "next opening", "2024-04-01 07:00"),
        (BERLIN, "2024-10-25 13:00", "4 business hours", "2024-10-28 10:00"),
        (BERLIN, "2024-10-25 13:00", "1 business day", "2024-10-28 14:00"),
        (BERLIN, "2024-10-25 20:00", "next opening", "2024-10-28 08:00"),
        # other hours, other days
        (NEW_YORK, "2024-12-18 20:00", "4 business hours", "2024-12-19 16:30"),
        (SUNDAY, "2024-12-19 16:00", "next opening", "2024-12-22 07:00"),
    ],
)
def test_when_a_wait_is_over(calendar: Calendar, start: str, how_long: str, over: str) -> None:
    """All in UTC; opening hours are local wall-clock times."""
    assert calendar.after(utc(start), wait(how_long)) == utc(over)


def test_hours_on_the_day_of_the_change_itself() -> None:
    """A company that works on that Sunday has an hour less in spring and an hour more in autumn, seen on the clock."""
    night = Calendar(timezone="Europe/Berlin", hours="00:00-06:00", days="Monday-Sunday")
    for day, hours in ((date(2024, 3, 31), 5), (date(2024, 10, 27), 7), (date(2024, 10, 28), 6)):
        session = night.opening(day)
        assert session
        assert session[1] - session[0] == timedelta(hours=hours)


def test_hours_that_the_change_swallows_are_no_opening() -> None:
    """From 2 to 3 in the morning: on the night when there is no such hour the day is skipped."""
    small = Calendar(timezone="Europe/Berlin", hours="02:00-03:00", days="Monday-Sunday")
    assert small.opening(date(2024, 3, 31)) is None
    assert small.next_opening(utc("2024-03-30 12:00")) == utc("2024-04-01 00:00")


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        ("2024-12-18 08:59", False),
        ("2024-12-18 09:00", True),
        ("2024-12-18 16:59", True),
        ("2024-12-18 17:00", False),
        ("2024-12-21 12:00", False),
        ("2024-12-25 12:00", False),
    ],
)
def test_open_and_closed(at: str, is_open: bool) -> None:
    """The opening minute is open, the closing minute is not."""
    assert (CLOSED.next_opening(utc(at)) == utc(at)) is is_open


def test_an_incident_keeps_only_the_holidays_that_it_may_meet() -> None:
    """A calendar of many years is not copied into each of them."""
    many = Calendar(closed={date(year, 12, 25): "Christmas Day" for year in range(2020, 2030)})
    assert list(many.within(utc("2024-12-18 15:30"), 400).closed) == [date(2024, 12, 25), date(2025, 12, 25)]


def test_a_calendar_that_never_opens_is_an_error_and_no_endless_loop() -> None:
    """More than a year of days off is a mistake in the configuration."""
    first = date(2024, 12, 1)
    shut = Calendar(closed={first + timedelta(days=n): "closed" for n in range(500)})
    with pytest.raises(ValueError, match="no opening hours in more than a year"):
        shut.next_opening(utc("2024-12-18 15:30"))


# Whatever the start ----------------------------------------------------------------------------------------------

THREE_YEARS = 3 * 365 * 86400
STARTS = st.integers(0, THREE_YEARS).map(lambda n: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=n))
CALENDARS = st.builds(
    Calendar,
    timezone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
    hours=st.sampled_from(["09:00-17:00", "08:30-16:00", "06:00-22:00"]),
    days=st.sampled_from(["Monday-Friday", "Sunday-Thursday", ["Tuesday"]]),
    closed=st.dictionaries(st.dates(date(2024, 1, 1), date(2026, 12, 31)), st.just("closed"), max_size=20),
)
SOME_WAITS = st.one_of(
    st.integers(1, 600).map(lambda n: Wait(length=timedelta(minutes=n), business=True)),
    st.integers(1, 10).map(lambda n: Wait(days=n)),
    st.integers(0, 200).map(lambda n: Wait(length=timedelta(hours=n), opening=True)),
)


@given(CALENDARS, SOME_WAITS, st.lists(STARTS, min_size=2, max_size=5))
def test_who_begins_later_is_never_done_earlier(calendar: Calendar, how_long: Wait, starts: list[datetime]) -> None:
    """Waits are monotone in their start."""
    overs = [calendar.after(start, how_long) for start in sorted(starts)]
    assert all(a <= b for a, b in pairwise(overs))


@given(CALENDARS, SOME_WAITS, STARTS)
def test_a_business_wait_ends_in_business_time(calendar: Calendar, how_long: Wait, start: datetime) -> None:
    """Within the opening hours of a business day (closing time included), and in UTC."""
    over = calendar.after(start, how_long)
    session = calendar.opening(over.astimezone(ZoneInfo(calendar.timezone)).date())
    assert session
    assert session[0] <= over <= session[1]
    assert over.tzinfo is UTC


@given(CALENDARS, SOME_WAITS, STARTS)
def test_no_wait_is_over_early(calendar: Calendar, how_long: Wait, start: datetime) -> None:
    """Never before its start, nor before so much time on the clock has passed."""
    over = calendar.after(start, how_long)
    assert over >= start + how_long.length
    if how_long.days:
        local = (at.astimezone(ZoneInfo(calendar.timezone)).date() for at in (start, over))
        first, last = local
        assert (last - first).days >= how_long.days


# As people write them --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "written", "spoken"),
    [
        ("15m", "15m", "15 minutes"),
        ("90m", "1h30m", "1 hour 30 minutes"),
        ("24h", "1d", "1 day"),
        ("at once", "at once", "at once"),
        ("0m", "at once", "at once"),
        ("next opening", "next opening", "next opening"),
        ("4 business hours", "4 business hours", "4 business hours"),
        ("1  Business Hour", "1 business hour", "1 business hour"),
        ("60 business minutes", "1 business hour", "1 business hour"),
        ("90 business minutes", "90 business minutes", "90 business minutes"),
        ("1 business day", "1 business day", "1 business day"),
        ("24h, moved to the next opening", "1d, moved to the next opening", "1 day, moved to the next opening"),
        ("24h moved to the next opening", "1d, moved to the next opening", "1 day, moved to the next opening"),
    ],
)
def test_waits_as_people_write_them(text: str, written: str, spoken: str) -> None:
    """One way of writing each, which reads back as the same."""
    read = wait(text)
    assert (str(read), read.spoken()) == (written, spoken)
    assert wait(written) == read


@given(SOME_WAITS | st.integers(0, 400 * 60).map(lambda n: Wait(length=timedelta(minutes=n))))
def test_waits_survive_being_written(how_long: Wait) -> None:
    """Reading what was written gives the same wait; so does the JSON of an incident."""
    assert wait(str(how_long)) == how_long
    assert WAITS.validate_json(WAITS.dump_json(how_long)) == how_long


@given(CALENDARS)
def test_calendars_survive_being_written(calendar: Calendar) -> None:
    """An incident keeps its calendar as JSON."""
    assert Calendar.model_validate_json(calendar.model_dump_json()) == calendar


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("soon", "'soon' is not a time to wait; write 15m"),
        ("", "is not a time to wait"),
        ("4 business weeks", "is not a time to wait"),
        ("0 business days", "is not between one and 5000 days"),
        ("9999 business hours", "is not between one and 5000 hours"),
        ("-4 business hours", "is not a time to wait"),
        ("24h, moved to monday", "is not a time to wait"),
        ("400d", "is not a time to wait"),
        (None, "is not a time to wait"),
    ],
)
def test_what_is_not_a_wait_is_refused(text: str | None, words: str) -> None:
    """The error says how to write one."""
    with pytest.raises(ValueError, match=words):
        parse_wait(text)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"hours": "9-17"}, "write them like '09:00-17:00'"),
        ({"hours": "09:00-25:00"}, "are not business hours"),
        ({"hours": "22:00-06:00"}, "close before they open"),
        ({"hours": "09:00-09:00"}, "close before they open"),
        ({"days": "Mo-Fr"}, "is not a weekday; write days like Monday-Friday"),
        ({"days": ["Someday"]}, "'Someday' is not a weekday"),
        ({"days": []}, "at least 1 item"),
        ({"timezone": "Berlin"}, "Berlin"),
        ({"closed": {"2024-02-30": "never"}}, "date"),
        ({"open": "09:00"}, "Extra inputs are not permitted"),
    ],
)
def test_what_is_wrong_with_a_calendar_is_said(changed: dict[str, object], words: str) -> None:
    """A company that never opens, or at hours that do not exist, is refused at start."""
    with pytest.raises(ValidationError, match=words):
        Calendar.model_validate(changed)


@pytest.mark.parametrize(
    ("days", "weekdays"),
    [
        ("Monday-Friday", (0, 1, 2, 3, 4)),
        ("Sun-Thu", (6, 0, 1, 2, 3)),
        ("Saturday to Sunday", (5, 6)),
        (["monday", "Wed"], (0, 2)),
        ("Tuesday", (1,)),
    ],
)
def test_days_as_people_write_them(days: object, weekdays: tuple[int, ...]) -> None:
    """A stretch over the end of the week, a list, one day."""
    assert Calendar.model_validate({"days": days}).days == weekdays


@pytest.mark.parametrize(
    ("text", "day"), [("Monday", 0), ("tue", 1), ("SUNDAY", 6), ("mo", None), ("Mondays", None), (" Monday", None)]
)
def test_a_weekday_has_three_letters_at_least(text: str, day: int | None) -> None:
    """One reading for business days, handovers, reminders and the words of a command."""
    assert weekday(text) == day


def test_days_off_may_be_a_plain_list() -> None:
    """A name for each is welcome and not needed."""
    assert Calendar.model_validate({"closed": [date(2024, 12, 24)]}).closed == {date(2024, 12, 24): "closed"}
