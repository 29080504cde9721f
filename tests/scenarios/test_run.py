"""`tocsin run` as a whole: it comes up, survives kill -9 of any part and of itself, and ends on one Ctrl-C."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx2
import pytest
import redis

from benchmarks.ports import free_port
from tests.support import http
from tests.support.waiting import WITHIN, eventually, is_held
from tests.support.worker import names
from tocsin.config.settings import Environment
from tocsin.doctor.redis_checks import PARTS
from tocsin.run import embedded

pytestmark = pytest.mark.slow


class Instance:
    """A `tocsin run` on a folder and two ports of its own; started anew it goes on with them. `more`: its variables."""

    def __init__(self, folder: Path, **more: str) -> None:
        self.folder, self.data, self.more = folder, folder / "data", more
        self.web, self.page = free_port(), free_port()
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self) -> "subprocess.Popen[bytes]":
        ours = {name.upper() for name in Environment.model_fields}
        environment = {k: v for k, v in os.environ.items() if k not in ours} | {
            "TOCSIN_DATA": str(self.data),
            "TOCSIN_LISTEN": f"127.0.0.1:{self.web}",
            "TOCSIN_SANDBOX_LISTEN": f"127.0.0.1:{self.page}",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            **self.more,
        }
        with (self.folder / "output").open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "tocsin", "run"], env=environment, cwd=self.folder, stdout=output, stderr=output
            )
        self.started.append(process)
        return process

    @property
    def output(self) -> str:
        return (self.folder / "output").read_text()

    @property
    def banners(self) -> int:
        return self.output.count("Ctrl-C ends everything")

    def ready(self) -> bool:
        with contextlib.suppress(httpx2.HTTPError):
            return self.get("/readyz").status_code == 200
        return False

    def get(self, path: str) -> httpx2.Response:
        with http.client() as client:
            return client.get(f"http://127.0.0.1:{self.web}{path}")

    def redis(self) -> "redis.Redis":
        return redis.Redis.from_url(embedded.url(self.data))

    def parts(self) -> dict[str, int]:
        """The process of each part that gave a sign of life."""
        keys = [key.split(":") for key in names(self.redis().keys("tocsin:alive:*"))]
        return {key[2]: int(key[-1]) for key in keys}

    def stop(self) -> None:
        """End every start of it, and wait until it has ended."""
        for process in self.started:
            process.terminate()
        for process in self.started:
            process.wait(timeout=WITHIN)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    found = Instance(tmp_path)
    yield found
    found.stop()


def test_it_comes_up_says_what_to_do_and_ends_on_ctrl_c(instance: Instance) -> None:
    """The banner, a second start that is refused, and a clean end with exit code 0."""
    first = instance.start()
    eventually(lambda: instance.banners == 1, "no banner")
    assert instance.ready()
    assert f"Open   http://127.0.0.1:{instance.page}" in instance.output
    assert "/incident declare Checkout is down" in instance.output
    assert instance.start().wait(timeout=WITHIN) == 1
    assert f"Another `tocsin run` is at work on {instance.data}" in instance.output
    first.send_signal(signal.SIGINT)
    assert first.wait(timeout=WITHIN) == 0
    assert not embedded.running(instance.data)


def _runs(instance: Instance, part: str, killed: int = 0) -> bool:
    """True once that part runs, as another process than the killed one."""
    return instance.parts().get(part, killed) != killed


def test_every_part_that_is_killed_comes_back(instance: Instance) -> None:
    """kill -9 of Valkey, then of each part in turn."""
    instance.start()
    eventually(lambda: instance.ready() and set(instance.parts()) == set(PARTS), "not all parts came up")
    os.kill(int(instance.redis().info("server")["process_id"]), signal.SIGKILL)
    eventually(instance.ready, "not ready again after the server was killed")
    for part in PARTS:
        eventually(partial(_runs, instance, part))
        before = instance.parts()[part]
        instance.redis().delete(*instance.redis().keys(f"tocsin:alive:{part}:*"))
        os.kill(before, signal.SIGKILL)
        eventually(partial(_runs, instance, part, before), f"no new {part}")


def test_after_a_kill_the_next_start_goes_on(instance: Instance) -> None:
    """kill -9 of `tocsin run` itself: nothing is left behind, ports and folder are free, the data are there."""
    first = instance.start()
    eventually(lambda: instance.banners == 1)
    instance.redis().set("kept", "yes")
    first.kill()
    first.wait()
    second = instance.start()
    eventually(lambda: instance.banners == 2)
    eventually(instance.ready)
    assert is_held(instance.data / "tocsin.lock")
    assert instance.redis().get("kept") == b"yes"
    assert second.poll() is None


def test_a_taken_port_is_named(instance: Instance) -> None:
    """Another program has the address: which variable to set."""
    with socket.create_server(("127.0.0.1", instance.web)):
        assert instance.start().wait(timeout=WITHIN) == 1
    assert f"127.0.0.1:{instance.web} is taken by another program" in instance.output
    assert "TOCSIN_LISTEN" in instance.output
