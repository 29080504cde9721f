"""Who is on call at an instant. Handovers happen at a local wall-clock time; everything else is UTC."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from escalation.values import Frozen

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_EPOCH_MONDAY = date(1970, 1, 5)


def known_zone(name: str) -> str:
    """A zone name of the IANA database, as given; ValueError otherwise."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"'{name}' is not a time zone; write one like UTC or Europe/Berlin") from None
    return name


Zone = Annotated[str, AfterValidator(known_zone)]


class Handover(Frozen):
    """A weekday (0 is Monday) and a local time of day."""

    weekday: int = Field(ge=0, le=6)
    at: time

    def __str__(self) -> str:
        return f"{DAYS[self.weekday]} {self.at:%H:%M}"


def parse_handover(text: Any) -> Any:
    """`Monday 00:00` -> Handover. ValueError says how to write one."""
    if isinstance(text, Handover):
        return text
    match = re.fullmatch(r"([A-Za-z]+)\s+([01]?\d|2[0-3]):([0-5]\d)", str(text).strip())
    names = [d for d in DAYS if match and len(match[1]) >= 3 and d.lower().startswith(match[1].lower())]
    if not match or len(names) != 1:
        raise ValueError(f"'{text}' is not a handover; write one like 'Monday 00:00'")
    return Handover(weekday=DAYS.index(names[0]), at=time(int(match[2]), int(match[3])))


HandoverTime = Annotated[Handover, BeforeValidator(parse_handover), PlainSerializer(str, return_type=str)]


class Shift(Frozen):
    """One person's turn, from (inclusive) until (exclusive), both UTC."""

    person: str
    starts: datetime
    ends: datetime


class Rotation(Frozen):
    """People who take weekly turns in the order given. `first_shift` says whose week begins the count."""

    people: tuple[str, ...] = Field(min_length=1)
    handover: HandoverTime = Handover(weekday=0, at=time(0, 0))
    timezone: Zone = "UTC"
    first_shift: date | None = None

    def shift(self, at: datetime, ahead: int = 0) -> Shift:
        """The shift that holds at an instant, or the one so many handovers later."""
        week = self._week_of(at) + ahead
        return Shift(
            person=self.people[(week - self._first_week()) % len(self.people)],
            starts=self._start_of(week),
            ends=self._start_of(week + 1),
        )

    def on_call(self, at: datetime) -> str:
        """The person on call at an instant."""
        return self.shift(at).person

    def next_on_call(self, at: datetime) -> str:
        """Whoever takes over next: the backup."""
        return self.shift(at, ahead=1).person

    def _first_week(self) -> int:
        if self.first_shift is None:
            return 0
        return ((self.first_shift - _EPOCH_MONDAY).days - self.handover.weekday) // 7

    def _week_of(self, at: datetime) -> int:
        """Count handovers since 1970: a guess from the local date, corrected by real instants, so DST needs no case."""
        local = at.astimezone(ZoneInfo(self.timezone)).date()
        week = ((local - _EPOCH_MONDAY).days - self.handover.weekday) // 7
        while self._start_of(week) > at:
            week -= 1
        while self._start_of(week + 1) <= at:
            week += 1
        return week

    def _start_of(self, week: int) -> datetime:
        """The handover that begins a week. A local time that DST skips comes as much later as the gap is long."""
        day = _EPOCH_MONDAY + timedelta(days=7 * week + self.handover.weekday)
        local = datetime.combine(day, self.handover.at, ZoneInfo(self.timezone))
        return local.astimezone(UTC)
