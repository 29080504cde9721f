"""The supervisor: what dies comes back, everything ends together, nothing outlives a supervisor that was killed."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from waiting import eventually, is_held

from tocsin.supervisor import Child, Supervisor

# Says that it lives by holding a lock, and on SIGTERM writes down that it ended.
SLEEPER = """
import fcntl, os, signal, sys, threading
from pathlib import Path
from tocsin import lifeline
lifeline.hold()
folder, name, *manner = sys.argv[1:]
def end(*_):
    with open(f"{folder}/ended", "a") as log:
        log.write(name + "\\n")
    os._exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if "stubborn" in manner else end)
lock = open(f"{folder}/{name}.lock", "a")
fcntl.flock(lock, fcntl.LOCK_EX)
with open(f"{folder}/started", "a") as log:
    log.write(name + "\\n")
Path(f"{folder}/{name}.pid").write_text(str(os.getpid()))
if "failing" in manner:
    sys.exit(3)
threading.Event().wait()
"""
BOSS = """
import sys
from tocsin.supervisor import Child, Supervisor
folder = sys.argv[1]
boss = Supervisor(tuple(Child(n, ("sleeper", folder, n)) for n in ("one", "two")))
boss.end_on_signals()
boss.run()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the children are described and leave their traces."""
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    (tmp_path / "boss.py").write_text(BOSS)
    return tmp_path


def environment(folder: Path) -> dict[str, str]:
    root = Path(__file__).parent.parent
    return {"PYTHONPATH": f"{folder}{os.pathsep}{root}"}


def child(folder: Path, name: str, *manner: str, rank: int = 0) -> Child:
    return Child(name, ("sleeper", str(folder), name, *manner), rank, lambda: alive(folder, name))


def alive(folder: Path, name: str) -> bool:
    return is_held(folder / f"{name}.lock") and (folder / f"{name}.pid").exists()


def lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


@contextmanager
def supervising(folder: Path, *children: Child, grace: float = 10.0) -> Iterator[Supervisor]:
    boss = Supervisor(children, environment(folder), grace)
    thread = threading.Thread(target=boss.run)
    thread.start()
    try:
        yield boss
    finally:
        boss.stop.set()
        thread.join()


def kill(folder: Path, name: str) -> None:
    """kill -9, and wait until it shows."""
    pid = (folder / f"{name}.pid").read_text()
    (folder / f"{name}.pid").unlink()
    os.kill(int(pid), signal.SIGKILL)


def test_a_killed_child_comes_back(folder: Path) -> None:
    """kill -9 of a child: another one takes its place, again and again."""
    with supervising(folder, child(folder, "one")):
        for _ in range(3):
            eventually(lambda: alive(folder, "one"))
            kill(folder, "one")
        eventually(lambda: alive(folder, "one"))


def test_the_others_are_left_alone(folder: Path) -> None:
    """Only what died is started again."""
    with supervising(folder, child(folder, "one"), child(folder, "two")):
        eventually(lambda: alive(folder, "one") and alive(folder, "two"))
        kill(folder, "one")
        eventually(lambda: alive(folder, "one"))
    assert sorted(lines(folder / "started")) == ["one", "one", "two"]


def test_whatever_keeps_dying_is_started_less_and_less_often(folder: Path) -> None:
    """The pause doubles with each early death."""
    with capture_logs() as logged, supervising(folder, child(folder, "one", "failing")):
        eventually(lambda: len(logged) >= 3)
    assert [entry["wait"] for entry in logged[:3]] == [0.1, 0.2, 0.4]
    assert {entry["how"] for entry in logged[:3]} == {"exit 3"}


def test_ranks_start_upwards_and_end_downwards(folder: Path) -> None:
    """The foundation is ready before anything stands on it, and goes last."""
    names = ("server", "bot")
    with supervising(folder, child(folder, "bot", rank=1), child(folder, "server", rank=0)):
        eventually(lambda: all(alive(folder, n) for n in names))
    assert lines(folder / "started") == ["server", "bot"]
    assert lines(folder / "ended") == ["bot", "server"]


def test_a_child_that_does_not_listen_is_killed(folder: Path) -> None:
    """After its time of grace a child ends, whether it likes it or not."""
    with supervising(folder, child(folder, "one", "stubborn"), grace=0.2):
        eventually(lambda: alive(folder, "one"))
    assert not is_held(folder / "one.lock")


def test_one_signal_ends_all_of_it_cleanly(folder: Path) -> None:
    """Ctrl-C reaches the supervisor; the children are told by it and leave in order."""
    boss = subprocess.Popen([sys.executable, "-m", "boss", str(folder)], env=os.environ | environment(folder))
    eventually(lambda: alive(folder, "one") and alive(folder, "two"))
    boss.send_signal(signal.SIGINT)
    assert boss.wait(timeout=20) == 0
    assert sorted(lines(folder / "ended")) == ["one", "two"]


def test_nothing_outlives_a_supervisor_that_was_killed(folder: Path) -> None:
    """kill -9 of the supervisor: its children notice and go."""
    boss = subprocess.Popen([sys.executable, "-m", "boss", str(folder)], env=os.environ | environment(folder))
    eventually(lambda: alive(folder, "one") and alive(folder, "two"))
    boss.kill()
    boss.wait()
    eventually(lambda: not is_held(folder / "one.lock") and not is_held(folder / "two.lock"))
    assert lines(folder / "ended") == []
