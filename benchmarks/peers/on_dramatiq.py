"""Dramatiq: a message with a delay."""

import os
import time

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker

SOCKET = os.environ["BENCH_SOCKET"]
dramatiq.set_broker(RedisBroker(client=redis.Redis(unix_socket_path=SOCKET)))
client = redis.Redis(unix_socket_path=SOCKET)


@dramatiq.actor  # type: ignore[untyped-decorator]  # it comes without types
def checkpoint(n: int) -> None:
    """Record that a checkpoint ran."""
    client.hset("ran", str(n), str(time.time()))


def send(n: int, at: float) -> None:
    """Schedule a checkpoint at an instant, in epoch seconds."""
    checkpoint.send_with_options(args=(n,), delay=max(0, round((at - time.time()) * 1000)))
