"""The supervisor: what dies comes back, everything ends together, nothing outlives a supervisor that was killed."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.waiting import WITHIN, eventually, is_held
from tocsin.run.fork import fork

pytestmark = pytest.mark.slow  # each starts processes

# Each child says that it lives by holding a lock, and on SIGTERM writes down that it ended.
BOSS = """
import fcntl, os, signal, sys, threading
from functools import partial
from pathlib import Path
from tocsin.run import lifeline, logs
from tocsin.run.supervisor import Child, Supervisor

folder, grace, *children = sys.argv[1:]

def sleep(name, manner):
    lifeline.exit_with_supervisor()
    def end(*_):
        with open(f"{folder}/ended", "a") as log:
            log.write(name + "\\n")
        os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN if manner == "stubborn" else end)
    lock = open(f"{folder}/{name}.lock", "a")
    fcntl.flock(lock, fcntl.LOCK_EX)
    with open(f"{folder}/started", "a") as log:
        log.write(name + "\\n")
    Path(f"{folder}/{name}.pid").write_text(str(os.getpid()))
    if manner == "failing":
        sys.exit(3)
    if manner == "crashing":
        raise ValueError("of no use")
    if manner != "brief":
        threading.Event().wait()

def supervise(name, manner):
    Path(f"{folder}/{name}.pid").write_text(str(os.getpid()))
    Supervisor((Child("inner", partial(sleep, "inner", "")),)).run()

def lives(name):
    return Path(f"{folder}/{name}.pid").exists()

logs.setup("boss")
made = []
for name, rank, manner in (child.split(":") for child in children):
    ready = partial(lives, name)
    run = partial(supervise if manner == "boss" else sleep, name, manner)
    made.append(Child(name, run, int(rank), ready, restart=manner != "brief"))
