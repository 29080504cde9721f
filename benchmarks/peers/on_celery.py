"""Celery: a task with an `eta`."""

import os
import time
from datetime import UTC, datetime

import celery
import redis

SOCKET = os.environ["BENCH_SOCKET"]
app = celery.Celery("bench", broker=f"redis+socket://{SOCKET}")
app.conf.update(task_ignore_result=True, worker_hijack_root_logger=False)
client = redis.Redis(unix_socket_path=SOCKET)


@app.task  # type: ignore[untyped-decorator]  # it comes without types
def checkpoint(n: int) -> None:
    """Record that a checkpoint ran."""
    client.hset("ran", str(n), str(time.time()))


def send(n: int, at: float) -> None:
    """Schedule a checkpoint at an instant, in epoch seconds."""
    checkpoint.apply_async((n,), eta=datetime.fromtimestamp(at, UTC))
