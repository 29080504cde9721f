"""When regular activities come round: properties over zones, holidays and DST, and a table of days."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalation.config.business_time import Calendar
from escalation.config.policy import Activity
from escalation.oncall.activities import last_activity, next_activity
from tests.support.profiles import examples

EVERY = ("day", "week", "month", "quarter")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Bangkok", "Pacific/Apia", "Australia/Lord_Howe")
DAY = timedelta(days=1)
JANUARY = date(2024, 1, 1)


def activity(**changed: Any) -> Activity:
    """A review on Monday at ten."""
    return Activity.model_validate(
        {"id": "review", "title": "Review", "owner": "on_call", "every": "week", "what": "Look."} | changed
    )


def local(text: str, zone: str = "Europe/Berlin") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


calendars = st.builds(
    lambda zone, days, closed: Calendar(
        timezone=zone, days=tuple(sorted(days)), closed={JANUARY + n * DAY: "closed" for n in closed}
    ),
    st.sampled_from(ZONES),
    st.sets(st.integers(0, 6), min_size=1),
    st.sets(st.integers(0, 900), max_size=25),
)
activities = st.builds(
    lambda every, weekday, at: activity(every=every, weekday=weekday, at=at),
    st.sampled_from(EVERY),
    st.integers(0, 6),
    st.times(timezones=st.none()).map(lambda t: t.replace(second=0, microsecond=0)),
)
instants = st.integers(0, 730 * 24 * 60).map(
    lambda minutes: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


@given(activities, calendars, instants)
@settings(max_examples=examples(150), deadline=None)
def test_the_next_one_is_later_and_on_a_business_day(review: Activity, calendar: Calendar, now: datetime) -> None:
    """At the local time that was asked for, or later by the length of the gap where DST skips it."""
    due = next_activity(review, calendar, now)
    assert due > now
    there = due.astimezone(ZoneInfo(calendar.timezone))
    assert calendar.opening(there.date())
    skipped = datetime.combine(there.date(), review.at, ZoneInfo(calendar.timezone)).astimezone(UTC)
    assert due == skipped


@given(activities, calendars, instants, st.integers(1, 200))
@settings(max_examples=examples(100), deadline=None)
def test_asking_earlier_finds_no_other(review: Activity, calendar: Calendar, now: datetime, hours: int) -> None:
    """Between two that follow each other there is none, whenever one asks."""
    due = next_activity(review, calendar, now)
    following = next_activity(review, calendar, due)
    asked = min(due + timedelta(hours=hours), following - timedelta(seconds=1))
    assert next_activity(review, calendar, asked) == following
    assert last_activity(review, calendar, asked, asked - due + DAY) == due


@pytest.mark.parametrize(
    ("changed", "after", "due"),
    [
        ({"every": "day", "at": "09:30"}, "2026-11-20 09:30", "2026-11-23 09:30"),
        ({"every": "day", "at": "09:30"}, "2026-11-20 09:29", "2026-11-20 09:30"),
        ({"weekday": "Friday"}, "2026-11-21 00:00", "2026-11-27 10:00"),
        ({"weekday": "Friday"}, "2026-12-20 00:00", "2026-12-28 10:00"),  # the 25th is closed
        ({"every": "month", "weekday": "Tuesday"}, "2026-11-21 00:00", "2026-12-01 10:00"),
        ({"every": "month", "weekday": "Tuesday"}, "2026-12-01 10:00", "2027-01-05 10:00"),
        ({"every": "quarter", "weekday": "Wednesday"}, "2026-11-21 00:00", "2027-01-06 10:00"),
        ({"every": "day", "at": "02:30"}, "2027-03-26 12:00", "2027-03-29 02:30"),
    ],
)
def test_days_by_hand(changed: dict[str, Any], after: str, due: str) -> None:
    """In Berlin, closed on 25 December."""
    calendar = Calendar(timezone="Europe/Berlin", closed={date(2026, 12, 25): "Christmas"})
    assert next_activity(activity(**changed), calendar, local(after)) == local(due)


def test_a_time_that_dst_skips_comes_later() -> None:
    """Half past two on the last Sunday of March is half past three."""
    calendar = Calendar(timezone="Europe/Berlin", days=tuple(range(7)), hours=(time(0), time(23)))
    due = next_activity(activity(every="day", at="02:30"), calendar, local("2027-03-27 12:00"))
    assert due == local("2027-03-28 03:30")


def test_only_the_latest_of_a_day_is_still_owed() -> None:
    """The day before has 23 hours: yesterday's would be within reach too."""
    calendar = Calendar(timezone="Europe/Berlin", days=tuple(range(7)))
    daily = activity(every="day", at="09:30")
    assert last_activity(daily, calendar, local("2027-03-28 09:30"), DAY) == local("2027-03-28 09:30")
    assert last_activity(activity(), calendar, local("2027-03-31 09:30"), DAY) is None
