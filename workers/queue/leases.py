"""Leases on effects in flight, so short that a killed worker's lease expires in about a second.

`tocsin:lease:{effect}` has the holder's token and whether another worker wanted the effect meanwhile;
`tocsin:tries:{effect}` counts sends begun and failures.
"""

import threading
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from redis import Redis, RedisError

from escalation.storage.alarms import effect_alarm
from escalation.storage.indexes import ALARMS

LEASE_MS = 1200
RENEW_SECONDS = 0.4
TRIES_SECONDS = 7 * 86_400

_CLAIM = """
local at = redis.call('ZSCORE', KEYS[2], ARGV[3])
if not at or tonumber(at) > tonumber(ARGV[4]) then return 0 end
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'wanted', 1) return 0 end
redis.call('HSET', KEYS[1], 'token', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""
_PUT_OFF = """
local at = redis.call('ZSCORE', KEYS[2], ARGV[1])
if not at or tonumber(at) > tonumber(ARGV[2]) then return 0 end
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'wanted', 1) return 0 end
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
return 1
"""
_RENEW = """
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
_COUNT = """
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local n = redis.call('HINCRBY', KEYS[2], ARGV[3], 1)
redis.call('EXPIRE', KEYS[2], ARGV[4])
return n
"""
_RELEASE = """
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 0 end
local wanted = redis.call('HGET', KEYS[1], 'wanted')
redis.call('DEL', KEYS[1])
if ARGV[2] == '1' then redis.call('DEL', KEYS[2]) end
return wanted and 1 or 0
"""

log = structlog.get_logger()


@dataclass(frozen=True)
class Lease:
    """Exclusive right to carry out one effect, for as long as this process lives."""

    effect: str
    token: str

    @property
    def key(self) -> str:
        """Redis key of the lease."""
        return lease_key(self.effect)


def lease_key(effect_id: str) -> str:
    """Redis key of an effect's lease."""
    return f"tocsin:lease:{effect_id}"


def tries_key(effect_id: str) -> str:
    """Redis key of an effect's counts of sends begun and failures."""
    return f"tocsin:tries:{effect_id}"


class Leases:
    """The leases of one process; one thread renews them all while their sends last."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._mine: dict[str, Lease] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._renewer: threading.Thread | None = None

    def claim(self, effect_id: str, now: datetime) -> Lease | None:
        """Claim an effect that is due.

        None if it is not pending, if it waits for a retry, or if another worker holds it; that one then looks at it
        again when it releases its lease.
        """
        lease = Lease(effect_id, uuid.uuid4().hex)
        arguments = (lease.token, LEASE_MS, effect_alarm(effect_id), repr(now.timestamp()))
        if not self._redis.eval(_CLAIM, 2, lease.key, ALARMS, *arguments):
            return None
        with self._lock:
            self._mine[effect_id] = lease
            if self._renewer is None:
                self._renewer = threading.Thread(target=self._renew, name="leases", daemon=True)
                self._renewer.start()
        return lease

    def put_off(self, effect_id: str, now: datetime, until: datetime) -> bool:
        """Let a due effect wait until then; True if the caller has to enqueue it for that time.

        False if it is not pending, waits already, or is held, as `claim`: of several jobs for one effect one is left.
        """
        arguments = (effect_alarm(effect_id), repr(now.timestamp()), repr(until.timestamp()))
        return bool(self._redis.eval(_PUT_OFF, 2, lease_key(effect_id), ALARMS, *arguments))

    def begin(self, lease: Lease) -> int:
        """Count a send that is about to begin: 1 for the first, more if it may have been sent before.

        0 if the lease was lost; then it must not be sent.
        """
        return self._count(lease, "sent")

    def failed(self, lease: Lease) -> int:
        """Count a failure; returns how many there have been (0 if the lease was lost)."""
        return self._count(lease, "failed")

    def failing_since(self, effect_id: str, now: datetime) -> float:
        """Time of the first failure of an effect, in epoch seconds: now, if there was none before."""
        self._redis.hsetnx(tries_key(effect_id), "since", repr(now.timestamp()))
        since: Any = self._redis.hget(tries_key(effect_id), "since")
        return float(since)

    def once(self, effect_id: str, what: str) -> bool:
        """True if that is done for the first time for an effect."""
        return bool(self._redis.hsetnx(tries_key(effect_id), what, 1))

    def release(self, lease: Lease, *, done: bool) -> bool:
        """Release a lease; True if another worker wanted it meanwhile, so that the effect has to be looked at again."""
        with self._lock:
            self._mine.pop(lease.effect, None)
        keys = (lease.key, tries_key(lease.effect))
        return bool(self._redis.eval(_RELEASE, 2, *keys, lease.token, int(done)))

    def close(self) -> None:
        """Stop renewing the leases."""
        self._closed.set()

    def _count(self, lease: Lease, what: str) -> int:
        keys = (lease.key, tries_key(lease.effect))
        reply: Any = self._redis.eval(_COUNT, 2, *keys, lease.token, LEASE_MS, what, TRIES_SECONDS)
        return int(reply)

    def _renew(self) -> None:
        while not self._closed.wait(RENEW_SECONDS):
            with self._lock:
                leases = list(self._mine.values())
            try:
                with self._redis.pipeline(transaction=False) as pipe:
                    for lease in leases:
                        pipe.eval(_RENEW, 1, lease.key, lease.token, LEASE_MS)
                    pipe.execute()
            except RedisError as error:
                log.warning("redis unavailable, leases not renewed", error=type(error).__name__)
