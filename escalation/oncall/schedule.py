"""Who is really on call: the rotation's plan or its feed, with overrides, absences and unanswered test pages applied.

A turn is a stretch in which the same people are on duty. It never reaches over a shift of the plan: one override of two
weeks is two turns.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from typing import Literal

from escalation.config.company import Staff
from escalation.config.rotations import Shift
from escalation.values import Frozen, PersonId

EVER = datetime(1970, 1, 1, tzinfo=UTC)
TICK = timedelta(microseconds=1)
FURTHEST = 64  # shifts that are looked through for whoever takes over


class Override(Frozen):
    """Somebody else is on duty from (inclusive) until (exclusive). The later one made, with the higher id, wins."""

    id: int
    rotation: str
    person: str
    starts: datetime
    ends: datetime
    by: PersonId = ""
    why: str = ""


class Away(Frozen):
    """Somebody is away from (inclusive) until (exclusive). Id 0: the configuration says so."""

    id: int
    person: str
    starts: datetime
    ends: datetime
    by: PersonId = ""
    why: str = ""


class Feed(Frozen):
    """The last good copy of a rotation's calendar. A gap in it means nobody. `error`: why the last fetch failed."""

    rotation: str
    shifts: tuple[Shift, ...] = ()
    fetched_at: datetime | None = None
    error: str = ""
    failed_at: datetime | None = None


class TestPage(Frozen):
    """The page that opens a shift. Until it is answered, the outgoing person stays on call beside the incoming one."""

    rotation: str
    shift_start: datetime
    person: str
    sent_at: datetime
    answered_at: datetime | None = None
    channel: str = ""
    ts: str = ""

    def waits(self, at: datetime) -> bool:
        """Whether it had been sent and not yet answered at an instant of its shift."""
        answered = self.answered_at is not None and self.answered_at <= at
        return max(self.sent_at, self.shift_start) <= at and not answered


class Notice(Frozen):
    """What somebody arranged, or took back (`cancelled`), to be told to the others."""

    did: Literal["took", "override", "swapped", "away", "cancelled"]
    pieces: tuple[Override | Away, ...]
    by: PersonId
    at: datetime


class OncallState(Frozen):
    """Everything about on call that changes while running. `made`: the number of the latest override or absence."""

    overrides: tuple[Override, ...] = ()
    away: tuple[Away, ...] = ()
    feeds: dict[str, Feed] = {}
    tests: tuple[TestPage, ...] = ()
    notices: tuple[Notice, ...] = ()
    made: int = 0
    stamp: str = ""


class Turn(Frozen):
    """Who is on duty from (inclusive) until (exclusive). People by key, none: a gap.

    `planned` is whom the rotation or its feed names. `ends` None: nothing is known beyond.
    """

    rotation: str
    people: tuple[str, ...]
    planned: tuple[str, ...]
    starts: datetime
    ends: datetime | None


NOTHING_ARRANGED = OncallState()


def on_duty(name: str, company: Staff, duty: OncallState, at: datetime) -> tuple[str, ...]:
    """Keys of whoever is on call: none in a gap, two while the test page of a shift waits for its answer."""
    people = _held(name, company, duty, at)
    waiting = {t.shift_start for t in duty.tests if t.rotation == name and t.person in people and t.waits(at)}
    if not waiting or (starts := shift_at(name, company, duty, at).starts) not in waiting:
        return people
    gone = _gone(company, duty, at)
    outgoing = (p for p in _held(name, company, duty, starts - TICK) if p not in gone)
    return tuple(dict.fromkeys((*people, *outgoing)))


def next_on_duty(name: str, company: Staff, duty: OncallState, at: datetime) -> tuple[str, ...]:
    """Keys of whoever takes over at the next change of person: the backup. Whoever is away now is covered here too."""
    following = next_shift(name, company, duty, at)
    if following is None:
        return ()
    order = company.rotations[name].people
    away = _gone(company, duty, at)
    busy = away | set(on_duty(name, company, duty, at))
    return _each(_covered(p, order, away, busy) for p in following.people)


def shift_at(name: str, company: Staff, duty: OncallState, at: datetime) -> Turn:
    """The turn that holds at an instant, test pages left aside."""
    return next(t for t in _turns(name, company, duty, at) if t.ends is None or at < t.ends)


def next_shift(name: str, company: Staff, duty: OncallState, at: datetime) -> Turn | None:
    """The next turn of other people, gaps passed over; None when nobody else is in sight."""
    turns = islice(_ahead(name, company, duty, at), FURTHEST)
    now = next(turns)
    return next((t for t in turns if t.people and t.people != now.people), None)


def upcoming_shifts(name: str, company: Staff, duty: OncallState, at: datetime, until: datetime) -> tuple[Turn, ...]:
    """The turn that holds at an instant, and all that begin before `until`."""
    turns = []
    for turn in _ahead(name, company, duty, at):
        if turn.starts >= until:
            break
        turns.append(turn)
    return tuple(turns)


