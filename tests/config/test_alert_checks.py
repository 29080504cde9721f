"""`tocsin check` of the routes of alerts: what never matches, takes too much, waits too long, is unknown."""

from pathlib import Path

import pytest

from tests.config.test_loader import GOOD, KARS, errors
from tocsin.config.loader import load

FIRST = len(GOOD.splitlines()) + 3  # the line of the first route


def warnings(tmp_path: Path, *routes: str, policy: str = KARS, more: str = "") -> list[str]:
    """What is doubtful, as `ROUTE: text`: 1 is the first route's line."""
    (tmp_path / "mine.yml").write_text(policy, encoding="utf-8")
    text = GOOD.replace("policy: kars", "policy: mine.yml") + "alerts:\n  routes:\n"
    lines = "".join(f"    - {{{route}}}\n" for route in routes)
    (tmp_path / "c.yml").write_text(text + lines + more, encoding="utf-8")
    found = load(tmp_path / "c.yml").warnings
    return [f"{w.line - FIRST + 1}: {w.text}" for w in found if w.line >= FIRST]


MATCH_ALL = "severity: P2"
CASES = [
    (["match: {source: grafana}, hold: true", "match: {source: Grafana, title: disk}, severity: P1"],
     "2: route 2 never matches: route 1 takes all its alerts; move it up, or remove it"),
    (["match: {title: '*disk*'}, hold: true", "match: {title: 'disk full'}, ignore: true"], "2: route 2 never matches"),
    (["match: {source: grafana}, hold: true", "match: {source: grafana}, ignore: true"], "2: route 2 never matches"),
    ([MATCH_ALL, "match: {source: grafana}"], "1: route 1 takes every alert, so that the route after it is"),
    (["match: {title: '*'}", "match: {source: sns}", MATCH_ALL], "1: route 1 takes every alert, so that the 2 routes"),
    (["match: {labels: {alertname: Watchdog}}, heartbeat: 3m"], "1: this heartbeat names no source"),
    (["match: {source: alertmanger}"], "1: no source is called 'alertmanger'; did you mean 'alertmanager'?"),
    (["severity: P0, wait: 5h"], "1: a P0 may wait 5h here before anybody is told, and its "),
    (["match: {severity: critical}, wait: 5h"], "1: a P1 may wait 5h here"),
    (["wait: 5h"], "1: a P0 may wait 5h here"),
]  # fmt: skip


@pytest.mark.parametrize(("routes", "expected"), CASES)
def test_doubtful_routes_are_named_with_their_lines(tmp_path: Path, routes: list[str], expected: str) -> None:
    """Each once, with what to do about it, and they do not stop the start."""
    found = warnings(tmp_path, *routes)
    assert len(found) == 1
    assert found[0].startswith(expected)


@pytest.mark.parametrize(
    "routes",
    [
        ["match: {source: grafana}", MATCH_ALL],
        ["match: {labels: {env: '*'}}, ignore: true", MATCH_ALL],
        ["match: {source: alertmanager, labels: {alertname: Watchdog}}, heartbeat: 3m"],
        ["match: {source: 'uptime*'}, wait: 2m, severity: P1"],
    ],
)
def test_routes_that_are_right_are_not_named(tmp_path: Path, routes: list[str]) -> None:
    """A route for all at the end, an optional label, a heartbeat with its source, a short wait."""
    assert warnings(tmp_path, *routes) == []


def test_a_route_to_an_unknown_service_is_refused(tmp_path: Path) -> None:
    """With its line and the nearest name."""
    found = errors(tmp_path, GOOD + "alerts:\n  routes:\n    - {match: {source: sns}, service: chekout}\n")
    assert found == [f"{FIRST}: there is no service called 'chekout'; did you mean 'checkout'?"]


def test_a_severity_that_nobody_has_is_refused(tmp_path: Path) -> None:
    """In a route and in the table of words."""
    text = GOOD + "alerts:\n  severities: {page: P9}\n  routes:\n    - {severity: P7}\n"
    found = errors(tmp_path, text)
    assert any("P9" in error for error in found)
    assert any("P7" in error for error in found)


def test_a_severity_that_the_policy_lacks_is_named(tmp_path: Path) -> None:
    """In words, routes and checks: it becomes the next worse one."""
    policy = KARS[: KARS.index("\n  P3:")] + KARS[KARS.index("\n  P3:") :].partition("\n\n")[2]
    assert "\n  P3:" not in policy
    more = "  severities: {chatty: P3}\nchecks:\n  - {name: a, tcp: 'db:5432', severity: P3}\n"
    found = warnings(tmp_path, "match: {source: sns}, severity: P3", policy=policy, more=more)
    assert [line for line, _, text in (f.partition(": ") for f in found) if "has no P3" in text] == ["2", "1", "4"]
    assert any("so it becomes a P2; choose one of: P0, P1, P2" in text for text in found)
