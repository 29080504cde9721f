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


def after_every(length: str) -> str:
    """Return a length as it stands after "every": `30 minutes`, but `hour` rather than `1 hour`."""
    number, _, unit = length.partition(" ")
    return unit if number == "1" and " " not in unit else length


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


def _time_of_day(text: Any) -> Any:
    """`10:00`; ValueError says so."""
    if isinstance(text, time):
        return text
    try:
        return time.fromisoformat(str(text).strip().rjust(5, "0"))
    except ValueError:
        raise ValueError(f"'{text}' is not a time of day; write one like 09:30") from None


def _weekday(text: Any) -> Any:
    if isinstance(text, int):
        return text
    day = weekday(str(text))
    if day is None:
        raise ValueError(f"'{text}' is not a weekday; write one like Monday")
    return day


TimeOfDay = Annotated[
    time,
    BeforeValidator(_time_of_day),
    PlainSerializer(lambda t: f"{t:%H:%M}", return_type=str),
    WithJsonSchema({"type": "string", "examples": ["09:30"]}),
]
Weekday = Annotated[
    int,
    BeforeValidator(_weekday),
    PlainSerializer(lambda d: DAYS[d], return_type=str),
    WithJsonSchema({"type": "string", "enum": list(DAYS)}),
]


Zone = Annotated[str, AfterValidator(known_zone)]
EXAMPLES = "write one like 2026-12-24 18:00, tomorrow 9am, monday 09:00, 1 Dec 9:00 or in 2h"
_CLOCK = (
    r"(?i:(?:at\s+)?(?:([01]?\d|2[0-3]):([0-5]\d)(?::[0-5]\d)?\s*(am|pm)?|(1[0-2]|0?[1-9])\s*(am|pm)|(noon|midnight)))"
)
_CLOCK_LAST = re.compile(rf"(?:(.*?)(?:[ T]+|,\s*))?{_CLOCK}")
_CLOCK_FIRST = re.compile(rf"{_CLOCK}(?:[ ]+|,\s*)(?i:on\s+)?(.+)")
_IN = re.compile(r"in\s+(.+)", re.IGNORECASE)
_MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_DAY_MONTH = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?\.?\s+(?:of\s+)?([a-z]{3,})\.?(?:,?\s+(\d{4}))?")
_MONTH_DAY = re.compile(r"([a-z]{3,})\.?\s+(\d{1,2})(?:st|nd|rd|th)?(?:,?\s+(\d{4}))?")
_SPOKEN = (
    (re.compile(r"^half an hour$"), "30m"),
    (re.compile(r"^an?\s+"), "1 "),
    (re.compile(r"\s*(weeks?|days?|hours?|hrs?|minutes?|mins?)\b"), lambda found: found[1][0]),
    (re.compile(r"\s+and\s+"), ""),
)


def parse_length(text: str) -> timedelta:
    """Parse a length as people say it: `8h`, `2 hours`, `an hour`, `3 days`. ValueError for anything else."""
    compact = text.strip().lower()
    for pattern, short in _SPOKEN:
        compact = pattern.sub(short, compact)
    return parse_duration(compact)


def local_instant(text: str, zone: str, now: datetime) -> datetime:
    """Parse a local date and time into an instant in UTC; ValueError with a remedy for anything else.

    A day alone begins at midnight, a time alone is today's. A weekday is the next one that is not past, with `next` the
    one of the week after this; a date without a year is the next one. A local time that DST skips comes as much later
    as the gap is long; one that it repeats is meant the first time.
    """
    plain = " ".join(text.split())
    if plain.lower() == "now":
        return now
    if with_offset := _with_offset(plain):
        return with_offset
    if ahead := _IN.fullmatch(plain):
        return now + parse_length(ahead[1])
    day, at = _day_and_clock(plain)
    if at is not None:
        return _instant_of(day or "today", at, ZoneInfo(zone), now)
    return _instant_of(day, time(), ZoneInfo(zone), now)


def past_instant(text: str, zone: str, now: datetime) -> datetime:
    """Parse like `local_instant` when something was: a bare time of day is the last one, and so is a weekday.

    `yesterday` and `20m ago` are known as well. ValueError for a day without a time of day, too.
    """
    plain = " ".join(text.split())
    if plain.lower().endswith(" ago"):
        return now - parse_length(plain[:-4])
    day, at = _day_and_clock(plain)
    if at is not None and day.strip(" ,").lower() in ("", "yesterday"):
        today, local = now.astimezone(ZoneInfo(zone)).date(), ZoneInfo(zone)
        days = (today - timedelta(days=n) for n in ((0, 1) if not day else (1,)))
        instants = [datetime.combine(each, at, local).astimezone(UTC) for each in days]
        return next((instant for instant in instants if instant <= now), instants[-1])
    if not has_clock(text):
        raise ValueError(f"'{text}' names no time of day; {EXAMPLES}")
    found = local_instant(text, zone, now)
    return found - timedelta(days=7) if found > now and weekday(day.strip(" ,")) is not None else found


def claimed_instant(claim: str) -> datetime | None:
    """Return the instant that a machine names: ISO 8601 with an offset, or epoch seconds or milliseconds; else None."""
    if re.fullmatch(r"\d{10}(?:\d{3})?(?:\.\d+)?", claim):
        return datetime.fromtimestamp(float(claim) / (1000 if len(claim.partition(".")[0]) == 13 else 1), UTC)
    return _with_offset(claim)


