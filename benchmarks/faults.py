"""What goes wrong and when: planned from a seed, then struck against the running program."""

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
# What strikes each second, and how often: kills, Slack's faults, the socket, doubled deliveries of what people did.
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
class Blow:
    """One fault: `at` seconds after the start, for `seconds` where it lasts. `target` is a process or a method."""

    at: float
    kind: str
    target: str = ""
    times: int = 1
    seconds: float = 0.0


def plan(dice: random.Random, seconds: float, crew: tuple[int, int]) -> tuple[Blow, ...]:
    """A blow each second, Redis killed every so often, and once Slack away for a while. `crew`: bots, supervisors."""
    blows = [_one(dice, second + dice.random(), crew) for second in range(int(seconds))]
    at = min(REDIS_EVERY, seconds) * (0.5 + dice.random() / 2)
    while at < seconds:
        blows.append(Blow(round(at, 3), "redis"))
        at += REDIS_EVERY * (0.75 + dice.random() / 2)
    away = min(30.0, seconds / 6)
    blows.append(Blow(round(seconds * (0.4 + dice.random() / 5), 3), "away", seconds=away))
    return tuple(sorted(blows, key=lambda b: b.at))


def _one(dice: random.Random, at: float, crew: tuple[int, int]) -> Blow:
    at, kind = round(at, 3), dice.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    bots, supervisors = crew
    match kind:
        case "part":
            return Blow(at, "kill", f"{dice.choice(PARTS)} of supervisor {dice.randint(1, supervisors)}")
        case "supervisor":
            return Blow(at, "kill", f"supervisor {dice.randint(1, supervisors)}")
        case "bot":
            return Blow(at, "kill", f"bot {dice.randint(1, bots)}")
        case "slack":
            method = dice.choices(list(METHODS), list(METHODS.values()))[0]
            return Blow(at, dice.choice(SLACK), method, dice.randint(1, 3), seconds=float(dice.randint(1, 3)))
        case "socket":
            return Blow(at, "socket", dice.choice(("reset", "silence", "refresh")), seconds=4.0)
    return Blow(at, "redeliver", times=dice.randint(1, 4))


@dataclass
class Span:
    """A stretch of time in which something was not there, in epoch seconds."""

    what: str
    start: float
    end: float = float("inf")

    def touches(self, start: float, end: float) -> bool:
        return self.start <= end and start <= self.end


@dataclass
class Storm:
    """Strikes the blows at their times, and writes down what struck."""

    crew: Crew
    web: httpx2.AsyncClient
    redis_pid: Callable[[], int]
    struck: Counter[str] = field(default_factory=Counter)
    outages: list[Span] = field(default_factory=list)

    async def rage(self, blows: tuple[Blow, ...], start: float) -> None:
        """`start` is in monotonic seconds."""
        async with asyncio.TaskGroup() as waiting:
            for blow in blows:
                await asyncio.sleep(max(0.0, start + blow.at - time.monotonic()))
                waiting.create_task(self._strike(blow))

    async def _strike(self, blow: Blow) -> None:
        match blow.kind:
            case "kill":
                if self.crew.kill(blow.target):
                    self.struck[f"kill -9 {blow.target.split()[0]}"] += 1
                return
            case "redis":
                if self.crew.kill_redis(self.redis_pid()):
                    self.outages.append(Span("redis", time.time()))
            case "away":
                await self._away(blow.seconds)
            case "socket":
                await self.control("sockets", action=blow.target, seconds=blow.seconds)
            case "redeliver":
                await self.control("redeliver", n=blow.times)
            case kind:
                fault = {"method": blow.target, "kind": kind, "times": blow.times, "seconds": blow.seconds}
                await self.control("faults", **fault, retry_after=int(blow.seconds))
        self.struck[_NAMES.get(blow.kind, f"Slack {blow.kind}")] += 1

    async def _away(self, seconds: float) -> None:
        """Nothing gets through to Slack, nor from it."""
        span = Span("slack", time.time())
        self.outages.append(span)
        await self.control("sockets", action="refuse", seconds=seconds)
        await self.control("faults", method="*", kind="drop_before", times=None)
        await asyncio.sleep(seconds)
        await self.web.delete("/control/faults")
        span.end = time.time()

    async def control(self, what: str, **body: Any) -> None:
        (await self.web.post(f"/control/{what}", json=body)).raise_for_status()

    async def calm(self) -> None:
        """No fault is left waiting."""
        await self.web.delete("/control/faults")


_NAMES = {"redis": "kill -9 redis", "away": "Slack away", "redeliver": "redelivered", "socket": "socket cut or mute"}
