"""The simulation: what it foretells is what happens, to the line of the timeline."""

import functools
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.parsing.simulate import _body
from escalation.config.company import Company, Directory
from escalation.config.policy import Severity
from escalation.engine.checkpoints import alarms
from escalation.engine.state_machine import decide, declare
from escalation.errors import Refused
from escalation.incident.effects import Effect, OpenRoom, SendPage
from escalation.incident.events.declaration import Declare, Terms
from escalation.incident.events.moves import (
    Acknowledge,
    FixApplied,
    FixFailed,
    MoveEvent,
    Resolve,
    RootCause,
    Workaround,
)
from escalation.incident.events.news import CheckpointDue
from escalation.incident.events.outcomes import Delivered, RoomOpened
from escalation.incident.model import Incident
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.facts import Facts
from escalation.incident.state.rooms import Room
from escalation.oncall.roster import Roster, roster
from escalation.oncall.schedule import EMPTY_STATE, Away, OncallState, Override
from escalation.service import terms_for
from escalation.simulation import LONGEST, Script, Simulation, Step, endless_reminders, simulate
from escalation.text import text
from sandbox.company import stable_id
from tests.support.profiles import examples, slowly
from tests.support.story import shipped
from tests.support.worker import SlackByClock, Works, redis_of, works

MINUTE = timedelta(minutes=1)
PEOPLE = {key: stable_id("U", key) for key in ("dana", "omar", "mei", "lena", "erik", "sofia")}
PAULA = stable_id("U", "paula")
ROLES: dict[str, Any] = {
    "on_call": "rotation primary",
    "backup": "rotation primary next",
    "devops_lead": "lena",
    "engineering_team": "rotation primary",
    "engineering_manager": "erik",
    "executives": ["sofia", "erik"],
    "cto": "sofia",
    "security_team": ["sofia", "lena"],
}
# The instants around which people change, clocks change and offices close: Europe/Berlin.
TURNING = (
    datetime(2026, 12, 14, 8, 0, tzinfo=UTC),  # a handover, Monday 09:00
    datetime(2026, 3, 29, 1, 0, tzinfo=UTC),  # clocks go forward
    datetime(2026, 10, 25, 1, 0, tzinfo=UTC),  # clocks go back
    datetime(2026, 12, 23, 16, 0, tzinfo=UTC),  # offices close until the 28th
    datetime(2026, 12, 28, 8, 0, tzinfo=UTC),  # they open, at a handover
)


def company(without: frozenset[str] = frozenset()) -> Company:
    """A company in Berlin that changes hands on Mondays at nine and has two days off at Christmas."""
    return Company.model_validate(
        {
            "policy": "kars",
            "timezone": "Europe/Berlin",
            "meeting_url": "https://meet.example/abc",
            "people": {key: {"slack": member} for key, member in PEOPLE.items()},
            "roles": {role: holder for role, holder in ROLES.items() if role not in without},
            "rotations": {
                "primary": {
                    "people": ["dana", "omar", "mei"],
                    "handover": "Monday 09:00",
                    "timezone": "Europe/Berlin",
                }
            },
            "services": {"checkout": {"team": "backend", "lead": "lena"}},
            "calendar": {"timezone": "Europe/Berlin", "closed": ["2026-12-24", "2026-12-25"]},
        }
    )


def rostering(of: Company, state: OncallState = EMPTY_STATE) -> Any:
    return functools.partial(_roster, of, state)


def _roster(of: Company, state: OncallState, at: datetime) -> Roster:
    return roster(of, Directory(), at, state)


def simulated(
    severity: str = "P0",
    at: datetime = TURNING[0],
    script: Script | None = None,
    until: timedelta | None = None,
    *,
    policy: str = "kars",
    state: OncallState = EMPTY_STATE,
    without: frozenset[str] = frozenset(),
    **said: Any,
) -> Simulation:
    of, facts = company(without), Facts(title="Simulated", **said)
    terms = terms_for(of, shipped(policy).severities[Severity(severity)], facts, at)
    return simulate(terms, facts, PAULA, at, rostering(of, state), script or {}, until)


