"""Health checks of Redis: connection, persistence, sentinels, failover, clock, and the parts that are alive."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import redis
from redis import Redis

from bot.render.blockkit import CHART, CONTAINER, DATA_TABLE
from escalation import processes
from escalation.storage.heartbeats import alive
from escalation.storage.problems import Problems
from escalation.storage.redis_faults import explain, headroom, memory_share, write_fault
from escalation.storage.surfaces import CANVAS, DO_NOT_DISTURB, LIST, SCHEDULED, Surfaces
from tocsin.config.addresses import Address, is_sentinel, sentinel
from tocsin.config.settings import Settings
from tocsin.doctor.finding import Finding, failed, ok, warning
from tocsin.run import embedded
from tocsin.run import redis as server
from tocsin.run.redis import redis_name
from workers.recurring.checks import results

PARTS = ("bot", *processes.PARTS)
SURFACES = {
    CONTAINER: "the details of a card stand below it, unfolded",
    DATA_TABLE: "the tables of reports stand as lines",
    CHART: "the charts of reports stand as lines",
    DO_NOT_DISTURB: "nobody sees whose Slack is silent, and pages take their steps at their times",
    CANVAS: "a review is written in its form, or in the Markdown of `tocsin review`",
    LIST: "`/incident actions` and `tocsin actions` list the action items",
    SCHEDULED: "nothing pages while all of Tocsin is down; a watchdog elsewhere tells of it",
}
MAX_SKEW = 1.0  # seconds; pages promise to be that punctual
MAX_LAG = 10  # seconds; Redis' own default
MIN_SENTINELS = 3  # two have no quorum once one is down


def redis_findings(settings: Settings, host_clock: datetime | None = None) -> Iterator[Finding]:
    """Run all checks of Redis. `host_clock` is this machine's time (None: now)."""
    if settings.redis_url is None and not embedded.running(settings.data):
        yield failed("redis", f"nothing runs on {settings.data}", "start `tocsin run`, or set REDIS_URL")
        return
    yield from _sentinels(server.address(settings))
    client = server.connect(settings)
    try:
        yield ok("redis", f"{redis_name(settings)} answers, {_version(client)}")
        yield from _persistence(client)
        yield from _failover(client)
        yield _skew(client, host_clock)
        yield from newer_incidents(client)
        yield from _workers(client)
        yield from lasting_faults(client)
        yield from last_checks(client)
        yield from surfaces_off(client)
        yield from _memory(client)
    except redis.RedisError as error:
        fault = explain(error)
        what = fault.text.replace("Redis", redis_name(settings), 1)
        yield failed("redis", f"{what}: {error}", fault.remedy)


def last_checks(client: Redis) -> Iterator[Finding]:
    """Show what each check of the configuration saw last; one that did not run for a day is no longer configured."""
    since = datetime.now(UTC).timestamp() - 86_400
    for name, result in sorted(results(client).items()):
        if result.at >= since and result.ok:
            yield ok(f"check {name}", result.text)
        elif result.at >= since:
            yield warning(f"check {name}", f"{result.text} ({result.failed} in a row)", "look at its target")


def _memory(client: Redis) -> Iterator[Finding]:
    """Check that writes are taken, and how long memory will last."""
    if fault := write_fault(client):
        yield failed("redis", fault.text, fault.remedy)
        return
    yield from (warning("memory", fault.text, fault.remedy) for fault in headroom(client))
    share = memory_share(client)
    yield ok("memory", "has no limit" if share is None else f"{share:.0%} of maxmemory in use")


def surfaces_off(client: Redis) -> Iterator[Finding]:
    """Name the optional surfaces that this workspace refused; Tocsin does without them, and tries again each day."""
    for name, meaning in SURFACES.items():
        if why := Surfaces(client).why_off(name):
            yield ok("surfaces", f"Slack takes no {name} here ({why}): {meaning}")


def lasting_faults(client: Redis) -> Iterator[Finding]:
    """Report what the running Tocsin met and could not mend; what blocks its work is a failure."""
    for problem in Problems(client).current():
        since = datetime.fromtimestamp(problem.since, UTC)
        what = f"{problem.text} (since {since:%Y-%m-%d %H:%M} UTC)"
        yield (failed if problem.blocks else warning)("running", what, problem.remedy)


def _version(client: Redis) -> str:
    info = client.info("server")
    return f"Valkey {info['valkey_version']}" if "valkey_version" in info else f"Redis {info['redis_version']}"


def _persistence(client: Redis) -> Iterator[Finding]:
    try:
        values = {name: _config_value(client, name) for name in ("appendonly", "appendfsync", "maxmemory-policy")}
    except redis.ResponseError:
        yield warning("persistence", "this server does not tell", "ask its operator for appendonly yes and noeviction")
        return
    yield from (
        _append_only(values["appendonly"]),
        _fsync(values["appendfsync"]),
        _eviction(values["maxmemory-policy"]),
    )


