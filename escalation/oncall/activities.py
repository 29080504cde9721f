"""Due times of what recurs: activities and reports. Pure.

An activity: each business day, or on the first such weekday of a week, month or quarter. A report: the first day of the
next one. What falls on a day off is moved to the next business day. Local times of the company's calendar: one that DST
skips comes as much later as the gap is long.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from escalation.config.business_time import Calendar
from escalation.config.policy import Activity
from escalation.config.rules.reports import ScheduledReport

ONE_DAY = timedelta(days=1)
_EARLIER = timedelta(days=62)  # the longest closing that an activity can be moved over
_SEARCHED = 500  # days; a quarter and both closings fit
_QUARTERS = (1, 4, 7, 10)
CADENCE = {"day": "daily", "week": "weekly", "month": "monthly", "quarter": "quarterly"}


def next_activity(activity: Activity, calendar: Calendar, after: datetime) -> datetime:
    """Return the first due time later than `after`, in UTC. ValueError when the calendar never opens."""
    return _next(lambda day: _planned(activity, calendar, day), activity.at, calendar, after)


def last_activity(activity: Activity, calendar: Calendar, now: datetime, within: timedelta) -> datetime | None:
    """Return the latest due time, `now` included; None when that was `within` ago or longer."""
    return _last(lambda after: next_activity(activity, calendar, after), now, within)


def next_report(report: ScheduledReport, calendar: Calendar, after: datetime) -> datetime:
    """Return the first due time of a report later than `after`, in UTC. ValueError as above."""
    return _next(lambda day: _begins(report.every, calendar, day), report.at, calendar, after)


def last_report(report: ScheduledReport, calendar: Calendar, now: datetime, within: timedelta) -> datetime | None:
    """Return the latest due time of a report, `now` included; None when that was `within` ago or longer."""
    return _last(lambda after: next_report(report, calendar, after), now, within)


def _next(planned: Callable[[date], bool], at: time, calendar: Calendar, after: datetime) -> datetime:
    zone = ZoneInfo(calendar.timezone)
    begin = after.astimezone(zone).date() - _EARLIER
    for n in range(_SEARCHED):
        day = begin + n * ONE_DAY
        if planned(day):
            due = datetime.combine(_business_day(calendar, day), at, zone).astimezone(UTC)
            if due > after:
                return due
    raise ValueError("it never comes round: the calendar has no opening hours")


def _last(following: Callable[[datetime], datetime], now: datetime, within: timedelta) -> datetime | None:
    found, due = None, following(now - within)
    while due <= now:
        found, due = due, following(due)
    return found


def _begins(every: str, calendar: Calendar, day: date) -> bool:
    """Check whether a day is the first of a new week, month or quarter; each business day is a new day."""
    if every == "day":
        return calendar.opening(day) is not None
    if every == "week":
        return day.weekday() == 0
    return day.day == 1 and (every == "month" or day.month in _QUARTERS)


def _planned(activity: Activity, calendar: Calendar, day: date) -> bool:
    if activity.every == "day":
        return calendar.opening(day) is not None
    if day.weekday() != activity.weekday:
        return False
    if activity.every == "week":
        return True
    return day.day <= 7 and (activity.every == "month" or day.month in _QUARTERS)


def _business_day(calendar: Calendar, day: date) -> date:
    """Return the day itself, or the next business day."""
    days = (day + n * ONE_DAY for n in range(_SEARCHED))
    if found := next((d for d in days if calendar.opening(d)), None):
        return found
    raise ValueError("the calendar has no opening hours in more than a year")
