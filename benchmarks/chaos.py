"""Chaos test: run the real program while processes and Slack fail, then audit that no message was lost or doubled.

`python -m benchmarks.chaos --seed 1 2 3` starts the server, the local workspace, several bots and several worker
supervisors; people declare and handle incidents; every second a process is killed or a call fails. See docs/chaos.md.
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

from benchmarks import faults, history, interference, monitoring, people, report
from benchmarks.acting import IncidentReader, People, resolve_all
from benchmarks.count import Observations, Verdict, judge
from benchmarks.crew import Crew, end, server_address
from benchmarks.faults import FaultInjector
from benchmarks.interference import Interference
from benchmarks.monitoring import Monitoring
from escalation.processes import PARTS

LATENCY = 0.3  # seconds of every call of Slack's
READY_WITHIN = 60.0  # seconds
SHORT = (25.0, 10)  # seconds and incidents: some ten kills, one of Redis, each act of people's
OVERTIME = 15.0  # seconds that people go on with their plans after the last fault
REST = 1.0  # seconds without anything due until the program counts as idle


@dataclass(frozen=True)
class Run:
    """Parameters of one run."""

    seed: int
    seconds: float
    incidents: int
    speed: float
    bots: int
    supervisors: int
    paced: bool
    drain: float

    def plans(
        self,
    ) -> tuple[
        tuple[faults.Fault, ...],
        tuple[people.Story, ...],
        tuple[interference.Act, ...],
        tuple[monitoring.Problem, ...],
    ]:
        """Plan the faults, the stories, what people do by hand, and alerts. The same seed gives the same plans."""
        dice = random.Random(self.seed)  # noqa: S311 - to be repeated, not to be secret
        return (
            faults.plan(dice, self.seconds, (self.bots, self.supervisors)),
            people.plan(dice, self.seconds, self.incidents),
            interference.plan(dice, self.seconds),
            monitoring.plan(dice, self.seconds),
        )


@dataclass
class Stage:
    """The running program, and what was observed from outside."""

    run: Run
    crew: Crew
    web: httpx2.AsyncClient
    redis: Redis
    injector: FaultInjector = field(init=False)
    people: People = field(init=False)
    interference: Interference = field(init=False)
    monitoring: Monitoring = field(init=False)
    server: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    failed_deliveries: set[str] = field(default_factory=set)
    _calls: int = 0

    def __post_init__(self) -> None:
        self.injector = FaultInjector(self.crew, self.web, lambda: self.server)
        self.people = People(self.web, IncidentReader(self.redis))
        self.interference = Interference(self.web, self.people)
        self.monitoring = Monitoring(self.crew.web)

    # Background tasks -------------------------------------------------------------------------------------------------

    async def maintain(self) -> None:
        """Restart dead processes, and keep the server's append-only files."""
        self.crew.restart_dead()
        history.keep(self.crew.data, self.crew.folder / "history")

    async def watch_server(self) -> None:
        """Track the server's process id, and the end of its outage after it was killed."""
        try:
            known = int((await self.redis.info("server"))["process_id"])
        except (RedisError, OSError):
            return
        if known != self.server:
            self.server = known
            for span in self.injector.outages:
                if span.what == "redis":
                    span.end = min(span.end, time.time())

    async def clear_rate_limits(self) -> None:
        """Clear the program's own state of Slack's rate limits, so that it does not pace its sends."""
        with contextlib.suppress(RedisError):
            if debts := await self.redis.keys("tocsin:pace:*"):
                await self.redis.unlink(*debts)

    async def read_calls(self) -> None:
        """Read new calls of the Web API, and record which failed, and for which delivery."""
        answer = await self.web.get("/control/calls", params={"after": self._calls})
        for call in answer.json()["calls"]:
            if call["status"] is None:  # not answered yet: it is read the next time
                break
            self._calls = call["n"]
            self._save_call(call)
            if not call["ok"] or call["status"] != 200:
                self.failed[call["error"] or "connection cut"] += 1
                metadata = call["args"].get("metadata")
                if isinstance(metadata, dict):
                    self.failed_deliveries.add(metadata["event_payload"]["delivery"])

    def _save_call(self, call: dict[str, Any]) -> None:
        """Save a call's key arguments, to investigate a verdict with."""
        args, kept = call["args"], {name: call[name] for name in ("at", "method", "status", "error")}
        about = {
            name: args[name] for name in ("channel", "ts", "thread_ts", "metadata", "name", "user") if name in args
        }
        with (self.crew.folder / "calls").open("a") as file:
            file.write(json.dumps(kept | about) + "\n")

    # Steps of a run ----------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Start everything and wait until it is ready."""
        self.crew.start("server", "workspace")
        await until(self._is_reachable)
        await self.injector.control("limits", on=False)
        await self.injector.control("latency", seconds=LATENCY)
        await self.interference.prepare()
        self.crew.start(*(name for name in self.crew.children if name not in ("server", "workspace")))
        await until(self._is_complete)

    async def _is_reachable(self) -> bool:
        with contextlib.suppress(RedisError, OSError, httpx2.HTTPError):
            return bool(await self.redis.ping()) and (await self.web.get("/control/faults")).is_success
        return False

    async def _is_complete(self) -> bool:
        with contextlib.suppress(RedisError):
            alive = await self.redis.keys("tocsin:alive:*")
            state = (await self.web.get("/control/state")).json()
            return len(alive) == len(PARTS) * self.run.supervisors and state["app"]["connections"] == self.run.bots
        return False

    async def is_idle(self) -> bool:
        """True if nothing is due and nothing waits to be sent."""
        with contextlib.suppress(RedisError):
            waiting: Any = await self.redis.zrange("tocsin:alarms", 0, -1, withscores=True)
            now = time.time()
            return not any(member.startswith(b"e:") or due < now - REST for member, due in waiting)
        return False

    async def has_taken_alerts(self) -> bool:
        """True if no alert waits in Redis or on the disk."""
        with contextlib.suppress(RedisError):
            return not await self.redis.zcard("tocsin:intake:due") and not [*self.crew.data.glob("spool/*.alert*")]
        return False

    async def collect(self) -> Observations:
        """Collect the final state, after everything that could still change it was stopped."""
        settled_at = time.time()
        await asyncio.to_thread(end, self.crew.dismiss("bot", "supervisor"))
        await self.read_calls()
        observed = Observations(
            workspace=(await self.web.get("/control/state")).json(),
            failed=frozenset(self.failed_deliveries),
            outages=tuple(self.injector.outages),
            confirmed=dict(self.people.confirmed),
            stamps=await self.people.reader.stamps(),
            settled_at=settled_at,
            absences=tuple(self.interference.absences),
            alerts=tuple(self.monitoring.accepted),
        )
        observed.save(self.crew.folder / "outside.json")
        return observed


