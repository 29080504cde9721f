"""The backlog: the worst goes first, nothing is lost, and each alert keeps its order."""

from hypothesis import given
from hypothesis import strategies as st

from escalation.alerts.alert import Alert, AlertState
from escalation.alerts.backlog import Backlog, Batch, Incoming
from escalation.alerts.routing import Routed
from escalation.config.policy import Severity

P0, P1, P2, P3 = Severity
FIRING, RESOLVED = AlertState.FIRING, AlertState.RESOLVED


def incoming(name: str, severity: Severity = P2, state: AlertState = FIRING, body: str = "") -> Incoming:
    alert = Alert(source="s", fingerprint=name, state=state, title=name)
    return Incoming(alert, alert, Routed(severity=severity, group="g"), 0.0, body)


def all_of(backlog: Backlog, most: int) -> list[Batch]:
    batches = list[Batch]()
    while batch := backlog.next(most):
        batches.append(batch)
    return batches


def test_the_worst_alert_of_a_storm_is_in_the_first_slice() -> None:
    """It came last of all, and its incident is declared as bad as it is: no page waits behind a thousand warnings."""
    backlog = Backlog()
    for n in range(1000):
        backlog.add("g", incoming(f"a{n}", P3))
    backlog.add("g", incoming("worse", P1))
    first = backlog.next(100)
    assert first
    assert [i.name for i in first.alerts[:2]] == ["s\0worse", "s\0a0"]
    assert len(first.alerts) == 100


def test_before_an_alert_is_called_less_bad_it_is_looked_at_as_it_was() -> None:
    """Bodies that came while nobody looked: a worse one of an alert goes with the first, a lesser one does not."""
    backlog = Backlog()
    for severity in (P2, P1, P3, P3):
        backlog.add("g", incoming("a", severity))
    backlog.add("g", incoming("b", P0))
    assert [[i.how.severity for i in batch.alerts] for batch in all_of(backlog, 100)] == [[P2, P1, P0], [P3, P3]]


GIVEN = st.lists(
    st.tuples(
        st.sampled_from("gh"), st.sampled_from("abcd"), st.sampled_from(Severity), st.sampled_from([FIRING, RESOLVED])
    ),
    max_size=40,
)  # fmt: skip


@given(given_alerts=GIVEN, most=st.integers(1, 7), back=st.sets(st.integers(0, 20)))
def test_nothing_is_lost_and_each_alert_keeps_its_order(
    given_alerts: list[tuple[str, str, Severity, AlertState]], most: int, back: set[int]
) -> None:
    """In whatever slices it is taken, and whatever is put back; the worst that fires is in the next slice."""
    backlog, taken, turn = Backlog(), list[Incoming](), 0
    added = [(group, incoming(group + name, severity, state, str(n)))
             for n, (group, name, severity, state) in enumerate(given_alerts)]  # fmt: skip
    for group, one in added:
        backlog.add(group, one)
    left = [one for _, one in added]
    while batch := backlog.next(most):
        assert len(backlog) + len(batch.alerts) == len(left)
        if (turn := turn + 1) in back:
            backlog.put_back(batch)
            back.remove(turn)
            continue
        worst = min((i.how.severity for i in left if i.alert.state is FIRING), default=None)
        names = {i.name for i in left if i.alert.state is FIRING and i.how.severity == worst}
        assert not names or names & {i.name for i in batch.alerts}
        taken += batch.alerts
        left = [one for one in left if one not in taken]
    for name in {one.name for _, one in added}:
        assert [i.body for i in taken if i.name == name] == [one.body for _, one in added if one.name == name]
    assert len(taken) == len(added)
    assert not any(backlog.holds(group) for group in "gh")
    assert not any(backlog.group_of(one.name) for _, one in added)
