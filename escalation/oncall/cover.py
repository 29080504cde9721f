"""Effective cover: who was on call when, overrides, swaps, handovers, absences, feeds and test pages applied. Pure.

The schedule can only say who is on call by the plan as it stands. Edits of it, cancelled overrides and events that
leave a calendar would change the past with it, so cover is recorded as time passes: what was stays.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import pairwise

from escalation.config.company import Staff
from escalation.oncall.schedule import OncallState, boundaries, on_call_at
from escalation.values import Frozen


class Cover(Frozen):
    """A stretch in which the same people, by key, were on call, from (inclusive) until (exclusive); none: a gap."""

    rotation: str
    people: tuple[str, ...]
    starts: datetime
    ends: datetime


class CoverRecord(Frozen):
    """Cover that is recorded from `since` until `until`; of it `running` is what may still go on.

    What was before `removed_until` is kept no longer, not for every rotation.
    """

    since: datetime
    until: datetime
    running: tuple[Cover, ...] = ()
    removed_until: datetime | None = None


def planned_cover(company: Staff, state: OncallState, start: datetime, end: datetime) -> tuple[Cover, ...]:
    """Return the cover between two instants by the schedule as it stands, by rotation and time."""
    if start >= end:
        return ()
    edges = (start, *boundaries(company, state, start, end), end)
    found = (
        Cover(rotation=name, people=on_call_at(name, company, state, starts), starts=starts, ends=ends)
        for name in company.rotations
        for starts, ends in pairwise(edges)
    )
    return tuple(joined(found))


def advance(
    record: CoverRecord, company: Staff, state: OncallState, now: datetime
) -> tuple[CoverRecord, tuple[Cover, ...]]:
    """Record the cover until now; return the record, and the stretches that have ended."""
    covers = tuple(joined((*record.running, *planned_cover(company, state, record.until, now))))
    running = tuple(cover for cover in covers if cover.ends == now)
    ended = tuple(cover for cover in covers if cover.ends != now)
    return record.model_copy(update={"until": now, "running": running}), ended


def joined(covers: Iterable[Cover]) -> Iterator[Cover]:
    """Join adjacent stretches of the same people; by rotation, in the order in which they come first, and time."""
    by_rotation: dict[str, list[Cover]] = {}
    for cover in covers:
        by_rotation.setdefault(cover.rotation, []).append(cover)
    for stretches in by_rotation.values():
        yield from _joined(sorted(stretches, key=lambda cover: cover.starts))


def _joined(stretches: Iterable[Cover]) -> Iterator[Cover]:
    last: Cover | None = None
    for cover in stretches:
        if last and (last.ends, last.people) == (cover.starts, cover.people):
            last = last.model_copy(update={"ends": cover.ends})
            continue
        if last:
            yield last
        last = cover
    if last:
        yield last


def clipped(covers: Iterable[Cover], start: datetime, end: datetime) -> Iterator[Cover]:
    """Yield what of these stretches lies between two instants."""
    for cover in covers:
        starts, ends = max(cover.starts, start), min(cover.ends, end)
        if starts < ends:
            yield cover.model_copy(update={"starts": starts, "ends": ends})
