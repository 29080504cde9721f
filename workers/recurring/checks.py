"""Run the configuration's checks: each at its times, by one worker, and a failing one is an alert like any other.

Times are slots: `every` long, moved by a hash of the name, so that checks are spread and never drift. Whoever writes
`tocsin:check:{name}:{slot}` first runs that slot. The hash `tocsin:checks` has the last result of each, the hash
`tocsin:checks:beats` the last heartbeat of those that wait for one, or since when one is waited for.
Tries run in threads of their own: a slow target delays neither pages nor other checks.
"""

import hashlib
import json
import math
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import structlog
from redis import Redis, RedisError

from escalation.config.checks import Check, Heartbeat
from escalation.storage.intake import Body, Intake
from escalation.storage.problems import RECURRING
from escalation.times import format_duration
from workers.context import Context
from workers.queue.outbox import post_alerts
from workers.recurring.probes import Seen, probe

RESULTS = "tocsin:checks"
BEATS = "tocsin:checks:beats"
OURS = "checks:network"
REPEATED = 300.0  # seconds: while a check fails the intake is told again, for people may close its incident too early
AWAY = 60.0  # seconds without a look at a heartbeat, after which those that came meanwhile have yet to be read
ALL_FAIL_FROM = 2  # checks that must be unreachable, every one of them, before our own network is suspected

log = structlog.get_logger()


@dataclass(frozen=True)
class Result:
    """Last result of a check. `failed`: failures in a row; `firing`: the intake was told; `at`: epoch seconds."""

    slot: int = -1
    at: float = 0.0
    ok: bool = True
    text: str = ""
    unreachable: bool = False
    failed: int = 0
    firing: bool = False


def results(redis: Redis) -> dict[str, Result]:
    """Return the last result of each check that ran."""
    found: Any = redis.hgetall(RESULTS)
    return {str(name, "utf-8"): Result(**json.loads(raw)) for name, raw in found.items()}


def take_beat(context: Context, body: Body) -> None:
    """Note a heartbeat of a check. It counts from when it was received, which is not in the future."""
    at = min(body.at, context.clock().timestamp())
    known = _beat(context.redis, body.path)
    if known is None or not known.came or known.at < at:  # one that waited on the disk may come after a later one
        context.redis.hset(BEATS, body.path, json.dumps(Beat(at, True)))


class Beat(NamedTuple):
    """When the last heartbeat came, in epoch seconds; before the first, since when it is waited for."""

    at: float
    came: bool


def _beat(redis: Redis, name: str) -> Beat | None:
    raw: Any = redis.hget(BEATS, name)
    return Beat(*json.loads(raw)) if raw else None


def slot_of(check: Check, now: float) -> int:
    """Number of the slot that holds an instant, in epoch seconds."""
    every = check.looked_at.total_seconds()
    spread = int.from_bytes(hashlib.sha256(check.name.encode()).digest()[:4], "big") / 2**32
    return math.floor(now / every - spread)


