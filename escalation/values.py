"""The ground the other values stand on: frozen models and durations as people write them."""

import re
from datetime import timedelta
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, StringConstraints, WithJsonSchema

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION = re.compile(r"(\d+)\s*([smhdw])")


class Frozen(BaseModel):
    """A value: it never changes, and an unknown field is an error rather than a silent typo.

    What it refuses stays out of the error's text, which ends in logs: it may be people's words.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    def __copy__(self) -> Self:
        """As pydantic's own, for values without private attributes; that one takes three times as long."""
        made = self.__class__.__new__(self.__class__)
        object.__setattr__(made, "__dict__", self.__dict__.copy())
        object.__setattr__(made, "__pydantic_fields_set__", self.__pydantic_fields_set__.copy())
        object.__setattr__(made, "__pydantic_extra__", None)
        object.__setattr__(made, "__pydantic_private__", None)
        return made


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
    """`1h30m` for ninety minutes: the inverse of parse_duration, whole seconds, largest unit first."""
    left, out = max(0, round(length.total_seconds())), ""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        out += f"{count}{unit}" if count else ""
    return out or "0s"


def spoken_duration(length: timedelta) -> str:
    """`1 hour 30 minutes`: for sentences. Two units at the most, so that nobody has to read seconds of a day."""
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
PersonId = Annotated[str, StringConstraints(max_length=80)]
