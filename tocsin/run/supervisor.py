"""Supervisor of child processes: restart those that die, stop all of them together.

Children start in the order of their ranks, each rank once the one below is ready, and stop in reverse order: the server
goes last. Each child has a lifeline, so that none outlives a supervisor that was killed.
"""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby
from threading import Event
from types import FrameType

import structlog

from tocsin.run import lifeline
from tocsin.run.fork import SIGNALS, Process, fork

FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0  # seconds before a restart: doubles with every early death
STABLE_AFTER = 10.0  # seconds alive after which the restart delay is reset
GRACE = 10.0  # seconds between SIGTERM and SIGKILL
READY_WITHIN = 15.0  # seconds until the next rank starts anyway
TICK = 0.05
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Child:
    """A function to run in a process of its own. `ready` is true once the next rank may start.

    Without `restart` the child has done its work when it ends; the others are restarted.
    """

    name: str
    run: Callable[[], None]
    rank: int = 0
    ready: Callable[[], bool] = lambda: True
    restart: bool = True


@dataclass
class _Running:
    """A child and its current process. `wait` is the delay before the next restart, `due` its time, if any."""

    child: Child
    process: Process
    started: float
    wait: float = FIRST_WAIT
    due: float | None = None


@dataclass
class Supervisor:
    """Run children until `stop` is set. `grace` is the time they get to end, in seconds.

    `preload` is called once the first rank has been started: it imports what the other ranks need, only once.
    """

    children: tuple[Child, ...]
    grace: float = GRACE
    preload: Callable[[], None] = lambda: None
    stop: Event = field(default_factory=Event)
    _running: list[_Running] = field(default_factory=list)
    _force: Event = field(default_factory=Event)

    def run(self) -> None:
        """Start all children, restart those that die, and return once all have ended."""
        try:
            for _, rank in groupby(sorted(self.children, key=lambda c: c.rank), key=lambda c: c.rank):
                self._start_rank(tuple(rank))
            while not self.stop.wait(TICK):
                self._check()
        finally:
            self._end_all()

    def on_signal(self, number: int, frame: FrameType | None = None) -> None:
        """Stop the children on the first signal, kill them on the second."""
        if self.stop.is_set():
            self._force.set()
        self.stop.set()

    def end_on_signals(self) -> None:
        """End this supervisor and its children on Ctrl-C, SIGTERM and SIGHUP."""
        for number in SIGNALS:
            signal.signal(number, self.on_signal)

    def _start_rank(self, rank: tuple[Child, ...]) -> None:
        if self.stop.is_set():
            return
        first = not self._running
        for child in rank:
            self._running.append(_Running(child, self._spawn(child), time.monotonic()))
        if first:
            self.preload()
        deadline = time.monotonic() + READY_WITHIN
        while not (all(c.ready() for c in rank) or time.monotonic() > deadline or self.stop.wait(TICK)):
            self._check()

    def _spawn(self, child: Child) -> Process:
        return fork(child.run, f"tocsin {child.name}", [r.process for r in self._running])

    def _check(self) -> None:
        if lifeline.supervisor_is_gone():
            os._exit(1)  # this closes the children's lifelines, so they end too
        for running in self._running:
            if running.due is None and running.process.poll() is not None and running.child.restart:
                self._plan_restart(running)
            if running.due is not None and time.monotonic() >= running.due:
                running.process, running.started, running.due = self._spawn(running.child), time.monotonic(), None

    def _plan_restart(self, running: _Running) -> None:
        now = time.monotonic()
        running.wait = FIRST_WAIT if now - running.started > STABLE_AFTER else running.wait
        log.warning(
            "child ended, restarting", child=running.child.name, how=_exit_reason(running.process), wait=running.wait
        )
        running.due, running.wait = now + running.wait, min(running.wait * 2, LONGEST_WAIT)

    def _end_all(self) -> None:
        for _, rank in groupby(sorted(self._running, key=lambda r: -r.child.rank), key=lambda r: r.child.rank):
            self._end([r.process for r in rank])

    def _end(self, processes: list[Process]) -> None:
        for process in processes:
            process.terminate()
        deadline = time.monotonic() + self.grace
        while any(p.poll() is None for p in processes) and time.monotonic() < deadline and not self._force.is_set():
            time.sleep(TICK)
        for process in processes:
            process.kill()  # those still alive have had their grace period


def _exit_reason(process: Process) -> str:
    """Why a process ended: `exit 1`, or the signal's name."""
    code = process.returncode or 0
    return signal.Signals(-code).name if code < 0 else f"exit {code}"
