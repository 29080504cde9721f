"""How late a page is when a process is killed around its due time: `python -m benchmarks.one_down`.

A P0 that nobody acknowledged pages its backup. At a random moment, from a little before that until it is under way, one
process is killed with -9; whoever supervises it starts it again. Seconds are from due until the page stands in Slack,
where every call takes 0.3 seconds.
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

LATENCY = 0.3  # seconds that every call of Slack's takes
LEAD = 1.5  # seconds between the setting up and the due time
AROUND = (-0.2, 0.8)  # seconds around the due time in which the blow falls
SETTLE = 0.5  # seconds that a new process gets to take its place
PATIENCE = 60.0


class Scene:
    """The program at work with so many workers; each of its processes can be killed."""

    def __init__(self, folder: Path, supervisors: int) -> None:
        self.crew = Crew(folder, 1, supervisors, 1.0)
        self.crew.start("server", "workspace")
        wait_until(lambda: embedded.running(self.crew.data), "the server")
        path = embedded.socket_path(self.crew.data)
        self.rig = Rig(path, client(path), slack=self.crew.ports[0])
        wait_until(lambda: answers(f"{self.rig.workspace}/control/state"), "the workspace")
        http(f"{self.rig.workspace}/control/limits", {"on": False})
        http(f"{self.rig.workspace}/control/latency", {"seconds": LATENCY})
        self.crew.start(*(name for name in self.crew.hands if name not in ("server", "workspace")))
        self._staffed()
        self.crowd = Crowd(self.rig)
        self.crowd.paging_at(datetime.now(UTC) + timedelta(days=1))  # makes its channels; the next ones take no time

    def victims(self) -> Iterator[str]:
        """Every process there is, and nobody: what it takes when nothing is killed."""
        yield "nobody"
        yield from PARTS
        yield from ("supervisor", "bot", "server")

    def late(self, victim: str, dice: random.Random) -> float:
        """Seconds from due until a page stands in Slack, while that one is killed."""
        due = datetime.now(UTC) + timedelta(seconds=LEAD)
        incident = self.crowd.paging_at(due)
        self._wait_until(due.timestamp() + dice.uniform(*AROUND))
        self._kill(victim, dice)
        since = due.timestamp()
        wait_until(lambda: self._tend() or page_of(self.rig, incident, since), "the page", every=0.05, within=PATIENCE)
        late, _ = page_of(self.rig, incident, since) or (0.0, 0)
        self._staffed()
        return late + LATENCY

    def _wait_until(self, moment: float) -> None:
        while time.time() < moment:
            time.sleep(0.001)

    def _kill(self, victim: str, dice: random.Random) -> None:
        one = dice.randint(1, self.crew.supervisors)
        match victim:
            case "nobody":
                return
            case "server":
                self.crew.kill_redis(int(self.rig.redis.info("server")["process_id"]))
            case "bot" | "supervisor":
                self.crew.kill(f"{victim} {1 if victim == 'bot' else one}")
            case part:
                self.crew.kill(f"{part} of supervisor {one}")

    def _tend(self) -> None:
        self.crew.tend()

    def _staffed(self) -> None:
        wait_until(lambda: self._tend() or self._complete(), "the parts", every=0.1)
        time.sleep(SETTLE)

    def _complete(self) -> bool:
        """Whether every part has a process that is alive and said so."""
        running = {p.pid for p in self.crew.look()}
        try:
            keys = [str(key, "utf-8") for key in self.rig.redis.keys("tocsin:alive:*")]
        except RedisError:
            return False
        alive = [key.split(":")[2] for key in keys if int(key.split(":")[-1]) in running]
        return all(alive.count(part) == self.crew.supervisors for part in PARTS) and "bot" in alive


@contextmanager
def scene(supervisors: int) -> Iterator[Scene]:
    """A scene that ends with the block."""
    with tempfile.TemporaryDirectory(prefix="tocsin-bench-", ignore_cleanup_errors=True) as folder:
        made = Scene(Path(folder), supervisors)
        try:
            yield made
        finally:
            made.crew.stop()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.one_down", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="for each process")
    parser.add_argument("--workers", type=int, default=2, help="with one, nobody takes over until it is started again")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    dice = random.Random(asked.seed)  # noqa: S311 - to be repeated, not to be secret
    print("| killed around the due time | p50 | latest |\n| --- | ---: | ---: |")
    with scene(asked.workers) as place:
        for victim in place.victims():
            late = [place.late(victim, dice) for _ in range(asked.rounds)]
            print(f"| {victim} | {median(late):.2f} s | {max(late):.2f} s |", flush=True)


if __name__ == "__main__":
    main()
