"""The watchdog pages when Tocsin does not: by its own mail and paging service, once each, with Redis gone too."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import fakeredis
import pytest
from click.testing import CliRunner

from escalation.config.policy import Severity
from escalation.incident.events.moves import Acknowledge
from escalation.incident.model import Incident
from escalation.incident.state.facts import Facts
from escalation.processes import PARTS
from escalation.service import IncidentService
from tests.support.clock import PushedClock
from tests.support.outside_services import MailServer, PagingService
from tests.support.waiting import WITHIN
from tests.support.worker import Works, redis_of, valkey, works
from tests.workers.test_processes import staffed, until
from tocsin.cli import main
from tocsin.config.settings import Environment
from tocsin.watchdog import command
from tocsin.watchdog.observe import Observer
from tocsin.watchdog.watchdog import Memory, Notifier, Watchdog
from workers.channels.pagerduty import PagerDutyClient
from workers.channels.smtp import MailClient

OPS = "ops@example.com"
NEAR = 150  # seconds before the end of a wait
MARKER = "zebra crossing"
DOWN = "tocsin-watchdog-down"


class ServerOnAClock(fakeredis.FakeRedis):
    """Its TIME is the pushed clock's."""

    clock: PushedClock

    def time(self, **kwargs: object) -> tuple[int, int]:
        super().ping()
        seconds = self.clock.seconds()
        return int(seconds), round(seconds % 1 * 1e6)


@dataclass
class Scene:
    """A Redis, incidents in it, and a watchdog over it; nobody else is at work."""

    parts: Works
    server: fakeredis.FakeServer
    smtp: MailServer
    paging: PagingService
    folder: Path
    dog: Watchdog

    def staffed(self, *without: str) -> None:
        """All parts give a sign of life, but for these."""
        for part in PARTS:
            self.parts.redis.delete(f"tocsin:alive:{part}:host:1")
            if part not in without:
                self.parts.redis.set(f"tocsin:alive:{part}:host:1", 1)

    def wait(self, seconds: float) -> list[str]:
        """Look for so long, each second near the end; what was wrong then."""
        wrong: list[str] = []
        while seconds >= 1:
            step = 10 if seconds > NEAR else 1
            self.parts.clock.push(seconds=step)
            wrong = self.dog.check()
            seconds -= step
        return wrong

    def anew(self) -> None:
        """The watchdog is started anew: it has its memory only."""
        self.dog = watching(self.parts, self.smtp, self.paging, self.folder)

    def subjects(self, address: str = OPS) -> list[str]:
        return [m.subject for m in self.smtp.to(address)]


def watching(parts: Works, smtp: MailServer, paging: PagingService, folder: Path) -> Watchdog:
    memory = Memory(folder / "watchdog.json")
    mail, pagerduty = MailClient(smtp.url, "tocsin@example.com"), PagerDutyClient("key", paging.url)
    observer = Observer(parts.store, parts.service.company, parts.clock)
    notifier = Notifier(mail, (OPS,), pagerduty, memory)
    return Watchdog(observer, notifier, memory, timedelta(seconds=30), lambda: command.ping(f"{paging.url}/ping"))


@pytest.fixture
def scene(smtp: MailServer, paging: PagingService, tmp_path: Path) -> Scene:
    server = fakeredis.FakeServer()
    redis = ServerOnAClock(server=server)
    redis.clock = PushedClock()
    parts = works(redis, clock=redis.clock)
    made = Scene(parts, server, smtp, paging, tmp_path, watching(parts, smtp, paging, tmp_path))
    made.staffed()
    return made


def quiet(scene: Scene, severity: str = "P0", **facts: Any) -> Incident:
    """An incident whose first messages went out: only its checkpoints are ahead."""
    incident = scene.parts.declare(severity, **facts)
    after = scene.parts.store.update(incident.id, lambda i: i.model_copy(update={"effects": (), "stamp": "x"}))
    assert after.checkpoints
    return after


# All is well ---------------------------------------------------------------------------------------------------------


def test_nothing_is_told_while_all_is_well(scene: Scene) -> None:
    """And the dead man's switch outside hears of it, once a minute."""
    quiet(scene)
    assert scene.wait(121) == []
    assert not scene.smtp.mails
    assert not scene.paging.events
    assert scene.paging.pings == 3


