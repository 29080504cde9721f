"""`/incident alerts`: what came, what is held, one click that declares it, and how often alerts were false."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from escalation.alert_service import AlertService
from escalation.errors import NotFound, Refused
from escalation.incident.events.moves import Cancel, MarkSecurity
from escalation.incident.false_alarms import false_alarms
from escalation.incident.state.facts import Status
from escalation.storage.intake import Intake, group_digest
from tests.alerts.test_whole_way import Monitored, alert, group, monitored
from tests.support.waiting import eventually
from workers.queue.outbox import post_alerts

HOLD = {"routes": [{"match": {"severity": "warning"}, "hold": True}]}


def low(name: str, status: str = "firing", **labels: str) -> dict[str, Any]:
    return group(alert(name, status, severity="warning", **labels))


def answer(site: Monitored, person: str, text: str) -> str:
    """What somebody reads after a command."""
    who = site.bot.person(person)
    before = len(who.whispers())
    who.command(text)
    return eventually(lambda: "".join(who.whispers()[before:]))


def waiting(site: Monitored) -> tuple[AlertService, str]:
    """The service, and the digest of the only problem that is held."""
    intake = Intake(site.parts.redis, post_alerts)
    (group,) = intake.held()
    return AlertService(intake, site.parts.service, site.parts.service.company.alerts, {}), group_digest(group.key)


def test_what_is_held_is_declared_with_one_click(tmp_path: Path) -> None:
    """It is in the list with its button; whoever presses it is the reporter, and the list is empty then."""
    with monitored(tmp_path, **HOLD) as site:
        site.taken(low("DiskFills", service="checkout"))
        assert site.results() == ["held"]
        assert site.incidents() == []
        assert "1 problem waits for somebody to declare it" in answer(site, "dana", "alerts")
        assert "DiskFills" in answer(site, "dana", "alerts held")
        _, digest = waiting(site)
        assert "Declared: " in answer(site, "dana", f"alerts declare {digest}")
        (incident,) = site.incidents()
        assert incident.severity == "P3"
        assert incident.alerts is not None
        assert incident.alerts.firing == 1
        assert "No alerts wait" in answer(site, "dana", "alerts held")
        assert "It is declared already, by <@" in answer(site, "omar", f"alerts declare {digest}")
        assert len(site.incidents()) == 1
        site.taken(low("DiskFills", "resolved", service="checkout"))
        assert site.results()[-1] == "resolved"


def test_two_who_click_at_once_declare_one_incident(tmp_path: Path) -> None:
    """Both read which one it is."""
    with monitored(tmp_path, **HOLD) as site:
        site.taken(low("DiskFills"))
        service, digest = waiting(site)
        with ThreadPoolExecutor(4) as pool:
            made = [*pool.map(lambda n: service.promote(digest, f"U{n}"), range(4))]
        assert len({incident.id for incident in made}) == 1
        assert len(site.incidents()) == 1


def test_what_has_ended_is_not_declared(tmp_path: Path) -> None:
    """Nor what nobody knows; both refusals say so."""
    with monitored(tmp_path, **HOLD) as site:
        site.taken(low("DiskFills"))
        service, digest = waiting(site)
        site.taken(low("DiskFills", "resolved"))
        assert service.intake.held() == []
        with pytest.raises(Refused, match="have ended"):
            service.promote(digest, "UDANA")
        with pytest.raises(NotFound):
            service.promote("0" * 32, "UDANA")
        assert site.incidents() == []


def test_the_list_names_what_was_dropped_and_what_could_not_be_read(tmp_path: Path) -> None:
    """Counts first, then the latest, each with what became of it; of an incident only its own."""
    with monitored(tmp_path) as site:
        site.taken(group(alert("Down")))
        site.taken(group(alert("Fyi", severity="info")))
        site.taken(b"{")
        said = answer(site, "dana", "alerts")
        assert all(count in said for count in ("1 declared", "1 dropped", "1 unparsable", "no JSON"))
        (incident,) = site.incidents()
        own = answer(site, "dana", f"alerts {incident.id}")
        assert "1 of 1 firing" in own
        assert "Fyi" not in own
        assert "Use `/incident alerts`" in answer(site, "dana", "alerts nonsense")


def test_the_list_is_filtered(tmp_path: Path) -> None:
    """By severity, source, day, and the service of the incident; a filter that it does not have is refused."""
    with monitored(tmp_path) as site:
        site.taken(group(alert("Down", service="checkout")))
        site.taken(low("Slow", service="api"))
        assert "Slow" not in answer(site, "dana", "alerts service:checkout")
        assert "Down" not in answer(site, "dana", "alerts severity:P3")
        found = answer(site, "dana", "alerts source:alertmanager from:7d")
        assert all(name in found for name in ("Alerts: 2 declared", "Down", "Slow"))
        assert "No alert matches" in answer(site, "dana", "alerts source:grafana")
        assert "there is no source of alerts 'graphana'" in answer(site, "dana", "alerts source:graphana")
        known = "`severity:P0`, `service:NAME`, `source:NAME`, `from:"
        assert f"there is no filter `owner:` here, but {known}" in answer(site, "dana", "alerts owner:me")


def test_a_false_alarm_counts_for_its_source(tmp_path: Path) -> None:
    """Of the closed incidents that a machine declared; what people declared does not count."""
    with monitored(tmp_path) as site:
        site.taken(group(alert("Down")))
        site.parts.declare("P1")
        machine = next(i for i in site.incidents() if i.reporter.startswith("machine:"))
        since = site.parts.clock.now - timedelta(days=30)
        (before,) = false_alarms(site.incidents(), since)
        assert (before.declared, before.closed, before.rate) == (1, 0, None)
        site.parts.service.handle(machine.id, Cancel(by="U0OMAR0001", why="a test"))
        (after,) = false_alarms(site.incidents(), since)
        assert (after.source, after.closed, after.false, after.rate) == ("Alertmanager", 1, 1, 1.0)
        assert "1 of 1 closed incidents of 30 days were false alarms (100%)" in answer(site, "dana", "alerts")


def test_a_false_alarm_is_one_press_and_a_duplicate_is_none(tmp_path: Path) -> None:
    """On the card that monitoring declared, after a confirmation; a duplicate was cancelled too, but was real."""
    with monitored(tmp_path) as site:
        site.taken(group(alert("Down")))
        (incident,) = site.incidents()
        card, stands = site.bot.person("dana"), incident.card()
        assert stands
        shown = next(m for m in card.messages("incidents") if m["ts"] == stands.ts)
        row = next(b["elements"] for b in shown["blocks"] if b["type"] == "actions")
        assert [e["text"]["text"] for e in row][-2:] == ["False alarm", "More"]
        assert "reopen" in row[-2]["confirm"]["text"]["text"]
        card.press(shown, "cancel", stands.channel)
        eventually(lambda: not site.incidents()[0].open)
        assert "1 of 1 closed incidents of 30 days were false alarms (100%)" in answer(site, "dana", "alerts")
        correction = Cancel(by="U0DANA0001", duplicate_of="INC-20241218-009", why="the same disk")
        site.parts.service.handle(incident.id, correction)
        assert "0 of 1 closed incidents of 30 days were false alarms (0%)" in answer(site, "dana", "alerts")


def test_the_question_whether_it_is_over_offers_the_false_alarm(tmp_path: Path) -> None:
    """Beside resolving: what ends by itself was often nothing."""
    with monitored(tmp_path) as site:
        site.taken(group(alert("Down")))
        site.taken(group(alert("Down", "resolved")))
        (asked,) = [m for m in site.parts.messages() if "All alerts have ended" in m["text"]]
        row = next(b["elements"] for b in asked["blocks"] if b["type"] == "actions")
        assert [(e["text"]["text"], "confirm" in e) for e in row] == [("Resolve", False), ("False alarm", True)]
        site.bot.person("dana").press(asked, "cancel", asked["channel"])
        eventually(lambda: site.incidents()[0].status is Status.CANCELLED)


def test_home_says_what_waits(tmp_path: Path) -> None:
    """In one line, with a button that lists it; nothing while nothing waits."""
    with monitored(tmp_path, **HOLD) as site:
        dana = site.bot.person("dana")
        assert "waits for somebody" not in str(eventually(lambda: dana.home()["view"]))
        site.taken(low("DiskFills"))
        eventually(lambda: "1 problem waits for somebody to declare it" in str(dana.home()["view"]))
        view = dana.home()["view"]
        action = {"block_id": "held-go", "action_id": "say-held", "type": "button", "value": "alerts held"}
        dana._post("action", container={"type": "view", "view_id": view["id"]}, action=action)
        eventually(lambda: "DiskFills" in str(dana.messages("tocsin")[-1:]))


def test_the_alerts_of_a_private_incident_are_for_its_members(tmp_path: Path) -> None:
    """Nobody else reads their names."""
    with monitored(tmp_path) as site:
        site.taken(group(alert("Zebra")))
        (incident,) = site.incidents()
        assert "Zebra" in answer(site, "paula", "alerts")
        site.parts.service.handle(incident.id, MarkSecurity(by="U0OMAR0001", why="keys"))
        site.parts.run()
        assert "Zebra" not in answer(site, "paula", "alerts")
        assert "Zebra" not in answer(site, "paula", f"alerts {incident.id}")
