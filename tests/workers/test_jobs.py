"""The jobs: harmless when they come twice, late, early, or for nothing."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from escalation.incident.events.moves import Acknowledge
from escalation.incident.model import Incident
from escalation.incident.state.entries import EntryKind
from escalation.storage.indexes import METRICS
from tests.support.story import START
from tests.support.worker import BACKENDS, Works, raw, redis_of, scores, works
from workers import jobs, metrics
from workers.clock.ticker import tick


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
    assert parts.redis.hget(METRICS, "checkpoints_total") == b"1"


def test_a_job_that_comes_early_sets_its_clock_again(parts: Works) -> None:
    """By a microsecond, say, because some host's clock is ahead: nothing fires before its time."""
    incident = parts.declare("P0")
    due = incident.declared_at + timedelta(minutes=15)
    parts.redis.delete("rq:scheduled:urgent")
    parts.clock.now = due - timedelta(microseconds=1)
    jobs.checkpoint_due(incident.id, "unacknowledged-1")
    assert fired(parts, incident) == 0
    assert list(scores(parts.redis, "rq:scheduled:urgent").values()) == [due.timestamp()]
    parts.clock.now = due
    assert tick(parts.redis, parts.clock()) == 1


def test_a_moot_checkpoint_does_nothing(parts: Works) -> None:
    """It was acknowledged in the last second."""
    incident = parts.declare("P0")
    parts.service.handle(incident.id, Acknowledge(by="UOMAR"))
    parts.clock.push(minutes=15)
    before = parts.now(incident)
    jobs.checkpoint_due(incident.id, "unacknowledged-1")
    assert parts.now(incident) == before


def test_many_checkpoints_fire_in_one_job(parts: Works) -> None:
    """As they would alone: each once, however often the job comes, and one commit for all."""
    incidents = [parts.declare(severity) for severity in ("P0", "P0", "P1")]
    parts.clock.push(minutes=15, seconds=2)
    alarms = [(i.id, "unacknowledged-1") for i in incidents[:2]]
    for _ in range(2):
        jobs.checkpoints_due(alarms)
    assert [fired(parts, i) for i in incidents] == [1, 1, 0]
    assert parts.redis.hget(METRICS, "checkpoints_total") == b"2"
    assert float(parts.redis.hget(METRICS, "lateness_seconds_sum|kind=checkpoint") or 0) == pytest.approx(4)
    assert parts.now(incidents[0]).stamp == parts.now(incidents[1]).stamp


def test_one_that_cannot_be_read_does_not_stop_the_others(parts: Works) -> None:
    """Nor one that is gone, nor one that came early."""
    bad, gone, early, good = (parts.declare("P0") for _ in range(4))
    parts.redis.set(f"tocsin:incident:{bad.id}", "{")
    parts.redis.delete(f"tocsin:incident:{gone.id}")
    parts.clock.push(minutes=15)
    later = ("no-root-cause-1", START + timedelta(minutes=30))
    parts.redis.delete("rq:scheduled:urgent")
    ring = [(i.id, "unacknowledged-1") for i in (gone, good)] + [(early.id, later[0]), (bad.id, "unacknowledged-1")]
    with pytest.raises(ValueError, match="Expecting"):
        jobs.checkpoints_due(ring)
    assert fired(parts, good) == 1
    assert later[1].timestamp() in scores(parts.redis, "rq:scheduled:urgent").values()


@pytest.mark.parametrize("incident_id", ["INC-20241218-777", "nonsense"])
def test_jobs_of_an_unknown_incident_do_nothing(parts: Works, incident_id: str) -> None:
    """Its data was taken away; its jobs were not."""
    jobs.checkpoint_due(incident_id, "x-1")
    jobs.checkpoints_due([(incident_id, "x-1"), (incident_id, "x-2")])
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
    found = {raw(k).decode(): float(v) for k, v in parts.redis.hgetall(METRICS).items()}
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
    assert float(parts.redis.hget(METRICS, "lateness_seconds_sum|kind=checkpoint") or 0) == pytest.approx(3)