async def until(condition: Callable[[], Awaitable[bool]], within: float = READY_WITHIN) -> bool:
    """Wait for a condition. True if it came true within so many seconds."""
    deadline = time.monotonic() + within
    while not await condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.2)
    return True


@contextlib.asynccontextmanager
async def repeatedly(*works: tuple[float, Callable[[], Awaitable[None]]]) -> AsyncIterator[None]:
    """Repeat tasks for as long as the block lasts: (seconds between, task).

    They are told to end and not cancelled: a task cancelled in the middle of a reply may never end.
    """
    over = asyncio.Event()

    async def repeat(every: float, work: Callable[[], Awaitable[None]]) -> None:
        while not over.is_set():
            await work()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), every)

    async with asyncio.TaskGroup() as group:
        for every, work in works:
            group.create_task(repeat(every, work))
        try:
            yield
        finally:
            over.set()


async def execute(run: Run, crew: Crew) -> tuple[Stage, Verdict]:
    """Execute a run, from the first process to the verdict."""
    redis = Redis.from_url(server_address(crew.data), socket_timeout=2, retry=Retry(NoBackoff(), 0))
    # The workspace closes a connection that idled for five seconds; given up before that, none ends under a request.
    limits = httpx2.Limits(keepalive_expiry=1.0)
    async with httpx2.AsyncClient(base_url=crew.slack, trust_env=False, timeout=30.0, limits=limits) as web, redis:
        stage = Stage(run, crew, web, redis)
        works = [(0.05, stage.maintain), (0.05, stage.watch_server), (0.25, stage.people.reader.refresh)]
        if not run.paced:
            works.append((0.1, stage.clear_rate_limits))
        async with repeatedly(*works):
            await stage.open()
            async with repeatedly((10.0, stage.read_calls)):
                await _disturb(stage, time.monotonic())
            observed = await stage.collect()
    return stage, judge(crew.folder / "history", observed)


