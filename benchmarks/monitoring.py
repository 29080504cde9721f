"""Plan and post alerts like an Alertmanager: they fire on some hosts, repeat and end; each is sent until accepted."""

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx2

from benchmarks.posting import TOKEN, body

AGAIN = 0.2  # seconds until a body that nobody accepted is sent again
PATIENCE = 5.0  # seconds for an answer
FIRES_FOR = 8.0  # seconds at least: whoever looks sees it fire, though Redis and a worker were killed meanwhile


@dataclass(frozen=True)
class Problem:
    """Alerts of one name, one for each host. They repeat every `every` seconds; those of `ending` hosts end."""

    at: float
    name: str
    hosts: int
    every: float
    repeats: int
    ending: int


def plan(dice: random.Random, seconds: float) -> tuple[Problem, ...]:
    """Plan problems from the start on, one in two seconds."""
    problems = []
    for n in range(max(2, int(seconds / 2))):
        at, hosts = round(seconds * dice.random() * 0.8, 3), dice.randint(1, 4)
        every, repeats = 0.3 + dice.random(), dice.randint(3, 12)
        problems.append(Problem(at, f"Alarm{n:03d}", hosts, round(every, 3), repeats, dice.randint(0, hosts)))
    return tuple(sorted(problems, key=lambda problem: problem.at))


@dataclass
class Monitoring:
    """Posts to the bots in turn. `accepted` are alerts that were answered 202: (name, host, state), oldest first."""

    bots: Sequence[str]
    accepted: list[tuple[str, int, str]] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    _turn: int = 0

    async def run(self, problems: tuple[Problem, ...], start: float) -> None:
        """Play all problems, each at its time; `start` is in monotonic seconds."""
        async with httpx2.AsyncClient(trust_env=False, timeout=PATIENCE) as web, asyncio.TaskGroup() as group:
            for problem in problems:
                group.create_task(self._play(web, problem, start))

    async def _play(self, web: httpx2.AsyncClient, problem: Problem, start: float) -> None:
        await asyncio.sleep(max(0.0, start + problem.at - time.monotonic()))
        for host in range(problem.hosts):
            await self._post(web, problem.name, host, "firing")
        began = time.monotonic()
        for n in range(problem.repeats):
            await asyncio.sleep(problem.every)
            await self._post(web, problem.name, n % problem.hosts, "firing")
        await asyncio.sleep(max(0.0, began + FIRES_FOR - time.monotonic()))
        for host in range(problem.ending):
            await self._post(web, problem.name, host, "resolved")

    async def _post(self, web: httpx2.AsyncClient, name: str, host: int, state: str) -> None:
        """Send a body until a bot has accepted it."""
        headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
        while True:
            self._turn += 1
            url = self.bots[self._turn % len(self.bots)]
            with contextlib.suppress(httpx2.HTTPError):
                raw = body(name, host, "warning", state)
                answer = await web.post(f"{url}/alerts/alertmanager", content=raw, headers=headers)
                if answer.status_code == 202:
                    self.accepted.append((name, host, state))
                    self.done[f"alert {state}"] += 1
                    return
            self.done["alert sent again"] += 1
            await asyncio.sleep(AGAIN)
