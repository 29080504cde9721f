"""Handovers, and the times of their test page, message and call. Pure.

The test page goes out on the business day before the handover, two hours after opening. The message stands at the
opening of the handover's own business day; where the handover comes before that opening, or on a day off, it stands in
the last business hour before. The call is proposed for the first business time from the handover on.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from escalation.config.business_time import Calendar
from escalation.config.company import Company
from escalation.config.policy import HandoverRules
from escalation.oncall.schedule import OncallState, upcoming_shifts
from escalation.values import Frozen

AFTER_OPENING = timedelta(hours=2)
LAST_HOUR = timedelta(hours=1)
_LOOKED_BACK = timedelta(days=35)  # so that who was on call before does not depend on the hour of the question
_SEARCHED = 400  # days


class ShiftChange(Frozen):
    """A handover to other people, by key; `outgoing` is empty where a calendar's first shift begins."""

    rotation: str
    outgoing: tuple[str, ...]
    incoming: tuple[str, ...]
    at: datetime
    ends: datetime | None

    @property
    def id(self) -> str:
        """Id of the incoming shift."""
        return shift_id(self.rotation, self.at)


def shift_id(rotation: str, starts: datetime) -> str:
    """Id of a shift by its start in UTC: `primary-20261221T0000`."""
    return f"{rotation}-{starts:%Y%m%dT%H%M}"


def shift_changes(
    name: str, company: Company, state: OncallState, start: datetime, end: datetime
) -> Iterator[ShiftChange]:
    """Yield a rotation's handovers from `start` until before `end`.

    One for each planned shift: where its people first differ from those before. An override in the midst of a shift is
    none, one that reaches over its beginning puts it off; a gap in a calendar is passed over.
    """
    first, *later = upcoming_shifts(name, company, state, start - _LOOKED_BACK, end)
    planned, last = first.planned, first.people
    for shift in later:
        if not shift.people:
            continue
        if shift.planned != planned and shift.people != last:
            planned = shift.planned
            if shift.starts >= start:
                people = {"outgoing": last, "incoming": shift.people}
                yield ShiftChange(rotation=name, at=shift.starts, ends=shift.ends, **people)
        last = shift.people


def time_of_test_page(handover: datetime, calendar: Calendar, answer_within: timedelta) -> datetime:
    """Return when to send the test page: in working hours, with enough of them left to answer it."""
    opens, closes = _session_before(_day(handover, calendar), calendar)
    return max(opens, min(opens + AFTER_OPENING, closes - answer_within))


def time_of_handover_message(handover: datetime, calendar: Calendar) -> datetime:
    """Return when to post the handover's message."""
    day = _day(handover, calendar)
    today = calendar.opening(day)
    if today and today[0] <= handover:
        return today[0]
    opens, closes = _session_before(day, calendar)
    return max(opens, closes - LAST_HOUR)


def _day(at: datetime, calendar: Calendar) -> date:
    return at.astimezone(ZoneInfo(calendar.timezone)).date()


def _session_before(day: date, calendar: Calendar) -> tuple[datetime, datetime]:
    """Return the opening hours of the last business day before a day."""
    sessions = (calendar.opening(day - timedelta(days=n)) for n in range(1, _SEARCHED))
    if found := next((s for s in sessions if s), None):
        return found
    raise ValueError("the calendar had no opening hours in more than a year")


def call_length(company: Company, rules: HandoverRules, rotation: str) -> timedelta:
    """Return the length of a rotation's handover call, else the policy's."""
    entry = company.rotations[rotation]
    return entry.handover_call if "handover_call" in entry.model_fields_set else rules.call
