"""Routes: which severity, service and group an alert gets, and which ones are left alone."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from escalation.alerts.alert import Alert, AlertState
from escalation.alerts.routing import Routed, covers, matches, routed
from escalation.config.alerts import Alerts, Match
from escalation.config.policy import Severity

SERVICES = {"checkout", "api"}


def alert(**fields: Any) -> Alert:
    base = {"source": "alertmanager", "fingerprint": "f", "state": AlertState.FIRING, "title": "5xx above 5%"}
    return Alert(**(base | fields))


def route(seen: Alert, mine: Alerts) -> Routed:
    """The route of an alert, with a policy that has all severities."""
    return routed(seen, mine, SERVICES, tuple(Severity))


def rules(*routes: dict[str, Any], **severities: str) -> Alerts:
    return Alerts.model_validate({"routes": list(routes), "severities": severities})


WORDS = [
    ("critical", "P1"), ("CRITICAL", "P1"), ("error", "P2"), ("warning", "P3"), ("fatal", "P1"), ("high", "P1"),
    ("medium", "P2"), ("low", "P3"), ("P1", "P0"), ("P2", "P1"), ("P3", "P2"), ("P4", "P3"), ("P5", "P3"),
    ("Sev0", "P0"), ("Sev1", "P1"), ("Sev2", "P2"), ("Sev3", "P3"), ("Sev4", "P3"),
]  # fmt: skip


@pytest.mark.parametrize(("word", "severity"), WORDS)
def test_what_sources_call_it_has_a_meaning(word: str, severity: str) -> None:
    """Alertmanager's, PagerDuty's, Opsgenie's, Datadog's and Azure's words, without any configuration."""
    found = route(alert(severity=word), Alerts())
    assert (found.severity, found.assumed, found.dropped) == (severity, False, "")


@pytest.mark.parametrize("word", ["", "weird", "<!channel>"])
def test_an_unknown_severity_is_p2_and_says_so(word: str) -> None:
    """Nobody has mapped it, so it is ours, and not silently."""
    found = route(alert(severity=word), Alerts())
    assert (found.severity, found.assumed, found.dropped) == ("P2", True, "")


def test_the_configuration_has_the_last_word() -> None:
    """A word may mean something else here, in any case."""
    mine = rules(critical="P0", weird="P3", info="P3", Noise="ignore")
    assert [route(alert(severity=w), mine).severity for w in ("CRITICAL", "weird", "info")] == [
        "P0",
        "P3",
        "P3",
    ]
    assert route(alert(severity="noise"), mine).dropped == "severity noise is ignored"


def test_only_what_is_ignored_is_dropped() -> None:
    """Info, kube-prometheus' InfoInhibitor, and what a route ignores; each with its reason."""
    assert route(alert(severity="info"), Alerts()).dropped == "severity info is ignored"
    inhibitor = alert(severity="none", labels={"alertname": "InfoInhibitor"})
    assert "InfoInhibitor" in route(inhibitor, Alerts()).dropped
    ignoring = rules({"match": {"title": "*5xx*"}, "ignore": True})
    assert route(alert(severity="critical"), ignoring).dropped == "its route ignores it"


MATCHES: list[tuple[dict[str, Any], bool]] = [
    ({}, True),
    ({"source": "alertmanager"}, True),
    ({"source": ["grafana", "alert*"]}, True),
    ({"source": "grafana"}, False),
    ({"severity": "crit?cal"}, True),
    ({"severity": "Critical"}, True),
    ({"title": "*5XX*"}, True),
    ({"labels": {"team": "payments"}}, True),
    ({"labels": {"team": ["a", "pay*"], "env": "prod"}}, True),
    ({"labels": {"team": "payments", "env": "test"}}, False),
    ({"labels": {"missing": "*"}}, False),
    ({"source": "alertmanager", "severity": "warning"}, False),
    ({"title": "[0-9]xx"}, False),
]


@pytest.mark.parametrize(("match", "holds"), MATCHES)
def test_all_conditions_must_hold(match: dict[str, Any], holds: bool) -> None:
    """A list means one of these; a label that the alert does not have matches nothing."""
    labels = {"team": "payments", "env": "prod"}
    mine = rules({"match": match, "severity": "P0"}, {"severity": "P3"})
    found = route(alert(severity="critical", labels=labels), mine)
    assert found.severity == (Severity.P0 if holds else Severity.P3)


def test_the_first_route_that_matches_decides() -> None:
    """Two that contradict each other: the earlier one."""
    mine = rules({"match": {"source": "*"}, "ignore": True}, {"match": {"source": "alertmanager"}, "severity": "P0"})
    assert route(alert(), mine).dropped


