"""The final on-call schedule: rotations or their feeds, with overrides, absences and unanswered test pages applied.

A shift is a stretch in which the same people are on call. It never extends beyond a planned shift: one override of two
weeks is two shifts.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import chain, islice
from typing import Literal

from escalation.config.company import Staff
from escalation.config.layers import Layer, held_on
from escalation.config.notify import By
from escalation.config.rotations import Shift
from escalation.notify.preferences import Preferences
from escalation.values import Frozen, PersonId

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SHIFTS_SEARCHED = 64  # when looking for the next change of person


class Override(Frozen):
    """An override: somebody else on call from (inclusive) until (exclusive). The one made later (higher id) wins."""

    id: int
    rotation: str
    person: str
    starts: datetime
    ends: datetime
    by: PersonId = ""
    why: str = ""


class Away(Frozen):
    """An absence from (inclusive) until (exclusive). Id 0: the configuration says so."""

    id: int
    person: str
    starts: datetime
    ends: datetime
    by: PersonId = ""
    why: str = ""


class Feed(Frozen):
    """The last good copy of a rotation's calendar. A gap in it means nobody. `error`: why the last fetch failed.

    `problems` are its events that do not hold, `notes` what was assumed to read it, such as a time zone.
    """

    rotation: str
    shifts: tuple[Shift, ...] = ()
    fetched_at: datetime | None = None
    error: str = ""
    failed_at: datetime | None = None
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class TestPage(Frozen):
    """The test page of a shift. Until it is answered, the outgoing person stays on call beside the incoming one."""

    rotation: str
    shift_start: datetime
    person: str
    sent_at: datetime
    answered_at: datetime | None = None
    channel: str = ""
    ts: str = ""

    def is_unanswered(self, at: datetime) -> bool:
        """True if it had been sent and not yet answered at an instant of its shift."""
        answered = self.answered_at is not None and self.answered_at <= at
        return max(self.sent_at, self.shift_start) <= at and not answered


class MovedShift(Frozen):
    """Time on call that goes from `former` people to others, by key, from (inclusive) until (exclusive)."""

    rotation: str
    former: tuple[str, ...]
    people: tuple[str, ...]
    starts: datetime
    ends: datetime

    def concerns(self, person: str) -> bool:
        """True if somebody's time on call begins or ends by it."""
        return (person in self.former) != (person in self.people)


class Notice(Frozen):
    """Notice to the others of an override or absence that was made or taken back (`cancelled`), and what it moves."""

    did: Literal["took", "override", "swapped", "away", "cancelled"]
    pieces: tuple[Override | Away, ...]
    by: PersonId
    at: datetime
    moved: tuple[MovedShift, ...] = ()

    def concerned(self) -> tuple[str, ...]:
        """Keys of everybody whose time on call or absence it begins or ends."""
        changed = (p for m in self.moved for p in (*m.former, *m.people) if m.concerns(p))
        return tuple(dict.fromkeys((*changed, *(p.person for p in self.pieces if isinstance(p, Away)))))


class RunningShift(Frozen):
    """The planned shift of now, and the `definition` of its rotation: it stays until its end, whatever is edited.

    `ahead` are the shifts that were planned after it, to say what an edit changes.
    """

    definition: str
    people: tuple[str, ...]
    starts: datetime
    ends: datetime
    ahead: tuple[Shift, ...] = ()


class LeftShift(Frozen):
    """Time on call that counts no more since then: its person, or its rotation, left the configuration.

    `number` is that of an override, made `by` somebody; 0: it was the planned shift of that moment.
    """

    rotation: str
    person: str
    starts: datetime
    ends: datetime
    since: datetime
    number: int = 0
    by: PersonId = ""


class GroupFault(Frozen):
    """What keeps a rotation's user group from following it, since when; `people` are the keys of those left out."""

    group: str
    problem: str
    since: datetime
    people: tuple[str, ...] = ()


class TrialState(StrEnum):
    """State of the test of a contact method; later news never takes it back to an earlier one."""

    ASKED = "asked"
    ACCEPTED = "accepted"
    FAILED = "failed"
    DELIVERED = "delivered"

    @property
    def rank(self) -> int:
        """Rank among the states."""
        return list(TrialState).index(self)


