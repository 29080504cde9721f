"""Failures of Redis, classified: why it does not work, and what to do. A small write finds out before people do."""

from typing import Any, NamedTuple

from redis import Redis
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

PROBE = "tocsin:write-probe"
PROBE_SECONDS = 60
HEADROOM = 0.8  # share of maxmemory in use from which on there is a warning


class RedisFault(NamedTuple):
    """A fault of Redis: a key for machines, what is wrong, what to do. `passing`: it ends by itself."""

    key: str
    text: str
    remedy: str
    passing: bool = False


_CLUSTER = RedisFault("redis:cluster", "Redis is a cluster", "point REDIS_URL to a single server, or to sentinels")
# An error reply's code -> the fault. https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors
_BY_CODE = {
    "OOM": RedisFault("redis:memory", "Redis is out of memory", "raise maxmemory, or free memory on that server"),
    "MISCONF": RedisFault(
        "redis:disk", "Redis cannot save to its disk and refuses writes", "free its disk, see its log (MISCONF)"
    ),
    "READONLY": RedisFault(
        "redis:read-only", "Redis is a read-only replica", "point REDIS_URL to the master, or name the sentinels in it"
    ),
    "NOREPLICAS": RedisFault(
        "redis:replicas", "Redis has too few replicas and refuses writes", "bring the replicas back"
    ),
    "NOAUTH": RedisFault("redis:login", "Redis asks for a password", "put user and password into REDIS_URL"),
    "WRONGPASS": RedisFault("redis:login", "Redis refuses our password", "correct user and password in REDIS_URL"),
    "NOPERM": RedisFault(
        "redis:permissions", "Redis does not let our user do this", "allow it all keys and commands (ACL SETUSER)"
    ),
    "LOADING": RedisFault("redis:loading", "Redis is loading its data", "wait until it has", passing=True),
    "MASTERDOWN": RedisFault("redis:master", "Redis has lost its master", "see its sentinels", passing=True),
    **dict.fromkeys(("MOVED", "CROSSSLOT", "CLUSTERDOWN"), _CLUSTER),
    "max number of clients": RedisFault(
        "redis:clients", "Redis takes no more connections", "raise its maxclients, or end what holds them", passing=True
    ),
}
# redis-py cuts the code off the replies that it has a class for.
_CODES: tuple[tuple[type[RedisError], str], ...] = (
    (OutOfMemoryError, "OOM"),
    (ReadOnlyError, "READONLY"),
    (BusyLoadingError, "LOADING"),
    (NoPermissionError, "NOPERM"),
)


def explain(error: RedisError) -> RedisFault:
    """Classify an error of the client."""
    words = str(error)
    for code, fault in _BY_CODE.items():
        if code in words:
            return fault
    for kind, code in _CODES:
        if isinstance(error, kind):
            return _BY_CODE[code]
    if isinstance(error, AuthenticationError):
        return _BY_CODE["NOAUTH" if "required" in words else "WRONGPASS"]
    if "without any password" in words:  # to a server that has none
        return RedisFault("redis:login", "Redis has no password, and got one", "take it out of REDIS_URL")
    if isinstance(error, ResponseError):
        return RedisFault("redis:error", "Redis refuses a command", "see tocsin doctor, and the logs")
    remedy = f"check REDIS_URL, and that the server runs ({type(error).__name__})"
    return RedisFault("redis:away", "Redis does not answer", remedy, passing=True)


def write_fault(redis: Redis) -> RedisFault | None:
    """Write a little; return why that is refused, None if it is not."""
    try:
        redis.set(PROBE, 1, ex=PROBE_SECONDS)
    except RedisError as error:
        return explain(error)
    return None


def memory_share(redis: Redis) -> float | None:
    """Return the share of maxmemory in use; None without a limit, or if the server does not tell. Raises RedisError."""
    memory = _memory(redis)
    limit = int(memory.get("maxmemory", 0))
    return int(memory.get("used_memory", 0)) / limit if limit else None


def headroom(redis: Redis) -> list[RedisFault]:
    """Warn of what will be refused, or thrown away, before it happens. Raises RedisError."""
    share, faults = memory_share(redis), []
    if share is None:
        return []
    if share >= HEADROOM:
        text = f"Redis uses {share:.0%} of its maxmemory; at 100% it refuses writes"
        faults.append(RedisFault("redis:headroom", text, "raise maxmemory, or free memory on that server"))
    if (policy := str(_memory(redis).get("maxmemory_policy", "noeviction"))) != "noeviction":
        text = f"Redis may throw incidents away when its memory is full (maxmemory-policy {policy})"
        faults.append(RedisFault("redis:eviction", text, "CONFIG SET maxmemory-policy noeviction, and save it"))
    return faults


def _memory(redis: Redis) -> dict[str, Any]:
    try:
        return dict(redis.info("memory"))
    except ResponseError:  # not allowed to us, or not known to this server
        return {}