def test_the_service_is_the_routes_or_a_known_label() -> None:
    """A label that names no service of ours says nothing."""
    assert route(alert(service="checkout"), Alerts()).service == "checkout"
    assert route(alert(service="unknown"), Alerts()).service == ""
    assert route(alert(service="checkout"), rules({"service": "api"})).service == "api"


def test_one_problem_is_one_group() -> None:
    """Unless said, the alerts of a service; without one, those of a source and name; `group_by` divides further."""

    def group(mine: Alerts = Alerts(), **fields: Any) -> str:  # noqa: B008 - frozen
        return route(alert(**fields), mine).group

    assert group(service="checkout", source="grafana", title="a") == group(service="checkout", title="b")
    assert group(title="a") != group(title="b")
    assert group(title="a", labels={"alertname": "X"}) == group(title="b", labels={"alertname": "X"})
    assert group(title="a", source="grafana") != group(title="a")
    by_host = rules({"group_by": "host"})
    assert group(by_host, service="api", labels={"host": "1"}) != group(by_host, service="api", labels={"host": "2"})
    assert group(by_host, title="x host=1") != group(by_host, title="x", labels={"host": "1"})


def test_a_routes_other_keys_are_handed_on() -> None:
    """Waiting, closing, raising, holding and the end."""
    keys = {"wait": "2m", "close_after": "1h", "raise": True, "hold": True, "when_resolved": "resolve"}
    found = route(alert(), rules(keys))
    assert (found.wait, found.close_after) == (timedelta(minutes=2), timedelta(hours=1))
    assert (found.raises, found.hold, found.when_resolved) == (True, True, "resolve")


@pytest.mark.parametrize(
    ("route", "words"),
    [
        ({"ignore": True, "wait": "2m"}, "does nothing else"),
        ({"heartbeat": "3m", "hold": True}, "mean nothing for a `heartbeat`"),
        ({"match": {"labels": {"": "x"}}}, "at least 1 character"),
        ({"match": {"nonsense": "x"}}, "Extra inputs"),
        ({"severity": "P9"}, "P0"),
        ({"when_resolved": "maybe"}, "ask"),
        ({"wait": "soon"}, "not a duration"),
    ],
)
def test_a_route_that_says_two_things_is_refused(route: dict[str, Any], words: str) -> None:
    """At start, with what would be right."""
    with pytest.raises(ValidationError, match=words):
        rules(route)


PATTERNS = st.lists(st.sampled_from(["a", "b", "*", "?", "[ab]", "A"]), min_size=1, max_size=4).map("".join)
SOME = st.lists(PATTERNS, max_size=2)
CONDITIONS = st.fixed_dictionaries(
    {"source": SOME, "severity": SOME, "labels": st.dictionaries(st.sampled_from(["x", "y"]), SOME, max_size=2)}
).map(Match.model_validate)
LETTERS = st.text("ab", max_size=4)
LABELS = st.dictionaries(st.sampled_from(["x", "y"]), LETTERS, max_size=2)


@given(CONDITIONS, CONDITIONS, LETTERS, LETTERS, LABELS)
def test_a_condition_that_covers_another_takes_all_its_alerts(
    first: Match, then: Match, source: str, severity: str, labels: dict[str, str]
) -> None:
    """Whatever the alert: what the second one takes, the first one takes as well."""
    seen = alert(source=source, severity=severity, labels=labels)
    if covers(first, then) and matches(seen, then):
        assert matches(seen, first)


@pytest.mark.parametrize(
    ("first", "then", "expected"),
    [
        ({}, {"source": "x"}, True),
        ({"source": "*"}, {}, True),
        ({"source": "x"}, {}, False),
        ({"labels": {"env": "*"}}, {}, False),
        ({"labels": {"env": "*"}}, {"labels": {"env": "dev"}}, True),
        ({"title": "*disk*"}, {"title": "*Disk full*"}, True),
        ({"title": "*disk*"}, {"title": "*d*"}, False),
        ({"title": "a?"}, {"title": "a*"}, False),
        ({"title": "a??*"}, {"title": "a?b*"}, True),
        ({"severity": ["warning", "low"]}, {"severity": "low", "source": "x"}, True),
        ({"severity": "low"}, {"severity": ["warning", "low"]}, False),
        ({"title": "[ab]1"}, {"title": "a1"}, True),
    ],
)
def test_conditions_cover_others(first: dict[str, Any], then: dict[str, Any], expected: bool) -> None:
    """By every kind of pattern; a label may be absent, so that even * asks for it."""
    assert covers(Match.model_validate(first), Match.model_validate(then)) is expected
