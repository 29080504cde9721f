"""What people arrange while running: overrides, swaps, absences. Pure steps from one Duty to the next.

Every step raises Refused with words for the one who tried.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

from escalation.config.company import Company
from escalation.config.references import suggest
from escalation.config.rotations import Shift
from escalation.errors import Refused
from escalation.oncall.schedule import (
    Away,
    Feed,
    Notice,
    OncallState,
    Override,
    TestPage,
    Turn,
    shift_at,
    upcoming_shifts,
)
from escalation.values import PersonId

LONGEST = timedelta(days=366)
KEPT = timedelta(days=92)  # what ended longer ago is forgotten; a quarter's report still finds it
FARTHEST = timedelta(days=184)  # how far ahead a turn of somebody is looked for
D = TypeVar("D", Override, Away)


def override(
    duty: OncallState,
    company: Company,
    rotation: str,
    person: str,
    starts: datetime,
    ends: datetime,
    now: datetime,
    by: PersonId = "",
    why: str = "",
) -> OncallState:
    """A person is on duty in a rotation from (inclusive) until (exclusive), over the plan and all earlier overrides."""
    _known("rotation", rotation, company.rotations)
    _known("person", person, company.people)
    _possible(starts, ends, now)
    made = Override(id=duty.made + 1, rotation=rotation, person=person, starts=starts, ends=ends, by=by, why=why)
    return _forgetful(duty, now, made=made.id, overrides=(*duty.overrides, made))


def take(
    duty: OncallState, company: Company, rotation: str, person: str, now: datetime, by: PersonId = "", why: str = ""
) -> OncallState:
    """A person takes the turn that holds now, until its end."""
    _known("rotation", rotation, company.rotations)
    turn = shift_at(rotation, company, duty, now)
    if turn.people == (person,):
        raise Refused(f"{person} is on call in {rotation} already.")
    if turn.ends is None:
        raise Refused(f"The calendar of {rotation} has no shift after this; make an override and say until when.")
    return override(duty, company, rotation, person, now, turn.ends, now, by, why)


def swap(
    duty: OncallState,
    company: Company,
    rotation: str,
    first: datetime,
    second: datetime,
    now: datetime,
    by: PersonId = "",
    why: str = "",
) -> OncallState:
    """Two turns, each named by an instant in it, change their people; of a turn that holds already, what is left."""
    _known("rotation", rotation, company.rotations)
    mine, yours = (shift_at(rotation, company, duty, at) for at in (first, second))
    if len(mine.people) != 1 or len(yours.people) != 1:
        raise Refused("Each of the two shifts to swap needs one person; make an override instead.")
    if mine.people == yours.people:
        raise Refused(f"Both shifts are {mine.people[0]}'s already.")
    for turn, person in ((mine, yours.people[0]), (yours, mine.people[0])):
        if turn.ends is None:
            raise Refused(f"The calendar of {rotation} does not say when that shift ends; make an override instead.")
        duty = override(duty, company, rotation, person, max(turn.starts, now), turn.ends, now, by, why)
    return duty


def away(
    duty: OncallState,
    company: Company,
    person: str,
    starts: datetime,
    ends: datetime,
    now: datetime,
    by: PersonId = "",
    why: str = "",
) -> OncallState:
    """A person is away from (inclusive) until (exclusive): the next in each rotation's order covers their turns."""
    _known("person", person, company.people)
    _possible(starts, ends, now)
    made = Away(id=duty.made + 1, person=person, starts=starts, ends=ends, by=by, why=why)
    return _forgetful(duty, now, made=made.id, away=(*duty.away, made))


def cancel(duty: OncallState, number: str | int) -> OncallState:
    """Take back the override or absence of that number."""
    wanted = str(number).removeprefix("#")
    overrides, gone = _without(duty.overrides, wanted), _without(duty.away, wanted)
    if (overrides, gone) == (duty.overrides, duty.away):
        raise Refused(f"There is no override or absence number {wanted}.")
    return duty.model_copy(update={"overrides": overrides, "away": gone})


def next_turn_of(rotation: str, person: str, company: Company, duty: OncallState, at: datetime) -> Turn | None:
    """The turn that somebody is in or has next, half a year ahead; None when there is none."""
    turns = upcoming_shifts(rotation, company, duty, at, at + FARTHEST)
    return next((t for t in turns if person in t.people), None)