def override_at(name: str, company: Staff, duty: OncallState, at: datetime) -> Override | None:
    """The override that holds at an instant. One for somebody who left the configuration does not."""
    holding = [o for o in duty.overrides if o.rotation == name and o.starts <= at < o.ends]
    return max((o for o in holding if o.person in company.people), key=lambda o: o.id, default=None)


def absences(company: Staff, duty: OncallState) -> tuple[Away, ...]:
    """Who is away when: what the configuration says, and what people said since."""
    configured = (Away(id=0, person=p, starts=s, ends=e) for p, s, e in company.absences())
    return (*configured, *duty.away)


def boundaries(company: Staff, duty: OncallState, start: datetime, end: datetime) -> tuple[datetime, ...]:
    """Every instant between two, both excluded, at which who is on duty may change."""
    edges = chain.from_iterable(_edges(name, company, duty, start, end) for name in company.rotations)
    return tuple(sorted({e for e in edges if start < e < end}))


def _edges(name: str, company: Staff, duty: OncallState, start: datetime, end: datetime) -> Iterator[datetime]:
    for frame in _frames(name, company, duty, start):
        if frame.starts >= end:
            break
        yield frame.starts
    yield from _cuts(name, company, duty)
    for test in duty.tests:
        if test.rotation == name:
            yield from (i for i in (test.shift_start, test.sent_at, test.answered_at) if i)


def _cuts(name: str, company: Staff, duty: OncallState) -> set[datetime]:
    """Where a turn may begin or end in the midst of a shift."""
    pieces: tuple[Override | Away, ...] = (
        *(o for o in duty.overrides if o.rotation == name),
        *absences(company, duty),
    )
    return {p.starts for p in pieces} | {p.ends for p in pieces}


def _ahead(name: str, company: Staff, duty: OncallState, at: datetime) -> Iterator[Turn]:
    """The turn of an instant and all later ones."""
    for n, frame in enumerate(_frames(name, company, duty, at)):
        yield from (t for t in _within(frame, company, duty) if n or t.ends is None or at < t.ends)


def _turns(name: str, company: Staff, duty: OncallState, at: datetime) -> list[Turn]:
    return _within(_frame(name, company, duty, at), company, duty)


def _within(frame: Turn, company: Staff, duty: OncallState) -> list[Turn]:
    """A shift of the plan cut where its people really change."""
    inner = (c for c in _cuts(frame.rotation, company, duty) if c > frame.starts and (not frame.ends or c < frame.ends))
    out: list[Turn] = []
    for starts in sorted({frame.starts, *inner}):
        people = _held(frame.rotation, company, duty, starts)
        if out and out[-1].people == people:
            continue
        if out:
            out[-1] = out[-1].model_copy(update={"ends": starts})
        out.append(frame.model_copy(update={"people": people, "starts": starts}))
    return out


def _frames(name: str, company: Staff, duty: OncallState, at: datetime) -> Iterator[Turn]:
    frame = _frame(name, company, duty, at)
    while True:
        yield frame
        if frame.ends is None:
            return
        frame = _frame(name, company, duty, frame.ends)


def _frame(name: str, company: Staff, duty: OncallState, at: datetime) -> Turn:
    """The shift of the plan, or the stretch of the feed, that an instant lies in: nothing applied yet."""
    rotation = company.rotations[name]
    if rotation.ical:
        return _fed(name, company, duty.feeds.get(name, Feed(rotation=name)), at)
    shift = rotation.shift(at)
    people = (shift.person,)
    return Turn(rotation=name, people=people, planned=people, starts=shift.starts, ends=shift.ends)


def _fed(name: str, company: Staff, feed: Feed, at: datetime) -> Turn:
    edges = {s.starts for s in feed.shifts} | {s.ends for s in feed.shifts}
    people = tuple(s.person for s in feed.shifts if s.starts <= at < s.ends and s.person in company.people)
    return Turn(
        rotation=name,
        people=people,
        planned=people,
        starts=max((e for e in edges if e <= at), default=EVER),
        ends=min((e for e in edges if e > at), default=None),
    )


def _held(name: str, company: Staff, duty: OncallState, at: datetime) -> tuple[str, ...]:
    """What was said last counts: an override made during an absence holds, an absence said later is covered."""
    order = company.rotations[name].people
    away = _gone(company, duty, at)
    if standing := override_at(name, company, duty, at):
        return _covered(standing.person, order, _gone(company, duty, at, since=standing.id), away)
    return _each(_covered(p, order, away, away) for p in _frame(name, company, duty, at).planned)


def _gone(company: Staff, duty: OncallState, at: datetime, since: int = -1) -> set[str]:
    """Who is away at an instant, by what was said after so many overrides and absences."""
    return {a.person for a in absences(company, duty) if a.starts <= at < a.ends and a.id > since}


def _covered(person: str, order: tuple[str, ...], gone: set[str], unavailable: set[str]) -> tuple[str, ...]:
    """The person, or the next one of the rotation's order who is there; nobody when all are away."""
    if person not in gone:
        return (person,)
    place = order.index(person) + 1 if person in order else 0
    return next(((p,) for p in (*order[place:], *order[:place]) if p not in unavailable), ())


def _each(people: Iterator[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(people)))
