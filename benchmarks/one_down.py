"""Measure how late a page is when a process is killed around its due time: `python -m benchmarks.one_down`.

A P0 that nobody acknowledged pages its backup. At a random moment, from a little before that until it is under way, one
process is killed with -9; its supervisor restarts it. Seconds are from due until the page is in Slack, where every call
takes 0.3 seconds.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from redis import RedisError

from benchmarks.checkpoints import page_of
from benchmarks.crew import Crew
from benchmarks.crowd import Crowd
from benchmarks.numbers import median
from benchmarks.rig import Rig, answers, client, http, wait_until
from escalation.processes import PARTS
from tocsin.run import embedded

LATENCY = 0.3  # seconds of every call of Slack's
LEAD = 1.5  # seconds between set-up and due time
AROUND = (-0.2, 0.8)  # seconds around the due time in which the process is killed
SETTLE = 0.5  # seconds for a restarted process to get ready
PATIENCE = 60.0


class Scene:
    """The running program with so many workers; any process of it can be killed."""

    def __init__(self, folder: Path, supervisors: int) -> None:
        self.crew = Crew(folder, 1, supervisors, 1.0)
        self.crew.start("server", "workspace")
        wait_until(lambda: embedded.running(self.crew.data), "the server")
        path = embedded.socket_path(self.crew.data)
        self.rig = Rig(path, client(path), slack=self.crew.ports[0])
        wait_until(lambda: answers(f"{self.rig.workspace}/control/state"), "the workspace")
        http(f"{self.rig.workspace}/control/limits", {"on": False})
        http(f"{self.rig.workspace}/control/latency", {"seconds": LATENCY})
        self.crew.start(*(name for name in self.crew.children if name not in ("server", "workspace")))
        self._wait_for_parts()
        self.crowd = Crowd(self.rig)
        self.crowd.paging_at(datetime.now(UTC) + timedelta(days=1))  # creates the channels beforehand

    def targets(self) -> Iterator[str]:
        """Every kind of process, and "nobody" for the baseline."""
        yield "nobody"
        yield from PARTS
        yield from ("supervisor", "bot", "server")

    def late(self, target: str, dice: random.Random) -> float:
        """Seconds from due until a page is in Slack, while the target is killed."""
        due = datetime.now(UTC) + timedelta(seconds=LEAD)
        incident = self.crowd.paging_at(due)
        self._wait_until(due.timestamp() + dice.uniform(*AROUND))
        self._kill(target, dice)
        since = due.timestamp()
        wait_until(
            lambda: self._restarting() and page_of(self.rig, incident, since), "the page", every=0.05, within=PATIENCE
        )
        late, _ = page_of(self.rig, incident, since) or (0.0, 0)
        self._wait_for_parts()
        return late + LATENCY

    def _wait_until(self, moment: float) -> None:
        while time.time() < moment:
            time.sleep(0.001)

    def _kill(self, target: str, dice: random.Random) -> None:
        one = dice.randint(1, self.crew.supervisors)
        match target:
            case "nobody":
                return
            case "server":
                self.crew.kill_redis(int(self.rig.redis.info("server")["process_id"]))
            case "bot" | "supervisor":
                self.crew.kill(f"{target} {1 if target == 'bot' else one}")
            case part:
                self.crew.kill(f"{part} of supervisor {one}")

    def _restarting(self) -> bool:
        """Restart what is dead; True, so that a wait can go on with what it waits for."""
        self.crew.restart_dead()
        return True

    def _wait_for_parts(self) -> None:
        wait_until(lambda: self._restarting() and self._complete(), "the parts", every=0.1)
        time.sleep(SETTLE)

    def _complete(self) -> bool:
        """True if every part has a running process with a heartbeat."""
        running = {p.pid for p in self.crew.list_processes()}
        try:
            keys = [key.decode() for key in self.rig.redis.keys("tocsin:alive:*") if isinstance(key, bytes)]
        except RedisError:
            return False
        alive = [key.split(":")[2] for key in keys if int(key.split(":")[-1]) in running]
        return all(alive.count(part) == self.crew.supervisors for part in PARTS) and "bot" in alive


@contextmanager
def scene(supervisors: int) -> Iterator[Scene]:
    """Start the program for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-", ignore_cleanup_errors=True) as folder:
        started = Scene(Path(folder), supervisors)
        try:
            yield started
        finally:
            started.crew.stop()


def main() -> None:
    """Measure each kind of process, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.one_down", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="for each process")
    parser.add_argument("--workers", type=int, default=2, help="with one, nobody takes over until it is started again")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    dice = random.Random(chosen.seed)  # noqa: S311 - to be repeated, not to be secret
    print("| killed around the due time | p50 | latest |\n| --- | ---: | ---: |")
    with scene(chosen.workers) as place:
        for target in place.targets():
            late = [place.late(target, dice) for _ in range(chosen.rounds)]
            print(f"| {target} | {median(late):.2f} s | {max(late):.2f} s |", flush=True)


if __name__ == "__main__":
    main()