def test_what_fires_within_the_limit_is_nobodys_business(scene: Scene) -> None:
    """Somebody is at it; the sweep repairs what was lost."""
    incident = quiet(scene)
    scene.wait(5 * 60 + 29)
    assert not scene.smtp.mails
    scene.parts.service.handle(incident.id, Acknowledge(by=incident.pages[0].person))
    due = {c.due for c in scene.parts.now(incident).checkpoints}
    assert min(due) > scene.parts.clock.now


# A checkpoint that does not fire -------------------------------------------------------------------------------------


def test_a_checkpoint_that_does_not_fire_is_paged(scene: Scene) -> None:
    """Half a minute after it was due: which one, of which incident, since when, and whom it should have paged."""
    incident = quiet(scene)
    scene.wait(15 * 60 + 31)
    mail = next(m for m in scene.smtp.to(OPS) if "unacknowledged" in m.id)
    assert mail.subject == f"[P0] Overdue: Checkout is down ({incident.id})"
    assert "nobody acknowledged within 15 minutes" in mail.body
    assert "Due: 2024-12-18 15:45:00 UTC, 30 seconds ago" in mail.body
    assert "Should have paged: " in mail.body
    assert mail.id.startswith(f"<{incident.id}-watchdog-unacknowledged-1-1734536700@")
    assert {e["dedup_key"] for e in scene.paging.events} == {f"{incident.id}-watchdog"}
    assert {e["payload"]["severity"] for e in scene.paging.events} == {"critical"}


def test_whoever_should_have_been_paged_is_mailed_too(scene: Scene) -> None:
    """The watchdog performs the page: by the roster of the time at which it was due."""
    quiet(scene)
    scene.wait(15 * 60 + 31)
    mail = next(m for m in scene.smtp.to(OPS) if "unacknowledged" in m.id)
    others = [m.to[0] for m in scene.smtp.mails if m.id == mail.id and m.to != [OPS]]
    named = mail.body.split("Should have paged: ")[1].splitlines()[0].split(", ")
    assert others
    assert others == [f"{name}@example.com" for name in named]


def test_it_is_told_once(scene: Scene) -> None:
    """However long it lasts, and when the watchdog is started anew."""
    quiet(scene, "P1")
    scene.wait(20 * 60)
    told = [m.id + m.to[0] for m in scene.smtp.mails]
    scene.anew()
    scene.wait(2)
    assert [m.id + m.to[0] for m in scene.smtp.mails] == told
    assert len(set(told)) == len(told)


def test_the_heartbeat_stays_away_while_something_is_wrong(scene: Scene) -> None:
    """So that whoever listens outside hears of it as well."""
    quiet(scene)
    scene.wait(5 * 60 + 31)
    before = scene.paging.pings
    assert scene.wait(120) != []
    assert scene.paging.pings == before


def test_what_was_settled_meanwhile_is_not_told(scene: Scene) -> None:
    """The incident is read again before somebody is notified."""
    incident = quiet(scene)
    scene.wait(1)
    member = f"c:{incident.id}:gone-1"
    scene.parts.redis.zadd("tocsin:alarms", {member: scene.parts.clock.now.timestamp()})
    scene.wait(60)
    assert not scene.smtp.mails


def test_a_page_that_nobody_sends_is_told(scene: Scene) -> None:
    """The incident was declared, and then the workers were gone: pages are told, cards that nobody posts are not."""
    incident = scene.parts.declare("P0")
    wrong = scene.wait(31)
    assert len(wrong) > len(incident.pages)
    mails = scene.smtp.to(OPS)
    assert len(mails) == len(incident.pages)
    assert all("a page that was not sent" in m.body for m in mails)


def test_of_a_private_incident_only_the_id_is_told(scene: Scene) -> None:
    """Mail and paging services are read by others."""
    incident = quiet(scene, title=MARKER, impact=MARKER, security=True)
    scene.wait(16 * 60)
    assert scene.subjects()
    assert set(scene.subjects()) == {f"Overdue: {incident.id}"}
    assert not [m for m in scene.smtp.mails if MARKER in m.body or "Should have paged" in m.body]
    assert MARKER not in str(scene.paging.events)


def test_an_exercise_pages_nobody(scene: Scene) -> None:
    """It is wrong all the same."""
    made = quiet(scene)
    scene.parts.redis.zremrangebyscore("tocsin:alarms", "-inf", "+inf")
    scene.parts.service.declare("UPAULA", made.severity, made.facts, drill_speed=1.0)
    assert scene.wait(31) != []
    assert not scene.smtp.mails


