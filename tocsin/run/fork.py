"""A process made by fork: it begins at once, with all that was imported before it, and shares that memory.

A second of processor time for imports would be most of what it costs to bring a killed worker back.
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

# Hardly anything of ours is a cycle (80 objects in 1,500 checkpoints), and a full look at all objects takes 20 ms.
COLLECT = (20_000, 20, 20)
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Process:
    """A forked child. `returncode` is None while it lives, and minus the signal's number if one ended it."""

    def __init__(self, pid: int, line: int) -> None:
        self.pid = pid
        self.line = line  # our end of its lifeline
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Whether it has ended, and how; nobody waits."""
        return self._ended(os.WNOHANG)

    def wait(self) -> None:
        """Until it has ended."""
        self._ended(0)

    def terminate(self) -> None:
        """Ask it to end."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End it, and its whole group with it, and wait until that is done."""
        if self.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
            self.wait()

    def _ended(self, how: int) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, how)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
                os.close(self.line)
        return self.returncode


def fork(run: Callable[[], None], title: str, siblings: Iterable[Process] = ()) -> Process:
    """Run something in a new process and session, which `ps` shows as `title`. RuntimeError when we have threads.

    What another thread holds at that moment, a lock say, the child would hold for ever. The child does not keep the
    lifelines of its siblings: each is to break when we end.
    """
    if threading.active_count() > 1:
        raise RuntimeError("only a process without threads may fork")
    sys.stdout.flush()
    sys.stderr.flush()
    gc.freeze()  # the collector would otherwise write to every page that could stay shared
    theirs, ours = os.pipe()
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until the child has left our handlers behind
    pid = os.fork()
    if pid == 0:
        _live(run, title, theirs, [ours, *(s.line for s in siblings if s.returncode is None)])
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    os.close(theirs)
    return Process(pid, ours)


def _live(run: Callable[[], None], title: str, line: int, inherited: list[int]) -> NoReturn:
    """The child's whole life. It must not get out of here: our caller's frames are the parent's business."""
    code = 1
    try:
        os.setsid()  # a Ctrl-C in the terminal reaches the supervisor only
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        for end in inherited:
            os.close(end)
        lifeline.take(line)
        setproctitle(title)
        gc.set_threshold(*COLLECT)
        run()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:  # noqa: BLE001 - as the interpreter would, at the end of a process
        traceback.print_exc()
    finally:
        _flush()
        os._exit(code)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            continue
