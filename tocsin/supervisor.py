"""Keeps child processes alive, and ends all of them together.

Children start in the order of their ranks, each rank once the one below is ready, and stop in the reverse order: the
server goes last. Each child holds a lifeline, so that none outlives a supervisor that was killed.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from threading import Event
from types import FrameType

import structlog

from tocsin import lifeline

FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0  # seconds before a restart: doubles with every early death
SETTLED = 10.0  # seconds alive after which a child is no longer suspected
GRACE = 10.0  # seconds between SIGTERM and SIGKILL
READY_WITHIN = 15.0  # seconds until the next rank starts anyway
TICK = 0.05
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Child:
    """What to run: `module arguments` of this Python. `ready` says whether the next rank may start."""

    name: str
    argv: tuple[str, ...]
    rank: int = 0
    ready: Callable[[], bool] = lambda: True


@dataclass
class _Running:
    """A child and its present process. `wait` is the pause before the next start; `due` is when that is."""

    child: Child
    process: subprocess.Popen[bytes]
    started: float
    wait: float = FIRST_WAIT
    due: float | None = None


@dataclass
class Supervisor:
    """Runs its children until `stop` is set; `grace` is how long they may take to end, in seconds."""

    children: tuple[Child, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    grace: float = GRACE
    stop: Event = field(default_factory=Event)
    _running: list[_Running] = field(default_factory=list)
    _hurry: Event = field(default_factory=Event)

    def run(self) -> None:
        """Start everything, restart what dies, and return once all has ended."""
        try:
            for _, rank in groupby(sorted(self.children, key=lambda c: c.rank), key=lambda c: c.rank):
                self._start_rank(tuple(rank))
            while not self.stop.wait(TICK):
                self._tend()
        finally:
            self._end_all()

    def on_signal(self, number: int, frame: FrameType | None = None) -> None:
        """The first one asks everything to end, the second one does not ask."""
        if self.stop.is_set():
            self._hurry.set()
        self.stop.set()

    def end_on_signals(self) -> None:
        """Ctrl-C and SIGTERM end this supervisor and its children."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.on_signal)

    def _start_rank(self, rank: tuple[Child, ...]) -> None:
        if self.stop.is_set():
            return
        self._running += [_Running(c, self._spawn(c), time.monotonic()) for c in rank]
        deadline = time.monotonic() + READY_WITHIN
        while not (all(c.ready() for c in rank) or time.monotonic() > deadline or self.stop.wait(TICK)):
            self._tend()

    def _spawn(self, child: Child) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - this Python with arguments of our own
            [sys.executable, "-m", *child.argv],
            stdin=subprocess.PIPE,
            env={**os.environ, **self.environment, lifeline.VARIABLE: "stdin"},
            start_new_session=True,  # a Ctrl-C in the terminal reaches the supervisor only
        )

    def _tend(self) -> None:
        for running in self._running:
            if running.due is None and running.process.poll() is not None:
                self._plan_restart(running)
            if running.due is not None and time.monotonic() >= running.due:
                running.process, running.started, running.due = self._spawn(running.child), time.monotonic(), None

    def _plan_restart(self, running: _Running) -> None:
        now = time.monotonic()
        running.wait = FIRST_WAIT if now - running.started > SETTLED else running.wait
        log.warning("ended, starting it again", child=running.child.name, how=_how(running.process), wait=running.wait)
        running.due, running.wait = now + running.wait, min(running.wait * 2, LONGEST_WAIT)
        _close(running.process)

    def _end_all(self) -> None:
        for _, rank in groupby(sorted(self._running, key=lambda r: -r.child.rank), key=lambda r: r.child.rank):
            self._end([r.process for r in rank])

    def _end(self, processes: list[subprocess.Popen[bytes]]) -> None:
        for process in processes:
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + self.grace
        while any(p.poll() is None for p in processes) and time.monotonic() < deadline and not self._hurry.is_set():
            time.sleep(TICK)
        for process in processes:
            _kill(process)
            _close(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Whoever is still there has had its time: it ends, and its whole group with it."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _close(process: subprocess.Popen[bytes]) -> None:
    if process.stdin:
        process.stdin.close()


def _how(process: subprocess.Popen[bytes]) -> str:
    """`exit 1`, or the signal that ended it."""
    code = process.returncode
    return signal.Signals(-code).name if code < 0 else f"exit {code}"