def fed(duty: OncallState, rotation: str, shifts: Iterable[Shift], at: datetime) -> OncallState:
    """A rotation's calendar was read."""
    feed = Feed(rotation=rotation, shifts=tuple(shifts), fetched_at=at)
    return duty.model_copy(update={"feeds": {**duty.feeds, rotation: feed}})


def feed_failed(duty: OncallState, rotation: str, error: str, at: datetime) -> OncallState:
    """A rotation's calendar could not be read: its last good copy goes on."""
    before = duty.feeds.get(rotation, Feed(rotation=rotation))
    feed = before.model_copy(update={"error": error, "failed_at": at})
    return duty.model_copy(update={"feeds": {**duty.feeds, rotation: feed}})


def tested(duty: OncallState, page: TestPage) -> OncallState:
    """The test page of a shift was sent. The first one of a shift and person counts."""
    if any(_same(t, page) for t in duty.tests):
        return duty
    return _forgetful(duty, page.sent_at, tests=(*duty.tests, page))


def answered(duty: OncallState, rotation: str, shift_start: datetime, person: str, at: datetime) -> OncallState:
    """A test page was answered: whoever was on call before is released. A second answer changes nothing."""

    def heard(test: TestPage) -> TestPage:
        asked = (test.rotation, test.shift_start, test.person) == (rotation, shift_start, person)
        return test.model_copy(update={"answered_at": at}) if asked and test.answered_at is None else test

    tests = tuple(map(heard, duty.tests))
    return duty if tests == duty.tests else duty.model_copy(update={"tests": tests})


def reached(duty: OncallState, person: str, at: datetime) -> OncallState:
    """Somebody answered a real page: that answers whatever test page of theirs waits."""
    for test in duty.tests:
        if test.person == person and test.sent_at <= at:
            duty = answered(duty, test.rotation, test.shift_start, person, at)
    return duty


def _same(one: TestPage, other: TestPage) -> bool:
    return (one.rotation, one.shift_start, one.person) == (other.rotation, other.shift_start, other.person)


def _known(kind: str, name: str, known: Iterable[str]) -> None:
    names = set(known)
    if name not in names:
        raise Refused(f"There is no {kind} called '{name}'{suggest(name, names)}")


def _possible(starts: datetime, ends: datetime, now: datetime) -> None:
    if ends <= starts:
        raise Refused("It ends before it begins; give the earlier time first.")
    if ends <= now:
        raise Refused("It lies wholly in the past; what was stays as it was.")
    if ends - starts > LONGEST:
        raise Refused("It is longer than a year; change the rotation in the configuration instead.")


def _without(pieces: tuple[D, ...], number: str) -> tuple[D, ...]:
    return tuple(p for p in pieces if str(p.id) != number)


def _forgetful(duty: OncallState, now: datetime, **changed: Any) -> OncallState:
    """The changed duty without what ended long ago."""
    after = duty.model_copy(update=changed)
    oldest = now - KEPT
    return after.model_copy(
        update={
            "overrides": tuple(o for o in after.overrides if o.ends > oldest),
            "away": tuple(a for a in after.away if a.ends > oldest),
            "tests": tuple(t for t in after.tests if t.shift_start > oldest),
        }
    )


TOLD_FOR = timedelta(days=2)  # what is older is told or, after an outage, not worth telling any more
Did = Literal["took", "override", "swapped", "away", "cancelled"]


def noted(before: OncallState, after: OncallState, did: Did, by: PersonId, at: datetime) -> OncallState:
    """The changed duty with a notice of what was made or taken back since `before`."""
    gone = [p for p in _pieces(before) if p not in _pieces(after)]
    made = [p for p in _pieces(after) if p.id > before.made]
    notice = Notice(did=did, pieces=tuple(gone if did == "cancelled" else made), by=by, at=at)
    kept = (n for n in after.notices if n.at > at - TOLD_FOR)
    return after.model_copy(update={"notices": (*kept, notice)})


def _pieces(duty: OncallState) -> tuple[Override | Away, ...]:
    return (*duty.overrides, *duty.away)