def told(found: Simulation) -> list[tuple[Any, ...]]:
    return [(r.kind, r.at, r.people if r.kind is not EntryKind.ROOM_OPENED else (), r.why, r.by) for r in found.rows]


def happened(incident: Incident) -> list[tuple[Any, ...]]:
    return [(e.kind, e.at, e.people, e.why, e.by) for e in incident.timeline]


# It really happens so ------------------------------------------------------------------------------------------------

MOVES: dict[Step, tuple[EntryKind, Any]] = {
    Step.ACK: (EntryKind.ACKNOWLEDGED, lambda by: Acknowledge(by=by)),
    Step.ROOT_CAUSE: (EntryKind.ROOT_CAUSE, lambda by: RootCause(by=by, cause="found")),
    Step.WORKAROUND: (EntryKind.WORKAROUND, lambda by: Workaround(by=by, text="rolled back")),
    Step.FIX: (EntryKind.FIX_APPLIED, lambda by: FixApplied(by=by)),
    Step.FIX_FAILS: (EntryKind.FIX_FAILED, lambda by: FixFailed(by=by)),
    Step.RESOLVE: (EntryKind.RESOLVED, lambda by: Resolve(by=by, summary="over", resolution="mended")),
}


def acted(found: Simulation, script: Script, start: datetime) -> Iterator[tuple[datetime, MoveEvent]]:
    """The steps as moves of whoever the simulation says would make them."""
    for step in Step:
        if step in script:
            kind, made = MOVES[step]
            at = start + script[step]
            yield at, made(next(r.by for r in found.rows if (r.kind, r.at) == (kind, at)))


class Real:
    """The incident itself, on a pushed clock: each effect goes out by itself and is answered as the outside would."""

    def __init__(self, terms: Terms, facts: Facts, start: datetime, roster_at: Any) -> None:
        self.now, self.roster_at = start, roster_at
        event = Declare(by=PAULA, facts=facts, terms=terms)
        self.incident = declare("INC-20261214-001", event, start, roster_at(start))
        self._work()

    def until(self, target: datetime) -> None:
        while (due := min(alarms(self.incident).values(), default=None)) is not None and due <= target:
            self.now = max(due, self.now)
            self._decide(CheckpointDue(checkpoint="any"))
            self._work()

    def act(self, at: datetime, move: MoveEvent) -> None:
        """What is due before is done before; at the same instant, people come first."""
        self.until(at - timedelta(microseconds=1))
        self.now = at
        self._decide(move)
        self._work()

    def _decide(self, event: Any) -> None:
        self.incident = decide(self.incident, event, self.now, self.roster_at(self.now))

    def _work(self) -> None:
        while self.incident.effects:
            waiting = {e.id for e in self.incident.effects}
            self._decide(self._answer(next(e for e in self.incident.effects if e.after not in waiting)))

    def _answer(self, effect: Effect) -> Any:
        if isinstance(effect, OpenRoom):
            return RoomOpened(effect=effect.id, room=Room(channel="C1", name=effect.name, private=effect.private))
        person = self.incident.page(effect.page).person if isinstance(effect, SendPage) else ""
        return Delivered(effect=effect.id, channel="D1", ts=effect.id, face=self.incident.face, person=person)


starts = st.builds(
    lambda at, minutes: at - minutes * MINUTE, st.sampled_from(TURNING), st.sampled_from((-7, 0, 5, 15, 30, 120, 600))
)
lengths = st.sampled_from((5, 7, 15, 16, 30, 45, 60, 119, 120, 240, 250)).map(lambda m: m * MINUTE)


@st.composite
def scripts(draw: Any) -> dict[Step, timedelta]:
    """What people do, in the order in which it can be done."""
    steps = [s for s in Step if draw(st.booleans())]
    steps = [s for s in steps if s is not Step.FIX_FAILS or Step.FIX in steps]
    after = draw(st.lists(lengths, min_size=len(steps), max_size=len(steps), unique=True).map(sorted))
    return dict(zip(steps, after, strict=True))


