"""Waiting for another process: look again and again until a deadline, never for a fixed time."""

import fcntl
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

WITHIN = 180.0  # seconds; generous: with a load of thirty, the parts of a program take more than one minute to start
ACKNOWLEDGED_WITHIN = 20.0  # seconds, for which Slack waits three: what was lost is given up before its client gives up
T = TypeVar("T")


def eventually(look: Callable[[], T | None], what: str = "it never happened") -> T:
    """What `look` finds, once it finds something true; fails after the deadline."""
    deadline = time.monotonic() + WITHIN
    while not (found := look()):
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
    return found


def is_held(lock: Path) -> bool:
    """Whether a living process holds a lock: unlike a process id, it tells the dead from the not yet buried."""
    if not lock.exists():
        return False
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
