"""Edits of rotations and people in the configuration: the running shift stays until its handover. Pure.

Each round of upkeep records the shift of now with the definition of its rotation. Whoever starts with another
definition finds that record, keeps the shift, and can say what changes after it; and what no longer counts, since its
person or its rotation is not there any more.
"""

from collections.abc import Iterator
from datetime import datetime

from escalation.config.company import Staff
from escalation.config.rotations import Shift
from escalation.oncall.schedule import LeftShift, OncallState, RunningShift, kept_shift, shift_by_plan
from escalation.values import Frozen

SHIFTS_COMPARED = 8


class PlanChange(Frozen):
    """A planned shift that goes to other people, by key, than before an edit."""

    at: datetime
    before: tuple[str, ...]
    after: tuple[str, ...]


def record_running(state: OncallState, company: Staff, now: datetime) -> OncallState:
    """Record each rotation's shift of now, and what counts no more; a shift that an edit left alone stays recorded."""
    running, left = {}, left_shifts(state, company, now)
    for name in company.rotations:
        kept = kept_shift(name, company, state)
        if kept and kept.starts <= now and kept.ends and now < kept.ends:
            running[name] = state.running[name]
        elif shift := _running(name, company, state, now):
            running[name] = shift
    same = (running, left) == (state.running, state.left)
    return state if same else state.model_copy(update={"running": running, "left": left})


def left_shifts(state: OncallState, company: Staff, now: datetime) -> tuple[LeftShift, ...]:
    """Return the time on call, of now and to come, whose person or rotation left the configuration."""
    known = {(shift.rotation, shift.person, shift.number, shift.starts): shift for shift in state.left}
    found = {(s.rotation, s.person, s.number, s.starts): s for s in _left(state, company, now)}
    running = {key: shift for key, shift in known.items() if not shift.number}  # no longer to be seen in `running`
    all_of_them = {**running, **found, **{key: known[key] for key in found if key in known}}
    return tuple(s for s in all_of_them.values() if now < s.ends and _is_gone(s.rotation, s.person, company))


def _left(state: OncallState, company: Staff, now: datetime) -> Iterator[LeftShift]:
    for name, shift in state.running.items():
        for person in shift.people if shift.starts <= now else ():
            if _is_gone(name, person, company):
                yield LeftShift(rotation=name, person=person, starts=shift.starts, ends=shift.ends, since=now)
    for made in state.overrides:
        if _is_gone(made.rotation, made.person, company):
            about = made.model_dump(include={"rotation", "person", "starts", "ends", "by"})
            yield LeftShift(**about, number=made.id, since=now)


def _is_gone(rotation: str, person: str, company: Staff) -> bool:
    return rotation not in company.rotations or person not in company.people


def plan_changes(name: str, company: Staff, state: OncallState) -> tuple[PlanChange, ...]:
    """Return the shifts, as they were planned before an edit, that go to other people by it."""
    if (kept := kept_shift(name, company, state)) is None:
        return ()
    planned = ((s, shift_by_plan(name, company, state, s.starts).people) for s in state.running[name].ahead)
    changed = (PlanChange(at=s.starts, before=(s.person,), after=after) for s, after in planned if after != (s.person,))
    return tuple(c for c in changed if kept.ends and c.at >= kept.ends)


def _running(name: str, company: Staff, state: OncallState, now: datetime) -> RunningShift | None:
    rotation, planned = company.rotations[name], shift_by_plan(name, company, state, now)
    if not planned.people or planned.ends is None:
        return None
    ahead: tuple[Shift, ...] = ()
    if not (rotation.ical or rotation.layers):
        ahead = tuple(rotation.shift(now, n) for n in range(1, SHIFTS_COMPARED + 1))
    return RunningShift(
        definition=rotation.definition, people=planned.people, starts=planned.starts, ends=planned.ends, ahead=ahead
    )
