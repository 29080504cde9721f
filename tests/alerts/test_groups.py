"""Groups: what a group asks for as its alerts change, and that no order of alerts breaks its rules."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalation.alerts.alert import Alert, AlertState
from escalation.alerts.groups import (
    MAX_ENDED,
    MAX_WHOLE,
    SETTLE,
    Action,
    AlertsEnded,
    DeclareIncident,
    Firing,
    Group,
    JoinIncident,
    OpenIncident,
    RaiseSeverity,
    Seen,
    changed,
)
from escalation.alerts.routing import Routed
from escalation.config.policy import Severity

START = datetime(2026, 11, 28, 12, tzinfo=UTC)
FIRING, RESOLVED, ACKNOWLEDGED = AlertState.FIRING, AlertState.RESOLVED, AlertState.ACKNOWLEDGED
P0, P1, P2, P3 = Severity


@pytest.mark.parametrize(
    ("claimed", "detected"),
    [
        ("2026-11-28T11:58:30Z", START - timedelta(seconds=90)),
        ("2026-11-28T12:58:30+01:00", START - timedelta(seconds=90)),
        (f"{START.timestamp() - 90:.0f}", START - timedelta(seconds=90)),
        (f"{(START.timestamp() - 90) * 1000:.0f}", START - timedelta(seconds=90)),
        ("2026-03-01T00:00:00Z", START),  # when it was seen for the first time ever
        ("2026-11-28T12:00:01Z", START),
        ("2026-11-28 11:58:30", START),  # of no zone
        ("yesterday", START),
        ("", START),
        ("9" * 13, START),
    ],
)
def test_an_alert_is_detected_when_it_says_where_that_can_be(claimed: str, detected: datetime) -> None:
    """A claim of the day before counts; any other counts from when it was received."""
    alert = Alert(source="s", fingerprint="f", state=FIRING, title="t", started=claimed)
    assert Firing(alert=alert, routed=Routed(severity=P1, group="g"), first=START, last=START).detected == detected


class Problem:
    """A group over time, with the incident that its declarations would make."""

    def __init__(self, **how: Any) -> None:
        self.group = Group(key="service checkout")
        self.now = START
        self.incident: OpenIncident | None = None
        self.how = how
        self.declared = 0

    def seen(self, *states: tuple[str, AlertState], after: timedelta = timedelta(), **how: Any) -> tuple[Action, ...]:
        """Take alerts in, by fingerprint and state, some time after the last ones."""
        self.now += after
        severity = how.pop("severity", P1)
        route = Routed(severity=severity, group=self.group.key, **(self.how | how))
        alerts = [Alert(source="s", fingerprint=f, state=state, title=f) for f, state in states]
        return self._change([Seen(alert, route) for alert in alerts])

    def passed(self, after: timedelta) -> tuple[Action, ...]:
        """Let time pass, and look at the group when it is due, as the workers do."""
        until, actions = self.now + after, list[Action]()
        while (due := self.group.due()) is not None and due <= until:
            self.now = max(due, self.now)
            actions += self._change([])
        self.now = until
        return tuple(actions)

    def closed(self, *, cancelled: bool = False) -> None:
        """Somebody resolves the incident, or calls it a false alarm."""
        assert self.incident
        self.incident = self.incident._replace(closed_at=self.now, cancelled=cancelled)

    def _change(self, alerts: list[Seen]) -> tuple[Action, ...]:
        self.group, actions = changed(self.group, alerts, self.now, self.incident)
        for action in actions:
            if isinstance(action, DeclareIncident):
                self.declared += 1
                self.incident = OpenIncident(action.severity)
                self.group = self.group.model_copy(update={"incident": f"INC-{action.number}"})
            if isinstance(action, RaiseSeverity):
                assert self.incident
                self.incident = self.incident._replace(severity=action.severity)
        return actions


def kinds(actions: tuple[Action, ...]) -> list[str]:
    return [type(action).__name__ for action in actions]


def test_the_first_alert_declares() -> None:
    """At once, with the alert's severity."""
    [action] = Problem().seen(("a", FIRING))
    assert isinstance(action, DeclareIncident)
    assert (action.severity, action.number, [f.alert.fingerprint for f in action.alerts]) == (P1, 1, ["a"])


