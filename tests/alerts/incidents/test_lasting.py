"""What goes on after people closed its incident, or said less of it, is heard again; what nobody watches is not."""

from datetime import timedelta
from pathlib import Path

from escalation.config.policy import Severity
from escalation.incident.events.moves import ChangeSeverity, Resolve
from escalation.incident.model import Incident
from escalation.incident.state.entries import EntryKind
from tests.alerts.test_whole_way import Monitored, alert, group, monitored
from tests.support.bot import everything
from tests.support.story import kars
from workers.alerts import enqueue_overdue

OVER = Resolve(by="UDANA", summary="Over", resolution="Restarted")
WATCHDOG = {"match": {"labels": {"alertname": "Watchdog"}}, "heartbeat": "3m", "severity": "P1"}
BEAT = group(alert("Watchdog", severity="none", service=""))


def minutes(site: Monitored, count: float) -> list[Incident]:
    """Let time pass, and the workers work."""
    ends = site.parts.clock.now + timedelta(minutes=count)
    while site.parts.clock.now < ends:
        site.parts.clock.push(minutes=min(1.0, (ends - site.parts.clock.now) / timedelta(minutes=1)))
        enqueue_overdue(site.parts.context, site.parts.clock.now)
        site.parts.run()
    return site.incidents()


def test_a_heartbeat_that_stays_away_is_heard_again_after_its_incident_was_resolved(tmp_path: Path) -> None:
    """Silence sends no repeats, so it is repeated for it: once the time for its end is over, it pages anew."""
    with monitored(tmp_path, routes=[WATCHDOG]) as site:
        site.taken(BEAT)
        [incident] = minutes(site, 3.1)
        site.parts.service.handle(incident.id, OVER)
        assert len(minutes(site, 3)) == 1
        _, again = minutes(site, 6)
        assert again.open
        assert len(minutes(site, 30)) == 2
        site.taken(BEAT)
        assert site.parts.now(again).alerts.firing == 0
        assert len(minutes(site, 2.9)) == 2


def test_a_heartbeat_that_no_route_asks_for_any_more_is_not_missed(tmp_path: Path) -> None:
    """Taken out of the configuration while it is awaited, or while its absence is an incident: that alert ends."""
    with monitored(tmp_path, routes=[WATCHDOG]) as site:
        rules = site.parts.service.company.alerts
        site.taken(BEAT)
        site.parts.service.company = site.parts.service.company.model_copy(
            update={"alerts": rules.model_copy(update={"routes": ()})}
        )
        assert minutes(site, 10) == []


def test_the_question_whether_it_is_over_says_that_it_is_not(tmp_path: Path) -> None:
    """When an alert fires again, the message that asked says since when, and loses its buttons."""
    with monitored(tmp_path) as site:
        site.taken(group(alert("Down")))
        site.taken(group(alert("Down", "resolved")))
        site.parts.clock.push(minutes=2)
        site.taken(group(alert("Down")))
        [asked] = [m for m in site.parts.messages() if "All alerts ha" in m["text"]]
        assert "Is the incident over?" not in everything(asked)
        assert "until" in everything(asked)
        assert "'resolve'" not in str(asked["blocks"])
        site.taken(group(alert("Down", "resolved")))
        assert [m for m in site.parts.messages() if "Is the incident over?" in m["text"]]


def test_a_person_who_lowered_the_severity_is_not_overruled_by_the_same_alert(tmp_path: Path) -> None:
    """What flaps at the severity that they knew joins what it had declared; an alert that gets worse is heard."""
    with monitored(tmp_path, routes=[{"raise": True}]) as site:
        site.taken(group(alert("Down", severity="critical")))
        [incident] = site.incidents()
        less = kars().severities[Severity.P2]
        site.parts.service.handle(incident.id, ChangeSeverity(by="UDANA", policy=less, why="One page only"))
        for _ in range(3):
            site.taken(group(alert("Down", "resolved", severity="critical")))
            site.taken(group(alert("Down", severity="critical")))
        [incident] = site.incidents()
        assert (incident.severity, len([e for e in incident.timeline if e.kind is EntryKind.SEVERITY])) == ("P2", 1)


def test_an_alert_that_a_route_ignores_by_now_is_declared_no_more(tmp_path: Path) -> None:
    """Somebody wrote that route because of its incident: it stays open, its alert may end, and no other is opened."""
    with monitored(tmp_path) as site:
        site.taken(group(alert("Noise")))
        rules = type(site.parts.service.company.alerts).model_validate({"routes": [{"ignore": True}]})
        site.parts.service.company = site.parts.service.company.model_copy(update={"alerts": rules})
        site.taken(group(alert("Noise")))
        [incident] = site.incidents()
        assert (incident.alerts.firing, site.results()[-1]) == (1, "dropped: its route ignores it")
        site.parts.service.handle(incident.id, OVER)
        minutes(site, 6)
        site.taken(group(alert("Noise")))
        assert len(site.incidents()) == 1
        site.taken(group(alert("Noise", "resolved")))
        assert site.results()[-1] == "resolved"
