"""Readiness and metrics for Prometheus, read from Redis at each request; nothing that people wrote is in them."""

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from redis import Redis
from redis.exceptions import RedisError

from bot.keeper import Kept
from bot.slack.socket_mode import refusal_words
from escalation.processes import PARTS, QUEUES
from escalation.storage.heartbeats import alive
from escalation.storage.indexes import ALARMS, METRICS
from escalation.storage.problems import Problem
from escalation.storage.redis_faults import RedisFault, explain, headroom, memory_share, write_fault
from escalation.storage.store import Store

Intake = Callable[[], Kept]
_FIELD = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]*)(?:\|(.*))?")


class Readiness(NamedTuple):
    """Whether Tocsin is able to work, and in words what stops it or is wrong, what stops it first."""

    ready: bool
    problems: list[str]


def readiness(store: Store, slack_connected: bool, slack_refusal: str = "", intake: Intake = Kept) -> Readiness:
    """Check what Tocsin needs: Slack connected, Redis taking writes, each part alive, no fault that blocks.

    `slack_refusal` is Slack's reason, if it refuses the connection; `intake` reads the state of the alerts' intake.
    """
    reasons = [] if slack_connected else [_not_connected(slack_refusal)]
    alerts = [*about_alerts(intake)]
    if fault := write_fault(store.redis):  # the parts' signs of life cannot be written either
        return Readiness(False, [*reasons, f"{fault.text}: {fault.remedy}", *alerts])
    try:
        parts, faults = alive(store.redis), [*store.problems.current(), *map(_listed, headroom(store.redis))]
    except RedisError as error:
        away = explain(error)
        return Readiness(False, [*reasons, f"{away.text}: {away.remedy}", *alerts])
    reasons += [f"no worker runs the part {part}: start `tocsin worker`" for part in PARTS if part not in parts]
    ready = not reasons and not any(fault.blocks for fault in faults)
    return Readiness(ready, [*reasons, *(f"{fault.text}: {fault.remedy}" for fault in faults), *alerts])


def about_alerts(intake: Intake) -> Iterator[str]:
    """Say what waits on the disk and what was not kept: neither blocks anything."""
    try:
        kept = intake()
    except OSError as error:
        yield f"The folder of spooled alerts cannot be read ({error.strerror}): check TOCSIN_DATA/spool"
        return
    if kept.spooled:
        what = "1 body of alerts waits" if kept.spooled == 1 else f"{kept.spooled:,} bodies of alerts wait"
        yield f"{what} on this host's disk: taken in once Redis answers"
    if kept.fault:
        yield f"An alert was refused with 503 ({kept.fault}): mend Redis, or make room under TOCSIN_DATA/spool"


def _not_connected(refusal: str) -> str:
    return f"Slack is not connected: {refusal_words(refusal)}" if refusal else "Slack is not connected"


def _listed(fault: RedisFault) -> Problem:
    """A fault of Redis among the problems: it blocks nothing yet."""
    return Problem(fault.key, fault.text, fault.remedy, 0.0, 0.0)


