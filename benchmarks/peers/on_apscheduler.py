"""APScheduler 3: a `date` job in its Redis job store. Run as a program, this is the scheduler."""

import os
import threading
import time
from datetime import UTC, datetime
from typing import Any

import redis
from apscheduler.jobstores.redis import RedisJobStore
from apscheduler.schedulers.background import BackgroundScheduler

SOCKET = os.environ["BENCH_SOCKET"]
client = redis.Redis(unix_socket_path=SOCKET)
scheduler = BackgroundScheduler(
    jobstores={"default": RedisJobStore(unix_socket_path=SOCKET)},
    job_defaults={"misfire_grace_time": None},
    timezone=UTC,
)


def checkpoint(n: int) -> None:
    """Record that a checkpoint ran."""
    client.hset("ran", str(n), str(time.time()))


def send(n: int, at: float) -> None:
    """Schedule a checkpoint by a list, because a running scheduler does not notice jobs that other processes add."""
    client.rpush("to-schedule", f"{n}:{at}")


def _serve() -> None:
    scheduler.start()
    while True:
        taken: Any = client.blpop(["to-schedule"], timeout=0)
        n, _, at = taken[1].decode().partition(":")
        job = {"trigger": "date", "run_date": datetime.fromtimestamp(float(at), UTC), "args": [int(n)]}
        scheduler.add_job("on_apscheduler:checkpoint", **job)


if __name__ == "__main__":
    threading.Thread(target=_serve, daemon=True).start()
    threading.Event().wait()
