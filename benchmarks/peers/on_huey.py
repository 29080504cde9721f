"""huey: a task with an `eta`."""

import os
import time
from datetime import UTC, datetime

import huey
import redis

SOCKET = os.environ["BENCH_SOCKET"]
app = huey.RedisHuey(
    "bench", connection_pool=redis.ConnectionPool.from_url(f"unix://{SOCKET}"), utc=True, results=False
)
client = redis.Redis(unix_socket_path=SOCKET)


@app.task()  # type: ignore[untyped-decorator]  # it comes without types
def checkpoint(n: int) -> None:
    """Record that a checkpoint ran."""
    client.hset("ran", str(n), str(time.time()))


def send(n: int, at: float) -> None:
    """Schedule a checkpoint at an instant, in epoch seconds."""
    checkpoint.schedule((n,), eta=datetime.fromtimestamp(at, UTC))
