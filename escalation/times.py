"""Parsing and formatting of durations, instants, weekdays and time zones."""

import functools
import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"(\d+)\s*([smhdw])")


def parse_duration(text: Any) -> timedelta:
    """Read `90s`, `15m`, `1h30m`, `48h`, `7d`, `1w`. ValueError on anything else; zero and negative are refused."""
    if isinstance(text, timedelta):
        return text
    compact = str(text).strip().lower().replace(" ", "")
    parts = _DURATION.findall(compact)
    if not parts or "".join(n + unit for n, unit in parts) != compact:
        raise ValueError(f"'{text}' is not a duration; write 90s, 15m, 2h, 1h30m or 2d")
    seconds = sum(int(n) * _UNITS[unit] for n, unit in parts)
    if not 0 < seconds <= 366 * 86400:
        raise ValueError(f"'{text}' is not between one second and a year")
    return timedelta(seconds=seconds)


def format_duration(length: timedelta) -> str:
    """Format a duration as `1h30m`: the inverse of parse_duration, whole seconds, largest unit first."""
    left, out = max(0, round(length.total_seconds())), ""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        out += f"{count}{unit}" if count else ""
    return out or "0s"


def spoken_duration(length: timedelta) -> str:
    """Format a duration for sentences: `1 hour 30 minutes`, two units at most, so no seconds after days."""
    left, words = max(0, round(length.total_seconds())), []
    for name, size in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, left = divmod(left, size)
        if count:
            words.append(f"{count} {name}{'s' if count > 1 else ''}")
    return " ".join(words[:2]) or "0 seconds"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["90s", "15m", "1h30m", "2d"]}),
]
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@functools.lru_cache(maxsize=64)  # every incident names the same few
def weekday(text: str) -> int | None:
    """Read a day's name or at least its first three letters, in any case: 0 is Monday. None for anything else."""
    word = text.lower()
    return next((n for n, name in enumerate(DAYS) if len(word) >= 3 and name.lower().startswith(word)), None)


def known_zone(name: str) -> str:
    """Return a zone name of the IANA database as given; ValueError otherwise."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"'{name}' is not a time zone; write one like UTC or Europe/Berlin") from None
    return name


Zone = Annotated[str, AfterValidator(known_zone)]
EXAMPLES = "write one like 2026-12-24 18:00, today 18:00, tomorrow or monday 09:00"
_CLOCK = re.compile(r"(?:(.*?)[ T]+)?([01]?\d|2[0-3]):([0-5]\d)(?::[0-5]\d)?")


def local_instant(text: str, zone: str, now: datetime) -> datetime:
    """Parse a local date and time into an instant in UTC; ValueError with a remedy for anything else.

    A day alone begins at midnight, a time alone is today's. A weekday is the next one that is not past. A local time
    that DST skips comes as much later as the gap is long; one that it repeats is meant the first time.
    """
    plain = " ".join(text.split())
    if with_offset := _with_offset(plain):
        return with_offset
    match = _CLOCK.fullmatch(plain)
    day, at = (match[1] or "today", time(int(match[2]), int(match[3]))) if match else (plain, time())
    return _instant_of(day, at, ZoneInfo(zone), now)


def clock_after(text: str, zone: str, start: datetime) -> datetime | None:
    """Return the first instant after `start` at a bare time of day like `06:00`; None for any other text."""
    match = _CLOCK.fullmatch(text.strip())
    if not match or match[1]:
        return None
    found = (local_instant(f"{day} {text.strip()}", zone, start) for day in ("today", "tomorrow"))
    return next((instant for instant in found if instant > start), None)


def _with_offset(text: str) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant.astimezone(UTC) if instant.tzinfo else None


def _instant_of(day: str, at: time, zone: ZoneInfo, now: datetime) -> datetime:
    today = now.astimezone(zone).date()
    instant = datetime.combine(_day(day, today), at, zone).astimezone(UTC)
    if weekday(day.strip(" ,")) is not None and instant <= now:
        instant = datetime.combine(_day(day, today) + timedelta(days=7), at, zone).astimezone(UTC)
    return instant


def _day(text: str, today: date) -> date:
    word = text.strip(" ,").lower()
    if word in ("today", "tomorrow"):
        return today + timedelta(days=word == "tomorrow")
    named = weekday(word)
    if named is not None:
        return today + timedelta(days=(named - today.weekday()) % 7)
    return _date(word)


def _date(text: str) -> date:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        raise ValueError(f"'{text}' is not a time; {EXAMPLES}")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"there is no {text} in the calendar; {EXAMPLES}") from None
