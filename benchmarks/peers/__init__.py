"""Run the same checkpoints in other schedulers, each in a virtual environment that the benchmark makes.

A checkpoint there only records that it ran: one command to Redis. Tocsin's reads an incident, decides, and commits the
new state with its timers and its messages.
"""

import json
import subprocess
import sys
import time
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis

from benchmarks.rig import PATIENCE, client, process, server, wait_until

HERE = Path(__file__).parent
LEAD = 6.0  # seconds until the first is due: workers have to start, and thousands have to be sent


@dataclass(frozen=True)
class Peer:
    """Another scheduler. `module` is a file of this folder with a `send`, `worker` a command in its `bin`."""

    name: str
    packages: tuple[str, ...]
    module: str
    worker: tuple[str, ...]


# Two workers each, which is their default on two cores.
PEERS = (
    Peer("Celery", ("celery[redis]",), "on_celery", ("celery", "-A", "on_celery", "worker", "-c", "2", "-l", "ERROR")),
    Peer("APScheduler", ("apscheduler<4", "redis"), "on_apscheduler", ("python", "on_apscheduler.py")),
    Peer("Dramatiq", ("dramatiq[redis]",), "on_dramatiq", ("dramatiq", "on_dramatiq", "-p", "2", "-t", "8")),
    Peer("huey", ("huey", "redis"), "on_huey", ("huey_consumer", "on_huey.app", "-w", "2", "-k", "process")),
    Peer("RQ", ("rq>=3,<4",), "on_rq", ("rq", "worker", "--with-scheduler", "-q", "--url", "URL", "due")),
)


def install(peer: Peer, folder: Path) -> Path | None:
    """Install a peer in an environment, and return its `bin`; None when that fails."""
    place = folder / peer.module
    if not (place / "installed").exists():
        venv.create(place, with_pip=True, clear=True)
        pip = [str(place / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", *peer.packages]
        if subprocess.run(pip, stdout=sys.stderr).returncode:  # noqa: S603 - a program of our own making
            return None
        (place / "installed").touch()
    return place / "bin"


def lateness(peer: Peer, where: Path, number: int, seconds: float) -> list[float]:
    """Measure the seconds from each due time to its run, over `seconds` (0: one instant). Negative: ran too early."""
    with server() as socket, _working(peer, where, socket) as redis:
        first = time.time() + LEAD + number * 0.01
        due = [first + seconds * n / number for n in range(number)]
        script = f"import json, sys, {peer.module} as p\nfor n, at in enumerate(json.load(sys.stdin)): p.send(n, at)"
        _python(where, script, socket, due)
        if time.time() > first:
            raise RuntimeError(f"{peer.name}: this machine is too slow to send so many in time")
        wait_until(lambda: redis.hlen("ran") == number, peer.name, every=0.05, within=PATIENCE)
        ran = {int(n): float(at) for n, at in redis.hgetall("ran").items()}
    return [ran[n] - at for n, at in enumerate(due)]


@contextmanager
def _working(peer: Peer, where: Path, socket: Path) -> "Iterator[Redis]":
    redis = client(socket)
    argv = [str(where / peer.worker[0]), *(_url(socket) if word == "URL" else word for word in peer.worker[1:])]
    with process(*argv, environment=_environment(where, socket), folder=HERE, mute=True):
        yield redis


def _python(where: Path, script: str, socket: Path, due: Sequence[float]) -> None:
    subprocess.run(  # noqa: S603 - our own script
        [str(where / "python"), "-c", script],
        input=json.dumps(due).encode(),
        env=_environment(where, socket),
        cwd=HERE,
        check=True,
    )


def _environment(where: Path, socket: Path) -> dict[str, str]:
    return {"PATH": f"{where}:/usr/bin:/bin", "BENCH_SOCKET": str(socket), "PYTHONPATH": str(HERE), "HOME": str(where)}


def _url(socket: Path) -> str:
    return f"unix://{socket}"
