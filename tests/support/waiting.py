"""Waiting for another process: look again and again until a deadline, never for a fixed time."""

import fcntl
import time
from collections.abc import Callable
from pathlib import Path

WITHIN = 20.0  # seconds; generous, for machines that do other things as well


def eventually(seen: Callable[[], object], what: str = "") -> None:
    """Return once `seen` is true; fail after the deadline."""
    deadline = time.monotonic() + WITHIN
    while not seen():
        assert time.monotonic() < deadline, what or "it never happened"
        time.sleep(0.01)


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
