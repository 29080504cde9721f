"""Changes to the on-call state: overrides, swaps, absences, calendar feeds, test pages. Pure steps.

Each takes an OncallState and returns the next one. It raises Refused with words for the requester.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

from escalation.config.company import Company
from escalation.config.references import suggest
from escalation.config.rotations import Shift
from escalation.errors import Refused
from escalation.notify.preferences import Preferences
from escalation.oncall.moved_shifts import moved_shifts
from escalation.oncall.schedule import (
    Away,
    Feed,
    GroupFault,
    Notice,
    OncallShift,
    OncallState,
    Override,
    TestPage,
    shift_at,
    upcoming_shifts,
)
from escalation.values import PersonId

LONGEST = timedelta(days=366)
RETENTION = timedelta(days=92)  # what ended longer ago is dropped; a quarter's report still finds it
SEARCH_AHEAD = timedelta(days=184)  # how far ahead to look for somebody's next shift
D = TypeVar("D", Override, Away)


def add_override(
    state: OncallState,
    company: Company,
    rotation: str,
    person: str,
    starts: datetime,
    ends: datetime,
    now: datetime,
    by: PersonId = "",
    why: str = "",
) -> OncallState:
    """Put a person on call from (inclusive) until (exclusive), over the plan and all earlier overrides."""
    _check_known("rotation", rotation, company.rotations)
    _check_known("person", person, company.people)
    _check_period(starts, ends, now)
    made = Override(id=state.made + 1, rotation=rotation, person=person, starts=starts, ends=ends, by=by, why=why)
    return _without_expired(state, now, made=made.id, overrides=(*state.overrides, made))


def set_preferences(state: OncallState, person: str, wanted: Preferences) -> OncallState:
    """Set what somebody chose for themselves, by their key, else their member id."""
    return state.model_copy(update={"preferences": {**state.preferences, person: wanted}})


def take_shift(
    state: OncallState, company: Company, rotation: str, person: str, now: datetime, by: PersonId = "", why: str = ""
) -> OncallState:
    """Give a person the current shift, until its end."""
    _check_known("rotation", rotation, company.rotations)
    shift = shift_at(rotation, company, state, now)
    if shift.people == (person,):
        raise Refused(f"{person} is on call in {rotation} already.")
    if shift.ends is None:
        raise Refused(f"The calendar of {rotation} has no shift after this; make an override and say until when.")
    return add_override(state, company, rotation, person, now, shift.ends, now, by, why)


def swap_shifts(
    state: OncallState,
    company: Company,
    rotation: str,
    first: datetime,
    second: datetime,
    now: datetime,
    by: PersonId = "",
    why: str = "",
) -> OncallState:
    """Swap the people of two shifts, each named by an instant in it; of the current shift, what is left."""
    _check_known("rotation", rotation, company.rotations)
    first_shift, second_shift = (shift_at(rotation, company, state, at) for at in (first, second))
    if len(first_shift.people) != 1 or len(second_shift.people) != 1:
        raise Refused("Each of the two shifts to swap needs one person; make an override instead.")
    if first_shift.people == second_shift.people:
        raise Refused(f"Both shifts are {first_shift.people[0]}'s already.")
    for shift, person in ((first_shift, second_shift.people[0]), (second_shift, first_shift.people[0])):
        if shift.ends is None:
            raise Refused(f"The calendar of {rotation} does not say when that shift ends; make an override instead.")
        state = add_override(state, company, rotation, person, max(shift.starts, now), shift.ends, now, by, why)
    return state


def add_absence(
    state: OncallState,
    company: Company,
    person: str,
    starts: datetime,
    ends: datetime,
    now: datetime,
    by: PersonId = "",
    why: str = "",
) -> OncallState:
    """Mark a person away from (inclusive) until (exclusive): the next in each rotation's order covers their shifts."""
    _check_known("person", person, company.people)
    _check_period(starts, ends, now)
    made = Away(id=state.made + 1, person=person, starts=starts, ends=ends, by=by, why=why)
    return _without_expired(state, now, made=made.id, away=(*state.away, made))


def cancel(state: OncallState, *numbers: str | int) -> OncallState:
    """Remove the overrides and absences of those numbers, all or none."""
    for number in numbers:
        wanted = str(number).removeprefix("#")
        overrides, absences = _without(state.overrides, wanted), _without(state.away, wanted)
        if (overrides, absences) == (state.overrides, state.away):
            raise Refused(f"There is no override or absence number {wanted}.")
        state = state.model_copy(update={"overrides": overrides, "away": absences})
    return state


def next_shift_of(rotation: str, person: str, company: Company, state: OncallState, at: datetime) -> OncallShift | None:
    """Return somebody's current or next shift, up to half a year ahead; None when there is none."""
    shifts = upcoming_shifts(rotation, company, state, at, at + SEARCH_AHEAD)
    return next((t for t in shifts if person in t.people), None)