def test_a_storm_is_one_incident() -> None:
    """A thousand alerts in one body, and again one by one."""
    problem = Problem()
    actions = problem.seen(*((f"a{n}", FIRING) for n in range(1000)))
    assert kinds(actions) == ["DeclareIncident"]
    later = [problem.seen((f"b{n}", FIRING)) for n in range(50)]
    assert {name for found in later for name in kinds(found)} == {"JoinIncident"}


def test_a_repeat_changes_nothing() -> None:
    """Alertmanager sends the same again each repeat_interval; nobody hears of it."""
    problem = Problem()
    problem.seen(("a", FIRING))
    assert problem.seen(("a", FIRING), after=timedelta(hours=4)) == ()


def test_another_alert_joins() -> None:
    """It stands on the card of the open incident, and is told as new."""
    problem = Problem()
    problem.seen(("a", FIRING))
    [join] = problem.seen(("b", FIRING), ("a", FIRING))
    assert isinstance(join, JoinIncident)
    assert ([f.alert.title for f in join.new], join.ended) == (["b"], ())


def test_what_is_absent_still_fires() -> None:
    """A later body that does not name an alert does not end it."""
    problem = Problem()
    problem.seen(("a", FIRING), ("b", FIRING))
    problem.seen(("b", RESOLVED))
    assert [f.alert.title for f in problem.group.firing] == ["a"]


def test_a_worse_alert_opens_its_own() -> None:
    """It never joins unheard: whoever has the first incident asleep would not learn of it."""
    problem = Problem()
    problem.seen(("a", FIRING), severity=P2)
    [own] = problem.seen(("b", FIRING), severity=P0)
    assert isinstance(own, DeclareIncident)
    assert (own.severity, own.number) == (P0, 2)
    assert kinds(problem.seen(("c", FIRING), severity=P1)) == ["JoinIncident"]


def test_a_worse_alert_raises_where_the_route_says_so() -> None:
    """The open incident becomes as bad, and its page names the alert."""
    problem = Problem(raises=True)
    problem.seen(("a", FIRING), severity=P2)
    join, raised = problem.seen(("b", FIRING), severity=P0)
    assert isinstance(join, JoinIncident)
    assert isinstance(raised, RaiseSeverity)
    assert (raised.severity, raised.because.alert.title) == (P0, "b")


def test_it_may_clear_by_itself() -> None:
    """With `wait` nobody is told before that time; an end within it means that nobody ever is."""
    problem = Problem(wait=timedelta(minutes=2))
    assert problem.seen(("a", FIRING)) == ()
    assert problem.passed(timedelta(minutes=2) - timedelta(milliseconds=1)) == ()
    assert problem.seen(("a", RESOLVED)) == ()
    assert problem.passed(timedelta(hours=1)) == ()
    problem.seen(("a", FIRING))
    assert kinds(problem.passed(timedelta(minutes=2))) == ["DeclareIncident"]


def test_what_ended_before_anybody_looked_was_a_problem() -> None:
    """It declares an incident of its severity, which at once asks whether it is over."""
    problem = Problem()
    [action] = problem.seen(("a", FIRING), ("a", RESOLVED))
    assert isinstance(action, DeclareIncident)
    assert (action.severity, [f.alert.title for f in action.alerts]) == (P1, ["a"])
    assert problem.passed(timedelta()) == (AlertsEnded("INC-1", resolve=False),)
    assert problem.passed(timedelta(days=1)) == ()


