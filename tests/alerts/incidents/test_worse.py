"""An alert that gets worse while it fires is heard like another one that is; the lesser incident hears its end."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from escalation.config.policy import Severity
from escalation.incident.events.moves import Cancel, ChangeSeverity, MarkSecurity
from escalation.incident.state.entries import EntryKind
from tests.alerts.incidents.test_lasting import OVER, minutes
from tests.alerts.test_whole_way import Monitored, alert, group, monitored
from tests.support.story import kars


def fires(site: Monitored, severity: str, fingerprint: str = "down") -> None:
    """An alert of one name, as bad as its source has it now: of Datadog, Sentry and others it stays the same one."""
    site.taken(group(alert("Down", fingerprint=fingerprint, severity=severity)))


def ends(site: Monitored, fingerprint: str = "down") -> None:
    site.taken(group(alert("Down", "resolved", fingerprint=fingerprint)))


def fires_less(site: Monitored) -> None:
    fires(site, "warning")


def severities(site: Monitored) -> list[str]:
    return [incident.severity for incident in site.incidents()]


@pytest.mark.parametrize("raises", [False, True])
def test_an_alert_that_gets_worse_is_heard(tmp_path: Path, raises: bool) -> None:
    """It opens its own incident, or raises the open one, as any worse alert does; and is paged for."""
    with monitored(tmp_path, routes=[{"raise": raises}]) as site:
        fires(site, "warning")
        fires(site, "critical")
        assert severities(site) == (["P1"] if raises else ["P3", "P1"])
        assert site.incidents()[-1].pages
        assert site.results() == ["declared", "joined" if raises else "declared"]
        for severity in ("critical", "error", "warning"):
            fires(site, severity)
        assert site.results()[2:] == ["repeated"] * 3


def test_a_false_alarm_that_gets_worse_is_heard(tmp_path: Path) -> None:
    """Somebody said that the warning was none; nobody said so of what it became."""
    with monitored(tmp_path) as site:
        fires(site, "warning")
        site.parts.service.handle(site.incidents()[0].id, Cancel(by="UDANA", why="a false alarm"))
        minutes(site, 10)
        fires(site, "warning")
        assert severities(site) == ["P3"]
        fires(site, "critical")
        assert severities(site) == ["P3", "P1"]


def test_whoever_lowered_the_severity_is_not_overruled_by_what_goes_up_and_down(tmp_path: Path) -> None:
    """For five minutes after it was as bad; later, or worse than ever, it is heard."""
    with monitored(tmp_path, routes=[{"raise": True}]) as site:
        fires(site, "critical")
        [incident] = site.incidents()
        less = kars().severities[Severity.P2]
        site.parts.service.handle(incident.id, ChangeSeverity(by="UDANA", policy=less, why="one page only"))
        for _ in range(3):
            fires(site, "error")
            fires(site, "critical")
        assert severities(site) == ["P2"]
        fires(site, "error")
        minutes(site, 6)
        fires(site, "critical")
        assert severities(site) == ["P1"]
        fires(site, "P1")
        assert severities(site) == ["P0"]


def test_what_waits_waits_no_longer_for_getting_worse(tmp_path: Path) -> None:
    """Nobody has heard of it: it is declared when it had its time, as bad as it is then, or at once by its route."""
    now = {"match": {"severity": "P1"}}
    with monitored(tmp_path, routes=[now, {"wait": "2m"}]) as site:
        for severity in ("warning", "critical", "warning", "critical"):
            fires(site, severity)
            minutes(site, 0.6)
        assert severities(site) == ["P1"]
        ends(site)
        site.parts.service.handle(site.incidents()[0].id, OVER)
        minutes(site, 6)
        fires(site, "warning")
        fires(site, "P1")
        assert severities(site) == ["P1", "P0"]


def test_a_body_that_does_not_say_how_bad_it_is_changes_nothing(tmp_path: Path) -> None:
    """Some shapes of a source name no severity: that it is assumed is no news of an alert that was called a warning."""
    with monitored(tmp_path) as site:
        fires(site, "warning")
        fires(site, "")
        fires(site, "warning")
        assert severities(site) == ["P3"]
        assert site.results() == ["declared", "repeated", "repeated"]


def test_what_got_better_before_a_worker_looked_was_bad_all_the_same(tmp_path: Path) -> None:
    """All its bodies came at once: it is declared as bad as it was, once, and never as less."""
    with monitored(tmp_path) as site:
        for severity in ("warning", "critical", "warning"):
            assert site.post(group(alert("Down", severity=severity))).status_code == 202
        site.parts.run()
        assert severities(site) == ["P1"]
        assert site.results() == ["declared", "repeated", "repeated"]


@pytest.mark.parametrize("resolve", ["ask", "resolve"])
def test_the_lesser_incident_hears_that_all_has_ended(tmp_path: Path, resolve: str) -> None:
    """Its alert stood on its card as firing, and nobody was asked whether it is over."""
    with monitored(tmp_path, routes=[{"when_resolved": resolve}]) as site:
        fires(site, "warning")
        fires(site, "critical", "worse")
        ends(site)
        lesser, worse = site.incidents()
        assert (lesser.alerts.firing, worse.alerts.firing) == (1, 1)
        ends(site, "worse")
        minutes(site, 6)
        for incident in site.incidents():
            assert incident.open == (resolve == "ask")
            assert len([e for e in incident.timeline if e.kind is EntryKind.ALERTS_ENDED]) == (resolve == "ask")
        lesser, worse = site.incidents()
        assert (worse.alerts.firing, worse.alerts.total, lesser.alerts.total) == (0, 2, 1)
        assert resolve == "resolve" or "all have ended" in site.card(lesser)


def test_what_fires_after_the_worse_incident_is_over_belongs_to_the_lesser_one(tmp_path: Path) -> None:
    """It is open, and was declared for that very alert: nothing is declared twice."""
    with monitored(tmp_path) as site:
        fires(site, "warning")
        fires(site, "critical", "worse")
        ends(site, "worse")
        site.parts.service.handle(site.incidents()[1].id, OVER)
        minutes(site, 10)
        fires(site, "warning")
        fires(site, "warning", "another")
        lesser, _ = site.incidents()
        assert lesser.alerts.firing == 2
        fires(site, "critical", "worse")
        assert severities(site) == ["P3", "P1", "P1"]


def test_a_worse_alert_that_outlasts_its_incident_is_heard_beside_the_lesser_one(tmp_path: Path) -> None:
    """That somebody resolved it too early does not make it a warning."""
    with monitored(tmp_path) as site:
        fires(site, "warning")
        fires(site, "critical", "worse")
        site.parts.service.handle(site.incidents()[1].id, OVER)
        minutes(site, 10)
        fires(site, "warning")
        fires(site, "critical", "worse")
        assert severities(site) == ["P3", "P1", "P1"]


def test_the_words_of_a_private_incident_stay_off_the_lesser_one(tmp_path: Path) -> None:
    """Neither its end nor what comes after it is told on a public card with the names of what was private."""
    with monitored(tmp_path) as site:
        fires(site, "warning")
        fires(site, "critical", "worse")
        lesser, worse = site.incidents()
        site.parts.service.handle(worse.id, MarkSecurity(by="U0DANA0001", why="a leak"))
        site.taken(group(alert("Secret", fingerprint="s", severity="warning")))
        for fingerprint in ("down", "worse", "s"):
            ends(site, fingerprint)
        assert site.parts.now(lesser).alerts.firing == 0
        site.taken(group(alert("Secret", fingerprint="s", severity="warning")))
        site.parts.service.handle(worse.id, OVER)
        site.parts.clock.now += timedelta(minutes=6)
        site.taken(group(alert("Secret", fingerprint="s", severity="warning")))
        site.parts.run()
        assert "Secret" not in str(site.parts.now(lesser).alerts)
        assert "Secret" not in str(site.parts.now(lesser).timeline)
        assert [i.private for i in site.incidents()] == [False, True, True]


@pytest.mark.parametrize("before", [fires_less, ends], ids=["got less bad", "ended"])
def test_what_is_bad_again_after_its_incident_was_resolved_never_joins_a_lesser_one_unheard(
    tmp_path: Path, before: Callable[[Monitored], None]
) -> None:
    """The lesser incident of the same group has it from then on, and nobody was paged for this."""
    with monitored(tmp_path) as site:
        fires(site, "warning", "slow")
        fires(site, "critical")
        before(site)
        site.parts.service.handle(site.incidents()[1].id, OVER)
        minutes(site, 1)
        fires(site, "critical")
        assert severities(site) == ["P3", "P1", "P1"]
        assert site.incidents()[-1].open
