"""Heartbeats: keys `tocsin:alive:{part}:{host}:{pid}` that expire unless their process writes them again.

Their names are kept in a set, `tocsin:signs`: a search for them would go through every incident and every job.
"""

import os
import socket
from collections import Counter
from typing import Any

from redis import Redis

HEARTBEATS = "tocsin:signs"
INTERVAL = 2.0  # seconds
TTL = 10  # seconds


def own_key(part: str) -> str:
    """Heartbeat key of one part of this process."""
    return f"tocsin:alive:{part}:{socket.gethostname()}:{os.getpid()}"


def beat(redis: Redis, key: str, at: float) -> None:
    """Write a heartbeat, `at` in epoch seconds."""
    redis.set(key, int(at), ex=TTL)
    redis.sadd(HEARTBEATS, key)


def alive(redis: Redis) -> dict[str, int]:
    """Count the live processes of each part."""
    members: Any = redis.smembers(HEARTBEATS)
    names = sorted(str(name, "utf-8") for name in members)
    with redis.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.exists(name)
        found = dict(zip(names, pipe.execute(), strict=True))
    if expired := [name for name, exists in found.items() if not exists]:
        redis.srem(HEARTBEATS, *expired)
    return dict(Counter(name.split(":")[2] for name, exists in found.items() if exists))