def exposition(store: Store, slack_connected: Callable[[], bool], intake: Intake = Kept) -> bytes:
    """Render all metrics in Prometheus's text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(store, slack_connected, intake))
    return generate_latest(registry)


class _Collector(Collector):
    """Metrics of the bot and, by way of Redis, of the workers."""

    def __init__(self, store: Store, slack_connected: Callable[[], bool], intake: Intake) -> None:
        self._store = store
        self._slack_connected = slack_connected
        self._intake = intake

    def collect(self) -> Iterable[Metric]:
        """Collect all metrics; without Redis, only whether it and Slack are up, and why not."""
        yield GaugeMetricFamily("tocsin_slack_connected", "1 while Slack can reach us", float(self._slack_connected()))
        with contextlib.suppress(OSError):
            yield from _spooled(self._intake())
        fault = write_fault(self._store.redis)
        yield GaugeMetricFamily("tocsin_redis_writable", "1 while Redis takes writes", float(fault is None))
        try:
            found = [
                *_incidents(self._store),
                *_problems(self._store, fault),
                *_memory(self._store.redis),
                *_queues(self._store.redis),
                *_worker_metrics(self._store.redis),
            ]
        except RedisError as error:
            found = []
            yield _problem_family([(explain(error).key, True)])
        yield GaugeMetricFamily("tocsin_redis_up", "1 while Redis answers", float(bool(found)))
        yield from found


def _spooled(kept: Kept) -> Iterator[Metric]:
    yield GaugeMetricFamily("tocsin_alerts_spooled", "Bodies of alerts on this host's disk", kept.spooled)
    yield GaugeMetricFamily("tocsin_alerts_spooled_bytes", "Bytes of those bodies", kept.spooled_bytes)
    refused = "Alerts answered 503 by this process: neither Redis nor the disk took them"
    yield CounterMetricFamily("tocsin_alerts_refused", refused, kept.refused)


def _incidents(store: Store) -> Iterator[Metric]:
    family = GaugeMetricFamily("tocsin_open_incidents", "Open incidents, private ones included", labels=["severity"])
    for severity, count in store.open_counts().items():
        family.add_metric([severity.value], count)
    yield family


def _problems(store: Store, fault: RedisFault | None) -> Iterator[Metric]:
    """Lasting faults of ours by key, as `/readyz` and `tocsin doctor` describe them; `fault`: Redis refuses writes."""
    faults = [(problem.key, problem.blocks) for problem in store.problems.current()]
    faults += [(warning.key, False) for warning in headroom(store.redis)]
    yield _problem_family([*faults, *([(fault.key, True)] if fault else [])])


def _problem_family(faults: list[tuple[str, bool]]) -> Metric:
    family = GaugeMetricFamily(
        "tocsin_problem", "1 for each lasting fault, see tocsin doctor", labels=["key", "blocks"]
    )
    for key, blocks in faults:
        family.add_metric([key, str(blocks).lower()], 1)
    return family


def _memory(redis: Redis) -> Iterator[Metric]:
    share = memory_share(redis)
    if share is not None:
        yield GaugeMetricFamily("tocsin_redis_memory_share", "Share of Redis' maxmemory in use", share)


def _queues(redis: Redis) -> Iterator[Metric]:
    now = _now(redis)
    yield GaugeMetricFamily(
        "tocsin_alarms_overdue",
        "What should have happened more than a second ago",
        redis.zcount(ALARMS, "-inf", now - 1),
    )
    queues = GaugeMetricFamily("tocsin_queue_length", "Jobs waiting", labels=["queue"])
    for queue in QUEUES:
        queues.add_metric([queue], float(redis.llen(f"rq:queue:{queue}")))
    yield queues
    workers = GaugeMetricFamily("tocsin_processes_alive", "Processes seen lately", labels=["part"])
    for part, count in sorted(alive(redis).items()):
        workers.add_metric([part], count)
    yield workers


def _now(redis: Redis) -> float:
    seconds, micros = redis.time()
    return float(seconds) + float(micros) / 1e6


def _worker_metrics(redis: Redis) -> Iterator[Metric]:
    """Metrics that the workers count in the hash `tocsin:metrics`: `name|label=value,label=value` -> number."""
    families: dict[str, Metric] = {}
    raw: dict[Any, Any] = redis.hgetall(METRICS)
    for field, value in sorted(((str(f, "utf-8"), float(v)) for f, v in raw.items()), key=_sort_key):
        match = _FIELD.fullmatch(field)
        if match:
            name, kind = _family(match[1])
            family = families.setdefault(name, Metric(f"tocsin_{name}", f"Counted by the workers: {name}", kind))
            family.add_sample(f"tocsin_{match[1]}", _labels(match[2] or ""), value)
    yield from families.values()


def _sort_key(counted: tuple[str, float]) -> tuple[str, float]:
    """Sort by name and labels, a histogram's buckets by their bounds."""
    stem, _, bound = counted[0].partition("le=")
    return (stem, float(bound)) if bound else (stem, 0.0)


def _family(sample: str) -> tuple[str, str]:
    """Split a sample's name into its family's name and the metric type that its suffix stands for."""
    for suffix, kind in (
        ("_total", "counter"),
        ("_bucket", "histogram"),
        ("_sum", "histogram"),
        ("_count", "histogram"),
    ):
        if sample.endswith(suffix):
            return sample.removesuffix(suffix), kind
    return sample, "gauge"


def _labels(text: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in text.split(",") if "=" in pair)
