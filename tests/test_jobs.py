"""The jobs: harmless when they come twice, late, early, or for nothing."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from working import BACKENDS, Works, redis_of, works

from escalation.events import Acknowledge
from escalation.incident import EntryKind, Incident
from workers import jobs, metrics
from workers.ticker import tick


@pytest.fixture(params=BACKENDS)
def parts(request: pytest.FixtureRequest) -> Iterator[Works]:
    with redis_of(request.param) as client:
        made = works(client)
        jobs.bind(made.context)
        yield made
        jobs.unbind()


def fired(parts: Works, incident: Incident) -> int:
    return sum(e.kind is EntryKind.CHECKPOINT for e in parts.now(incident).timeline)


def test_a_checkpoint_fires_once_however_often_its_job_comes(parts: Works) -> None:
    """The second finds it gone."""
    incident = parts.declare("P0")
    parts.clock.push(minutes=15)
    for _ in range(3):
        jobs.checkpoint_due(incident.id, "unacknowledged-1")
    assert fired(parts, incident) == 1
    assert parts.redis.hget(metrics.KEY, "checkpoints_total") == b"1"


def test_a_job_that_comes_early_sets_its_clock_again(parts: Works) -> None:
    """By a microsecond, say, because some host's clock is ahead: nothing fires before its time."""
    incident = parts.declare("P0")
    due = incident.declared_at + timedelta(minutes=15)
    parts.redis.delete("rq:scheduled:urgent")
    parts.clock.now = due - timedelta(microseconds=1)
    jobs.checkpoint_due(incident.id, "unacknowledged-1")
    assert fired(parts, incident) == 0
    assert [at for _, at in parts.redis.zrange("rq:scheduled:urgent", 0, -1, withscores=True)] == [due.timestamp()]
    parts.clock.now = due
    assert tick(parts.redis, parts.clock()) == 1


def test_a_moot_checkpoint_does_nothing(parts: Works) -> None:
    """It was acknowledged in the last second."""
    incident = parts.declare("P0")
    parts.desk.handle(incident.id, Acknowledge(by="UOMAR"))
    parts.clock.push(minutes=15)
    before = parts.now(incident)
    jobs.checkpoint_due(incident.id, "unacknowledged-1")
    assert parts.now(incident) == before


@pytest.mark.parametrize("incident_id", ["INC-20241218-777", "nonsense"])
def test_jobs_of_an_unknown_incident_do_nothing(parts: Works, incident_id: str) -> None:
    """Its data was taken away; its jobs were not."""
    jobs.checkpoint_due(incident_id, "x-1")
    jobs.deliver([f"{incident_id}-1"])
    assert parts.redis.keys("tocsin:*") == []


def test_a_process_that_was_not_bound_says_so() -> None:
    """Rather than take work off the queue that it cannot do."""
    jobs.unbind()
    with pytest.raises(RuntimeError, match="bind"):
        jobs.deliver(["x"])
    with pytest.raises(RuntimeError, match="bind"):
        jobs.checkpoint_due("x", "y")


def test_lateness_is_counted_in_cumulative_buckets(parts: Works) -> None:
    """As Prometheus has them."""
    for seconds in (0.01, 0.07, 1.5, 999.0):
        metrics.observe(parts.redis, "lateness_seconds", seconds, kind="page")
    found = {str(k, "utf-8"): float(v) for k, v in parts.redis.hgetall(metrics.KEY).items()}
    assert [found[f"lateness_seconds_bucket|kind=page,le={le}"] for le in ("0.05", "0.1", "2", "300", "+Inf")] == [
        1,
        2,
        3,
        3,
        4,
    ]
    assert found["lateness_seconds_count|kind=page"] == 4
    assert found["lateness_seconds_sum|kind=page"] == pytest.approx(1000.58)


def test_a_checkpoints_lateness_is_measured_from_its_due_time(parts: Works) -> None:
    """Whoever carried it."""
    incident = parts.declare("P0")
    parts.clock.push(minutes=15, seconds=3)
    jobs.checkpoint_due(incident.id, "unacknowledged-1")
    assert float(parts.redis.hget(metrics.KEY, "lateness_seconds_sum|kind=checkpoint") or 0) == pytest.approx(3)
