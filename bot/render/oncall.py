"""Who is on call, who is the backup, when the next handover is, and what was arranged. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from escalation.config.company import Company, Directory, Roster
from escalation.config.policy import Policy
from escalation.oncall.schedule import NOTHING_ARRANGED, Duty, Feed, absences, next_on_duty, on_duty, shift_at
from escalation.text import Line, Person, Span, Strong, Time, line, people

SOON = timedelta(days=30)  # absences that begin later are not told yet


def on_call(
    company: Company,
    policy: Policy,
    directory: Directory,
    duty: Roster,
    now: datetime,
    arranged: Duty = NOTHING_ARRANGED,
) -> tuple[Line, ...]:
    """Lines for each rotation, for what was arranged, then one for each role of the policy."""
    board = Board(company, directory, arranged, now)
    return (*board.rotations(), *board.overrides(), *board.away(), *_roles(policy, duty))


class Board:
    """What there is to tell of rotations at an instant."""

    def __init__(self, company: Company, directory: Directory, arranged: Duty, now: datetime) -> None:
        self._company = company
        self._directory = directory
        self._arranged = arranged
        self._now = now

    def rotations(self) -> Iterator[Line]:
        for name in self._company.rotations:
            yield from self._rotation(name)

    def overrides(self) -> Iterator[Line]:
        for made in self._arranged.overrides:
            if made.ends > self._now and made.person in self._company.people:
                told = self._stretch(made.starts, made.ends, made.by, made.why)
                yield line(
                    Strong(f"Override {made.id}: "), *self._people((made.person,)), f" in {made.rotation}", *told
                )

    def away(self) -> Iterator[Line]:
        for gone in sorted(absences(self._company, self._arranged), key=lambda a: a.starts):
            if self._now < gone.ends and gone.starts < self._now + SOON and gone.person in self._company.people:
                told = self._stretch(gone.starts, gone.ends, gone.by, gone.why)
                yield line(Strong(f"Away {gone.id}: " if gone.id else "Away: "), *self._people((gone.person,)), *told)

    def _rotation(self, name: str) -> Iterator[Line]:
        where = (name, self._company, self._arranged)
        holding, backup = on_duty(*where, self._now), next_on_duty(*where, self._now)
        yield line(Strong(f"{name}: "), *self._people(holding), ", backup ", *self._people(backup))
        turn = shift_at(*where, self._now)
        if turn.ends:
            after = shift_at(*where, turn.ends)
            yield line("Next handover: ", Time(turn.ends, clock=False), " to ", *self._people(after.people))
        yield from self._test_page(name, turn.starts)
        if self._company.rotations[name].ical:
            yield from self._feed(name)

    def _test_page(self, name: str, starts: datetime) -> Iterator[Line]:
        for test in self._arranged.tests:
            if (test.rotation, test.shift_start) == (name, starts) and test.waits(self._now):
                who = self._people((test.person,)) if test.person in self._company.people else (test.person,)
                yield line("Test page sent at ", Time(test.sent_at), " to ", *who, ", not answered yet")

    def _feed(self, name: str) -> Iterator[Line]:
        feed = self._arranged.feeds.get(name, Feed(rotation=name))
        read = ("; its copy of ", Time(feed.fetched_at, clock=False), " holds") if feed.fetched_at else ("",)
        if feed.error:
            yield line(Strong("⚠️ "), f"The calendar of {name} has a problem: {feed.error}", *read, ".")
        elif feed.fetched_at:
            yield line(f"The calendar of {name} was read at ", Time(feed.fetched_at, clock=False), ".")
        else:
            yield line(f"The calendar of {name} was not read yet.")

    def _people(self, keys: tuple[str, ...]) -> Line:
        return people(tuple(self._company.member(key, self._directory) for key in keys))

    def _stretch(self, starts: datetime, ends: datetime, by: str, why: str) -> Line:
        signed: tuple[Span, ...] = (", by ", Person(by)) if by else ()
        span = (" from ", Time(starts, clock=False), " until ", Time(ends, clock=False))
        return (*span, *signed, *((f": {why}",) if why else ()))


def _roles(policy: Policy, duty: Roster) -> Iterator[Line]:
    for role, name in policy.roles.items():
        yield line(Strong(f"{name}: "), *people(duty.of(role)))
