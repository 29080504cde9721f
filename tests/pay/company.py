"""A company of three in Berlin whose on call is paid, and evidence about it."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from escalation.config.company import Company, Directory
from escalation.figures.load import Evidence
from escalation.figures.observation import Observation
from escalation.figures.responses import Response
from escalation.oncall.cover import planned_cover
from escalation.oncall.schedule import EMPTY_STATE, OncallState
from escalation.pay.report import PayReport, pay_report

THREE = ["dana", "omar", "mei"]
BERLIN = "Europe/Berlin"
PAY = {
    "currency": "EUR",
    "weekly_stipend": 210,
    "hour": 1,
    "night": 4,
    "weekend": 6,
    "holiday": 12,
    "overtime": 60,
    "callout_minimum": "30m",
    "time_off": {"P0": "4h"},
}


def company(**changed: Any) -> Company:
    """Dana, Omar and Mei, a week each from Monday 00:00, 19 October 2026; the clocks go back on the 25th."""
    weekly = {"people": THREE, "first_shift": "2026-10-19", "timezone": BERLIN}
    data = {
        "policy": "kars",
        "timezone": BERLIN,
        "people": {name: {"slack": f"U{name.upper()}"} for name in THREE},
        "rotations": {"primary": weekly},
        "calendar": {"timezone": BERLIN, "closed": {"2026-10-31": "Reformationstag"}},
        "pay": PAY,
    }
    return Company.model_validate(data | changed)


def berlin(day: int, clock: str = "00:00", month: int = 10) -> datetime:
    """An instant of 2026 by Berlin's clock."""
    hour, minute = map(int, clock.split(":"))
    return datetime(2026, month, day, hour, minute, tzinfo=ZoneInfo(BERLIN)).astimezone(UTC)


def incident(
    person: str, starts: datetime, ends: datetime, n: int = 1, severity: str = "P1", *, paged: bool = True, **more: Any
) -> Observation:
    """An incident in which somebody was paged, answered at once and worked until its end."""
    pages = ((f"U{person.upper()}", starts.timestamp()),) if paged else ()
    return Observation(
        id=f"INC-20261020-{n:03d}",
        severity=severity,
        first_severity=severity,
        declared=starts.timestamp(),
        status="resolved",
        pages=pages,
        responses=(Response(f"U{person.upper()}", starts.timestamp(), ends.timestamp()),),
        **more,
    )


def evidence(
    of: Company,
    start: datetime,
    end: datetime,
    seen: Iterable[Observation] = (),
    state: OncallState = EMPTY_STATE,
) -> Evidence:
    return Evidence.of(of, Directory(), planned_cover(of, state, start, end), seen, start, end)


def paid(
    of: Company,
    start: datetime,
    end: datetime,
    seen: Iterable[Observation] = (),
    state: OncallState = EMPTY_STATE,
) -> PayReport:
    """The pay report of a period by the schedule."""
    return pay_report(of, evidence(of, start, end, seen, state))
