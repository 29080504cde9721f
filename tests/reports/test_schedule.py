"""Which reports are due, of which period, and for whom."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from escalation.config.company import Company
from escalation.config.rules.reports import ScheduledReport
from escalation.reports.schedule import DueReport, due_reports
from tests.support.story import beauty, kars

BERLIN = ZoneInfo("Europe/Berlin")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def company(*plans: dict[str, Any], **more: Any) -> Company:
    people = {"dana": {"slack": "UDANA"}}
    calendar = {"timezone": "Europe/Berlin", "closed": ["2026-12-25"]}
    return Company.model_validate({"policy": "kars", "people": people, "calendar": calendar, "reports": plans, **more})


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


def due(of: Company, at: str) -> list[DueReport]:
    now = local(at)
    return [report for report in due_reports(of, kars(), now) if report.due <= now < report.until]


@pytest.mark.parametrize(
    ("every", "at", "first", "since", "until", "before"),
    [
        ("day", "2026-11-27 09:00", "2026-11-27 09:00", "2026-11-26", "2026-11-27", "2026-11-25"),
        ("day", "2026-11-30 10:00", "2026-11-30 09:00", "2026-11-27", "2026-11-30", "2026-11-26"),  # with the weekend
        ("day", "2026-12-28 09:00", "2026-12-28 09:00", "2026-12-24", "2026-12-28", "2026-12-23"),  # and a holiday
        ("week", "2026-11-30 09:00", "2026-11-30 09:00", "2026-11-23", "2026-11-30", "2026-11-16"),
        ("month", "2026-12-01 09:00", "2026-12-01 09:00", "2026-11-01", "2026-12-01", "2026-10-01"),
        ("month", "2026-11-02 09:00", "2026-11-02 09:00", "2026-10-01", "2026-11-01", "2026-09-01"),  # 1st: a Sunday
        ("quarter", "2026-10-01 09:00", "2026-10-01 09:00", "2026-07-01", "2026-10-01", "2026-04-01"),
        ("quarter", "2027-01-01 09:00", "2027-01-01 09:00", "2026-10-01", "2027-01-01", "2026-07-01"),
    ],
)
def test_each_report_is_about_what_ended_before_it(
    every: str, at: str, first: str, since: str, until: str, before: str
) -> None:
    """Local midnights bound its period, over weekends, holidays and changes of the clock."""
    [report] = due(company({"every": every}), at)
    assert report.due == local(first)
    assert report.period == (local(since), local(until))
    assert report.before == local(before)


def test_a_week_with_a_change_of_the_clock_has_an_hour_more() -> None:
    """Seven local days in October are 169 hours."""
    [report] = due(company({"every": "week"}), "2026-10-26 09:00")
    assert report.period.until - report.period.since == 7 * DAY + HOUR


def test_nothing_is_due_before_its_hour_or_after_a_week() -> None:
    """An outage of some days is caught up; a monthly report a week late is old news."""
    monthly = company({"every": "month", "at": "09:30"})
    assert [bool(due(monthly, at)) for at in ("2026-12-01 09:29", "2026-12-01 09:30", "2026-12-08 09:29")] == [0, 1, 1]
    assert not due(monthly, "2026-12-08 09:30")


def test_after_an_outage_only_the_last_of_each_is_due() -> None:
    """Three missed days give one daily report."""
    reports = due(company({"every": "day"}, {"every": "week"}), "2026-12-03 12:00")
    assert [report.id for report in reports] == ["report-day-20261202-incidents", "report-week-20261123-incidents"]


def test_it_goes_where_it_is_said_once_each() -> None:
    """To its channel, its addresses and the lists that the company keeps; else to the incidents channel."""
    lists = {"executives": {"mail": ["ceo@example.com", "CTO@example.com"], "channel": "leads"}}
    plan = {"every": "week", "channel": "leads", "mail": "cto@example.com", "to": ["executives", "support"]}
    reports = due(company(plan, lists=lists), "2026-11-30 09:00")
    assert sorted(report.mail or report.channel for report in reports) == [
        "CTO@example.com",
        "ceo@example.com",
        "leads",
    ]
    assert len({report.id for report in reports}) == 3
    assert not any("@" in report.id for report in reports)  # the id is a metric's label and stands in logs


def test_the_company_s_plans_stand_in_place_of_the_policy_s() -> None:
    """An empty list sends none."""
    own = company(policy="beauty")
    now = local("2026-11-30 12:00")
    assert [r.plan.every for r in due_reports(own.model_copy(update={"reports": None}), beauty(), now)] == [
        "day",
        "week",
    ]
    assert list(due_reports(own, beauty(), now)) == []


@pytest.mark.parametrize(
    "plans",
    [
        [{"every": "week"}, {"every": "week", "at": "10:00"}],
        [{"every": "week", "channel": "a"}, {"every": "week", "channel": "a", "mail": "x@example.com"}],
        [{"every": "day", "mail": ["X@example.com"]}, {"every": "day", "mail": "x@example.com"}],
        [{"every": "day", "to": "executives"}, {"every": "day", "to": ["support", "executives"]}],
    ],
)
def test_two_of_the_same_report_to_one_place_are_refused(plans: list[dict[str, Any]]) -> None:
    """Only one of them would ever be sent."""
    with pytest.raises(ValidationError, match="go to the same place"):
        company(*plans)


@given(
    every=st.sampled_from(("day", "week", "month", "quarter")),
    day=st.dates(date(2024, 1, 1), date(2027, 12, 31)),
    minute=st.integers(0, 1439),
)
def test_periods_follow_each_other_without_a_gap(every: str, day: date, minute: int) -> None:
    """What one report leaves off the next one begins with, and no report speaks of its own day."""
    of = company({"every": every})
    now = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=minute)
    for report in due_reports(of, kars(), now):
        assert report.before < report.period.since < report.period.until <= report.due <= now
        following = ScheduledReport.model_validate({"every": every})
        later = next(
            r for n in range(1, 140) for r in due_reports(of, kars(), report.due + n * DAY) if r.id != report.id
        )
        assert later.period.since == report.period.until
        assert later.before == report.period.since
        assert later.plan == following
