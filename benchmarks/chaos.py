"""Nothing lost, nothing doubled, never early: the real program under fire, and its books audited afterwards.

`python -m benchmarks.chaos --seed 1 2 3` starts the server, the local workspace, several bots and several worker
supervisors; people declare and handle incidents; every second something is killed or fails. See docs/chaos.md.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from benchmarks import faults, history, people, report
from benchmarks.acting import Books, People, tidy
from benchmarks.count import Outside, Verdict, judge
from benchmarks.crew import Crew, end, server_address
from benchmarks.faults import Storm
from escalation.processes import PARTS

LATENCY = 0.3  # seconds that every call of Slack's takes
READY_WITHIN = 60.0  # seconds
SHORT = (22.0, 10)  # seconds and incidents: some ten kills, one of Redis
OVERTIME = 15.0  # seconds that people go on with their plans after the storm
REST = 1.0  # seconds that nothing may be due before it counts as quiet


@dataclass(frozen=True)
class Run:
    """What one run is asked to do."""

    seed: int
    seconds: float
    incidents: int
    speed: float
    bots: int
    supervisors: int
    paced: bool
    drain: float

    def plans(self) -> tuple[tuple[faults.Blow, ...], tuple[people.Story, ...]]:
        """The same for the same seed."""
        dice = random.Random(self.seed)  # noqa: S311 - to be repeated, not to be secret
        return faults.plan(dice, self.seconds, (self.bots, self.supervisors)), people.plan(
            dice, self.seconds, self.incidents
        )


@dataclass
class Stage:
    """The running program, and what is known of it from outside."""

    run: Run
    crew: Crew
    web: httpx2.AsyncClient
    redis: Redis
    storm: Storm = field(init=False)
    people: People = field(init=False)
    server: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    failed_deliveries: set[str] = field(default_factory=set)
    _calls: int = 0

    def __post_init__(self) -> None:
        self.storm = Storm(self.crew, self.web, lambda: self.server)
        self.people = People(self.web, Books(self.redis))

    # What goes on beside ------------------------------------------------------------------------------------------

    async def tend(self) -> None:
        """Start again what died, and keep the server's files."""
        self.crew.tend()
        history.keep(self.crew.data, self.crew.folder / "history")

    async def watch_server(self) -> None:
        """Which process the server is, and when it answers again after it was killed."""
        try:
            known = int((await self.redis.info("server"))["process_id"])
        except (RedisError, OSError):
            return
        if known != self.server:
            self.server = known
            for span in self.storm.outages:
                if span.what == "redis":
                    span.end = min(span.end, time.time())

    async def forgive(self) -> None:
        """Forget the debts that the program keeps with Slack's rate limits."""
        with contextlib.suppress(RedisError):
            if debts := await self.redis.keys("tocsin:pace:*"):
                await self.redis.unlink(*debts)

    async def listen_in(self) -> None:
        """Which calls failed, and for which message."""
        answer = await self.web.get("/control/calls", params={"after": self._calls})
        for call in answer.json()["calls"]:
            if call["status"] is None:  # not answered yet: it is looked at the next time
                break
            self._calls = call["n"]
            self._write_down(call)
            if not call["ok"] or call["status"] != 200:
                self.failed[call["error"] or "connection cut"] += 1
                metadata = call["args"].get("metadata")
                if isinstance(metadata, dict):
                    self.failed_deliveries.add(metadata["event_payload"]["delivery"])

    def _write_down(self, call: dict[str, Any]) -> None:
        """Keep what a call was about, for whoever looks into a verdict."""
        args, kept = call["args"], {name: call[name] for name in ("at", "method", "status", "error")}
        about = {
            name: args[name] for name in ("channel", "ts", "thread_ts", "metadata", "name", "user") if name in args
        }
        with (self.crew.folder / "calls").open("a") as file:
            file.write(json.dumps(kept | about) + "\n")

    # One after the other -----------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Start everything and wait until it can work."""
        self.crew.start("server", "workspace")
        await until(self._answers)
        await self.storm.control("limits", on=False)
        await self.storm.control("latency", seconds=LATENCY)
        self.crew.start(*(name for name in self.crew.hands if name not in ("server", "workspace")))
        await until(self._staffed)

    async def _answers(self) -> bool:
        with contextlib.suppress(RedisError, OSError, httpx2.HTTPError):
            return bool(await self.redis.ping()) and (await self.web.get("/control/faults")).is_success
        return False

    async def _staffed(self) -> bool:
        with contextlib.suppress(RedisError):
            alive = await self.redis.keys("tocsin:alive:*")
            state = (await self.web.get("/control/state")).json()
            return len(alive) == len(PARTS) * self.run.supervisors and state["app"]["connections"] == self.run.bots
        return False

    async def quiet(self) -> bool:
        """Whether nothing is due and nothing waits to be sent."""
        with contextlib.suppress(RedisError):
            waiting: Any = await self.redis.zrange("tocsin:alarms", 0, -1, withscores=True)
            now = time.time()
            return not any(member.startswith(b"e:") or due < now - REST for member, due in waiting)
        return False

    async def collect(self) -> Outside:
        """What stands there in the end. Whatever could still change it has ended before."""
        rested = time.time()
        await asyncio.to_thread(end, self.crew.dismiss("bot", "supervisor"))
        await self.listen_in()
        outside = Outside(
            workspace=(await self.web.get("/control/state")).json(),
            failed=frozenset(self.failed_deliveries),
            outages=tuple(self.storm.outages),
            told=dict(self.people.told),
            stamps=await self.people.books.stamps(),
            rested=rested,
        )
        outside.save(self.crew.folder / "outside.json")
        return outside