_ETA_PREFIX = re.compile(r"^(?:eta|by|at|around|about|approx\.?|ca\.?|maybe|in|within|~)[\s:]*", re.IGNORECASE)
_ETA_PART = re.compile(
    r"(?P<n>\d+(?:[.,]\d+)?|an?|half an?|one|two|three|four|five|ten|fifteen|twenty|thirty)\s*"
    r"(?P<unit>s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:(?:ou)?rs?)?|d(?:ays?)?)(?![a-z])\.?",
    re.IGNORECASE,
)
_NUMBERS = {
    "a": 1.0, "an": 1.0, "half a": 0.5, "half an": 0.5, "one": 1.0, "two": 2.0, "three": 3.0, "four": 4.0,
    "five": 5.0, "ten": 10.0, "fifteen": 15.0, "twenty": 20.0, "thirty": 30.0,
}  # fmt: skip


def eta_instant(text: str, zone: str, now: datetime, speed: float = 1.0) -> datetime | None:
    """Return the instant that an ETA names, as `16:30`, `4 pm`, `in half an hour`, `1h30m`; None for other words.

    A bare time is the next one. Lengths count from `now`, `speed` times faster.
    """
    words, before = " ".join(text.split()).rstrip("."), ""
    while words != before:
        before, words = words, _ETA_PREFIX.sub("", words)
    length = _eta_length(words)
    if length is not None:
        return now + length / speed
    if _day_and_clock(words)[1] is None:  # a day alone says too little
        return None
    try:
        return clock_after(words, zone, now) or local_instant(words, zone, now)
    except (ValueError, OverflowError):
        return None


def _eta_length(words: str) -> timedelta | None:
    """Return a length of time as people say it; None for anything else, and for none at all or more than a year."""
    rest = re.sub(r"\s*(?:,|\band\b)\s*", " ", words.strip())
    seconds = 0.0
    while match := _ETA_PART.match(rest):
        number = match["n"].lower()
        amount = _NUMBERS[number] if number in _NUMBERS else float(number.replace(",", "."))
        seconds += amount * _UNITS[match["unit"][0].lower()]
        rest = rest[match.end() :].strip()
    return timedelta(seconds=seconds) if not rest and 0 < seconds <= 366 * 86400 else None


def clock_after(text: str, zone: str, start: datetime) -> datetime | None:
    """Return the first instant after `start` at a bare time of day like `06:00`; None for any other text."""
    day, at = _day_and_clock(text.strip())
    if day or at is None:
        return None
    found = (local_instant(f"{which} {at:%H:%M}", zone, start) for which in ("today", "tomorrow"))
    return next((instant for instant in found if instant > start), None)


def has_clock(text: str) -> bool:
    """True if a text names more than a day: a time of day, `now`, or a length from now."""
    plain = text.strip()
    relative = plain.lower() == "now" or _IN.fullmatch(plain) or _with_offset(plain)
    return bool(relative or _day_and_clock(plain)[1] is not None)


def begins_time(word: str) -> bool:
    """True if a word can begin a date or a time: `from`, `tomorrow`, `fri`, `Dec`, `9am`."""
    plain = word.lower().strip(",.")
    known = ("from", "for", "until", "till", "in", "on", "at", "next", "this", "now", "today", "tomorrow", "noon")
    return plain in known or plain[:1].isdigit() or weekday(plain) is not None or _month(plain) is not None


def _day_and_clock(text: str) -> tuple[str, time | None]:
    """Split `tomorrow 9am` or `9am tomorrow`; the time is None where none is named."""
    if last := _CLOCK_LAST.fullmatch(text):
        day, *clock = last.groups()
    elif first := _CLOCK_FIRST.fullmatch(text):
        *clock, day = first.groups()
    else:
        return text, None
    hours, minutes, half, short, short_half, word = clock
    if word:
        return day or "", time(12 if word.lower() == "noon" else 0)
    hour, half = int(hours or short), (half or short_half or "").lower()
    if half and not 1 <= hour <= 12:
        return text, None
    return day or "", time(hour % 12 + 12 * (half == "pm") if half else hour, int(minutes or 0))


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
    word = text.strip(" ,").lower().removeprefix("on ")
    if word in ("today", "tomorrow"):
        return today + timedelta(days=word == "tomorrow")
    named = weekday(word.removeprefix("this "))
    if named is not None:
        return today + timedelta(days=(named - today.weekday()) % 7)
    if word.startswith("next ") and (named := weekday(word.removeprefix("next "))) is not None:
        return today + timedelta(days=7 - today.weekday() + named)
    return _date(word, today)


def _date(text: str, today: date) -> date:
    """Parse `2026-12-01`, `1 Dec`, `December 1st 2026`; without a year it is the next one."""
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        year, month, day = (int(part) for part in text.split("-"))
        return _existing(text, (year,), month, day)
    first, last = _DAY_MONTH.fullmatch(text), _MONTH_DAY.fullmatch(text)
    if (found := first or last) is None:
        raise ValueError(f"'{text}' is not a time; {EXAMPLES}")
    number, name = (found[1], found[2]) if first else (found[2], found[1])
    named = _month(name)
    if named is None:
        raise ValueError(f"'{text}' is not a time; {EXAMPLES}")
    years = (int(found[3]),) if found[3] else (today.year, today.year + 1)
    return _existing(text, years, named, int(number), not_before=date.min if found[3] else today)


def _existing(text: str, years: tuple[int, ...], month: int, day: int, not_before: date = date.min) -> date:
    for year in years:
        try:
            found = date(year, month, day)
        except ValueError:
            continue
        if found >= not_before:
            return found
    raise ValueError(f"there is no {text} in the calendar; {EXAMPLES}")


def _month(text: str) -> int | None:
    return next((n for n, name in enumerate(_MONTHS, 1) if len(text) >= 3 and name.startswith(text)), None)
