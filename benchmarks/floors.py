"""Floors: a loop that sleeps until something is due, claims it, and records that it ran; two web apps, nearly empty.

`python -m benchmarks.floors SOCKET` runs the loop. It decides nothing and sends nothing.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redis import Redis

from benchmarks.ports import free_port
from benchmarks.rig import Rig, answers, client, process, server, wait_until

BATCH = 100  # as many as a job of Tocsin's carries
LONGEST_SLEEP = 0.1


def lateness(number: int, seconds: float) -> list[float]:
    """Measure the seconds from each due time to its claim, spread over `seconds` (0: all at one instant)."""
    with server() as socket, process(sys.executable, "-m", "benchmarks.floors", str(socket)):
        redis = client(socket)
        wait_until(lambda: redis.exists("ready"), "the claim loop")
        first = time.time() + 1.0
        due = {str(n): first + seconds * n / number for n in range(number)}
        redis.zadd("due", due)
        wait_until(lambda: redis.hlen("ran") == number, "the claim loop", every=0.05)
        ran: Any = redis.hgetall("ran")
    return [float(at) - due[str(n, "utf-8")] for n, at in ran.items()]


def loop(redis: Redis) -> None:
    """Claim what is due, until the process is killed."""
    redis.set("ready", 1)
    while True:
        now = time.time()
        due: Any = redis.zrangebyscore("due", "-inf", now, start=0, num=BATCH)
        if due:
            _claim(redis, due)
            continue
        following: Any = redis.zrange("due", 0, 0, withscores=True)
        time.sleep(max(0.0, min(LONGEST_SLEEP, following[0][1] - time.time() if following else LONGEST_SLEEP)))


def _claim(redis: Redis, due: list[bytes]) -> None:
    with redis.pipeline() as pipe:
        for n in due:
            pipe.zrem("due", n)
        claimed = [n for n, mine in zip(due, pipe.execute(), strict=True) if mine]
    with redis.pipeline() as pipe:
        for n in claimed:
            pipe.hset("ran", str(n, "utf-8"), str(time.time()))
        pipe.execute()


@contextmanager
def empty_bolt(rig: Rig) -> Iterator[str]:
    """Run the empty Bolt app during the block; yields its URL."""
    port = free_port()
    argv = (sys.executable, "-m", "benchmarks.empty_bolt", str(port), f"{rig.workspace}/api/")
    with process(*argv):
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(f"{url}/healthz"), "the empty Bolt app")
        yield url


@contextmanager
def empty_intake() -> Iterator[str]:
    """Run the web app that only writes, on a server of its own, during the block; yields its URL."""
    port = free_port()
    with server() as socket, process(sys.executable, "-m", "benchmarks.empty_intake", str(port), str(socket)):
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(f"{url}/healthz"), "the web app that only writes")
        yield url


if __name__ == "__main__":
    loop(client(Path(sys.argv[1])))