def _config_value(client: Redis, name: str) -> str:
    return str(client.config_get(name).get(name, ""))


def _append_only(value: str) -> Finding:
    if value == "yes":
        return ok("persistence", "appendonly yes")
    return failed(
        "persistence", "appendonly no: a restart loses every incident", "CONFIG SET appendonly yes, and save it"
    )


def _fsync(value: str) -> Finding:
    if value == "always":
        return ok("persistence", "appendfsync always")
    return warning("persistence", f"appendfsync {value}: a power cut may lose seconds", "CONFIG SET appendfsync always")


def _eviction(value: str) -> Finding:
    if value == "noeviction":
        return ok("persistence", "maxmemory-policy noeviction")
    return failed(
        "persistence", f"maxmemory-policy {value} may throw incidents away", "CONFIG SET maxmemory-policy noeviction"
    )


def _sentinels(url: str) -> Iterator[Finding]:
    """Check that each sentinel answers and that a quorum could elect a new master."""
    if not is_sentinel(url):
        return
    named = sentinel(url)
    if len(named.hosts) < MIN_SENTINELS:
        yield warning("sentinels", f"only {len(named.hosts)} named", "run three on three machines, name all of them")
    for address, client in zip(named.hosts, server.sentinels(named).sentinels, strict=True):
        name = str(Address(*address))
        try:
            reply = client.execute_command("SENTINEL", "CKQUORUM", named.master)  # type: ignore[no-untyped-call]
            yield ok("sentinels", f"{name}: {_text(reply)}")
        except redis.ResponseError as refused:
            yield failed("sentinels", f"{name}: {refused}", f"have it monitor {named.master}, as most of them must")
        except redis.RedisError:
            yield warning("sentinels", f"{name} does not answer", "start it; while others do, work goes on")


def _failover(client: Redis) -> Iterator[Finding]:
    """Check what a failover would lose; nothing for a server without replicas."""
    info = client.info("replication")
    replicas = int(info.get("connected_slaves", 0))
    try:
        least = int(_config_value(client, "min-replicas-to-write") or 0)
        lag = int(_config_value(client, "min-replicas-max-lag") or 0)
    except redis.ResponseError:
        return
    if replicas or least:
        yield _replicas(replicas, least if lag else 0)
        if lag > MAX_LAG:
            what = f"min-replicas-max-lag {lag}: a master that was cut off takes writes for so many seconds"
            yield warning("failover", what, f"CONFIG SET min-replicas-max-lag {MAX_LAG}, and save it")


def _replicas(replicas: int, least: int) -> Finding:
    if replicas < least:
        what = f"{_count(replicas)} for min-replicas-to-write {least}: writes are refused"
        return failed("failover", what, "bring the replicas back")
    if not least:
        what = f"{_count(replicas)}, min-replicas-to-write 0: what a master takes after it was cut off is lost"
        return warning("failover", what, "run two replicas, then CONFIG SET min-replicas-to-write 1 and save it")
    if replicas == least:
        return warning("failover", f"{_count(replicas)}: when it or the master is lost, writes stop", "add a replica")
    return ok("failover", f"{_count(replicas)}, min-replicas-to-write {least}")


def _count(replicas: int) -> str:
    return f"{replicas} replica{'' if replicas == 1 else 's'}"


def _text(raw: Any) -> str:
    return str(raw, "utf-8") if isinstance(raw, bytes) else str(raw)


def newer_incidents(client: Redis) -> Iterator[Finding]:
    """Warn about incidents written by a newer Tocsin: only newer workers and bots handle them."""
    store = server.read_only_store(client)
    count = store.open_count() - len(store.open_incidents())
    if count > 0:
        what = f"{count} open, written by a newer Tocsin: only its workers and bots handle them"
        yield warning("incidents", what, "finish the upgrade on every machine")


def _skew(client: Redis, host_clock: datetime | None) -> Finding:
    before = host_clock or datetime.now(UTC)
    theirs = server.read_only_store(client).now()
    after = host_clock or datetime.now(UTC)
    skew = (theirs - min(max(theirs, before), after)).total_seconds()  # a slow reply is no wrong clock
    if abs(skew) <= MAX_SKEW:
        return ok("clock", f"Redis and this machine agree to {abs(skew):.1f} s")
    return failed("clock", f"Redis is {skew:+.1f} s from this machine", "set both hosts' clocks by NTP")


def _workers(client: Redis) -> Iterator[Finding]:
    running = alive(client)
    for part in PARTS:
        if part in running:
            yield ok("alive", f"{part}: {running[part]}")
        else:
            yield failed("alive", f"no {part}", "start `tocsin bot`" if part == "bot" else "start `tocsin worker`")
