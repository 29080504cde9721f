"""Counters and histograms in Redis, for /metrics: fields `name|label=value,...` of the hash `tocsin:metrics`."""

from collections.abc import Sequence

from redis import Redis
from redis.client import Pipeline

from escalation.storage.indexes import METRICS

BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 30.0, 300.0)  # seconds; the promises are at 1 and 2


def count(redis: "Redis | Pipeline", name: str, times: int = 1, /, **labels: str) -> None:
    """Increase a counter by `times`."""
    redis.hincrby(METRICS, _field(name, labels), times)


def observe(redis: Redis, name: str, *seconds: float, **labels: str) -> None:
    """Add durations (seconds) to a histogram."""
    with redis.pipeline(transaction=False) as pipe:
        add(pipe, name, seconds, labels)
        pipe.execute()


def add(
    pipe: "Pipeline", name: str, seconds: Sequence[float], labels: dict[str, str], buckets: Sequence[float] = BUCKETS
) -> None:
    """Add durations to a histogram on the caller's pipeline: cumulative buckets, as Prometheus has them."""
    for bound in buckets:
        if within := sum(s <= bound for s in seconds):
            pipe.hincrby(METRICS, _field(f"{name}_bucket", {**labels, "le": f"{bound:g}"}), within)
    pipe.hincrby(METRICS, _field(f"{name}_bucket", {**labels, "le": "+Inf"}), len(seconds))
    pipe.hincrbyfloat(METRICS, _field(f"{name}_sum", labels), sum(max(0.0, s) for s in seconds))
    pipe.hincrby(METRICS, _field(f"{name}_count", labels), len(seconds))


def _field(name: str, labels: dict[str, str]) -> str:
    return f"{name}|{','.join(f'{k}={v}' for k, v in labels.items())}" if labels else name
