"""Time on call that goes from some people to others by an override, a swap or an absence. Pure."""

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

from escalation.config.company import Staff
from escalation.oncall.schedule import MovedShift, OncallState, boundaries, on_call_at


def moved_shifts(
    before: OncallState, after: OncallState, company: Staff, start: datetime, end: datetime
) -> tuple[MovedShift, ...]:
    """Return the stretches between two instants in which other people are on call than before, by rotation."""
    edges = {start, end} | {e for state in (before, after) for e in boundaries(company, state, start, end)}
    return tuple(m for name in company.rotations for m in _moved(name, before, after, company, sorted(edges)))


def _moved(
    name: str, before: OncallState, after: OncallState, company: Staff, edges: list[datetime]
) -> Iterator[MovedShift]:
    """Join the adjacent stretches in which the same people replace the same others."""
    last: MovedShift | None = None
    for starts, ends in pairwise(edges):
        former, people = (on_call_at(name, company, state, starts) for state in (before, after))
        if last and (former, people, starts) == (last.former, last.people, last.ends):
            last = last.model_copy(update={"ends": ends})
            continue
        if last:
            yield last
        moved = set(former) != set(people)
        last = MovedShift(rotation=name, former=former, people=people, starts=starts, ends=ends) if moved else None
    if last:
        yield last
