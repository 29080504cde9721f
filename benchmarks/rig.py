"""Run Tocsin in processes of its own: embedded server, local workspace, bot over HTTP, worker."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis import Redis

from benchmarks.ports import free_port
from escalation.processes import PARTS
from escalation.storage.heartbeats import HEARTBEATS
from tocsin.config.settings import Environment
from tocsin.config.slack_settings import LOCAL_BOT_TOKEN, LOCAL_SIGNING_SECRET
from tocsin.run import embedded

ROOT = Path(__file__).parent.parent
PATIENCE = 120.0  # seconds; some benchmarks have thousands of incidents to work off
TICKS = os.sysconf("SC_CLK_TCK")
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def wait_until(condition: Callable[[], Any], what: str, every: float = 0.01, within: float = PATIENCE) -> None:
    """Poll a condition until it is true. TimeoutError with `what` was waited for, after `within` seconds."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(every)


def http(url: str, body: Any = None) -> Any:
    """GET JSON from a URL of this machine, or POST a body to it. Without any proxy."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})  # noqa: S310 - our own address
    with _direct.open(request, timeout=30) as answer:
        return json.load(answer)


def answers(url: str) -> bool:
    """True if a URL of this machine answers 200."""
    try:
        with _direct.open(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@contextmanager
def process(
    *argv: str, environment: dict[str, str] | None = None, folder: Path = ROOT, mute: bool = False
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program during the block. Its output goes to standard error, unless it is mute."""
    output = subprocess.DEVNULL if mute else sys.stderr
    started = subprocess.Popen(argv, env=environment, cwd=folder, stdout=output, stderr=output)  # noqa: S603 - our own programs
    try:
        yield started
    finally:
        started.send_signal(signal.SIGTERM)
        try:
            started.wait(15)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


@contextmanager
def server() -> Iterator[Path]:
    """Run an embedded server during the block, as `tocsin run` does; yields its socket's path."""
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-") as folder:
        data = Path(folder) / "data"
        embedded.make_folder(data)
        with process(sys.executable, "-m", "tocsin.run.embedded", str(data)):
            wait_until(lambda: embedded.running(data), "the embedded server")
            yield embedded.socket_path(data)


def client(path: Path) -> Redis:
    """Connect to a server by its socket."""
    return Redis(unix_socket_path=str(path), socket_timeout=30)


@dataclass
class Rig:
    """The running program: its server and its ports. `parts` holds the process ids by name.

    `extra` are further variables of the environment.
    """

    socket: Path
    redis: Redis
    web: int = field(default_factory=free_port)
    slack: int = field(default_factory=free_port)
    parts: dict[str, int] = field(default_factory=dict)
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def workspace(self) -> str:
        """URL of the local workspace."""
        return f"http://127.0.0.1:{self.slack}"

    @property
    def bot(self) -> str:
        """URL of the bot."""
        return f"http://127.0.0.1:{self.web}"

    def environment(self) -> dict[str, str]:
        """Environment of the program's processes."""
        ours = {name.upper() for name in Environment.model_fields}
        return {k: v for k, v in os.environ.items() if k not in ours} | {
            "SLACK_BOT_TOKEN": LOCAL_BOT_TOKEN,
            "SLACK_SIGNING_SECRET": LOCAL_SIGNING_SECRET,
            "SLACK_API_URL": f"{self.workspace}/api/",
            "REDIS_URL": f"unix://{self.socket}",
            "TOCSIN_LISTEN": f"127.0.0.1:{self.web}",
            "TOCSIN_SANDBOX_LISTEN": f"127.0.0.1:{self.slack}",
            "TOCSIN_DATA": str(self.socket.parent / "workspace-data"),
            "LOG_LEVEL": "ERROR",
            **self.extra,
        }

    def tocsin(self, *arguments: str) -> Any:
        """Run a `tocsin` command during the block."""
        return process(sys.executable, "-m", "tocsin", *arguments, environment=self.environment())

    def slack_call(self, method: str, **body: Any) -> Any:
        """Call the Web API with the bot's token."""
        request = urllib.request.Request(  # noqa: S310 - our own address
            f"{self.workspace}/api/{method}",
            json.dumps(body).encode(),
            {"content-type": "application/json; charset=utf-8", "authorization": f"Bearer {LOCAL_BOT_TOKEN}"},
        )
        with _direct.open(request, timeout=30) as answer:
            return json.load(answer)

    def calls(self, method: str) -> list[dict[str, Any]]:
        """The Web API calls so far, oldest first; `at` is in epoch seconds."""
        return list(http(f"{self.workspace}/control/calls?method={method}")["calls"])

    def alive(self) -> dict[str, int]:
        """Process ids of the parts that have a heartbeat, by name."""
        found: Any = self.redis.smembers(HEARTBEATS)
        keys = [str(key, "utf-8") for key in found if self.redis.exists(key)]
        return {key.split(":")[2]: int(key.split(":")[-1]) for key in keys}


@contextmanager
def rig(*, workers: int = 1, bot: bool = False, extra: dict[str, str] | None = None) -> Iterator[Rig]:
    """Run server and workspace during the block, with so many workers, and a bot if wanted."""
    with ExitStack() as stack:
        path = stack.enter_context(server())
        made = Rig(path, client(path), extra=extra or {})
        stack.enter_context(made.tocsin("sandbox"))
        wait_until(lambda: answers(f"{made.workspace}/control/state"), "the local workspace")
        for _ in range(workers):
            stack.enter_context(made.tocsin("worker"))
        if bot:
            stack.enter_context(made.tocsin("bot"))
        wanted = {*(PARTS if workers else ()), *(("bot",) if bot else ())}
        wait_until(lambda: wanted <= set(made.alive()), "the parts")
        made.parts = made.alive()
        yield made


def resident(pid: int) -> int:
    """Proportional memory of a process in bytes: its own, and its part of what it shares."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def busy(pid: int) -> float:
    """Processor time that a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
