"""Periods of reports as people write them: `7d`, `2026-11`, `november`, `last month`."""

import re
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from escalation.slo import REPORT_PERIOD
from escalation.times import parse_duration

MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
LONGEST = timedelta(days=3660)


class Period(NamedTuple):
    """A period: from, and until before."""

    since: datetime
    until: datetime


def parse_period(text: str, now: datetime, zone: str) -> Period:
    """Parse a length until now, or a month of that zone. Nothing: the last 30 days. ValueError says how to write it."""
    words = " ".join(text.lower().split())
    today = now.astimezone(ZoneInfo(zone))
    this = today.year * 12 + today.month - 1
    if words in ("month", "this month"):
        return _month(this, zone, now)
    if words == "last month":
        return _month(this - 1, zone, now)
    named = [n for n, name in enumerate(MONTHS) if len(words) >= 3 and name.startswith(words)]
    if len(named) == 1:
        return _month(this - (this - named[0]) % 12, zone, now)
    if found := re.fullmatch(r"(20\d\d)-(0?[1-9]|1[0-2])", words):
        return _month(int(found[1]) * 12 + int(found[2]) - 1, zone, now)
    try:
        length = parse_duration(words) if words else REPORT_PERIOD
    except ValueError:
        length = timedelta()
    if not timedelta() < length <= LONGEST:
        raise ValueError(f"Not a period: {text}. Write `7d`, `2026-11`, `november` or `last month`.")
    return Period(now - length, now)


def _month(number: int, zone: str, now: datetime) -> Period:
    """A month, counted from the year 0; the running one ends now. ValueError for one that is still to come."""
    starts, ends = (_first_day(n, zone) for n in (number, number + 1))
    if starts >= now:
        raise ValueError(f"{number // 12}-{number % 12 + 1:02d} is still to come.")
    return Period(starts, min(ends, now))


def _first_day(number: int, zone: str) -> datetime:
    day = datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC).date()
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)