class Trial(Frozen):
    """A test of one contact method of a person; `member` is told of it. `at`: since when it stands as it does."""

    id: int
    person: str
    member: PersonId
    by: By
    asked_at: datetime
    at: datetime
    state: TrialState = TrialState.ASKED
    why: str = ""
    told: TrialState = TrialState.ASKED

    @property
    def delivery(self) -> str:
        """Id under which it is sent: the vendor's news name it."""
        return f"{TRIAL}{self.id}"


TRIAL = "test-"


class RestAsk(Frozen):
    """A question to somebody, by key, whether they take a shift; they may have declined.

    `minutes` is how long they were on call lately.
    """

    person: str
    at: datetime
    minutes: int = 0
    declined_at: datetime | None = None


class RestDebt(Frozen):
    """Rest that is due to somebody who `worked` at night until then: their shift from (inclusive) until (exclusive).

    `asked` are the people who were asked to take it; `taken_as` is the member id of who did. `unmet_at`: since when
    nobody is left to ask.
    """

    id: str
    rotation: str
    person: str
    worked: datetime
    starts: datetime
    ends: datetime
    asked: tuple[RestAsk, ...] = ()
    taken_by: str = ""
    taken_as: PersonId = ""
    unmet_at: datetime | None = None


class OncallState(Frozen):
    """On-call state that changes while running. `made`: the number of the latest override or absence.

    `preferences` are what people set for themselves, by their key, else their member id. `trials`: tests of methods.
    `nights_seen` are the ends of the nights that were looked at for `rest`, by person.
    """

    overrides: tuple[Override, ...] = ()
    away: tuple[Away, ...] = ()
    feeds: dict[str, Feed] = {}
    running: dict[str, RunningShift] = {}
    left: tuple[LeftShift, ...] = ()
    group_faults: dict[str, GroupFault] = {}
    tests: tuple[TestPage, ...] = ()
    notices: tuple[Notice, ...] = ()
    preferences: dict[str, Preferences] = {}
    trials: tuple[Trial, ...] = ()
    rest: tuple[RestDebt, ...] = ()
    nights_seen: dict[str, datetime] = {}
    made: int = 0
    stamp: str = ""


class OncallShift(Frozen):
    """A shift with its people by key, from (inclusive) until (exclusive). No people: a gap.

    `planned` is whom the rotation or its feed names. `ends` None: nothing is known beyond.
    """

    rotation: str
    people: tuple[str, ...]
    planned: tuple[str, ...]
    starts: datetime
    ends: datetime | None


EMPTY_STATE = OncallState()


def on_call_at(name: str, company: Staff, state: OncallState, at: datetime) -> tuple[str, ...]:
    """Keys of the people on call: none in a gap, two while the test page of a shift is unanswered."""
    people = _people_at(name, company, state, at)
    unanswered = {
        t.shift_start for t in state.tests if t.rotation == name and t.person in people and t.is_unanswered(at)
    }
    if not unanswered or (starts := shift_at(name, company, state, at).starts) not in unanswered:
        return people
    away = _people_away(company, state, at)
    outgoing = (p for p in _people_at(name, company, state, starts - MICROSECOND) if p not in away)
    return tuple(dict.fromkeys((*people, *outgoing)))


def next_on_call(name: str, company: Staff, state: OncallState, at: datetime) -> tuple[str, ...]:
    """Keys of the backup: who takes over at the next change of person. Absences of now are covered here too."""
    following = next_shift(name, company, state, at)
    if following is None:
        return ()
    order = company.rotations[name].people
    away = _people_away(company, state, at)
    busy = away | set(on_call_at(name, company, state, at))
    return _unique(_person_or_cover(p, order, away, busy) for p in following.people)


def shift_at(name: str, company: Staff, state: OncallState, at: datetime) -> OncallShift:
    """Return the shift that holds at an instant, test pages left aside."""
    return next(t for t in _shifts_within_plan(name, company, state, at) if t.ends is None or at < t.ends)


def next_shift(name: str, company: Staff, state: OncallState, at: datetime) -> OncallShift | None:
    """Return the next shift of other people, skipping gaps; None when there is none in SHIFTS_SEARCHED."""
    shifts_ahead = islice(_shifts_from(name, company, state, at), SHIFTS_SEARCHED)
    now = next(shifts_ahead)
    return next((t for t in shifts_ahead if t.people and t.people != now.people), None)