def test_what_ended_before_anybody_looked_may_resolve() -> None:
    """Where its route says so, once it was quiet for as long as after any other end."""
    problem = Problem(when_resolved="resolve")
    assert kinds(problem.seen(("a", FIRING), ("a", RESOLVED))) == ["DeclareIncident"]
    assert problem.passed(SETTLE - timedelta(milliseconds=1)) == ()
    assert problem.passed(timedelta(milliseconds=1)) == (AlertsEnded("INC-1", resolve=True),)


def test_what_cleared_within_its_wait_before_anybody_looked_is_nothing() -> None:
    """By when the bodies came: one that fired for longer declares, however late they are worked on."""
    for lasted, expected in ((119.0, []), (120.0, ["DeclareIncident"])):
        problem = Problem(wait=timedelta(minutes=2))
        route = Routed(severity=P1, group="g", wait=timedelta(minutes=2))
        begun = Alert(source="s", fingerprint="a", state=FIRING, title="a")
        ended = begun.model_copy(update={"state": RESOLVED})
        assert kinds(problem._change([Seen(begun, route, 50.0), Seen(ended, route, 50.0 + lasted)])) == expected


def test_a_worse_alert_that_ended_before_anybody_looked_is_heard() -> None:
    """It opens its own incident, or raises the open one; and one that is no worse is told as begun and ended."""
    problem = Problem()
    problem.seen(("a", FIRING), severity=P2)
    [own] = problem.seen(("b", FIRING), ("b", RESOLVED), severity=P0)
    assert isinstance(own, DeclareIncident)
    assert own.severity is P0
    raising = Problem(raises=True)
    raising.seen(("a", FIRING), severity=P2)
    assert kinds(raising.seen(("b", FIRING), ("b", RESOLVED), severity=P0)) == ["JoinIncident", "RaiseSeverity"]
    [join] = raising.seen(("c", FIRING), ("c", RESOLVED), severity=P2)
    assert isinstance(join, JoinIncident)
    assert [f.alert.title for f in (*join.new, *join.ended)] == ["c", "c"]


def test_what_flaps_before_anybody_looks_asks_again() -> None:
    """People were asked whether it is over; it was not, and now it is once more."""
    problem = Problem()
    problem.seen(("a", FIRING), ("a", RESOLVED))
    problem.passed(timedelta())
    assert kinds(problem.seen(("a", FIRING), ("a", RESOLVED))) == ["JoinIncident", "AlertsEnded"]


def test_what_never_says_that_it_is_over_is_looked_at_no_more() -> None:
    """Its silence closes it, asks nobody and is not due again and again."""
    problem = Problem(close_after=timedelta(hours=1))
    alert = Alert(source="mail", fingerprint="a", state=FIRING, title="a", ends=False)
    problem._change([Seen(alert, Routed(severity=P1, group="g", close_after=timedelta(hours=1)))])
    assert kinds(problem.passed(timedelta(hours=1))) == ["JoinIncident"]
    assert problem.group.due() is None


def test_the_end_of_all_asks_once() -> None:
    """Not the end of some; and not again, unless something fired in between."""
    problem = Problem()
    problem.seen(("a", FIRING), ("b", FIRING))
    assert kinds(problem.seen(("a", RESOLVED))) == ["JoinIncident"]
    assert kinds(problem.seen(("b", RESOLVED))) == ["JoinIncident", "AlertsEnded"]
    assert problem.seen(("b", RESOLVED)) == ()
    assert problem.passed(timedelta(hours=1)) == ()
    problem.seen(("a", FIRING))
    assert kinds(problem.seen(("a", RESOLVED))) == ["JoinIncident", "AlertsEnded"]


def test_the_end_resolves_once_it_is_quiet() -> None:
    """With `when_resolved: resolve`, when nothing has fired for a while: what flaps is one incident."""
    problem = Problem(when_resolved="resolve")
    problem.seen(("a", FIRING))
    for _ in range(10):
        problem.seen(("a", RESOLVED), after=timedelta(minutes=1))
        problem.seen(("a", FIRING), after=SETTLE - timedelta(seconds=1))
    problem.seen(("a", RESOLVED), after=timedelta(minutes=1))
    assert problem.declared == 1
    assert problem.passed(SETTLE - timedelta(milliseconds=1)) == ()
    [ended] = problem.passed(timedelta(milliseconds=1))
    assert ended == AlertsEnded("INC-1", resolve=True)