boss = Supervisor(tuple(made), float(grace))
boss.end_on_signals()
boss.run()
"""


@dataclass
class Boss:
    """A supervisor at work in a process of its own, and the traces that its children leave."""

    process: "subprocess.Popen[bytes]"
    folder: Path

    def alive(self, *names: str) -> bool:
        return all(is_held(self.folder / f"{n}.lock") and (self.folder / f"{n}.pid").exists() for n in names)

    def pid(self, name: str) -> int:
        return int((self.folder / f"{name}.pid").read_text())

    def kill(self, name: str) -> None:
        """kill -9, and wait until it shows."""
        pid = self.pid(name)
        (self.folder / f"{name}.pid").unlink()
        os.kill(pid, signal.SIGKILL)

    def lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().split() if path.exists() else []

    def logged(self) -> list[dict[str, object]]:
        lines = (self.folder / "output").read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


@contextmanager
def boss(folder: Path, *children: str, grace: float = 10.0) -> Iterator[Boss]:
    """A supervisor of `name:rank:manner` each. It is told to end at the end of the block, if it still lives."""
    (folder / "boss.py").write_text(BOSS)
    environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{Path(__file__).parents[2]}"}
    with (folder / "output").open("wb") as output:
        argv = [sys.executable, "-m", "boss", str(folder), str(grace), *children]
        process = subprocess.Popen(argv, env=environment, stdout=output, stderr=output)
    try:
        yield Boss(process, folder)
    finally:
        process.terminate()
        process.wait(timeout=WITHIN)


def test_a_killed_child_comes_back(tmp_path: Path) -> None:
    """kill -9 of a child: another one takes its place, again and again."""
    with boss(tmp_path, "one:0:") as at_work:
        for _ in range(3):
            eventually(lambda: at_work.alive("one"))
            at_work.kill("one")
        eventually(lambda: at_work.alive("one"))


def test_the_others_are_left_alone(tmp_path: Path) -> None:
    """Only what died is started again."""
    with boss(tmp_path, "one:0:", "two:0:") as at_work:
        eventually(lambda: at_work.alive("one", "two"))
        at_work.kill("one")
        eventually(lambda: at_work.alive("one"))
    assert sorted(at_work.lines("started")) == ["one", "one", "two"]


def test_whatever_keeps_dying_is_started_less_and_less_often(tmp_path: Path) -> None:
    """The pause doubles with each early death."""
    with boss(tmp_path, "one:0:failing") as at_work:
        eventually(lambda: len(at_work.logged()) >= 3)
    logged = at_work.logged()[:3]
    assert [entry["wait"] for entry in logged] == [0.1, 0.2, 0.4]
    assert {entry["how"] for entry in logged} == {"exit 3"}


def test_a_crash_is_shown_and_counts_as_a_failure(tmp_path: Path) -> None:
    """The traceback of a child that raised, and exit code 1."""
    with boss(tmp_path, "one:0:crashing") as at_work:
        eventually(lambda: at_work.logged())
    assert at_work.logged()[0]["how"] == "exit 1"
    assert "ValueError: of no use" in (tmp_path / "output").read_text()


def test_what_was_to_be_brief_is_not_started_again(tmp_path: Path) -> None:
    """A child without `restart` has done its work when it ends."""
    with boss(tmp_path, "banner:0:brief", "two:1:") as at_work:
        eventually(lambda: at_work.alive("two") and not is_held(tmp_path / "banner.lock"))
        at_work.kill("two")
        eventually(lambda: at_work.alive("two"))
    assert at_work.lines("started") == ["banner", "two", "two"]


def test_ranks_start_upwards_and_end_downwards(tmp_path: Path) -> None:
    """The foundation is ready before anything stands on it, and goes last."""
    with boss(tmp_path, "bot:1:", "server:0:") as at_work:
        eventually(lambda: at_work.alive("server", "bot"))
    assert at_work.lines("started") == ["server", "bot"]
    assert at_work.lines("ended") == ["bot", "server"]


def test_a_child_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    """After its time of grace a child ends, whether it likes it or not."""
    with boss(tmp_path, "one:0:stubborn", grace=0.2) as at_work:
        eventually(lambda: at_work.alive("one"))
    assert not is_held(tmp_path / "one.lock")


def test_children_have_groups_of_their_own_in_one_session(tmp_path: Path) -> None:
    """A Ctrl-C reaches the supervisor only, and a part of low priority gives way to the others of its session."""
    with boss(tmp_path, "one:0:", "two:0:") as at_work:
        eventually(lambda: at_work.alive("one", "two"))
        one, two = at_work.pid("one"), at_work.pid("two")
        assert (os.getpgid(one), os.getpgid(two)) == (one, two)
        assert os.getsid(one) == os.getsid(two) == os.getsid(at_work.process.pid)


def test_one_signal_ends_all_of_it_cleanly(tmp_path: Path) -> None:
    """Ctrl-C reaches the supervisor; the children are told by it and leave in order."""
    with boss(tmp_path, "one:0:", "two:0:") as at_work:
        eventually(lambda: at_work.alive("one", "two"))
        at_work.process.send_signal(signal.SIGINT)
        assert at_work.process.wait(timeout=WITHIN) == 0
    assert sorted(at_work.lines("ended")) == ["one", "two"]


def test_nothing_outlives_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    """kill -9 of the supervisor: its children notice and go, those of a supervisor among them too."""
    with boss(tmp_path, "one:0:", "two:0:", "middle:0:boss") as at_work:
        eventually(lambda: at_work.alive("one", "two", "inner"))
        at_work.process.kill()
        at_work.process.wait()
        eventually(lambda: not any(is_held(tmp_path / f"{n}.lock") for n in ("one", "two", "inner")))
    assert at_work.lines("ended") == []


def test_a_restarted_child_does_not_keep_its_siblings_alive(tmp_path: Path) -> None:
    """Each lifeline has one end that is ours alone, however often children were forked since."""
    with boss(tmp_path, "one:0:", "two:0:") as at_work:
        eventually(lambda: at_work.alive("one", "two"))
        at_work.kill("one")
        eventually(lambda: at_work.alive("one"))
        os.kill(at_work.pid("one"), signal.SIGSTOP)  # it holds what it holds, and notices nothing
        try:
            at_work.process.kill()
            at_work.process.wait()
            eventually(lambda: not is_held(tmp_path / "two.lock"))
        finally:
            os.kill(at_work.pid("one"), signal.SIGKILL)


def test_a_process_with_threads_does_not_fork() -> None:
    """Whatever lock another thread holds, the child would hold for ever."""
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        with pytest.raises(RuntimeError, match="without threads"):
            fork(lambda: None, "never")
    finally:
        stop.set()
        thread.join()
