"""Keeps child processes alive, and ends all of them together.

Children start in the order of their ranks, each rank once the one below is ready, and stop in the reverse order: the
server goes last. Each child holds a lifeline, so that none outlives a supervisor that was killed.
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
SETTLED = 10.0  # seconds alive after which a child is no longer suspected
GRACE = 10.0  # seconds between SIGTERM and SIGKILL
READY_WITHIN = 15.0  # seconds until the next rank starts anyway
TICK = 0.05
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Child:
    """What to run in a process of its own. `ready` says whether the next rank may start.

    One that does not last has done its work when it ends; the others are started again.
    """

    name: str
    run: Callable[[], None]
    rank: int = 0
    ready: Callable[[], bool] = lambda: True
    lasts: bool = True


@dataclass
class _Running:
    """A child and its present process. `wait` is the pause before the next start; `due` is when that is."""

    child: Child
    process: Process
    started: float
    wait: float = FIRST_WAIT
    due: float | None = None


@dataclass
class Supervisor:
    """Runs its children until `stop` is set; `grace` is how long they may take to end, in seconds.

    `meanwhile` is done once the first rank has been started: what the children of the others need, imported only once.
    """

    children: tuple[Child, ...]
    grace: float = GRACE
    meanwhile: Callable[[], None] = lambda: None
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
        for number in SIGNALS:
            signal.signal(number, self.on_signal)

    def _start_rank(self, rank: tuple[Child, ...]) -> None:
        if self.stop.is_set():
            return
        first = not self._running
        for child in rank:
            self._running.append(_Running(child, self._spawn(child), time.monotonic()))
        if first:
            self.meanwhile()
        deadline = time.monotonic() + READY_WITHIN
        while not (all(c.ready() for c in rank) or time.monotonic() > deadline or self.stop.wait(TICK)):
            self._tend()

    def _spawn(self, child: Child) -> Process:
        return fork(child.run, f"tocsin {child.name}", [r.process for r in self._running])

    def _tend(self) -> None:
        if lifeline.broken():
            os._exit(1)  # and our children, whose lifelines break with us
        for running in self._running:
            if running.due is None and running.process.poll() is not None and running.child.lasts:
                self._plan_restart(running)
            if running.due is not None and time.monotonic() >= running.due:
                running.process, running.started, running.due = self._spawn(running.child), time.monotonic(), None

    def _plan_restart(self, running: _Running) -> None:
        now = time.monotonic()
        running.wait = FIRST_WAIT if now - running.started > SETTLED else running.wait
        log.warning("ended, starting it again", child=running.child.name, how=_how(running.process), wait=running.wait)
        running.due, running.wait = now + running.wait, min(running.wait * 2, LONGEST_WAIT)

    def _end_all(self) -> None:
        for _, rank in groupby(sorted(self._running, key=lambda r: -r.child.rank), key=lambda r: r.child.rank):
            self._end([r.process for r in rank])

    def _end(self, processes: list[Process]) -> None:
        for process in processes:
            process.terminate()
        deadline = time.monotonic() + self.grace
        while any(p.poll() is None for p in processes) and time.monotonic() < deadline and not self._hurry.is_set():
            time.sleep(TICK)
        for process in processes:
            process.kill()  # whoever is still there has had its time


def _how(process: Process) -> str:
    """`exit 1`, or the signal that ended it."""
    code = process.returncode or 0
    return signal.Signals(-code).name if code < 0 else f"exit {code}"
