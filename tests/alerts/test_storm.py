"""What a storm costs, in commands, parses and files rather than in seconds; and what ended before anybody looked."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.alerts import document, source
from escalation.alert_service import SLICE
from escalation.incident.model import Incident
from escalation.storage.intake import LOG_LENGTH, Body, Intake
from tests.alerts.test_whole_way import TOKEN, Monitored, alert, group, monitored, site
from workers.alerts import READ_AT_ONCE, AlertWork, enqueue_overdue
from workers.queue.outbox import post_alerts

__all__ = ["site"]
WATCHDOG = {"match": {"labels": {"alertname": "Watchdog"}}, "heartbeat": "3m"}


def posted(site: Monitored, *bodies: dict[str, Any]) -> None:
    """Post bodies, before any worker looks."""
    for body in bodies:
        assert site.post(body).status_code == 202


def round_trips(site: Monitored) -> int:
    """Requests that the server has read, whoever sent them: a pipeline or transaction is one."""
    stats: Any = site.parts.redis.info("stats")
    return int(stats["total_reads_processed"])


def test_what_ended_before_any_worker_looked_is_an_incident_that_asks(site: Monitored) -> None:
    """Something was broken: it is declared, its card says that all have ended, and the thread asks if it is over."""
    posted(site, group(alert("Down")), group(alert("Down", "resolved")))
    site.parts.run()
    [incident] = site.incidents()
    assert incident.open
    assert (incident.alerts.firing, incident.alerts.total) == (0, 1)
    assert "all have ended" in site.card(incident)
    assert any("All alerts have ended" in message["text"] for message in site.parts.messages())
    assert site.results() == ["declared", "resolved"]


def test_what_cleared_within_its_wait_is_kept_and_counted(tmp_path: Path) -> None:
    """It declares nothing, though no worker looked while it fired; the list has both bodies."""
    with monitored(tmp_path, routes=[{"wait": "2m"}]) as site:
        posted(site, group(alert("Down")), group(alert("Down", "resolved")))
        site.parts.run()
        site.parts.clock.push(minutes=5)
        site.parts.run()
        assert site.incidents() == []
        assert site.results() == ["waiting", "resolved"]


def later(site: Monitored, minutes: float) -> list[Incident]:
    """Let time pass, as the ticker notices it; what is due is worked on."""
    site.parts.clock.push(minutes=minutes)
    enqueue_overdue(site.parts.context, site.parts.clock.now)
    site.parts.run()
    return site.incidents()


def test_what_cleared_within_its_wait_pages_nobody_however_late_a_worker_looks(tmp_path: Path) -> None:
    """Its end came in time, and waited for a worker beyond the time that the alert was given."""
    with monitored(tmp_path, routes=[{"wait": "2m"}]) as site:
        site.taken(group(alert("Down")))
        posted(site, group(alert("Down", "resolved")))
        assert later(site, 30) == []
        assert later(site, 30) == []
        assert site.results() == ["waiting", "resolved"]


def test_what_outlasted_its_wait_while_no_worker_looked_is_an_incident_that_asks(tmp_path: Path) -> None:
    """Its end came later than the time that it was given: something was broken."""
    with monitored(tmp_path, routes=[{"wait": "2m"}]) as site:
        site.taken(group(alert("Down")))
        body = json.dumps(group(alert("Down", "resolved"))).encode()
        Intake(site.parts.redis, post_alerts).keep(Body("late", "alertmanager", time.time() + 130, body))
        [incident] = later(site, 30)
        assert incident.alerts.firing == 0
        assert any("All alerts have ended" in message["text"] for message in site.parts.messages())


def test_a_heartbeat_that_waited_for_a_worker_is_no_silence(tmp_path: Path) -> None:
    """Workers were away when it was due: it came all the same, and is read before anybody is paged."""
    with monitored(tmp_path, routes=[WATCHDOG]) as site:
        site.taken(group(alert("Watchdog")))
        posted(site, group(alert("Watchdog")))
        assert later(site, 3.2) == []
        assert later(site, 2.9) == []
        [incident] = later(site, 0.2)
        assert incident.facts.title == "Monitoring is silent: no Watchdog"


def test_after_an_outage_of_ours_a_heartbeat_is_waited_for_anew(tmp_path: Path) -> None:
    """Nobody listened, so that nothing is known of its sender: it has its whole time once more."""
    with monitored(tmp_path, routes=[WATCHDOG]) as site:
        site.taken(group(alert("Watchdog")))
        assert later(site, 60) == []
        assert later(site, 2.9) == []
        assert len(later(site, 0.2)) == 1


def test_an_end_that_waits_with_its_beginning_ends_it(tmp_path: Path) -> None:
    """Its body lacks the labels that the beginning was routed by, and no worker has looked in between."""
    with monitored(tmp_path, routes=[{"match": {"labels": {"team": "db"}}, "service": "checkout"}]) as site:
        beginning, end = alert("Down", team="db", service=""), alert("Down", "resolved", service="")
        posted(site, group(beginning), group(end))
        site.parts.run()
        [incident] = site.incidents()
        assert incident.alerts.firing == 0


def test_a_storm_hides_nothing_that_was_dropped(site: Monitored) -> None:
    """Ten thousand alerts of one body push what became of others off the list, but not what nothing came of."""
    assert site.post(b"no JSON").status_code == 202
    posted(site, group(alert("Chat", severity="info")))
    site.parts.run()
    storm = [{"status": "firing", "fingerprint": f"f{n}", "labels": {"alertname": "Node"}} for n in range(11_000)]
    posted(site, group(*storm))
    site.parts.run()
    found = Intake(site.parts.redis, post_alerts).log(site.parts.clock.now.replace(year=2000))
    assert [o.result.partition(":")[0] for o in found if o.dropped] == ["dropped", "unparsable"]
    assert len(found) > LOG_LENGTH


def test_a_storm_takes_few_round_trips(site: Monitored) -> None:
    """Those of the workers grow with the groups and the hundreds of bodies, not with the bodies."""
    bodies = [group(alert(f"A{n}", service=("checkout", "api")[n % 2])) for n in range(3 * READ_AT_ONCE)]
    posted(site, group(alert("First", service="checkout")), group(alert("First", service="api")))
    site.parts.run()
    posted(site, *bodies)
    before = round_trips(site)
    AlertWork(site.parts.context, {}).work()
    assert Intake(site.parts.redis, post_alerts).due(site.parts.clock.now)[1] == []
    assert len(site.results()) == len(bodies) + 2
    assert round_trips(site) - before < len(bodies) / 3


def test_a_group_of_a_storm_is_taken_in_slices(site: Monitored) -> None:
    """So that a worse alert that comes meanwhile waits for one slice of it only; all of it is taken in."""
    posted(site, group(*(alert(f"A{n}", severity="warning") for n in range(900))))
    posted(site, group(alert("Worse", service="api")))
    assert SLICE < 900
    site.parts.run()
    first, second = site.incidents()
    assert first.facts.title == "Worse"
    assert second.alerts.total == 900


@pytest.fixture
def parses(monkeypatch: pytest.MonkeyPatch) -> list[threading.Thread]:
    """The thread of each parse of a body."""
    threads: list[threading.Thread] = []

    def counted(parse: Callable[[bytes], document.Document]) -> Callable[[bytes], document.Document]:
        def parse_json(body: bytes) -> document.Document:
            threads.append(threading.current_thread())
            return parse(body)

        return parse_json

    monkeypatch.setattr(source, "parse_json", counted(document.parse_json))
    return threads


EVENT = {
    "routing_key": TOKEN,
    "event_action": "trigger",
    "payload": {"summary": "Disk full", "source": "db-1", "severity": "critical"},
}


def test_a_body_is_parsed_once_to_be_answered(site: Monitored, parses: list[threading.Thread]) -> None:
    """To find its secret, to see whether it is readable, and for the key in the answer; and once by the worker."""
    answer = site.post(EVENT, "/v2/enqueue", x="1")
    assert (answer.status_code, len(parses)) == (202, 1)
    assert answer.json()["dedup_key"]
    site.parts.run()
    assert len(parses) == 2


def test_a_large_body_is_read_beside_the_loop(site: Monitored, parses: list[threading.Thread]) -> None:
    """A click that comes meanwhile is acknowledged at once."""
    small, large = EVENT, {**EVENT, "client": "x" * 400_000}
    for event in (small, large):
        assert site.post(event, "/v2/enqueue", x="1").status_code == 202
    action = {"action": "Create", "alert": {"alias": "a", "message": "b", "description": "x" * 400_000}}
    assert site.post(action, "/alerts/opsgenie").status_code == 202
    assert len(parses) == 3
    assert parses[0] is not parses[1]
    assert all("asyncio" in thread.name for thread in parses[1:])


def test_a_source_that_is_not_read_to_be_answered_is_not_parsed(
    site: Monitored, parses: list[threading.Thread]
) -> None:
    """Its bytes are kept as they came; the worker parses them."""
    assert site.post(json.dumps(group(alert("Down"))).encode()).status_code == 202
    assert parses == []
