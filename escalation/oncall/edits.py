"""Edits of a rotation in the configuration: the running shift stays until its handover. Pure.

Each round of upkeep records the shift of now with the definition of its rotation. Whoever starts with another
definition finds that record, keeps the shift, and can say what changes after it.
"""

from datetime import datetime

from escalation.config.company import Staff
from escalation.config.rotations import Shift
from escalation.oncall.schedule import OncallState, RunningShift, kept_shift, shift_by_plan
from escalation.values import Frozen

SHIFTS_COMPARED = 8


class PlanChange(Frozen):
    """A planned shift that goes to other people, by key, than before an edit."""

    at: datetime
    before: tuple[str, ...]
    after: tuple[str, ...]


def record_running(state: OncallState, company: Staff, now: datetime) -> OncallState:
    """Record each rotation's shift of now; one that an edit left alone stays recorded until it ends."""
    running = {}
    for name in company.rotations:
        kept = kept_shift(name, company, state)
        if kept and kept.starts <= now and kept.ends and now < kept.ends:
            running[name] = state.running[name]
        elif shift := _running(name, company, state, now):
            running[name] = shift
    return state if running == state.running else state.model_copy(update={"running": running})


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
