"""What a commit sets off: jobs with ids only, at the right time, on the right queue."""

import json
import zlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from escalation.incident.effects import SendPage
from escalation.incident.events.moves import Acknowledge, StartFix
from escalation.incident.events.outcomes import Delivered
from escalation.processes import QUEUES
from escalation.storage.alarms import effect_alarm, ready
from escalation.storage.indexes import ALARMS
from tests.support.worker import BACKENDS, Works, raw, redis_of, scores, works
from workers.queue import outbox


@pytest.fixture(params=BACKENDS)
def parts(request: pytest.FixtureRequest) -> Iterator[Works]:
    with redis_of(request.param) as client:
        yield works(client)


def job(redis: "Redis", job_id: bytes) -> dict[str, Any]:
    """A job's hash, its call decoded."""
    kept = {raw(k).decode(): raw(v) for k, v in redis.hgetall(b"rq:job:" + job_id).items()}
    func, _, args, kwargs = json.loads(zlib.decompress(kept["data"]))
    return {**kept, "call": (func, args, kwargs)}


def queued(parts: Works, queue: str) -> list[dict[str, Any]]:
    return [job(parts.redis, raw(i)) for i in parts.redis.lrange(f"rq:queue:{queue}", 0, -1)]


def scheduled(parts: Works, queue: str) -> dict[str, float]:
    return scores(parts.redis, f"rq:scheduled:{queue}")


def carried(parts: Works, queue: str) -> set[str]:
    """The effects of all jobs on a queue."""
    return {i for found in queued(parts, queue) for i in found["call"][1][0]}


@pytest.mark.parametrize(
    ("severity", "queue", "messages"),
    [("P0", "urgent", "urgent-messages"), ("P1", "normal", "messages"), ("P3", "normal", "messages")],
)
def test_the_worst_incidents_have_queues_of_their_own(parts: Works, severity: str, queue: str, messages: str) -> None:
    """Clocks and pages on one, all other messages on another, so that none of those stands before a page."""
    incident = parts.declare(severity)
    assert set(scheduled(parts, queue)) == {f"{incident.id}-{c.id}" for c in incident.checkpoints}
    pages = {e.id for e in incident.effects if isinstance(e, SendPage)}
    assert carried(parts, queue) == pages
    assert carried(parts, messages) == set(ready(incident)) - pages
    others = {*QUEUES} - {queue, messages}
    assert not any(queued(parts, other) or scheduled(parts, other) for other in others)


def test_jobs_carry_ids_as_json_and_nothing_else(parts: Works) -> None:
    """Who can write to Redis must not thereby run code; who can read it learns no words from a job."""
    parts.declare("P0", title="Secret marker", description="Secret marker")
    for found in queued(parts, "urgent"):
        func, args, kwargs = found["call"]
        assert func == "workers.jobs.deliver"
        assert all(i.startswith("INC-20241218-001-") for i in args[0])
        assert kwargs == {}
        assert b"Secret marker" not in b"".join(v for v in found.values() if isinstance(v, bytes))
        assert "ttl" not in found


def test_only_what_is_ready_is_queued(parts: Works) -> None:
    """Effects of one lane follow one another, when the one before was recorded."""
    incident = parts.declare("P0")
    on_their_way = carried(parts, "urgent") | carried(parts, "urgent-messages")
    assert on_their_way == set(ready(incident))
    assert len(on_their_way) < len(incident.effects)


def test_an_outcome_queues_its_followers(parts: Works) -> None:
    """The card is posted, so the first line under it is next."""
    incident = parts.declare("P1")
    card = next(e for e in incident.effects if e.kind == "card")
    parts.redis.delete("rq:queue:messages")
    parts.service.handle(incident.id, Delivered(effect=card.id, channel="C1", ts="1.1", face=incident.face))
    follower = next(e for e in incident.effects if e.after == card.id)
    assert [found["call"][1] for found in queued(parts, "messages")] == [[[follower.id]]]


def test_a_refresh_that_is_renewed_is_queued_again(parts: Works) -> None:
    """The same id with another face is another job."""
    incident = parts.declare("P3")
    card = next(e for e in incident.effects if e.kind == "card")
    parts.service.handle(incident.id, Delivered(effect=card.id, channel="C1", ts="1.1", face=incident.face))
    parts.redis.delete("rq:queue:messages")
    for person in ("UA", "UB"):
        parts.clock.push(seconds=1)
        parts.service.handle(incident.id, Acknowledge(by=person) if person == "UA" else StartFix(by=person))
    refreshes = [i for found in queued(parts, "messages") for i in found["call"][1][0] if i.endswith("-refresh")]
    assert refreshes == [f"{card.id}-refresh"] * 2


def test_due_times_keep_their_fractions(parts: Works) -> None:
    """RQ's own way would cut them to whole seconds, and ring up to a second early."""
    parts.clock.push(microseconds=123_457)
    incident = parts.declare("P0")
    due = {f"{incident.id}-{c.id}": c.due.timestamp() for c in incident.checkpoints}
    assert scheduled(parts, "urgent") == due
    assert all(at % 1 for at in due.values())


def test_clocks_of_moot_checkpoints_are_taken_away(parts: Works) -> None:
    """Their jobs leave nothing behind."""
    incident = parts.declare("P0")
    gone = f"{incident.id}-unacknowledged-1"
    assert gone in scheduled(parts, "urgent")
    parts.service.handle(incident.id, Acknowledge(by="UOMAR"))
    assert gone not in scheduled(parts, "urgent")
    assert not parts.redis.exists(f"rq:job:{gone}")


def test_the_hash_of_a_job_that_left_the_registry_is_left_alone(parts: Works) -> None:
    """It may be running: its worker takes it away."""
    incident = parts.declare("P0")
    ringing = f"{incident.id}-unacknowledged-1"
    parts.redis.zrem("rq:scheduled:urgent", ringing)
    parts.service.handle(incident.id, Acknowledge(by="UOMAR"))
    assert parts.redis.exists(f"rq:job:{ringing}")


@pytest.mark.parametrize(("kind", "queue"), [("page", "urgent"), ("card", "urgent-messages")])
def test_a_retry_moves_the_alarm_and_schedules_a_job_at_once(parts: Works, kind: str, queue: str) -> None:
    """On the queue that the first try had; the sweep does not come in between."""
    incident = parts.declare("P0")
    effect = next(e.id for e in ready(incident).values() if e.kind == kind)
    at = parts.clock() + timedelta(seconds=7.25)
    outbox.retry(parts.redis, effect, at, urgent=True)
    assert parts.redis.zscore(ALARMS, effect_alarm(effect)) == at.timestamp()
    assert at.timestamp() in scheduled(parts, queue).values()


def test_a_retry_does_not_bring_an_alarm_back(parts: Works) -> None:
    """The effect may have been called off meanwhile."""
    outbox.retry(parts.redis, "INC-20241218-001-9", parts.clock(), urgent=False)
    assert parts.redis.zscore(ALARMS, effect_alarm("INC-20241218-001-9")) is None
