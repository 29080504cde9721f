"""Business time: a company's opening hours, and waits that are counted in them ("4 business hours", "1 business day").

Opening hours are local wall-clock times; everything that comes out is UTC, so a DST change needs no case of its own.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from escalation.times import DAYS, Zone, format_duration, parse_duration, spoken_duration, weekday
from escalation.values import Frozen

_SEARCHED = 400  # days; a calendar without an opening for that long is a mistake
_NO_WAIT = timedelta(0)


class Wait(Frozen):
    """A wait in clock time, business time (`business`) or whole business days, then perhaps for the next opening."""

    length: timedelta = _NO_WAIT
    business: bool = False
    days: int = 0
    opening: bool = False

    @property
    def counts_business(self) -> bool:
        """True if it takes a calendar to tell when it is over."""
        return self.business or self.days > 0 or self.opening

    def __str__(self) -> str:
        if self.days:
            return f"{self.days} business day{'s' if self.days > 1 else ''}"
        if self.business:
            return _in_business_hours(self.length, format_duration(self.length))
        if not self.length:
            return "next opening" if self.opening else "at once"
        return format_duration(self.length) + (", moved to the next opening" if self.opening else "")

    def spoken(self) -> str:
        """Format it for sentences: `30 minutes`, `4 business hours`."""
        if self.days or self.business or not self.length:
            return str(self)
        return spoken_duration(self.length) + (", moved to the next opening" if self.opening else "")


def _in_business_hours(length: timedelta, fallback: str) -> str:
    hours, rest = divmod(length, timedelta(hours=1))
    if rest:
        return f"{length // timedelta(minutes=1)} business minutes"
    return f"{hours} business hour{'s' if hours > 1 else ''}"


def parse_wait(text: Any) -> Any:
    """Read `15m`, `4 business hours`, `1 business day`, `24h, moved to the next opening`, `next opening`, `at once`."""
    if isinstance(text, Wait | dict):
        return text
    if isinstance(text, timedelta):
        return Wait(length=text)
    plain = " ".join(str(text).lower().split())
    if plain in ("at once", "0m", "0s", "0"):
        return Wait()
    if plain in ("next opening", "the next opening"):
        return Wait(opening=True)
    if match := re.fullmatch(r"(\d+) business (day|hour|minute)s?", plain):
        return _business(int(match[1]), match[2], str(text))
    clock, moved, _ = plain.partition(" moved to the next opening")
    try:
        return Wait(length=parse_duration(clock.rstrip(",")), opening=bool(moved))
    except ValueError:
        raise ValueError(
            f"'{text}' is not a time to wait; write 15m, 2h, 1d, '4 business hours', '1 business day', "
            "'24h, moved to the next opening', 'next opening' or 'at once'"
        ) from None


def _business(count: int, unit: str, text: str) -> Wait:
    if not 0 < count <= 5000:
        raise ValueError(f"'{text}' is not between one and 5000 {unit}s")
    if unit == "day":
        return Wait(days=count)
    return Wait(length=count * (timedelta(hours=1) if unit == "hour" else timedelta(minutes=1)), business=True)


WaitFor = Annotated[
    Wait,
    BeforeValidator(parse_wait),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["15m", "2h", "4 business hours", "1 business day", "at once"]}),
]


def _parse_hours(text: Any) -> Any:
    """`09:00-17:00` -> (09:00, 17:00)."""
    if isinstance(text, tuple | list):
        return text
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)\s*(?:-|–|to)\s*([01]?\d|2[0-3]):([0-5]\d)", str(text).strip())
    if not match:
        raise ValueError(f"'{text}' are not business hours; write them like '09:00-17:00'")
    opens, closes = time(int(match[1]), int(match[2])), time(int(match[3]), int(match[4]))
    if closes <= opens:
        raise ValueError(f"'{text}' close before they open; hours over midnight are not business hours here")
    return opens, closes


def _parse_days(value: Any) -> Any:
    """`Monday-Friday`, `Sunday-Thursday` or a list of days -> weekdays, 0 is Monday."""
    if isinstance(value, list | tuple) and all(isinstance(v, int) for v in value):
        return value
    if isinstance(value, str) and (match := re.fullmatch(r"(\w+)\s*(?:-|–|to)\s*(\w+)", value.strip())):
        first, last = _weekday(match[1]), _weekday(match[2])
        return tuple((first + n) % 7 for n in range((last - first) % 7 + 1))
    return tuple(_weekday(day) for day in (value if isinstance(value, list | tuple) else [value]))


def _weekday(text: Any) -> int:
    day = weekday(str(text))
    if day is None:
        raise ValueError(f"'{text}' is not a weekday; write days like Monday-Friday or [Monday, Wednesday]")
    return day


def _show_days(days: tuple[int, ...]) -> list[str]:
    return [DAYS[d] for d in days]


Hours = Annotated[
    tuple[time, time],
    BeforeValidator(_parse_hours),
    PlainSerializer(lambda h: f"{h[0]:%H:%M}-{h[1]:%H:%M}", return_type=str),
    WithJsonSchema({"type": "string", "examples": ["09:00-17:00"]}),
]
Weekdays = Annotated[
    tuple[int, ...],
    BeforeValidator(_parse_days),
    PlainSerializer(_show_days, return_type=list[str]),
    WithJsonSchema({"examples": ["Monday-Friday", ["Monday", "Wednesday"]]}),
]


class Calendar(Frozen):
    """A company's opening hours. `holidays` names a country (`DE`, `US-CA`); `closed` are further days and their names.

    The composition root turns `holidays` into days of `closed`: the domain knows no country's law.
    """

    timezone: Zone = "UTC"
    hours: Hours = (time(9), time(17))
    days: Weekdays = Field(default=(0, 1, 2, 3, 4), min_length=1)
    holidays: str = ""
    closed: dict[date, str] = {}

    @model_validator(mode="before")
    @classmethod
    def _closed_may_be_a_list(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("closed"), list):
            return {**data, "closed": dict.fromkeys(data["closed"], "closed")}
        return data

    def opening(self, day: date) -> tuple[datetime, datetime] | None:
        """Return the opening hours of a local day, in UTC; None on a day off."""
        if day.weekday() not in self.days or day in self.closed:
            return None
        zone = ZoneInfo(self.timezone)
        opens, closes = (datetime.combine(day, at, zone).astimezone(UTC) for at in self.hours)
        return (opens, closes) if opens < closes else None

    def next_opening(self, at: datetime) -> datetime:
        """Return `at` itself while open, else the next opening. ValueError when there is none in more than a year."""
        return max(at, self._session(at)[0])

    def next_morning(self, at: datetime) -> datetime:
        """Return the first opening that comes after `at`. ValueError as for `next_opening`."""
        opens, closes = self._session(at)
        return opens if opens > at else self._session(closes)[0]

    def sessions(self, since: datetime, until: datetime) -> tuple[tuple[datetime, datetime], ...]:
        """Return the opening hours that touch a period, in order."""
        zone = ZoneInfo(self.timezone)
        first, last = since.astimezone(zone).date(), until.astimezone(zone).date()
        days = (first + timedelta(days=n) for n in range((last - first).days + 1))
        return tuple(session for day in days if (session := self.opening(day)))

    def after(self, start: datetime, wait: Wait) -> datetime:
        """Return the end of a wait that began at `start`."""
        if wait.days:
            return self._days_later(start, wait.days)
        if wait.business:
            return self._business_later(start, wait.length)
        end = start + wait.length
        return self.next_opening(end) if wait.opening else end

    def within(self, start: datetime, days: int) -> "Calendar":
        """Return a copy with only the days off of that many days: what an incident needs to keep."""
        first = start.date() - timedelta(days=2)
        closed = {d: name for d, name in self.closed.items() if first <= d <= first + timedelta(days=days)}
        return self.model_copy(update={"closed": closed})

    def _session(self, at: datetime) -> tuple[datetime, datetime]:
        """Return the opening hours that hold at an instant, or the next ones."""
        day = at.astimezone(ZoneInfo(self.timezone)).date() - timedelta(days=1)
        for offset in range(_SEARCHED):
            session = self.opening(day + timedelta(days=offset))
            if session and session[1] > at:
                return session
        raise ValueError("the calendar has no opening hours in more than a year")

    def _business_later(self, at: datetime, rest: timedelta) -> datetime:
        while True:
            opens, closes = self._session(at)
            at = max(at, opens)
            if at + rest <= closes:
                return at + rest
            rest -= closes - at
            at = closes

    def _days_later(self, at: datetime, count: int) -> datetime:
        """Add whole business days, keeping the time of day; outside business hours the count begins at the opening."""
        zone = ZoneInfo(self.timezone)
        local = self.next_opening(at).astimezone(zone)
        day = local.date()
        while count:
            day += timedelta(days=1)
            count -= self.opening(day) is not None
        return datetime.combine(day, local.time(), zone).astimezone(UTC)
