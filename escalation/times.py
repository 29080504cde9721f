"""Instants as people type them, in a zone: `2026-12-24 18:00`, `today 18:00`, `tomorrow`, `monday 09:00`."""

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from escalation.config.rotations import DAYS

EXAMPLES = "write one like 2026-12-24 18:00, today 18:00, tomorrow or monday 09:00"
_CLOCK = re.compile(r"(?:(.*?)[ T]+)?([01]?\d|2[0-3]):([0-5]\d)(?::[0-5]\d)?")


def local_instant(text: str, zone: str, now: datetime) -> datetime:
    """The instant in UTC; ValueError with a remedy for anything else.

    A day alone begins at midnight, a time alone is today's. A weekday is the next one that is not past. A local time
    that DST skips comes as much later as the gap is long; one that it repeats is meant the first time.
    """
    said = " ".join(text.split())
    if with_offset := _absolute(said):
        return with_offset
    match = _CLOCK.fullmatch(said)
    day, at = (match[1] or "today", time(int(match[2]), int(match[3]))) if match else (said, time())
    return _meant(day, at, ZoneInfo(zone), now)


def _absolute(text: str) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant.astimezone(UTC) if instant.tzinfo else None


def _meant(day: str, at: time, zone: ZoneInfo, now: datetime) -> datetime:
    today = now.astimezone(zone).date()
    instant = datetime.combine(_day(day, today), at, zone).astimezone(UTC)
    if _weekday(day) is not None and instant <= now:
        instant = datetime.combine(_day(day, today) + timedelta(days=7), at, zone).astimezone(UTC)
    return instant


def _day(text: str, today: date) -> date:
    word = text.strip(" ,").lower()
    if word in ("today", "tomorrow"):
        return today + timedelta(days=word == "tomorrow")
    weekday = _weekday(word)
    if weekday is not None:
        return today + timedelta(days=(weekday - today.weekday()) % 7)
    return _date(word)


def _date(text: str) -> date:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        raise ValueError(f"'{text}' is not a time; {EXAMPLES}")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"there is no {text} in the calendar; {EXAMPLES}") from None


def _weekday(text: str) -> int | None:
    word = text.strip(" ,").lower()
    found = [n for n, name in enumerate(DAYS) if len(word) >= 3 and name.lower().startswith(word)]
    return found[0] if len(found) == 1 else None
