"""Due times of recurring activities. Pure.

Each business day, or on the first such weekday of a week, month or quarter; one that falls on a day off is moved to the
next business day. Local times of the company's calendar: one that DST skips comes as much later as the gap is long.
"""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from escalation.config.business_time import Calendar
from escalation.config.policy import Activity

ONE_DAY = timedelta(days=1)
_EARLIER = timedelta(days=62)  # the longest closing that an activity can be moved over
_SEARCHED = 500  # days; a quarter and both closings fit
_QUARTERS = (1, 4, 7, 10)
CADENCE = {"day": "daily", "week": "weekly", "month": "monthly", "quarter": "quarterly"}


def next_activity(activity: Activity, calendar: Calendar, after: datetime) -> datetime:
    """Return the first due time later than `after`, in UTC. ValueError when the calendar never opens."""
    zone = ZoneInfo(calendar.timezone)
    begin = after.astimezone(zone).date() - _EARLIER
    for n in range(_SEARCHED):
        day = begin + n * ONE_DAY
        if _planned(activity, calendar, day):
            due = datetime.combine(_business_day(calendar, day), activity.at, zone).astimezone(UTC)
            if due > after:
                return due
    raise ValueError(f"activity {activity.id} never comes round: the calendar has no opening hours")


def last_activity(activity: Activity, calendar: Calendar, now: datetime, within: timedelta) -> datetime | None:
    """Return the latest due time, `now` included; None when that was `within` ago or longer."""
    found, due = None, next_activity(activity, calendar, now - within)
    while due <= now:
        found, due = due, next_activity(activity, calendar, due)
    return found


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
