"""Plan faults from a seed, and inject them into the running program."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2

from benchmarks.crew import Crew
from escalation.processes import PARTS

SLACK = ("ratelimited", "status", "drop_before", "drop_after", "hang")
REDIS_EVERY = 20.0  # seconds, on average
# Faults and their weights: kills, Slack's errors, the socket, duplicate deliveries of requests.
WEIGHTS = {"part": 34, "bot": 5, "supervisor": 4, "slack": 42, "socket": 6, "redeliver": 9}
METHODS = {
    "chat.postMessage": 60,
    "chat.update": 15,
    "*": 8,
    "conversations.create": 5,
    "users.info": 5,
    "views.open": 4,
    "conversations.open": 3,
}


@dataclass(frozen=True)
class Fault:
    """One fault: `at` seconds after the start, for `seconds` where it lasts. `target` is a process or a method."""

    at: float
    kind: str
    target: str = ""
    times: int = 1
    seconds: float = 0.0


def plan(dice: random.Random, seconds: float, crew: tuple[int, int]) -> tuple[Fault, ...]:
    """Plan a fault each second, kills of Redis now and then, and one outage of Slack. `crew`: bots, supervisors."""
    planned = [_one(dice, second + dice.random(), crew) for second in range(int(seconds))]
    at = min(REDIS_EVERY, seconds) * (0.5 + dice.random() / 2)
    while at < seconds:
        planned.append(Fault(round(at, 3), "redis"))
        at += REDIS_EVERY * (0.75 + dice.random() / 2)
    away = min(30.0, seconds / 6)
    planned.append(Fault(round(seconds * (0.4 + dice.random() / 5), 3), "away", seconds=away))
    return tuple(sorted(planned, key=lambda f: f.at))


def _one(dice: random.Random, at: float, crew: tuple[int, int]) -> Fault:
    at, kind = round(at, 3), dice.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    bots, supervisors = crew
    match kind:
        case "part":
            return Fault(at, "kill", f"{dice.choice(PARTS)} of supervisor {dice.randint(1, supervisors)}")
        case "supervisor":
            return Fault(at, "kill", f"supervisor {dice.randint(1, supervisors)}")
        case "bot":
            return Fault(at, "kill", f"bot {dice.randint(1, bots)}")
        case "slack":
            method = dice.choices(list(METHODS), list(METHODS.values()))[0]
            return Fault(at, dice.choice(SLACK), method, dice.randint(1, 3), seconds=float(dice.randint(1, 3)))
        case "socket":
            return Fault(at, "socket", dice.choice(("reset", "silence", "refresh")), seconds=4.0)
    return Fault(at, "redeliver", times=dice.randint(1, 4))


@dataclass
class Span:
    """An outage of Redis or Slack, in epoch seconds."""

    what: str
    start: float
    end: float = float("inf")

    def touches(self, start: float, end: float) -> bool:
        """True if the outage overlaps a stretch of time."""
        return self.start <= end and start <= self.end


@dataclass
class FaultInjector:
    """Inject planned faults at their times, and count them."""

    crew: Crew
    web: httpx2.AsyncClient
    redis_pid: Callable[[], int]
    injected: Counter[str] = field(default_factory=Counter)
    outages: list[Span] = field(default_factory=list)

    async def run(self, planned: tuple[Fault, ...], start: float) -> None:
        """Inject each fault at its time; `start` is in monotonic seconds."""
        async with asyncio.TaskGroup() as group:
            for fault in planned:
                await asyncio.sleep(max(0.0, start + fault.at - time.monotonic()))
                group.create_task(self._inject(fault))

    async def _inject(self, fault: Fault) -> None:
        match fault.kind:
            case "kill":
                if self.crew.kill(fault.target):
                    self.injected[f"kill -9 {fault.target.split()[0]}"] += 1
                return
            case "redis":
                if self.crew.kill_redis(self.redis_pid()):
                    self.outages.append(Span("redis", time.time()))
            case "away":
                await self._away(fault.seconds)
            case "socket":
                await self.control("sockets", action=fault.target, seconds=fault.seconds)
            case "redeliver":
                await self.control("redeliver", n=fault.times)
            case kind:
                options = {"method": fault.target, "kind": kind, "times": fault.times, "seconds": fault.seconds}
                await self.control("faults", **options, retry_after=int(fault.seconds))
        self.injected[_NAMES.get(fault.kind, f"Slack {fault.kind}")] += 1

    async def _away(self, seconds: float) -> None:
        """Cut off Slack in both directions for so many seconds."""
        span = Span("slack", time.time())
        self.outages.append(span)
        await self.control("sockets", action="refuse", seconds=seconds)
        await self.control("faults", method="*", kind="drop_before", times=None)
        await asyncio.sleep(seconds)
        await self.web.delete("/control/faults")
        span.end = time.time()

    async def control(self, what: str, **body: Any) -> None:
        """Call one of the workspace's controls."""
        (await self.web.post(f"/control/{what}", json=body)).raise_for_status()

    async def clear(self) -> None:
        """Remove all faults that are still pending."""
        await self.web.delete("/control/faults")


_NAMES = {"redis": "kill -9 redis", "away": "Slack away", "redeliver": "redelivered", "socket": "socket cut or mute"}