async def until(seen: Callable[[], Awaitable[bool]], within: float = READY_WITHIN) -> bool:
    """Whether it came true in time."""
    deadline = time.monotonic() + within
    while not await seen():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.2)
    return True


@contextlib.asynccontextmanager
async def beside(*works: tuple[float, Callable[[], Awaitable[None]]]) -> AsyncIterator[None]:
    """Do these again and again for as long as the block lasts: (seconds between, what).

    They are told to end and not cancelled: what is cancelled in the middle of a reply may never end.
    """
    over = asyncio.Event()

    async def again(every: float, work: Callable[[], Awaitable[None]]) -> None:
        while not over.is_set():
            await work()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), every)

    async with asyncio.TaskGroup() as group:
        for every, work in works:
            group.create_task(again(every, work))
        try:
            yield
        finally:
            over.set()


async def perform(run: Run, crew: Crew) -> tuple[Stage, Verdict]:
    """One whole run, from the first process to the verdict."""
    redis = Redis.from_url(server_address(crew.data), socket_timeout=2, retry=Retry(NoBackoff(), 0))
    async with httpx2.AsyncClient(base_url=crew.slack, trust_env=False, timeout=30.0) as web, redis:
        stage = Stage(run, crew, web, redis)
        works = [(0.05, stage.tend), (0.05, stage.watch_server), (0.25, stage.people.books.refresh)]
        if not run.paced:
            works.append((0.1, stage.forgive))
        async with beside(*works):
            await stage.open()
            async with beside((10.0, stage.listen_in)):
                await _fight(stage, time.monotonic())
            outside = await stage.collect()
    return stage, judge(crew.folder / "history", outside)


async def _fight(stage: Stage, start: float) -> None:
    blows, stories = stage.run.plans()
    async with asyncio.TaskGroup() as fight:
        fight.create_task(stage.storm.rage(blows, start))
        fight.create_task(_live(stage, stories, start))
    await stage.storm.calm()
    report.say(f"  {_since(start)}: the storm is over; whatever is open is resolved")
    await tidy(stage.people)
    report.say(f"  {_since(start)}: all is resolved; whatever waits to be sent is waited for")
    if not await until(stage.quiet, stage.run.drain):
        report.say(f"  still not quiet after {stage.run.drain:g} s: what is not done counts as lost")
    report.say(f"  {_since(start)}: nothing is due any more")


async def _live(stage: Stage, stories: tuple[people.Story, ...], start: float) -> None:
    """People give up their plans soon after the storm: what they left open is resolved anyway."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(
            stage.people.live(stories, start), stage.run.seconds + min(OVERTIME, stage.run.seconds / 3)
        )


def _since(start: float) -> str:
    return f"{time.monotonic() - start:.0f} s"


def once(run: Run, keep: bool) -> bool:
    """Run, report, clean up; whether all was well."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-chaos-"))
    crew = Crew(folder, run.bots, run.supervisors, run.speed)
    report.say(f"seed {run.seed}: {run.incidents} incidents in {run.seconds:g} s, plan {digest(run)}, in {folder}")
    try:
        stage, verdict = asyncio.run(perform(run, crew))
    finally:
        orphans = crew.stop()
    left = [f"process {o.pid} was left behind: {o.command}" for o in orphans]
    left += [f"port {port} is still taken" for port in crew.taken_ports()]
    report.show(verdict, stage.storm, stage.people, stage.failed, crew, left)
    good = verdict.sound and not left
    if good and not keep:
        shutil.rmtree(folder)
    return good


def digest(run: Run) -> str:
    """Tells one plan of faults and acts from another."""
    return hashlib.sha256(repr(run.plans()).encode()).hexdigest()[:12]


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, nargs="+", default=[1], help="one run for each")
    parser.add_argument("--minutes", type=float, default=3.0, help="how long the storm lasts")
    parser.add_argument("--incidents", type=int, default=90)
    parser.add_argument("--speed", type=float, default=120.0, help="how many times faster the policies' clocks run")
    parser.add_argument("--bots", type=int, default=2)
    parser.add_argument("--supervisors", type=int, default=2, help="each runs a ticker, a sweep and two workers")
    parser.add_argument("--drain", type=float, default=300.0, help="seconds that may pass until all is done")
    parser.add_argument(
        "--paced", action="store_true", help="keep to Slack's rate limits: fewer incidents, longer drain"
    )
    parser.add_argument("--short", action="store_true", help="half a minute and few incidents, for the tests")
    parser.add_argument("--keep", action="store_true", help="keep the folder of a run in which all was well, too")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """0 when nothing was lost, doubled, early or left behind in any run."""
    asked = options(arguments)
    seconds, incidents = SHORT if asked.short else (asked.minutes * 60, asked.incidents)
    results = [
        once(
            Run(seed, seconds, incidents, asked.speed, asked.bots, asked.supervisors, asked.paced, asked.drain),
            asked.keep,
        )
        for seed in asked.seed
    ]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