def upcoming_shifts(
    name: str, company: Staff, state: OncallState, at: datetime, until: datetime
) -> tuple[OncallShift, ...]:
    """Return the shift that holds at an instant, and all that begin before `until`."""
    shifts_ahead = []
    for shift in _shifts_from(name, company, state, at):
        if shift.starts >= until:
            break
        shifts_ahead.append(shift)
    return tuple(shifts_ahead)


def replaced_by(override: Override, company: Staff, state: OncallState, now: datetime) -> tuple[int, ...] | None:
    """Numbers of the later overrides that win over this one, from now on; None if nothing of it is left."""
    starts = max(now, override.starts)
    later = [o for o in state.overrides if o.rotation == override.rotation and o.id > override.id]
    over = [o for o in later if o.starts < override.ends and o.ends > starts and o.person in company.people]
    edges = {starts, *(o.ends for o in over if o.ends < override.ends)}
    held = (override_at(override.rotation, company, state, at) for at in edges)
    return tuple(o.id for o in over) if any(o and o.id == override.id for o in held) else None


def override_at(name: str, company: Staff, state: OncallState, at: datetime) -> Override | None:
    """Return the override that holds at an instant. One for somebody who left the configuration does not count."""
    active = [o for o in state.overrides if o.rotation == name and o.starts <= at < o.ends]
    return max((o for o in active if o.person in company.people), key=lambda o: o.id, default=None)


def absences(company: Staff, state: OncallState) -> tuple[Away, ...]:
    """Absences: those of the configuration, and those that people announced."""
    configured = (Away(id=0, person=p, starts=s, ends=e) for p, s, e in company.absences())
    return (*configured, *state.away)


def boundaries(company: Staff, state: OncallState, start: datetime, end: datetime) -> tuple[datetime, ...]:
    """Return every instant between two, both excluded, at which the people on call may change."""
    edges = chain.from_iterable(_boundaries_of(name, company, state, start, end) for name in company.rotations)
    return tuple(sorted({e for e in edges if start < e < end}))


def _boundaries_of(name: str, company: Staff, state: OncallState, start: datetime, end: datetime) -> Iterator[datetime]:
    for planned in _planned_shifts(name, company, state, start):
        if planned.starts >= end:
            break
        yield planned.starts
    yield from _change_times(name, company, state)
    for test in state.tests:
        if test.rotation == name:
            yield from (i for i in (test.shift_start, test.sent_at, test.answered_at) if i)


def _change_times(name: str, company: Staff, state: OncallState) -> set[datetime]:
    """Instants within a planned shift at which overrides and absences begin or end."""
    pieces: tuple[Override | Away, ...] = (
        *(o for o in state.overrides if o.rotation == name),
        *absences(company, state),
    )
    return {p.starts for p in pieces} | {p.ends for p in pieces}


def _shifts_from(name: str, company: Staff, state: OncallState, at: datetime) -> Iterator[OncallShift]:
    """Yield the shift of an instant and all later ones."""
    for n, planned in enumerate(_planned_shifts(name, company, state, at)):
        yield from (t for t in _split_at_changes(planned, company, state) if n or t.ends is None or at < t.ends)


def _shifts_within_plan(name: str, company: Staff, state: OncallState, at: datetime) -> list[OncallShift]:
    return _split_at_changes(_planned_shift(name, company, state, at), company, state)


def _split_at_changes(planned: OncallShift, company: Staff, state: OncallState) -> list[OncallShift]:
    """Split a planned shift where its people really change."""
    inner = (
        c
        for c in _change_times(planned.rotation, company, state)
        if c > planned.starts and (not planned.ends or c < planned.ends)
    )
    out: list[OncallShift] = []
    for starts in sorted({planned.starts, *inner}):
        people = _people_at(planned.rotation, company, state, starts)
        if out and out[-1].people == people:
            continue
        if out:
            out[-1] = out[-1].model_copy(update={"ends": starts})
        out.append(planned.model_copy(update={"people": people, "starts": starts}))
    return out