def record_feed(
    state: OncallState,
    rotation: str,
    shifts: Iterable[Shift],
    at: datetime,
    problems: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
) -> OncallState:
    """Store the shifts read from a rotation's calendar, the events that do not hold, and what was assumed."""
    feed = Feed(rotation=rotation, shifts=tuple(shifts), fetched_at=at, problems=problems, notes=notes)
    return state.model_copy(update={"feeds": {**state.feeds, rotation: feed}})


def record_feed_failure(state: OncallState, rotation: str, error: str, at: datetime) -> OncallState:
    """Note that a rotation's calendar could not be read: its last good copy stays in use."""
    before = state.feeds.get(rotation, Feed(rotation=rotation))
    feed = before.model_copy(update={"error": error, "failed_at": at})
    return state.model_copy(update={"feeds": {**state.feeds, rotation: feed}})


def record_group(state: OncallState, rotation: str, fault: GroupFault | None) -> OncallState:
    """Note what keeps a rotation's user group from following it; None when it follows. The first report counts."""
    known = state.group_faults.get(rotation)
    if known and fault and (known.group, known.problem, known.people) == (fault.group, fault.problem, fault.people):
        return state
    faults = {name: f for name, f in state.group_faults.items() if name != rotation}
    faults |= {rotation: fault} if fault else {}
    return state if faults == state.group_faults else state.model_copy(update={"group_faults": faults})


def record_test_page(state: OncallState, page: TestPage) -> OncallState:
    """Note a test page that was sent. The first one of a shift and person counts."""
    if any(_same_test(t, page) for t in state.tests):
        return state
    return _without_expired(state, page.sent_at, tests=(*state.tests, page))


def record_answer(state: OncallState, rotation: str, shift_start: datetime, person: str, at: datetime) -> OncallState:
    """Note the answer to a test page, which releases the outgoing person. A second answer changes nothing."""

    def answered(test: TestPage) -> TestPage:
        same = (test.rotation, test.shift_start, test.person) == (rotation, shift_start, person)
        return test.model_copy(update={"answered_at": at}) if same and test.answered_at is None else test

    tests = tuple(map(answered, state.tests))
    return state if tests == state.tests else state.model_copy(update={"tests": tests})


def answer_test_pages(state: OncallState, person: str, at: datetime) -> OncallState:
    """Answer all test pages of somebody who answered a real page."""
    for test in state.tests:
        if test.person == person and test.sent_at <= at:
            state = record_answer(state, test.rotation, test.shift_start, person, at)
    return state


def _same_test(one: TestPage, other: TestPage) -> bool:
    return (one.rotation, one.shift_start, one.person) == (other.rotation, other.shift_start, other.person)


def _check_known(kind: str, name: str, known: Iterable[str]) -> None:
    names = set(known)
    if name not in names:
        raise Refused(f"There is no {kind} called '{name}'{suggest(name, names)}")


def _check_period(starts: datetime, ends: datetime, now: datetime) -> None:
    if ends <= starts:
        raise Refused("It ends before it begins; give the earlier time first.")
    if ends <= now:
        raise Refused("It is entirely in the past; past shifts cannot be changed.")
    if ends - starts > LONGEST:
        raise Refused("It is longer than a year; change the rotation in the configuration instead.")


def _without(pieces: tuple[D, ...], number: str) -> tuple[D, ...]:
    return tuple(p for p in pieces if str(p.id) != number)


def _without_expired(state: OncallState, now: datetime, **changed: Any) -> OncallState:
    """Apply the change and drop what ended longer than RETENTION ago."""
    after = state.model_copy(update=changed)
    oldest = now - RETENTION
    return after.model_copy(
        update={
            "overrides": tuple(o for o in after.overrides if o.ends > oldest),
            "away": tuple(a for a in after.away if a.ends > oldest),
            "tests": tuple(t for t in after.tests if t.shift_start > oldest),
        }
    )


NOTICE_RETENTION = timedelta(days=2)  # older ones were sent or, after an outage, are not worth sending any more
NoticeKind = Literal["took", "override", "swapped", "away", "cancelled"]


def add_notice(
    before: OncallState, after: OncallState, did: NoticeKind, by: PersonId, at: datetime, company: Company
) -> OncallState:
    """Add a notice of what was made or taken back since `before`, and of the time on call that it moves."""
    removed = [p for p in _pieces(before) if p not in _pieces(after)]
    made = [p for p in _pieces(after) if p.id > before.made]
    pieces = removed if did == "cancelled" else made
    starts = max(at, min((p.starts for p in pieces), default=at))
    ends = min(at + SEARCH_AHEAD, max((p.ends for p in pieces), default=at))
    moved = moved_shifts(before, after, company, starts, ends) if starts < ends else ()
    notice = Notice(did=did, pieces=tuple(pieces), by=by, at=at, moved=moved)
    recent = (n for n in after.notices if n.at > at - NOTICE_RETENTION)
    return after.model_copy(update={"notices": (*recent, notice)})


def undo_of(notice: Notice) -> tuple[int, ...]:
    """Numbers to cancel to undo what a notice is about; none for a cancellation."""
    return () if notice.did == "cancelled" else tuple(p.id for p in notice.pieces)


def _pieces(state: OncallState) -> tuple[Override | Away, ...]:
    return (*state.overrides, *state.away)