class Checks:
    """The checks of this process. `tried` is what tries one, for tests."""

    def __init__(self, context: Context, tried: Callable[[Check], Seen] = probe) -> None:
        self._context = context
        self._redis = context.redis
        self._intake = Intake(context.redis, post_alerts)
        self._checks = context.service.company.checks
        self._tried = tried
        self._slots: dict[str, int] = {}
        self._running = set[str]()
        self._lock = threading.Lock()
        self._tidied = False

    def start_due(self, now: datetime) -> None:
        """Start the checks whose slot has begun and that no other worker runs. Raises RedisError."""
        at = now.timestamp()
        if not self._tidied:
            self._end_removed(at)
            self._tidied = True
        for check in self._checks:
            slot = slot_of(check, at)
            if self._slots.get(check.name) != slot and self._take(check, slot):
                self._start(check, slot, at)

    def _end_removed(self, at: float) -> None:
        """Forget checks that are configured no more, and end their alerts: nobody else would."""
        configured = {check.name for check in self._checks}
        for name, last in results(self._redis).items():
            if name in configured:
                continue
            if last.firing:
                gone = Seen(True, "is no longer configured")
                self._intake.keep(_body(Check(name=name, dns="removed"), last.slot + 1, at, gone, ours=False))
            self._redis.hdel(RESULTS, name)
        waited_for = {check.name for check in self._checks if check.heartbeat}
        raw: Any = self._redis.hkeys(BEATS)
        if gone_beats := [name for key in raw if (name := str(key, "utf-8")) not in waited_for]:
            self._redis.hdel(BEATS, *gone_beats)
        if len(configured - waited_for) < ALL_FAIL_FROM:
            self._context.service.store.problems.clear(OURS)

    def _take(self, check: Check, slot: int) -> bool:
        lasts = max(60, int(check.looked_at.total_seconds() * 2))
        taken = self._redis.set(f"tocsin:check:{check.name}:{slot}", 1, nx=True, ex=lasts)
        self._slots[check.name] = slot
        return bool(taken)

    def _start(self, check: Check, slot: int, at: float) -> None:
        with self._lock:
            hangs = check.name in self._running
            self._running.add(check.name)
        if hangs:  # the last try goes on, in name resolution or with a target that drips: it counts as failed
            self._record(check, slot, at, Seen(False, "no answer in time", unreachable=True))
        else:
            threading.Thread(target=self._run, args=(check, slot, at), name=f"check {check.name}", daemon=True).start()

    def _run(self, check: Check, slot: int, at: float) -> None:
        try:
            seen = self._heard(check, check.heartbeat, at) if check.heartbeat else self._tried(check)
            self._record(check, slot, at, seen)
        except RedisError as error:
            log.warning("redis unavailable, a check's result is lost", check=check.name, error=type(error).__name__)
        except Exception as error:
            log.exception("a check cannot be run", check=check.name)
            self._context.store.problems.report_bug(f"the check {check.name}", error, kept=RECURRING)
        finally:
            with self._lock:
                self._running.discard(check.name)

    def _heard(self, check: Check, heartbeat: Heartbeat, at: float) -> Seen:
        """Look whether the last heartbeat is recent; the first is waited for from now on.

        The first look after an outage of ours changes nothing: a heartbeat that came meanwhile is about to be read.
        """
        last = _beat(self._redis, check.name)
        if last is None:
            last = Beat(at, False)
            self._redis.hsetnx(BEATS, check.name, json.dumps(last))
        known = self._last(check.name)
        if known.slot >= 0 and at - known.at > AWAY:
            return Seen(known.ok, known.text)
        since = f"{datetime.fromtimestamp(last.at, UTC):%Y-%m-%d %H:%M:%S} UTC"
        if at - last.at <= (heartbeat.every + heartbeat.grace).total_seconds():
            return Seen(True, f"{'the last one came at' if last.came else 'the first one is waited for since'} {since}")
        none = f"{'none' if last.came else 'none at all'} since {since}"
        return Seen(False, f"{none}, expected every {format_duration(heartbeat.every)}")

    def _last(self, name: str) -> Result:
        """Return the last result of a check."""
        raw: Any = self._redis.hget(RESULTS, name)
        return Result(**json.loads(raw)) if raw else Result()

    def _record(self, check: Check, slot: int, at: float, seen: Seen) -> None:
        """Write a result down, after the intake was told: told twice changes nothing, untold would be lost."""
        last = self._last(check.name)
        if last.slot >= slot:
            return
        failed = 0 if seen.ok else last.failed + 1
        firing = failed >= check.failures or (last.firing and not seen.ok)
        result = Result(slot, at, seen.ok, seen.text, seen.unreachable, failed, firing)
        ours = not check.heartbeat and self._note_network(check.name, result)
        goes_on = firing and at // REPEATED > last.at // REPEATED
        if firing != last.firing or goes_on:
            self._intake.keep(_body(check, slot, at, seen, ours=ours))
        self._redis.hset(RESULTS, check.name, json.dumps(asdict(result)))

    def _note_network(self, name: str, result: Result) -> bool:
        """Report our own network while nothing at all can be reached. Alerts go out all the same: it may be theirs."""
        problems = self._context.service.store.problems
        known = results(self._redis) | {name: result}
        latest = [known.get(check.name, Result()) for check in self._checks if not check.heartbeat]
        all_fail = len(latest) >= ALL_FAIL_FROM and all(r.unreachable for r in latest)
        if all_fail:
            problems.report(OURS, "no check reaches its target", "look at the network and DNS of Tocsin's own host")
        elif not result.unreachable:
            problems.clear(OURS)
        return all_fail


def _body(check: Check, slot: int, at: float, seen: Seen, *, ours: bool) -> Body:
    fields = {
        "name": check.name,
        "state": "resolved" if seen.ok else "firing",
        "target": check.target,
        "seen": seen.text + (". No check reaches its target: the cause may be Tocsin's own network" if ours else ""),
        "url": check.target if check.http else "",
        "service": check.service or "",
        "severity": check.severity.value if check.severity else "",
        "slot": str(slot),
    }
    digest = hashlib.sha256(check.name.encode()).hexdigest()[:16]
    return Body(f"check-{digest}-{slot}", "check", at, json.dumps(fields).encode())
