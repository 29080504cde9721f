"""Plain RQ: `enqueue_at`, and a worker with its scheduler."""

import os
import time
from datetime import UTC, datetime

import redis
import rq

SOCKET = os.environ["BENCH_SOCKET"]
client = redis.Redis(unix_socket_path=SOCKET)
queue = rq.Queue("due", connection=client)


def checkpoint(n: int) -> None:
    """Record that a checkpoint ran."""
    client.hset("ran", str(n), str(time.time()))


def send(n: int, at: float) -> None:
    """Schedule a checkpoint at an instant, in epoch seconds."""
    queue.enqueue_at(datetime.fromtimestamp(at, UTC), "on_rq.checkpoint", n, result_ttl=0)