def test_sources_without_an_end_close() -> None:
    """After `close_after` without another body; each body counts anew."""
    problem = Problem(close_after=timedelta(hours=1))
    problem.seen(("a", FIRING))
    problem.seen(("a", FIRING), after=timedelta(minutes=59))
    assert problem.passed(timedelta(minutes=59)) == ()
    assert kinds(problem.passed(timedelta(minutes=1))) == ["JoinIncident", "AlertsEnded"]


def test_what_is_held_waits_for_a_person() -> None:
    """It stands in the list, and declares nothing; beside another alert it joins."""
    problem = Problem()
    assert problem.seen(("low", FIRING), severity=P3, hold=True) == ()
    assert problem.passed(timedelta(days=1)) == ()
    assert kinds(problem.seen(("a", FIRING))) == ["DeclareIncident"]


def test_an_acknowledgement_elsewhere_ends_nothing() -> None:
    """Somebody took it over in the source's own tool: here it still fires."""
    problem = Problem()
    problem.seen(("a", FIRING))
    assert problem.seen(("a", ACKNOWLEDGED)) == ()
    assert problem.group.firing


def test_an_unknown_end_is_nothing() -> None:
    """Its beginning was dropped, or came before our time."""
    assert Problem().seen(("a", RESOLVED)) == ()


def test_what_fires_on_after_a_resolution_is_heard_again() -> None:
    """Not at once, since its end may be on its way; with the next body after that, for the problem was not solved."""
    problem = Problem()
    problem.seen(("a", FIRING))
    problem.closed()
    assert problem.seen(("a", FIRING), after=SETTLE - timedelta(seconds=1)) == ()
    assert problem.passed(timedelta(days=1)) == ()
    [again] = problem.seen(("a", FIRING))
    assert isinstance(again, DeclareIncident)
    assert again.number == 2


def test_a_false_alarm_is_quiet_until_it_ends() -> None:
    """Its repeats declare nothing; the same alert that fires anew does, and so does another one at once."""
    problem = Problem()
    problem.seen(("a", FIRING))
    problem.closed(cancelled=True)
    assert problem.seen(("a", FIRING), after=timedelta(hours=4)) == ()
    problem.seen(("a", RESOLVED))
    assert kinds(problem.seen(("a", FIRING))) == ["DeclareIncident"]
    problem.closed(cancelled=True)
    assert kinds(problem.seen(("b", FIRING))) == ["DeclareIncident"]


def test_ended_alerts_are_forgotten_in_the_end() -> None:
    """A group of short-lived names, as pods are, does not grow for ever."""
    problem = Problem()
    for n in range(MAX_ENDED + 50):
        problem.seen((f"pod{n}", FIRING), after=timedelta(seconds=1))
        problem.seen((f"pod{n}", RESOLVED), after=timedelta(seconds=1))
    assert len(problem.group.alerts) == MAX_ENDED


def test_what_flaps_is_heard_where_its_incident_was_never_as_bad() -> None:
    """It was told to an incident that is over: the one that is open began with a lesser alert."""
    problem = Problem()
    problem.seen(("a", FIRING), severity=P0)
    problem.closed()
    problem.seen(("b", FIRING), severity=P1)
    problem.seen(("a", RESOLVED), severity=P0)
    assert kinds(problem.seen(("a", FIRING), severity=P0)) == ["DeclareIncident"]


STEPS = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.sampled_from([FIRING, RESOLVED]), st.sampled_from([P0, P1, P2]),
        st.integers(0, 400), st.booleans(),
    ),
    max_size=25,
)  # fmt: skip