@st.composite
def oncall_states(draw: Any) -> OncallState:
    """Somebody is away, somebody took over a shift, around one of those instants."""
    at = draw(st.sampled_from(TURNING))
    person = draw(st.sampled_from(("dana", "omar", "mei")))
    away = Away(id=1, person=person, starts=at - timedelta(hours=5), ends=at + timedelta(minutes=20))
    other = Override(id=2, rotation="primary", person="lena", starts=at, ends=at + timedelta(hours=2))
    return OncallState(
        away=(away,) if draw(st.booleans()) else (), overrides=(other,) if draw(st.booleans()) else (), made=2
    )


said = st.fixed_dictionaries({name: st.booleans() for name in ("security", "outage", "major_impact", "data_loss")})


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    policy=st.sampled_from(("kars", "beauty")),
    severity=st.sampled_from(Severity),
    start=starts,
    script=scripts(),
    state=oncall_states(),
    without=st.frozensets(st.sampled_from(sorted(ROLES)), max_size=3),
    service=st.sampled_from(("", "checkout")),
    said=said,
    until=st.none() | st.sampled_from((timedelta(hours=1), timedelta(hours=5))),
)
def test_what_is_simulated_happens(
    policy: str,
    severity: Severity,
    start: datetime,
    script: Script,
    state: OncallState,
    without: frozenset[str],
    service: str,
    said: dict[str, bool],
    until: timedelta | None,
) -> None:
    """The same incident, each of its effects carried out and answered one by one, has the same timeline."""
    pace = 1 if severity in (Severity.P0, Severity.P1) else 12  # of the others, the clocks are slower
    until = until and until * pace
    script = {step: after * pace for step, after in script.items() if until is None or after * pace <= until}
    of, facts = company(without), Facts(title="Simulated", service=service, **said)
    terms = terms_for(of, shipped(policy).severities[severity], facts, start)
    found = simulate(terms, facts, PAULA, start, rostering(of, state), script, until)
    real = Real(terms, facts, start, rostering(of, state))
    for at, move in acted(found, script, start):
        real.act(at, move)
    real.until(found.ends)
    # Of an opened room the simulation tells whom it invites: the timeline has nobody there.
    assert told(found) == happened(real.incident)
    assert set(alarms(found.incident).values()) == set(alarms(real.incident).values())


def hours(**steps: float) -> Script:
    return {Step[name.upper()]: timedelta(hours=length) for name, length in steps.items()}


HANDOVER, SPRING, AUTUMN, CHRISTMAS, BACK = TURNING