async def _disturb(stage: Stage, start: float) -> None:
    planned, stories, acts, problems = stage.run.plans()
    async with asyncio.TaskGroup() as group:
        group.create_task(stage.injector.run(planned, start))
        group.create_task(_play(stage, stories, start))
        group.create_task(stage.interference.run(acts, start))
        group.create_task(stage.monitoring.run(problems, start))
    await stage.injector.clear()
    if not await until(stage.has_taken_alerts):
        report.say("  alerts still wait: they count as lost")
    report.say(f"  {_since(start)}: the storm is over; whatever is open is resolved")
    await resolve_all(stage.people)
    report.say(f"  {_since(start)}: all is resolved; whatever waits to be sent is waited for")
    if not await until(stage.is_idle, stage.run.drain):
        report.say(f"  still not quiet after {stage.run.drain:g} s: what is not done counts as lost")
    report.say(f"  {_since(start)}: nothing is due any more")


async def _play(stage: Stage, stories: tuple[people.Story, ...], start: float) -> None:
    """Play all stories, until soon after the last fault: incidents left open are resolved anyway."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(
            stage.people.play_all(stories, start), stage.run.seconds + min(OVERTIME, stage.run.seconds / 3)
        )


def _since(start: float) -> str:
    return f"{time.monotonic() - start:.0f} s"


def run_and_report(run: Run, keep: bool) -> bool:
    """Execute a run, report, clean up. True if nothing was found and each kind of act was done."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-chaos-"))
    crew = Crew(folder, run.bots, run.supervisors, run.speed)
    report.say(f"seed {run.seed}: {run.incidents} incidents in {run.seconds:g} s, plan {digest(run)}, in {folder}")
    try:
        stage, verdict = asyncio.run(execute(run, crew))
    finally:
        orphans = crew.stop()
    left = [f"process {o.pid} was left behind: {o.command}" for o in orphans]
    left += [f"port {port} is still taken" for port in crew.taken_ports()]
    undone = interference.missing(run.plans()[2], stage.interference.done)
    if run.seconds > SHORT[0] and not report.spooled(crew):  # in a short run Redis is away once, for half a second
        undone.append("no alert ever: spooled, while Redis was away")
    report.show(verdict, stage.injector, stage.interference, stage.monitoring, stage.failed, crew, undone, left)
    good = verdict.sound and not (undone or left)
    if good and not keep:
        shutil.rmtree(folder)
    return good


def digest(run: Run) -> str:
    """Short hash of a run's plans, to tell them apart."""
    return hashlib.sha256(repr(run.plans()).encode()).hexdigest()[:12]


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, nargs="+", default=[1], help="one run for each")
    parser.add_argument("--minutes", type=float, default=3.0, help="how long faults are injected")
    parser.add_argument("--incidents", type=int, default=90)
    parser.add_argument("--speed", type=float, default=120.0, help="how many times faster the policies' clocks run")
    parser.add_argument("--bots", type=int, default=2)
    parser.add_argument("--supervisors", type=int, default=2, help="each runs a ticker, a sweep and two workers")
    parser.add_argument(
        "--drain", type=float, default=300.0, help="seconds to wait afterwards until everything is sent"
    )
    parser.add_argument(
        "--paced", action="store_true", help="keep to Slack's rate limits: fewer incidents, longer drain"
    )
    parser.add_argument("--short", action="store_true", help="half a minute and few incidents, for the tests")
    parser.add_argument("--keep", action="store_true", help="keep the folder of a successful run too")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Execute all runs. Returns 0 if nothing was lost, doubled, early or left behind in any."""
    chosen = options(arguments)
    seconds, incidents = SHORT if chosen.short else (chosen.minutes * 60, chosen.incidents)
    results = [
        run_and_report(
            Run(seed, seconds, incidents, chosen.speed, chosen.bots, chosen.supervisors, chosen.paced, chosen.drain),
            chosen.keep,
        )
        for seed in chosen.seed
    ]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
