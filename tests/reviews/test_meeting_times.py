"""Hours for a meeting: in the working hours of whoever takes part, each in their own zone."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalation.config.business_time import Calendar
from escalation.config.company import Company, Directory
from escalation.oncall.meeting_times import LENGTH, meeting_time

LONDON = Calendar(timezone="Europe/London")
BERLIN = Calendar(timezone="Europe/Berlin")
NEW_YORK = Calendar(timezone="America/New_York")
SYDNEY = Calendar(timezone="Australia/Sydney")
MORNING = datetime(2024, 12, 19, 9, tzinfo=UTC)  # a Thursday
DUE = datetime(2024, 12, 20, 16, tzinfo=UTC)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Sydney"])


@pytest.mark.parametrize(
    ("owner", "others", "since", "start"),
    [
        (LONDON, [BERLIN], MORNING, MORNING),
        (LONDON, [BERLIN, NEW_YORK], MORNING, MORNING.replace(hour=14)),  # nine in New York, three in Berlin
        (LONDON, [SYDNEY], MORNING, MORNING),  # never both at work: the owner's hour
        (LONDON, [BERLIN], MORNING + timedelta(minutes=10), MORNING + timedelta(minutes=30)),
        (LONDON, [BERLIN, BERLIN, NEW_YORK], MORNING.replace(hour=15, minute=30), MORNING.replace(day=20, hour=14)),
    ],
)
def test_the_earliest_hour_that_suits_most(
    owner: Calendar, others: list[Calendar], since: datetime, start: datetime
) -> None:
    """Within the time there is, rather one for all a day later than one without somebody."""
    assert meeting_time(owner, others, since, DUE) == start


def test_no_working_hour_before_it_is_due_means_the_next() -> None:
    """Resolved on a Friday, due on Sunday: on Monday morning, and not in the week after."""
    friday = datetime(2024, 12, 20, 18, tzinfo=UTC)
    assert meeting_time(LONDON, [BERLIN], friday, friday + timedelta(hours=40)) == datetime(2024, 12, 23, 9, tzinfo=UTC)


def test_nobody_meets_on_a_holiday_or_while_they_are_away() -> None:
    """The person's own days off count as the company's holidays do."""
    people = {"dana": {"email": "dana@example.com", "away": "2024-12-19..2024-12-19", "timezone": "Europe/Berlin"}}
    company = Company.model_validate({"policy": "kars", "people": people, "calendar": {"closed": ["2024-12-20"]}})
    dana = company.calendar_of("dana", Directory())
    assert dana.timezone == "Europe/Berlin"
    assert {date(2024, 12, 19), date(2024, 12, 20)} == set(dana.closed)
    assert meeting_time(dana, [], MORNING, MORNING + timedelta(days=9)) == datetime(2024, 12, 23, 8, tzinfo=UTC)


@given(zone=ZONES, zones=st.lists(ZONES, max_size=5), hours=st.integers(0, 24 * 14), within=st.integers(2, 200))
def test_a_meeting_is_in_its_owner_s_working_hours(zone: str, zones: list[str], hours: int, within: int) -> None:
    """Never before the time asked for, never at night for the owner; over in time where an hour of theirs is."""
    since = MORNING + timedelta(hours=hours)
    owner, due = Calendar(timezone=zone), since + timedelta(hours=within)
    start = meeting_time(owner, [Calendar(timezone=z) for z in zones], since, due)
    assert start >= since
    [session] = [s for s in owner.sessions(start, start) if s[0] <= start <= s[1]]
    assert start + LENGTH <= session[1]
    in_time = any(max(s[0], since) + timedelta(minutes=90) <= min(s[1], due) for s in owner.sessions(since, due))
    assert not in_time or start + LENGTH <= due
