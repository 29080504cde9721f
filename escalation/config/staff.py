"""People and the rotations they take turns in: the part of the configuration that duty is reckoned from."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, PlainSerializer, StringConstraints, model_validator

from escalation.config.rotations import Rotation, Zone
from escalation.values import Frozen

PersonKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.-]*$", max_length=60)]
SlackUser = Annotated[str, StringConstraints(pattern=r"^[UW][A-Z0-9]{2,}$")]
Address = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$")]


def as_list(value: Any) -> Any:
    """A setting may hold one value or several."""
    return value if isinstance(value, list | tuple) else (value,)


def parse_phone(text: Any) -> str:
    """A telephone number as people write it; ValueError otherwise."""
    number = str(text).strip()
    if not re.fullmatch(r"\+?[0-9][0-9 ()./-]{1,30}", number):
        raise ValueError(f"'{number}' is not a telephone number; write one like '+49 30 1234567', in quotes")
    return number


Phone = Annotated[str, BeforeValidator(parse_phone)]


class Days(Frozen):
    """Whole days, both the first and the last included."""

    first: date
    last: date

    def __str__(self) -> str:
        return f"{self.first}..{self.last}"


def parse_days(text: Any) -> Any:
    """`2026-12-24..2027-01-02`, or one day -> Days. ValueError says how to write them."""
    if isinstance(text, Days):
        return text
    first, _, last = str(text).partition("..")
    try:
        days = Days(first=date.fromisoformat(first.strip()), last=date.fromisoformat((last or first).strip()))
    except ValueError:
        raise ValueError(f"'{text}' are not days that exist; write them like 2026-12-24..2027-01-02") from None
    if days.last < days.first:
        raise ValueError(f"'{text}' ends before it begins; write the earlier day first")
    return days


Away = Annotated[
    tuple[Annotated[Days, BeforeValidator(parse_days), PlainSerializer(str, return_type=str)], ...],
    BeforeValidator(as_list),
]


class PersonEntry(Frozen):
    """How to find a person: in Slack by e-mail address or member id; where to call and mail; when they are away."""

    email: Address | None = None
    slack: SlackUser | None = None
    name: str | None = None
    phone: Phone | None = None
    mail: Address | None = None
    away: Away = ()

    @model_validator(mode="after")
    def _findable(self) -> "PersonEntry":
        if not (self.email or self.slack):
            raise ValueError("give an email or a slack id, so that the person can be found")
        return self


class Staff(Frozen):
    """People by their keys, rotations by their names, and the zone in which the days of an absence are counted."""

    timezone: Zone = "UTC"
    people: dict[PersonKey, PersonEntry] = {}
    rotations: dict[str, Rotation] = {}

    def absences(self) -> Iterator[tuple[str, datetime, datetime]]:
        """Who is away by the configuration, from (inclusive) until (exclusive)."""
        for key, entry in self.people.items():
            for days in entry.away:
                yield key, self._midnight(days.first), self._midnight(days.last + timedelta(days=1))

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), ZoneInfo(self.timezone)).astimezone(UTC)