def test_the_paging_service_is_told_when_it_is_over(scene: Scene) -> None:
    """Under the key that it was told by."""
    incident = quiet(scene)
    scene.wait(5 * 60 + 31)
    scene.parts.redis.zremrangebyscore("tocsin:alarms", "-inf", "+inf")
    scene.wait(1)
    actions = scene.paging.actions(f"{incident.id}-watchdog")
    assert actions[-1] == "resolve"
    assert set(actions[:-1]) == {"trigger"}


def test_a_way_that_fails_is_tried_again_and_the_others_are_not(scene: Scene) -> None:
    """The mail server is down: PagerDuty hears once, the mail follows."""
    incident = quiet(scene)
    scene.smtp.refusing["MAIL"] = "421 closing"
    scene.wait(5 * 60 + 40)
    assert not scene.smtp.mails
    triggered = len(scene.paging.actions(f"{incident.id}-watchdog"))
    assert triggered
    scene.smtp.refusing.clear()
    scene.wait(31)
    assert scene.subjects()
    assert len(scene.paging.actions(f"{incident.id}-watchdog")) == triggered


def test_an_address_that_is_refused_does_not_hold_up_the_rest(scene: Scene) -> None:
    """Somebody has left; the switch outside must not report that for ever."""
    scene.smtp.refusing["RCPT"] = "550 5.1.1 no such user"
    incident = quiet(scene)
    scene.wait(5 * 60 + 31)
    assert scene.paging.actions(f"{incident.id}-watchdog")
    assert not [w for w in scene.wait(1) if "could be told" in w]


# Tocsin as a whole ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dead", [PARTS, ("ticker",)])
def test_a_part_that_nobody_runs_is_told_and_its_return_too(scene: Scene, dead: tuple[str, ...]) -> None:
    """Half a minute after its last sign of life."""
    scene.wait(1)
    scene.staffed(*dead)
    scene.wait(30)
    assert not scene.smtp.mails
    scene.wait(1)
    assert scene.subjects() == ["Tocsin is down"]
    assert f"No worker runs the part {', '.join(dead)}" in scene.smtp.mails[0].body
    scene.wait(60)
    scene.staffed()
    assert scene.wait(1) == []
    assert scene.subjects() == ["Tocsin is down", "Tocsin is back"]
    assert scene.paging.actions(DOWN) == ["trigger", "resolve"]


def test_a_short_absence_is_nobodys_business(scene: Scene) -> None:
    """A restart, a new version."""
    scene.staffed("urgent")
    scene.wait(20)
    scene.staffed()
    scene.wait(60)
    assert not scene.smtp.mails


def test_with_redis_gone_its_checkpoints_are_paged_at_their_time(scene: Scene) -> None:
    """From the last good copy: which incidents had what ahead, and each at its due time."""
    incident = quiet(scene)
    scene.wait(60)
    scene.server.connected = False
    scene.wait(31)
    (mail,) = scene.smtp.to(OPS)
    assert mail.subject == "Tocsin is down"
    assert "Redis cannot be reached" in mail.body
    assert f"2024-12-18 15:45:00 UTC  {incident.id}  unacknowledged-1" in mail.body
    scene.wait(15 * 60 - 92)
    assert not [m for m in scene.smtp.mails if "unacknowledged-1-" in m.id]
    scene.wait(2)
    paged = [m for m in scene.smtp.to(OPS) if "unacknowledged-1-" in m.id]
    assert len(paged) == 1
    assert "Redis is gone; this checkpoint was due now." in paged[0].body
    assert "nobody acknowledged within 15 minutes" in paged[0].body
    scene.server.connected = True
    scene.wait(5)
    assert "Tocsin is back" in scene.subjects()
    assert len([m for m in scene.smtp.to(OPS) if "unacknowledged-1-" in m.id]) == 1


def test_an_outage_is_remembered_across_runs(scene: Scene) -> None:
    """As cron runs it: each look is a process of its own."""
    scene.staffed(*PARTS)
    for _ in range(2):
        assert scene.wait(1) != []
        scene.anew()
        scene.parts.clock.push(seconds=60)
    assert scene.subjects() == ["Tocsin is down"]
    scene.staffed()
    scene.anew()
    assert scene.wait(1) == []
    assert scene.subjects() == ["Tocsin is down", "Tocsin is back"]


@pytest.mark.parametrize("document", ['{"version": 999}', "{}", "nonsense"])
def test_a_document_that_cannot_be_read_is_told_by_its_id(scene: Scene, document: str) -> None:
    """A newer version's, a broken one, one that is gone."""
    incident = quiet(scene)
    scene.parts.redis.set(f"tocsin:incident:{incident.id}", document)
    scene.wait(5 * 60 + 31)
    assert f"Overdue: {incident.id}" in scene.subjects()