@pytest.mark.parametrize(
    ("policy", "severity", "start", "script", "said", "until"),
    [
        slowly("kars", "P0", HANDOVER - 10 * MINUTE, {}, {}, 2.5),
        slowly("kars", "P0", SPRING, hours(ack=0.2, root_cause=0.6, fix=1, resolve=1.5), {}, None),
        slowly("kars", "P0", AUTUMN, hours(ack=0.2, fix=0.5, fix_fails=0.75, resolve=2.25), {"data_loss": True}, None),
        ("kars", "P0", CHRISTMAS, hours(ack=0.1), {"security": True}, 1),
        slowly("kars", "P1", HANDOVER - 90 * MINUTE, {}, {}, 4.5),
        ("kars", "P1", SPRING, hours(workaround=0.5, resolve=5), {"service": "checkout"}, None),
        ("kars", "P2", HANDOVER - 90 * MINUTE, {}, {"service": "checkout"}, None),
        ("kars", "P2", AUTUMN, hours(ack=3, resolve=50), {}, None),
        ("kars", "P3", CHRISTMAS, {}, {}, None),
        slowly("beauty", "P0", HANDOVER - 7 * MINUTE, {}, {"outage": True, "major_impact": True}, 1.5),
        slowly(
            "beauty",
            "P0",
            AUTUMN,
            hours(ack=0.1, workaround=0.5, fix=0.75, fix_fails=1, resolve=2),
            {"outage": True},
            None,
        ),
        slowly("beauty", "P1", BACK - 30 * MINUTE, hours(ack=1.5, resolve=4.5), {"outage": True}, None),
        ("beauty", "P2", CHRISTMAS, {}, {}, None),
        ("beauty", "P3", CHRISTMAS, {}, {}, None),
    ],
)
def test_the_whole_stack_does_what_was_simulated(
    slack_by_clock: SlackByClock,
    policy: str,
    severity: str,
    start: datetime,
    script: Script,
    said: dict[str, Any],
    until: float | None,
) -> None:
    """Store, ticker, jobs and deliveries into a workspace, on a pushed clock: the same lines at the same instants."""
    workspace, clock = slack_by_clock
    of = company()
    with redis_of("valkey") as redis:
        clock.now = start
        parts = works(redis, workspace, clock, of)
        parts.service.policy = shipped(policy)
        parts.control("reset")
        facts = Facts(title="Simulated", **said)
        stop = timedelta(hours=until) if until else None
        terms = parts.service.terms(Severity(severity), facts, start)
        found = simulate(terms, facts, PAULA, start, parts.service.roster, script, stop)
        incident = parts.service.declare(PAULA, Severity(severity), facts)
        parts.run()
        for at, move in acted(found, script, start):
            _push(parts, incident.id, at - timedelta(microseconds=1))
            clock.now = at
            parts.service.handle(incident.id, move)
            parts.run()
        _push(parts, incident.id, found.ends)
        now = parts.settled(incident)
        assert told(found) == happened(now)
        assert not now.troubles


def _push(parts: Works, incident: str, target: datetime) -> None:
    """Stop at each alarm on the way, and let the workers do what falls due there."""
    while (due := min(alarms(parts.store.get(incident)).values(), default=None)) is not None and due <= target:
        parts.clock.now = max(due, parts.clock.now)
        parts.run()


# What it says --------------------------------------------------------------------------------------------------------


def paged(found: Simulation) -> list[tuple[float, set[str]]]:
    """(minutes, the keys of those who are paged), repeats left away."""
    keys = {member: key for key, member in PEOPLE.items()}
    rows = (r for r in found.rows if r.kind is EntryKind.PAGED)
    return [(r.after / MINUTE, {keys[p] for p in r.people}) for r in rows]


def test_a_p0_that_nobody_acknowledges_escalates_to_every_tier() -> None:
    """At once, after 15 and 30 minutes, after 2 and 4 hours; then only reminders are left, once round."""
    found = simulated(at=HANDOVER)
    assert paged(found) == [
        (0, {"omar", "lena"}),
        (15, {"omar", "mei"}),
        (30, {"erik"}),
        (120, {"sofia", "erik"}),
        (240, {"sofia", "erik"}),
    ]
    assert found.cycle
    assert endless_reminders(found.incident, {u.kind for u in found.ahead}) == (
        "a progress update is asked for every 30 minutes, and the commander told once, 10 minutes later",
    )


def test_the_roster_is_asked_at_each_instant() -> None:
    """Dana is on call until the handover; ten minutes later it is Omar, and after an override Lena."""
    before = simulated(at=HANDOVER - 10 * MINUTE, until=timedelta(minutes=20))
    assert paged(before) == [(0, {"dana", "lena"}), (15, {"omar", "mei"})]
    swap = Override(id=1, rotation="primary", person="erik", starts=HANDOVER, ends=HANDOVER + 60 * MINUTE)
    swapped = simulated(
        at=HANDOVER - 10 * MINUTE, until=timedelta(minutes=20), state=OncallState(overrides=(swap,), made=1)
    )
    assert "erik" in paged(swapped)[1][1]


