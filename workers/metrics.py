"""Counters that outlive processes: fields `name|label=value,...` of the hash `tocsin:metrics`, for /metrics."""

from redis import Redis

KEY = "tocsin:metrics"
BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 30.0, 300.0)  # seconds; the promises are at 1 and 2


def count(redis: Redis, name: str, **labels: str) -> None:
    """Add one."""
    redis.hincrby(KEY, _field(name, labels), 1)


def observe(redis: Redis, name: str, seconds: float, **labels: str) -> None:
    """Add a duration to a histogram, with cumulative buckets as Prometheus has them."""
    with redis.pipeline(transaction=False) as pipe:
        for bound in BUCKETS:
            if seconds <= bound:
                pipe.hincrby(KEY, _field(f"{name}_bucket", {**labels, "le": f"{bound:g}"}), 1)
        pipe.hincrby(KEY, _field(f"{name}_bucket", {**labels, "le": "+Inf"}), 1)
        pipe.hincrbyfloat(KEY, _field(f"{name}_sum", labels), max(0.0, seconds))
        pipe.hincrby(KEY, _field(f"{name}_count", labels), 1)
        pipe.execute()


def _field(name: str, labels: dict[str, str]) -> str:
    return f"{name}|{','.join(f'{k}={v}' for k, v in labels.items())}" if labels else name
