"""How long the record is kept, by kind."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, StringConstraints, WithJsonSchema

from escalation.values import INCIDENT_ID, Frozen, as_list

_PERIOD = re.compile(r"(\d+)\s*([dwy])")
_DAYS = {"d": 1, "w": 7, "y": 366}  # no day too early
MOST_YEARS = 100
ASKED = timedelta(days=31)  # whoever did least is asked first, by their last 30 days


def parse_period(text: Any) -> timedelta:
    """Read `30d`, `26w` or `3y`. ValueError on anything else, and beyond MOST_YEARS."""
    if isinstance(text, timedelta):
        return text
    found = _PERIOD.fullmatch(str(text).strip().lower())
    days = int(found[1]) * _DAYS[found[2]] if found else 0
    if not 0 < days <= MOST_YEARS * 366:
        raise ValueError(f"'{text}' is not a period; write 30d, 26w or 3y")
    return timedelta(days=days)


def spoken_period(period: timedelta) -> str:
    """Format a period as it is written: the inverse of parse_period."""
    unit = next(unit for unit in ("y", "w", "d") if period.days % _DAYS[unit] == 0)
    return f"{period.days // _DAYS[unit]}{unit}"


Period = Annotated[
    timedelta,
    BeforeValidator(parse_period),
    PlainSerializer(spoken_period, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["30d", "26w", "3y"]}),
]


def _with_what_is_asked(period: timedelta) -> timedelta:
    if period < ASKED:
        raise ValueError(f"who was on call is needed for {ASKED.days}d: whoever did least is asked first")
    return period


IncidentId = Annotated[str, StringConstraints(pattern=f"^{INCIDENT_ID.pattern}$")]


class Retention(Frozen):
    """Periods after which records are removed; what has none is kept for ever. `keep` are incidents under legal hold.

    `closed` counts from the end of an incident; its figures stay. `oncall` is who was on call, from the end of their
    shift, and `pay` final pay reports, from the end of their period.
    """

    closed: Period | None = None
    alerts: Period | None = None
    audit: Period | None = None
    oncall: Annotated[Period, AfterValidator(_with_what_is_asked)] | None = None
    pay: Period | None = None
    keep: Annotated[tuple[IncidentId, ...], BeforeValidator(as_list)] = ()
