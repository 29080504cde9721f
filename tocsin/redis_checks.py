"""The doctor's look at Redis: reachable, persistent, in step with this machine's clock, and with workers at work."""

from collections.abc import Iterator
from datetime import UTC, datetime

import redis
from redis import Redis

from bot.health import NEEDED, alive
from tocsin import embedded, server
from tocsin.diagnosis import Finding, fine, no, perhaps
from tocsin.settings import Settings
from tocsin.terminal import redis_name

PARTS = ("bot", *NEEDED)
MOST_SKEW = 1.0  # seconds; a page promises to be that punctual


def redis_findings(settings: Settings, host_clock: datetime | None = None) -> Iterator[Finding]:
    """All there is to say about Redis. `host_clock` is this machine's time (None: now)."""
    if settings.redis_url is None and not embedded.running(settings.data):
        yield no("redis", f"nothing runs on {settings.data}", "start `tocsin run`, or set REDIS_URL")
        return
    client = server.connect(settings)
    try:
        yield fine("redis", f"{redis_name(settings)} answers, {_version(client)}")
        yield from _persistence(client)
        yield _skew(client, host_clock)
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
