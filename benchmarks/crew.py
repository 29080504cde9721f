"""Start the real program's processes as an operator would, restart them, and kill any of them."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from benchmarks.ports import free_ports, is_free
from benchmarks.posting import TOKEN
from escalation.hosts import PROXIES
from tocsin.config.settings import EXAMPLE_CONFIG, Environment
from tocsin.run import embedded, lifeline

ROOT = Path(__file__).parent.parent
RESTART = 0.1  # seconds until a dead process is restarted: the first delay of the program's own supervisor
GRACE = 15.0  # seconds between SIGTERM and SIGKILL
POLICIES = ("kars", "beauty")
# One company for both policies: the roles of either, and business hours at all times.
ROLES = {"engineering_team": ["mei", "bruno"], "cto": "carla", "ceo": "victor"}
CALENDAR = {"hours": "00:00-23:59", "days": ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]}


@dataclass(frozen=True)
class Process:
    """A line of `ps`."""

    pid: int
    parent: int
    command: str


@dataclass
class Child:
    """A process that is restarted when it dies."""

    name: str
    argv: tuple[str, ...]
    environment: dict[str, str]
    process: "subprocess.Popen[bytes] | None" = None
    died: float = 0.0


@dataclass
class Crew:
    """Server, workspace, bots and worker supervisors on one folder and on free ports."""

    folder: Path
    bots: int
    supervisors: int
    speed: float
    children: dict[str, Child] = field(default_factory=dict)
    restarts: int = 0
    seen: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.data = self.folder / "data"
        self.data.mkdir(parents=True)
        self.ports = free_ports(self.bots + 1)
        for policy in POLICIES:
            (self.folder / f"{policy}.yml").write_text(yaml.safe_dump(company(policy)))
        self._add("server", "tocsin.run.embedded", str(self.data))
        self._add("workspace", "tocsin", "sandbox")
        for n in range(1, self.bots + 1):
            own = {"TOCSIN_LISTEN": f"127.0.0.1:{self.ports[n]}", "TOCSIN_CONFIG": self._config(n)}
            self._add(f"bot {n}", "tocsin", "bot", **own)
        for n in range(1, self.supervisors + 1):
            self._add(f"supervisor {n}", "tocsin", "worker", TOCSIN_CONFIG=self._config(1))

    @property
    def slack(self) -> str:
        """The address of the local workspace."""
        return f"http://127.0.0.1:{self.ports[0]}"

    @property
    def web(self) -> tuple[str, ...]:
        """The addresses of the bots."""
        return tuple(f"http://127.0.0.1:{port}" for port in self.ports[1:])

    def _config(self, n: int) -> str:
        """Configuration of the nth bot: the policies alternate, the rotations are the same."""
        return str(self.folder / f"{POLICIES[(n - 1) % len(POLICIES)]}.yml")

    def _add(self, name: str, *argv: str, **own: str) -> None:
        ours = {field.upper() for field in Environment.model_fields} | set(PROXIES)
        environment = {k: v for k, v in os.environ.items() if k not in ours} | {
            "TOCSIN_DATA": str(self.data),
            "TOCSIN_SANDBOX_LISTEN": f"127.0.0.1:{self.ports[0]}",
            "TOCSIN_SPEED": str(self.speed),
            "LOG_LEVEL": "WARNING",
            "ALERTS_TOKEN": TOKEN,
            "PYTHONPATH": str(ROOT),
            lifeline.VARIABLE: "stdin",  # none outlives this process
        }
        self.children[name] = Child(name, argv, environment | own)

    # Start -------------------------------------------------------------------------------------------------------

    def start(self, *names: str) -> None:
        """Start processes by name."""
        for name in names:
            self._spawn(self.children[name])

    def restart_dead(self) -> None:
        """Restart dead processes, each after a short delay."""
        for child in self.children.values():
            if child.process is None or child.process.poll() is None:
                continue
            if not child.died:
                child.died = time.monotonic()
            elif time.monotonic() - child.died > RESTART:
                self.restarts += 1
                self._spawn(child)

    def _spawn(self, child: Child) -> None:
        with (self.folder / "output").open("ab") as output:
            child.process = subprocess.Popen(  # noqa: S603 - this Python with arguments of our own
                [sys.executable, "-m", *child.argv],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=self.folder,
                env=child.environment,
                start_new_session=True,
            )
        child.died = 0.0

    # Kill --------------------------------------------------------------------------------------------------------

    def kill(self, name: str) -> bool:
        """kill -9 a bot, a supervisor or a part ("ticker of supervisor 1"). True if it was running."""
        part, _, owner = name.rpartition(" of ")
        process = self.children[owner].process
        if process is None or process.poll() is not None:
            return False
        pid = self._part(process.pid, part) if part else process.pid
        return pid is not None and kill_process(pid)

    def kill_redis(self, known_pid: int) -> bool:
        """kill -9 the server. True if it was running."""
        return kill_process(known_pid)

    def _part(self, supervisor: int, part: str) -> int | None:
        family = self.list_processes()
        return next((p.pid for p in family if p.parent == supervisor and p.command == f"tocsin worker {part}"), None)

    def list_processes(self) -> list[Process]:
        """All our running processes, grandchildren too; they are remembered, to find orphans at the end."""
        everything = processes()
        ours = {h.process.pid for h in self.children.values() if h.process}
        family = [p for p in everything if p.pid in ours or p.parent in ours or str(self.data) in p.command]
        self.seen |= {p.pid: p.command for p in family}
        return family

    def dismiss(self, *kinds: str) -> list["subprocess.Popen[bytes]"]:
        """Running processes of these kinds, for the caller to end; they are not restarted any more."""
        self.list_processes()
        names = [name for name in self.children if name.split()[0] in kinds]
        dismissed = [self.children.pop(name).process for name in names]
        return [process for process in dismissed if process]

    def stop(self) -> list[Process]:
        """End everything, the server last. Returns orphans: processes that were still running, and were killed."""
        end(self.dismiss("bot", "supervisor"))
        end(self.dismiss("workspace", "server"))
        left = [p for p in processes() if self.seen.get(p.pid) == p.command]
        for orphan in left:
            kill_process(orphan.pid)
        return left

    def taken_ports(self) -> list[int]:
        """Our ports that are still in use."""
        return [port for port in self.ports if not is_free(port)]


def company(policy: str) -> dict[str, object]:
    """The shipped example configuration with one of the two policies, not restricted to some public channels."""
    example = yaml.safe_load(EXAMPLE_CONFIG.read_text())
    example.pop("public_channels", None)
    return {**example, "policy": policy, "roles": example["roles"] | ROLES, "calendar": CALENDAR}


def server_address(data: Path) -> str:
    """URL of the embedded server of a data folder."""
    return embedded.url(data)


def processes() -> list[Process]:
    """All processes of this machine, zombies left out."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True)  # noqa: S607 - wherever this system has it
    rows = (line.split(maxsplit=3) for line in listed.stdout.splitlines())
    return [Process(int(r[0]), int(r[1]), r[3]) for r in rows if len(r) == 4 and not r[2].startswith("Z")]


def kill_process(pid: int) -> bool:
    """kill -9 a process. False if there is none."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return True
    return False


def end(started: list["subprocess.Popen[bytes]"]) -> None:
    """Send SIGTERM, and SIGKILL to the process group of those that do not end."""
    for process in started:
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + GRACE
    for process in started:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if process.stdin:
            process.stdin.close()


def lines(path: Path) -> Iterator[str]:
    """Lines of a file, whatever bytes it holds."""
    with path.open(errors="replace") as file:
        yield from file
