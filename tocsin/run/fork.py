"""Forked child processes, which start at once because they share what the parent has imported.

A second of processor time for imports would be most of the cost of restarting a killed worker.
"""

import gc
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from typing import NoReturn

from setproctitle import setproctitle

from tocsin.run import lifeline

# Reference cycles are rare here (80 objects in 1,500 checkpoints), and a full collection takes 20 ms.
GC_THRESHOLD = (20_000, 20, 20)
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Process:
    """A forked child. `returncode` is None while it lives, and minus the signal's number if one ended it."""

    def __init__(self, pid: int, pipe: int) -> None:
        self.pid = pid
        self.pipe = pipe  # the parent's end of its lifeline
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code if it has ended, else None, without waiting."""
        return self._reap(os.WNOHANG)

    def wait(self) -> None:
        """Wait until it has ended."""
        self._reap(0)

    def terminate(self) -> None:
        """Send SIGTERM."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL to its process group, and wait until it has ended."""
        if self.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
            self.wait()

    def _reap(self, options: int) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, options)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
                os.close(self.pipe)
        return self.returncode


def fork(run: Callable[[], None], title: str, siblings: Iterable[Process] = ()) -> Process:
    """Run a function in a new process and group, which `ps` shows as `title`. RuntimeError if we have threads.

    A lock that another thread holds at that moment would stay locked in the child for ever. The child closes its
    siblings' lifelines: each must close when the parent ends.
    """
    if threading.active_count() > 1:
        raise RuntimeError("only a process without threads may fork")
    sys.stdout.flush()
    sys.stderr.flush()
    gc.freeze()  # the collector would otherwise write to every page that could stay shared
    child_end, parent_end = os.pipe()
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until the child has reset the parent's handlers
    pid = os.fork()
    if pid == 0:
        _run_child(run, title, child_end, [parent_end, *(s.pipe for s in siblings if s.returncode is None)])
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    os.close(child_end)
    return Process(pid, parent_end)


def collect_seldom() -> None:
    """Collect seldom, and leave out what is there by now: a full collection of the libraries takes 100 ms.

    For a process that was not forked as well, like `tocsin bot` by itself.
    """
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLD)


def _run_child(run: Callable[[], None], title: str, pipe: int, inherited: list[int]) -> NoReturn:
    """Run the child from start to exit. It must never return: the caller's frames belong to the parent."""
    code = 1
    try:
        _leave_group()
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        for end in inherited:
            os.close(end)
        lifeline.adopt(pipe)
        setproctitle(title)
        collect_seldom()
        run()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:  # noqa: BLE001 - as the interpreter would, at the end of a process
        traceback.print_exc()
    finally:
        _flush()
        os._exit(code)


def _leave_group() -> None:
    """Leave the supervisor's process group, so that a Ctrl-C in the terminal reaches that only; not its session.

    Linux weighs the priorities of processes against each other only within a session, where autogroups are on
    (https://man7.org/linux/man-pages/man7/sched.7.html). A terminal can be set to stop other groups that write to it.
    """
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    os.setpgid(0, 0)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            continue