# The command ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in Environment.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("halfway", [{}, {"SMTP_URL": "smtp://localhost", "SMTP_FROM": "a@b.c"}, {"WATCHDOG_TO": OPS}])
def test_without_a_way_to_reach_anybody_it_refuses(
    bare: Path, halfway: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2, and the remedy."""
    for name, value in halfway.items():
        monkeypatch.setenv(name, value)
    result = CliRunner().invoke(main, ["watchdog"])
    assert result.exit_code == 2
    assert "SMTP_URL, SMTP_FROM and WATCHDOG_TO" in " ".join(result.output.split())


@pytest.mark.slow  # starts the command twice
def test_a_single_look_says_what_is_wrong(bare: Path, paging: PagingService) -> None:
    """No Redis here: exit code 1. Nobody is paged in the first half-minute, and the next look knows since when."""
    set_up = {"PAGERDUTY_ROUTING_KEY": "key", "PAGERDUTY_URL": paging.url, "REDIS_URL": "redis://127.0.0.1:1/0"}
    for limit, actions in (("1h", []), ("1s", ["trigger"])):
        time_passes(bare, 60)
        look = single_look(bare, set_up, "--limit", limit)
        assert (look.returncode, look.stdout) == (1, "Redis cannot be reached\n")
        assert paging.actions(DOWN) == actions


def single_look(folder: Path, set_up: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    """`tocsin watchdog --once` as cron runs it."""
    command_line = [sys.executable, "-m", "tocsin", "watchdog", "--once", *arguments]
    environment = {**os.environ, **set_up, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(command_line, cwd=folder, env=environment, text=True, capture_output=True, check=False)


def time_passes(folder: Path, seconds: float) -> None:
    """For the watchdog's memory: what is wrong has been so for longer."""
    kept = folder / "data" / "watchdog.json"
    if kept.exists():
        memory = json.loads(kept.read_text())
        kept.write_text(json.dumps(memory | {"down": memory["down"] - seconds}))


@pytest.mark.parametrize(("variable", "value"), [("WATCHDOG_TO", "ops"), ("WATCHDOG_HEARTBEAT_URL", "hc-ping.com/1")])
def test_a_wrong_setting_is_named(bare: Path, variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything starts."""
    monkeypatch.setenv(variable, value)
    result = CliRunner().invoke(main, ["watchdog"])
    assert result.exit_code == 1
    assert variable in result.output


# Real processes ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_workers_that_are_killed_for_good_are_made_up_for(bare: Path, smtp: MailServer) -> None:
    """Kill -9 all of them after a declaration: the watchdog, a process of its own, pages, and says that all is down."""
    with redis_of("valkey") as redis, staffed(redis, valkey().port, PARTS) as (here, crew):
        until(lambda: len(redis.keys("tocsin:alive:*")) == len(PARTS))
        hurried = IncidentService(here.store, here.service.company, here.service.policy, here.store.now, speed=60)
        incident = hurried.declare("UPAULA", Severity.P0, Facts(title="Checkout is down"))
        until(lambda: len(here.directs()) >= len(incident.pages))
        crew.stop()
        with watchdog_at_work(bare, smtp, f"redis://127.0.0.1:{valkey().port}/0") as process:
            until(lambda: any("watchdog-unacknowledged" in m.id for m in smtp.to(OPS)))
            until(lambda: any(m.subject == "Tocsin is down" for m in smtp.to(OPS)))
            process.terminate()
            assert process.wait(WITHIN) == 0
        ids = [m.id for m in smtp.to(OPS)]
        assert len(set(ids)) == len(ids)
        crew.running.clear()


@contextmanager
def watchdog_at_work(folder: Path, smtp: MailServer, redis_url: str) -> "Iterator[subprocess.Popen[bytes]]":
    """`tocsin watchdog` with a short patience."""
    set_up = {"SMTP_URL": smtp.url, "SMTP_FROM": "tocsin@example.com", "WATCHDOG_TO": OPS, "REDIS_URL": redis_url}
    environment = {**os.environ, **set_up, "PYTHONPATH": str(Path(__file__).parents[2])}
    command_line = [sys.executable, "-m", "tocsin", "watchdog", "--limit", "2s"]
    process = subprocess.Popen(command_line, cwd=folder, env=environment, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
