"""Debian's Prometheus, Alertmanager and Blackbox exporter report to Tocsin: nothing of either side is replaced."""

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from escalation.config.policy import Severity
from escalation.incident.model import Incident
from escalation.incident.state.facts import Detection, Status
from escalation.storage.spool import Spool
from escalation.storage.store import Store
from tests.alerts import test_whole_way as by_pushed_clock
from tests.alerts.prometheus import TOKEN, WATCHED, Watched, missing, watched
from tests.scenarios.test_run import Instance
from tests.support import http
from tests.support.waiting import eventually
from tocsin.config.settings import EXAMPLE_CONFIG
from workers.alerts import enqueue_overdue
from workers.queue.outbox import post

lacking = missing()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(lacking), reason=f"not installed: {', '.join(lacking)} (apt install {' '.join(lacking)})"),
]
ROUTES = [
    {"match": {"source": "alertmanager", "labels": {"team": "payments"}}, "service": "checkout", "severity": "P0"},
]
# Service -> severity (by a route, PagerDuty's word, Opsgenie's priority), team, what it is named as, and how its title
# begins. The last two clients send one text for a group, which is not the alert's own.
EXPECTED = {
    "checkout": (Severity.P0, "backend", "Alertmanager", "checkout does not answer"),
    "api": (Severity.P1, "backend", "PagerDuty Events", "ServiceDown api"),
    "platform": (Severity.P1, "devops", "Opsgenie Alert API", "ServiceDown platform"),
}


class Monitored:
    """A whole Tocsin, and the monitoring that reports to it."""

    def __init__(self, tocsin: Instance, monitoring: Watched) -> None:
        self.tocsin, self.monitoring = tocsin, monitoring

    def incidents(self) -> dict[str, Incident]:
        """The incidents by the service that they are about; one for each."""
        with self.tocsin.redis() as redis:
            found = list(Store(redis, post).recent())
        assert len({i.facts.service for i in found}) == len(found), "one problem became two incidents"
        return {i.facts.service: i for i in found}

    def all_declared(self) -> dict[str, Incident] | None:
        found = self.incidents()
        return found if found.keys() == WATCHED.keys() and all(i.card() for i in found.values()) else None

    def thread(self, incident: Incident) -> str:
        """What stands under an incident's card."""
        card = incident.card()
        assert card
        state: Any = http.web.get(f"http://127.0.0.1:{self.tocsin.page}/control/state").json()
        return "\n".join(m["text"] for m in state["messages"][card.channel] if m.get("thread_ts") == card.ts)


@pytest.fixture
def monitored(tmp_path: Path) -> Iterator[Monitored]:
    config = tmp_path / "company.yml"
    config.write_text(yaml.safe_dump(yaml.safe_load(EXAMPLE_CONFIG.read_text()) | {"alerts": {"routes": ROUTES}}))
    tocsin = Instance(tmp_path, TOCSIN_CONFIG=str(config), TOCSIN_SPEED="1", ALERTS_TOKEN=TOKEN)
    try:
        tocsin.start()
        eventually(tocsin.ready, "Tocsin did not come up")
        with watched(tmp_path / "monitoring", f"http://127.0.0.1:{tocsin.web}") as monitoring:
            yield Monitored(tocsin, monitoring)
    finally:
        tocsin.stop()


def test_a_service_that_is_killed_declares_and_its_return_is_told(monitored: Monitored) -> None:
    """Each receiver opens one incident with its severity and team, and people are asked when its alert ends."""
    monitored.monitoring.kill()
    found = eventually(monitored.all_declared, "not every service has its incident")
    for service, (severity, team, source, title) in EXPECTED.items():
        incident = found[service]
        assert (incident.severity, incident.team) == (severity, team)
        assert incident.facts.detection is Detection.MONITORING
        assert source in incident.reporter
        assert incident.facts.title.startswith(title)
        assert incident.pages
    monitored.monitoring.start()
    for service in EXPECTED:
        eventually(partial(_asked, monitored, service), f"nobody was asked about {service}")


def _asked(monitored: Monitored, service: str) -> bool:
    incident = monitored.incidents()[service]
    assert incident.status is not Status.RESOLVED
    return "ended" in monitored.thread(incident)


def test_what_fires_while_redis_is_away_is_found_when_it_is_back(monitored: Monitored) -> None:
    """Alertmanager is answered from the disk, and never sends again; every incident is there once Redis is."""
    with monitored.tocsin.redis() as redis:
        server = int(redis.info("server")["process_id"])
    os.kill(server, signal.SIGSTOP)
    try:
        monitored.monitoring.kill()
        spool = Spool(monitored.tocsin.data / "spool")
        eventually(lambda: spool.depth()[0] >= len(WATCHED), "nothing stands on the disk")
    finally:
        os.kill(server, signal.SIGCONT)
    found = eventually(monitored.all_declared, "not every service has its incident")
    assert {service: i.severity for service, i in found.items()} == {s: e[0] for s, e in EXPECTED.items()}
    eventually(lambda: spool.depth() == (0, 0), "the disk was not emptied")


def test_a_route_resolves_what_came_back_and_asks_about_the_rest(tmp_path: Path) -> None:
    """Five minutes after its alert ended the service of that route is resolved, and no other."""
    routes = [{"match": {"source": "events"}, "when_resolved": "resolve"}]
    with (
        by_pushed_clock.monitored(tmp_path, routes=routes) as site,
        watched(tmp_path / "monitoring", str(site.bot.web.base_url).rstrip("/")) as monitoring,
    ):

        def results(wanted: str) -> bool:
            site.parts.run()
            return site.results().count(wanted) >= len(WATCHED)

        monitoring.kill()
        eventually(lambda: results("declared"), "not every service has its incident")
        monitoring.start()
        eventually(lambda: results("resolved"), "not every alert has ended")
        site.parts.clock.push(minutes=5)
        enqueue_overdue(site.parts.context, site.parts.clock.now)
        site.parts.run()
        over = {i.facts.service: i.status is Status.RESOLVED for i in site.incidents()}
        assert over == {"checkout": False, "api": True, "platform": False}