@given(steps=STEPS, raises=st.booleans(), wait=st.sampled_from([0, 120]), resolve=st.sampled_from(["ask", "resolve"]))
def test_no_order_breaks_the_rules(steps: list[Any], raises: bool, wait: int, resolve: str) -> None:
    """A new alert is heard, and one that is worse than ever; numbers never repeat, nothing is due in the past."""
    problem = Problem(raises=raises, wait=timedelta(seconds=wait), when_resolved=resolve)
    numbers, worst = list[int](), P3
    for name, state, severity, seconds, close in steps:
        actions = [*problem.passed(timedelta(seconds=seconds))]
        was = {f.alert.fingerprint for f in problem.group.firing}
        had = problem.incident if problem.incident and problem.incident.open else None
        found = problem.seen((name, state), severity=severity)
        actions += found
        numbers += [a.number for a in actions if isinstance(a, DeclareIncident)]
        if state is FIRING and name not in was and (had or not wait):
            assert found, "a new alert was not heard"
        worse, worst = state is FIRING and severity < worst, min(severity, worst)
        if had and state is FIRING and (name not in was or worse) and severity < had.severity:
            assert any(isinstance(a, DeclareIncident | RaiseSeverity) for a in found)
        if (due := problem.group.due()) is not None:
            assert due > problem.now
        if close and problem.incident and problem.incident.open:
            problem.closed()
    assert numbers == sorted(set(numbers))


@given(
    steps=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([FIRING, RESOLVED])), max_size=12),
    cut=st.integers(0, 12),
    resolve=st.sampled_from(["ask", "resolve"]),
)
def test_together_or_one_by_one_is_the_same(steps: list[Any], cut: int, resolve: str) -> None:
    """How much a worker finds at once changes neither what is declared, nor what fires, nor how it ends."""
    single, together = Problem(when_resolved=resolve), Problem(when_resolved=resolve)
    for step in steps:
        single.seen(step)
        single.passed(timedelta())
    for part in (steps[:cut], steps[cut:]):
        together.seen(*part)
        together.passed(timedelta())
    assert together.declared == single.declared
    assert {f.alert.name for f in together.group.firing} == {f.alert.name for f in single.group.firing}
    assert together.group.asked == single.group.asked
    assert together.group.settling == single.group.settling


def test_the_next_incident_counts_its_own_alerts_only() -> None:
    """What had ended before the last incident was closed is on that one's card, not on the next one's."""
    problem = Problem()
    problem.seen(("a", FIRING), ("b", FIRING))
    problem.seen(("a", RESOLVED))
    problem.closed()
    problem.seen(("c", FIRING), after=SETTLE)
    assert {f.alert.fingerprint for f in problem.group.alerts.values()} == {"b", "c"}
    problem.seen(("b", RESOLVED), ("c", RESOLVED))
    problem.closed()
    problem.seen(("d", FIRING), after=SETTLE)
    assert {f.alert.fingerprint for f in problem.group.alerts.values()} == {"d"}


def labelled(n: int, severity: Severity = P2) -> Seen:
    """An alert of a storm, with all that a source tells of it."""
    details = {"labels": {"instance": f"host{n}"}, "description": "It has been so for 5 minutes."}
    alert = Alert(source="s", fingerprint=f"{severity}-{n}", state=FIRING, title=f"Alert {n}", **details)
    return Seen(alert, Routed(severity=severity, group="g"))


def test_of_a_storm_the_worst_alerts_are_kept_whole() -> None:
    """All of them fire, fifty have their details, and a worse one that comes later is among these."""
    problem = Problem()
    problem._change([labelled(n) for n in range(1000)])
    problem._change([labelled(0, P0)])
    firing = problem.group.firing
    assert len(firing) == 1001
    assert firing[0].routed.severity is P0
    assert [f.alert.is_slim for f in firing] == [False] * MAX_WHOLE + [True] * (1001 - MAX_WHOLE)
