"""Signs of life: keys `tocsin:alive:{part}:{host}:{pid}` that expire unless their process writes them again.

Their names are kept in a set, `tocsin:signs`: a search for them would go through every incident and every job.
"""

import os
import socket
from collections import Counter
from typing import Any

from redis import Redis

SIGNS = "tocsin:signs"
EVERY = 2.0  # seconds
LIVES = 10  # seconds


def own_key(part: str) -> str:
    """The key of this process for one of its parts."""
    return f"tocsin:alive:{part}:{socket.gethostname()}:{os.getpid()}"


def beat(redis: Redis, key: str, at: float) -> None:
    """Write a sign of life, `at` in epoch seconds."""
    redis.set(key, int(at), ex=LIVES)
    redis.sadd(SIGNS, key)


def alive(redis: Redis) -> dict[str, int]:
    """Part -> how many processes are alive."""
    kept: Any = redis.smembers(SIGNS)
    names = sorted(str(name, "utf-8") for name in kept)
    with redis.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.exists(name)
        found = dict(zip(names, pipe.execute(), strict=True))
    if gone := [name for name, there in found.items() if not there]:
        redis.srem(SIGNS, *gone)
    return dict(Counter(name.split(":")[2] for name, there in found.items() if there))
