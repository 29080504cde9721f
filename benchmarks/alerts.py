"""Measure the intake of alerts: how soon each is answered, and how soon a critical one has paged somebody."""

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks import clicks, floors, posting
from benchmarks.crowd import Crowd
from benchmarks.posting import Answers
from benchmarks.rig import PATIENCE, Rig, http, rig, wait_until
from escalation.processes import ALERTS
from escalation.storage.intake import DUE, FIRING
from workers.queue.rq import queue_key

CONNECTIONS = 200
SLACK = 0.02  # seconds that a call takes
PROBLEMS = 5  # of which the alerts of the storm are signs
EVERY = 0.5  # seconds between two critical alerts in the storm
CLICKS = 10  # at once, at the same time


@dataclass(frozen=True)
class Burst:
    """Answers of one app to as many alerts: as fast as it takes them, and 200 at once."""

    sustained: Answers
    at_once: Answers


@dataclass(frozen=True)
class Steady:
    """Answers of ours and the floor at one rate: while our worker stands still, and while it takes alerts in.

    The floor has no worker; `floor_beside` are its answers while ours takes in as many alerts on the same machine,
    which it has all at once.
    """

    ours: Answers
    floor: Answers
    ours_beside: Answers
    floor_beside: Answers


@dataclass(frozen=True)
class Compared:
    """Ours and the floor, and rounds of both in turn at half the floor's rate."""

    ours: Burst
    floor: Burst
    half: float
    rounds: list[Steady]


@dataclass(frozen=True)
class Storm:
    """Seconds to the answers, to the pages of critical alerts, to the acknowledgements of clicks, until all is done."""

    answers: Answers
    pages: list[float]
    clicks: list[float]
    done: float
    incidents: int


def storm_bodies(number: int) -> list[bytes]:
    """Bodies of as many different alerts, signs of a few problems."""
    return [posting.body(f"Storm{n % PROBLEMS}", n) for n in range(number)]


@contextmanager
def place() -> Iterator[Rig]:
    """Run the program with a bot that takes alerts, beside a Slack of 20 ms."""
    with rig(bot=True, extra={"ALERTS_TOKEN": posting.TOKEN}) as made:
        http(f"{made.workspace}/control/limits", {"on": False})
        http(f"{made.workspace}/control/latency", {"seconds": SLACK})
        yield made


def answered(url: str, number: int) -> Burst:
    """Measure an app: so many alerts as fast as it takes them, then 200 at once."""
    bodies = storm_bodies(number)
    warm = asyncio.run(posting.saturating(url, bodies[: number // 10], CONNECTIONS))
    assert warm.each
    sustained = asyncio.run(posting.saturating(url, bodies, CONNECTIONS))
    return Burst(sustained, asyncio.run(posting.saturating(url, bodies[:CONNECTIONS], CONNECTIONS)))


def compared(number: int, rounds: int) -> Compared:
    """Measure ours and the floor, each while the other does nothing."""
    with place() as made, floors.empty_intake() as url:
        floor = answered(url, number)
        ours = answered(made.bot, number)
        wait_for_intake(made)
        half = floor.sustained.rate / 2
        return Compared(ours, floor, half, [steady(made, url, number, half) for _ in range(rounds)])


def steady(made: Rig, floor: str, number: int, rate: float) -> Steady:
    """Measure ours and the floor, so many alerts a second each."""
    bodies = storm_bodies(number)

    def post(url: str) -> Answers:
        return asyncio.run(posting.at_rate(url, bodies, CONNECTIONS, rate))

    alone = post(floor)
    with stopped(made.parts[ALERTS]):
        ours = post(made.bot)
    beside = post(floor)  # the worker has what came meanwhile
    wait_for_intake(made)
    ours_beside = post(made.bot)
    wait_for_intake(made)
    return Steady(ours, alone, ours_beside, beside)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Let a process stand still during the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def unpaced(made: Rig) -> Iterator[None]:
    """Forget Slack's rate limits during the block: one person has more pages here than Slack takes for one channel."""
    over = threading.Event()

    def forget() -> None:
        while not over.wait(0.05):
            if debts := made.redis.keys("tocsin:pace:*"):
                made.redis.unlink(*debts)

    thread = threading.Thread(target=forget)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def paged(made: Rig, names: dict[str, float], within: float = PATIENCE) -> list[float]:
    """Seconds from posting each critical alert (its name -> epoch seconds) until its page stands at Slack."""
    found: dict[str, float] = {}

    def all_there() -> bool:
        for call in made.calls("chat.postMessage"):
            if call["ok"] and str(call["args"]["channel"]).startswith("D"):
                said = json.dumps(call["args"])
                for name in names.keys() - found.keys():
                    if f"{name} on" in said:
                        found[name] = call["at"] + SLACK - names[name]
        return names.keys() <= found.keys()

    wait_until(all_there, "the pages of critical alerts", every=0.5, within=within)
    return list(found.values())


def critical(made: Rig, number: int) -> list[float]:
    """Seconds until the page of each of so many critical alerts stands at Slack, one after the other."""
    posted = {}
    for n in range(number):
        name = f"Alone{n}x"
        posted[name] = time.time()
        asyncio.run(posting.saturating(made.bot, [posting.body(name, n, "critical")], 1))
        time.sleep(EVERY)
    return paged(made, posted)


def storm(made: Rig, number: int) -> Storm:
    """Measure a storm, with a critical alert and clicks in the middle of it every half second."""
    team, crowd = made.slack_call("auth.test")["team_id"], Crowd(made)
    names = crowd.idle(40 * CLICKS)
    over, posted, clicked = threading.Event(), dict[str, float](), list[float]()
    before = made.redis.zcard("tocsin:incidents")

    def disturb() -> None:
        n = 0
        while not over.is_set() and names:
            name = f"Critical{n}x"
            posted[name] = time.time()
            asyncio.run(posting.saturating(made.bot, [posting.body(name, n, "critical")], 1))
            chosen = [names.pop() for _ in range(CLICKS)]
            clicked.extend(clicks.at_once(made.bot, [clicks.press(i, "U0DANA0001", team) for i in chosen]).each)
            n += 1
            over.wait(EVERY)

    thread = threading.Thread(target=disturb)
    began = time.monotonic()
    thread.start()
    try:
        answers = asyncio.run(posting.saturating(made.bot, storm_bodies(number), CONNECTIONS))
        wait_for_intake(made)
    finally:
        over.set()
        thread.join()
    done = time.monotonic() - began
    pages = paged(made, posted)
    incidents = made.redis.zcard("tocsin:incidents") - before - len(posted)
    assert made.redis.hlen(FIRING) >= number, "alerts of the storm were lost"
    return Storm(answers, pages, clicked, done, incidents)


def wait_for_intake(made: Rig) -> None:
    """Wait until all bodies were worked on."""
    wait_until(lambda: not made.redis.llen(queue_key(ALERTS)) and not made.redis.zcard(DUE), "the alerts", every=0.05)