def _planned_shifts(name: str, company: Staff, state: OncallState, at: datetime) -> Iterator[OncallShift]:
    planned = _planned_shift(name, company, state, at)
    while True:
        yield planned
        if planned.ends is None:
            return
        planned = _planned_shift(name, company, state, planned.ends)


def kept_shift(name: str, company: Staff, state: OncallState) -> OncallShift | None:
    """Return the shift that was running when its rotation was edited; it holds until its end.

    None while the rotation stands as it did, and for people who left the configuration.
    """
    running = state.running.get(name)
    if running is None or running.definition == company.rotations[name].definition:
        return None
    people = tuple(p for p in running.people if p in company.people)
    if not people:
        return None
    return OncallShift(rotation=name, people=people, planned=people, starts=running.starts, ends=running.ends)


def _planned_shift(name: str, company: Staff, state: OncallState, at: datetime) -> OncallShift:
    """Return the planned shift that holds at an instant: nothing applied yet but the one that an edit leaves alone."""
    kept = kept_shift(name, company, state)
    if kept is None or kept.ends is None:
        return shift_by_plan(name, company, state, at)
    if kept.starts <= at < kept.ends:
        return kept
    planned = shift_by_plan(name, company, state, at)
    if at >= kept.ends:
        return planned.model_copy(update={"starts": max(planned.starts, kept.ends)})
    ends = min(planned.ends, kept.starts) if planned.ends else kept.starts
    return planned.model_copy(update={"ends": ends})


def shift_by_plan(name: str, company: Staff, state: OncallState, at: datetime) -> OncallShift:
    """Return the shift of an instant by the rotation or its feed as they stand now."""
    rotation = company.rotations[name]
    if rotation.ical:
        return _planned_by_feed(name, company, state.feeds.get(name, Feed(rotation=name)), at)
    if rotation.layers:
        return _planned_by_layers(name, rotation.layers, company, at)
    shift = rotation.shift(at)
    people = (shift.person,)
    return OncallShift(rotation=name, people=people, planned=people, starts=shift.starts, ends=shift.ends)


def _planned_by_feed(name: str, company: Staff, feed: Feed, at: datetime) -> OncallShift:
    edges = {s.starts for s in feed.shifts} | {s.ends for s in feed.shifts}
    people = tuple(s.person for s in feed.shifts if s.starts <= at < s.ends and s.person in company.people)
    return OncallShift(
        rotation=name,
        people=people,
        planned=people,
        starts=max((e for e in edges if e <= at), default=BEGINNING),
        ends=min((e for e in edges if e > at), default=None),
    )


def _planned_by_layers(name: str, layers: tuple[Layer, ...], company: Staff, at: datetime) -> OncallShift:
    held = next(h for h in held_on(layers, at.astimezone(UTC).date()) if h.ends is None or at < h.ends)
    people = tuple(p for p in held.people if p in company.people)
    return OncallShift(rotation=name, people=people, planned=people, starts=held.starts or BEGINNING, ends=held.ends)


def _people_at(name: str, company: Staff, state: OncallState, at: datetime) -> tuple[str, ...]:
    """Keys of the people on call, test pages left aside.

    The latest change counts: an override made during an absence holds, an absence announced later is covered.
    """
    order = company.rotations[name].people
    away = _people_away(company, state, at)
    if active := override_at(name, company, state, at):
        return _person_or_cover(active.person, order, _people_away(company, state, at, since=active.id), away)
    return _unique(_person_or_cover(p, order, away, away) for p in _planned_shift(name, company, state, at).planned)


def _people_away(company: Staff, state: OncallState, at: datetime, since: int = -1) -> set[str]:
    """Keys of the people away at an instant, by absences with a higher id than `since`."""
    return {a.person for a in absences(company, state) if a.starts <= at < a.ends and a.id > since}


def _person_or_cover(person: str, order: tuple[str, ...], away: set[str], unavailable: set[str]) -> tuple[str, ...]:
    """Return the person, or the next in the rotation's order who is available; nobody when all are away."""
    if person not in away:
        return (person,)
    place = order.index(person) + 1 if person in order else 0
    return next(((p,) for p in (*order[place:], *order[:place]) if p not in unavailable), ())


def _unique(people: Iterator[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(people)))
