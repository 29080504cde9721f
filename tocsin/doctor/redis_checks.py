"""The doctor's look at Redis: reachable, persistent, ready for a failover, its clock right, workers at work."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import redis
from redis import Redis

from escalation import processes
from escalation.storage.heartbeats import alive
from tocsin.config.addresses import Address, is_sentinel, sentinel
from tocsin.config.settings import Settings
from tocsin.doctor.finding import Finding, fine, no, perhaps
from tocsin.run import embedded
from tocsin.run import redis as server
from tocsin.run.redis import redis_name

PARTS = ("bot", *processes.PARTS)
MOST_SKEW = 1.0  # seconds; a page promises to be that punctual
MOST_LAG = 10  # seconds; Redis' own default
ENOUGH_SENTINELS = 3  # fewer cannot agree once one is gone


def redis_findings(settings: Settings, host_clock: datetime | None = None) -> Iterator[Finding]:
    """All there is to say about Redis. `host_clock` is this machine's time (None: now)."""
    if settings.redis_url is None and not embedded.running(settings.data):
        yield no("redis", f"nothing runs on {settings.data}", "start `tocsin run`, or set REDIS_URL")
        return
    yield from _sentinels(server.address(settings))
    client = server.connect(settings)
    try:
        yield fine("redis", f"{redis_name(settings)} answers, {_version(client)}")
        yield from _persistence(client)
        yield from _failover(client)
        yield _skew(client, host_clock)
        yield from left_alone(client)
        yield from _workers(client)
    except redis.RedisError as wrong:
        yield no(
            "redis", f"{redis_name(settings)} does not answer: {wrong}", "check REDIS_URL, and that the server runs"
        )


def _version(client: Redis) -> str:
    info = client.info("server")
    return f"Valkey {info['valkey_version']}" if "valkey_version" in info else f"Redis {info['redis_version']}"


def _persistence(client: Redis) -> Iterator[Finding]:
    try:
        told = {name: _told(client, name) for name in ("appendonly", "appendfsync", "maxmemory-policy")}
    except redis.ResponseError:
        yield perhaps("persistence", "this server does not tell", "ask its operator for appendonly yes and noeviction")
        return
    yield from (
        _append_only(told["appendonly"]),
        _fsync(told["appendfsync"]),
        _eviction(told["maxmemory-policy"]),
    )


def _told(client: Redis, name: str) -> str:
    return str(client.config_get(name).get(name, ""))


def _append_only(value: str) -> Finding:
    if value == "yes":
        return fine("persistence", "appendonly yes")
    return no("persistence", "appendonly no: a restart loses every incident", "CONFIG SET appendonly yes, and save it")


def _fsync(value: str) -> Finding:
    if value == "always":
        return fine("persistence", "appendfsync always")
    return perhaps("persistence", f"appendfsync {value}: a power cut may lose seconds", "CONFIG SET appendfsync always")


def _eviction(value: str) -> Finding:
    if value == "noeviction":
        return fine("persistence", "maxmemory-policy noeviction")
    return no(
        "persistence", f"maxmemory-policy {value} may throw incidents away", "CONFIG SET maxmemory-policy noeviction"
    )


def _sentinels(url: str) -> Iterator[Finding]:
    """Whether each of them answers, and could have a new master elected."""
    if not is_sentinel(url):
        return
    where = sentinel(url)
    if len(where.hosts) < ENOUGH_SENTINELS:
        yield perhaps("sentinels", f"only {len(where.hosts)} named", "run three on three machines, name all of them")
    for address, watcher in zip(where.hosts, server.watchers(where).sentinels, strict=True):
        name = str(Address(*address))
        try:
            said = watcher.execute_command("SENTINEL", "CKQUORUM", where.master)  # type: ignore[no-untyped-call]
            yield fine("sentinels", f"{name}: {_text(said)}")
        except redis.ResponseError as refused:
            yield no("sentinels", f"{name}: {refused}", f"have it monitor {where.master}, as most of them must")
        except redis.RedisError:
            yield perhaps("sentinels", f"{name} does not answer", "start it; while others do, work goes on")


def _failover(client: Redis) -> Iterator[Finding]:
    """What a failover would cost; nothing to say of a server without replicas."""
    told = client.info("replication")
    replicas = int(told.get("connected_slaves", 0))
    try:
        least = int(_told(client, "min-replicas-to-write") or 0)
        lag = int(_told(client, "min-replicas-max-lag") or 0)
    except redis.ResponseError:
        return
    if replicas or least:
        yield _replicas(replicas, least if lag else 0)
        if lag > MOST_LAG:
            what = f"min-replicas-max-lag {lag}: a master that was cut off takes writes for so many seconds"
            yield perhaps("failover", what, f"CONFIG SET min-replicas-max-lag {MOST_LAG}, and save it")


def _replicas(replicas: int, least: int) -> Finding:
    if replicas < least:
        what = f"{_count(replicas)} for min-replicas-to-write {least}: writes are refused"
        return no("failover", what, "bring the replicas back")
    if not least:
        what = f"{_count(replicas)}, min-replicas-to-write 0: what a master takes after it was cut off is lost"
        return perhaps("failover", what, "run two replicas, then CONFIG SET min-replicas-to-write 1 and save it")
    if replicas == least:
        return perhaps("failover", f"{_count(replicas)}: when it or the master is lost, writes stop", "add a replica")
    return fine("failover", f"{_count(replicas)}, min-replicas-to-write {least}")


def _count(replicas: int) -> str:
    return f"{replicas} replica{'' if replicas == 1 else 's'}"


def _text(raw: Any) -> str:
    return str(raw, "utf-8") if isinstance(raw, bytes) else str(raw)


def left_alone(client: Redis) -> Iterator[Finding]:
    """What a newer Tocsin wrote is worked on by newer workers only."""
    store = server.reading(client)
    count = store.open_count() - len(store.open_incidents())
    if count > 0:
        what = f"{count} open, written by a newer Tocsin: only its workers and bots handle them"
        yield perhaps("incidents", what, "finish the upgrade on every machine")


def _skew(client: Redis, host_clock: datetime | None) -> Finding:
    apart = (server.reading(client).now() - (host_clock or datetime.now(UTC))).total_seconds()
    if abs(apart) <= MOST_SKEW:
        return fine("clock", f"Redis and this machine agree to {abs(apart):.1f} s")
    return no("clock", f"Redis is {apart:+.1f} s from this machine", "set both hosts' clocks by NTP")


def _workers(client: Redis) -> Iterator[Finding]:
    seen = alive(client)
    for part in PARTS:
        if part in seen:
            yield fine("alive", f"{part}: {seen[part]}")
        else:
            yield no("alive", f"no {part}", "start `tocsin bot`" if part == "bot" else "start `tocsin worker`")