def test_business_time_waits_for_the_holidays_to_end() -> None:
    """A P2 in the evening before two days off and a weekend pages on Monday at nine, and again four hours later."""
    found = simulated("P2", CHRISTMAS, policy="beauty")
    rows = [r for r in found.rows if r.kind is EntryKind.PAGED]
    assert [r.at for r in rows] == [BACK, BACK + timedelta(hours=4)]
    assert rows[0].unless == ("acknowledged",)


def test_what_people_do_makes_checkpoints_moot() -> None:
    """Whoever acts at the instant at which something is due is in time."""
    script = {Step.ACK: 15 * MINUTE, Step.ROOT_CAUSE: 30 * MINUTE, Step.RESOLVE: 60 * MINUTE}
    found = simulated(script=script, at=HANDOVER)
    assert [after for after, _ in paged(found)] == [0]
    assert [(r.after / MINUTE, r.by) for r in found.rows if r.kind is EntryKind.RESOLVED] == [(60, PEOPLE["omar"])]


def test_of_a_security_incident_nobody_outside_hears() -> None:
    """The room is private, security is paged, and no communication is planned."""
    found = simulated(security=True, outage=True, until=timedelta(hours=5))
    assert not [r for r in found.rows if r.kind is EntryKind.COMMUNICATION]
    assert "open the private war room" in {r.what for r in found.rows}
    assert "sofia" in paged(found)[0][1]


def test_an_empty_tier_is_skipped_aloud() -> None:
    """With no engineering manager the next tier is paged at once, and the row says why."""
    found = simulated(at=HANDOVER, without=frozenset({"engineering_manager"}), until=timedelta(minutes=31))
    skipped, after = [r for r in found.rows if r.after == 30 * MINUTE and r.unless == ("root cause",)][1:]
    assert (skipped.kind, after.kind) == (EntryKind.SKIPPED, EntryKind.PAGED)
    assert "Engineering manager" in skipped.what
    assert "has nobody to page" in after.why


def test_a_quiet_end_has_nothing_ahead() -> None:
    """A resolved incident rests: nobody is asked to tell the end to those who were never told of the beginning."""
    found = simulated(script={Step.ACK: MINUTE, Step.RESOLVE: 20 * MINUTE})
    assert (found.ahead, found.cycle) == ((), False)
    assert [r.after / MINUTE for r in found.rows if r.kind is EntryKind.OVERDUE] == [15]
    assert not [r for r in found.rows if r.what.startswith("tell customers") and r.after == 20 * MINUTE]


@pytest.mark.parametrize(
    ("script", "until", "words"),
    [
        ({Step.FIX_FAILS: MINUTE}, None, "fix-fails after 1m would be refused"),
        (
            {Step.RESOLVE: MINUTE, Step.ACK: 2 * MINUTE},
            None,
            "ack after 2m would be refused: This incident is",
        ),
        ({Step.ACK: timedelta(hours=2)}, timedelta(hours=1), "after the end of the simulation"),
        ({}, LONGEST + MINUTE, "a simulation lasts 14d at the most"),
    ],
)
def test_an_impossible_script_is_refused(script: Script, until: timedelta | None, words: str) -> None:
    """With the step, its time and what stands in the way."""
    with pytest.raises(Refused) as refused:
        simulated(script=script, until=until)
    assert words in text([refused.value.words])


@pytest.mark.parametrize("script", [{}, {Step.ACK: timedelta(minutes=8)}])
def test_slack_shows_the_same_pages_as_the_terminal(script: Script) -> None:
    """Repeated pages too: nobody is promised fewer calls in one place than in the other."""
    found = simulated(script=script, until=timedelta(minutes=40))
    in_terminal = [text([(row.what,)]) for row in found.rows if row.kind in (EntryKind.PAGED, EntryKind.REPEATED)]
    in_slack = [line for line in _body(found) if re.match(r"\+\S+ page (tier|again|by name)", text([line]))]
    assert EntryKind.REPEATED in {row.kind for row in found.rows}
    assert len(in_slack) == len(in_terminal)
