"""The sweep: what was lost comes back, what only waits is left alone, and nothing is repaired for ever."""

import itertools
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from escalation.incident.effects import SendPage
from escalation.incident.events.moves import Acknowledge
from escalation.incident.model import Incident
from escalation.processes import QUEUES
from escalation.storage.alarms import checkpoint_alarm, effect_alarm, ready
from escalation.storage.indexes import ALARMS, METRICS
from tests.support.worker import BACKENDS, Works, raw, redis_of, works
from workers.clock.backlog import Backlogs
from workers.clock.sweep import Sweep
from workers.queue.leases import Leases
from workers.queue.outbox import checkpoint_task
from workers.queue.rq import push, queue, queue_key, take


@pytest.fixture(params=BACKENDS)
def parts(request: pytest.FixtureRequest) -> Iterator[Works]:
    with redis_of(request.param) as client:
        yield works(client)


def look(parts: Works) -> int:
    return Sweep(parts.redis, parts.store).repair_lost(parts.clock())


def lose_all_jobs(parts: Works) -> None:
    """As if every worker had been killed at the worst moment, and the ticker with them."""
    for key in parts.redis.keys("rq:*"):
        parts.redis.delete(key)


def repaired(parts: Works, kind: str) -> int:
    return int(parts.redis.hget(METRICS, f"repaired_total|kind={kind}") or 0)


def calls(parts: Works, *names: str) -> list[tuple[Any, ...]]:
    return [(job.func_name, *job.args) for name in names or QUEUES for job in queue(parts.redis, name).get_jobs()]


def test_lost_sends_come_back_one_second_late(parts: Works) -> None:
    """Not sooner: until then, somebody may well be at it."""
    incident = parts.declare("P0")
    lose_all_jobs(parts)
    parts.clock.push(seconds=1)
    assert look(parts) == 0
    parts.clock.push(milliseconds=1)
    assert look(parts) == len(ready(incident)) == repaired(parts, "delivery")
    assert sorted(calls(parts)) == sorted(("workers.jobs.deliver", [e]) for e in ready(incident))


def test_a_lost_checkpoint_comes_back(parts: Works) -> None:
    """On the queue of its severity, for the ordinary job to do."""
    incident = parts.declare("P1")
    lose_all_jobs(parts)
    parts.redis.zrem(ALARMS, *[effect_alarm(e) for e in ready(incident)])
    due = min(c.due for c in incident.checkpoints)
    first = [c.id for c in incident.checkpoints if c.due == due]
    parts.clock.now = due + timedelta(seconds=1.001)
    assert look(parts) == len(first) == repaired(parts, "checkpoint")
    assert sorted(calls(parts, "normal")) == sorted(("workers.jobs.checkpoint_due", incident.id, c) for c in first)


def test_what_is_being_sent_is_left_alone(parts: Works) -> None:
    """A live lease says that somebody is at it, however slow Slack is."""
    incident = parts.declare("P0")
    lose_all_jobs(parts)
    busy = next(iter(ready(incident)))
    leases = Leases(parts.redis)
    assert leases.claim(busy, parts.clock())
    parts.clock.push(seconds=5)
    assert look(parts) == len(ready(incident)) - 1
    assert ("workers.jobs.deliver", [busy]) not in calls(parts)
    leases.close()


def backlog(parts: Works, name: str, at: datetime) -> None:
    """A job that has waited on a queue since then."""
    with parts.redis.pipeline() as pipe:
        push(pipe, checkpoint_task("INC-20241218-009", "x", name), at)
        pipe.execute()


@pytest.mark.parametrize(("waiting_since", "repairs"), [(0.0, False), (0.5, False), (2.5, True)])
def test_what_only_waits_its_turn_is_left_alone(parts: Works, waiting_since: float, repairs: bool) -> None:
    """A queue is first in, first out: whatever is older than its oldest job is not on it any more."""
    incident = parts.declare("P0")
    lose_all_jobs(parts)
    for name in ("urgent", "urgent-messages"):
        backlog(parts, name, parts.clock() + timedelta(seconds=waiting_since))
    parts.clock.push(seconds=10)
    assert (look(parts) == len(ready(incident))) is repairs


def test_one_queue_that_is_behind_does_not_hide_the_other(parts: Works) -> None:
    """A burst of P3 incidents must not keep a lost P0 page waiting."""
    parts.declare("P0")
    lose_all_jobs(parts)
    backlog(parts, "normal", parts.clock())
    parts.clock.push(seconds=10)
    assert look(parts) > 0


def test_a_page_that_was_lost_does_not_wait_for_messages_that_were_not(parts: Works) -> None:
    """A queue of messages that is far behind, more of them than one look takes at a time, and lost pages."""
    incident = parts.declare("P0")
    pages = [e.id for e in incident.effects if isinstance(e, SendPage)]
    lose_all_jobs(parts)
    backlog(parts, "urgent-messages", parts.clock() - timedelta(hours=1))
    waiting = {effect_alarm(f"{incident.id}-{n}"): parts.clock().timestamp() - 60 for n in range(1000, 3500)}
    parts.redis.zadd(ALARMS, waiting)
    parts.clock.push(seconds=2)
    assert look(parts) == len(pages) > 0
    assert sorted(calls(parts, "urgent")) == [("workers.jobs.deliver", [page]) for page in sorted(pages)]


def test_a_repair_is_made_once_by_however_many(parts: Works) -> None:
    """Eight sweeps at one time."""
    incident = parts.declare("P0")
    lose_all_jobs(parts)
    parts.clock.push(seconds=3)
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda _: look(parts), range(8))) == len(ready(incident))
    assert len(calls(parts)) == len(ready(incident))


def test_a_repair_that_waits_its_turn_is_not_repaired(parts: Works) -> None:
    """On a queue that is behind, repairs of repairs would only make it longer; one that is lost is repaired again."""
    incident = parts.declare("P0")
    lose_all_jobs(parts)
    parts.clock.push(seconds=3)
    assert look(parts) == len(ready(incident))
    parts.clock.push(seconds=30)
    assert look(parts) == 0
    lose_all_jobs(parts)
    assert look(parts) == len(ready(incident))


def test_a_poison_alarm_is_tried_less_and_less_often(parts: Works) -> None:
    """A job that dies each time costs a repair a minute in the end, not two a second."""
    parts.declare("P3")
    lose_all_jobs(parts)
    times = []
    for _ in range(450):
        parts.clock.push(seconds=1)
        if look(parts):
            times.append(parts.clock())
            lose_all_jobs(parts)
    gaps = [(b - a).total_seconds() for a, b in itertools.pairwise(times)]
    assert gaps[0] < 4
    assert max(gaps) < 63
    assert gaps[-1] > 55
    assert len(times) < 20


@pytest.mark.parametrize(
    "stale",
    [effect_alarm("INC-20241218-001-77"), checkpoint_alarm("INC-20241218-001", "gone-1"), "c:INC-1:x", "e:what"],
)
def test_alarms_of_nothing_are_removed(parts: Works, stale: str) -> None:
    """The incident is gone, or the thing is done."""
    parts.declare("P3")
    parts.redis.zadd(ALARMS, {stale: 1.0})
    look(parts)
    assert parts.redis.zscore(ALARMS, stale) is None


def test_a_look_with_nothing_overdue_changes_nothing(parts: Works) -> None:
    """Which is nearly always."""
    parts.declare("P0")
    before = parts.redis.zrange(ALARMS, 0, -1, withscores=True)
    assert look(parts) == 0
    assert parts.redis.zrange(ALARMS, 0, -1, withscores=True) == before


def due_checkpoint(incident: Incident) -> str:
    return min(incident.checkpoints, key=lambda c: c.due).id


def test_a_repaired_checkpoint_that_became_moot_does_nothing(parts: Works) -> None:
    """Stale work arrives and loses."""
    incident = parts.declare("P0")
    lose_all_jobs(parts)
    parts.clock.push(minutes=16)
    look(parts)
    before = parts.service.handle(incident.id, Acknowledge(by="UOMAR"))
    assert f"unacknowledged-{before.round}" not in {c.id for c in before.checkpoints}
    assert parts.now(incident) == before


def test_an_incident_that_cannot_be_read_holds_up_no_other(parts: Works) -> None:
    """Written by a newer Tocsin, say: its alarms stay for whoever can read it, and its words stay out of the logs."""
    unreadable, other = parts.declare("P0", title="zebra crossing"), parts.declare("P0")
    kept = raw(parts.redis.get(f"tocsin:incident:{unreadable.id}"))
    parts.redis.set(f"tocsin:incident:{unreadable.id}", kept.replace(b'"facts":', b'"facets":'))
    lose_all_jobs(parts)
    parts.clock.push(seconds=2)
    assert look(parts) == len(ready(other))
    assert parts.redis.zscore(ALARMS, effect_alarm(next(iter(ready(unreadable)))))
    with pytest.raises(ValidationError) as refused:
        parts.store.get(unreadable.id)
    assert "zebra" not in str(refused.value)
    [problem] = parts.store.problems.current()
    assert unreadable.id in problem.text
    assert "zebra" not in str(problem)


# A queue that is behind ----------------------------------------------------------------------------------------------


def rounds(parts: Works, sweep: Sweep, seconds: float) -> int:
    """Sweep twice a second for a while; returns how many repairs were made."""
    made = 0
    for _ in range(round(seconds * 2)):
        parts.clock.push(seconds=0.5)
        made += sweep.repair_lost(parts.clock())
    return made


def asked_for(parts: Works) -> Counter[str]:
    """Effect -> how many jobs wait to send it."""
    return Counter(effect for call in calls(parts) if call[0].endswith("deliver") for effect in call[1])


def test_a_head_without_its_job_hides_no_line(parts: Works) -> None:
    """A job that was taken in that instant, or is damaged: those behind it wait all the same."""
    incident = parts.declare("P0")
    for name in QUEUES:
        parts.redis.lpush(queue_key(name), "dead")
    assert rounds(parts, Sweep(parts.redis, parts.store), 30) == 0
    assert set(asked_for(parts).values()) == {1}
    assert asked_for(parts).keys() == ready(incident).keys()


def test_what_a_slow_worker_has_taken_off_its_queue_is_its_own_for_a_second(parts: Works) -> None:
    """The queue was behind, so what it takes last is old: it yields to pages with the job in hand, and then claims."""
    parts.declare("P0")
    sweep = Sweep(parts.redis, parts.store)
    assert rounds(parts, sweep, 10) == 0
    lose_all_jobs(parts)  # all of it is in the hands of workers
    assert rounds(parts, sweep, 1) == 0
    assert rounds(parts, sweep, 2) > 0  # they were killed


def test_what_waits_for_a_ticker_is_not_lost_yet(parts: Works) -> None:
    """A ticker that is late has its jobs still; one that is gone for five seconds does without them."""
    incident = parts.declare("P1")
    parts.redis.zrem(ALARMS, *map(effect_alarm, ready(incident)))
    parts.redis.delete(*map(queue_key, QUEUES))
    parts.clock.now = min(c.due for c in incident.checkpoints)
    sweep = Sweep(parts.redis, parts.store)
    assert rounds(parts, sweep, 4) == 0
    assert rounds(parts, sweep, 4) > 0


def test_a_queue_that_is_behind_is_told_to_whoever_runs_it(parts: Works) -> None:
    """With how long and how much waits there, until it is over."""
    parts.declare("P0")
    backlogs = Backlogs(parts.redis, parts.store.problems)
    backlogs.tell(parts.clock())
    assert not parts.store.problems.current()
    parts.clock.push(seconds=75)
    backlogs.tell(parts.clock())
    told = {problem.key: problem for problem in parts.store.problems.current()}
    assert told.keys() == {"queue:urgent", "queue:urgent-messages"}
    assert "messages of urgent incidents wait for 75 s" in told["queue:urgent-messages"].text
    assert "tocsin worker" in told["queue:urgent-messages"].remedy
    lose_all_jobs(parts)
    parts.clock.push(seconds=15)
    backlogs.tell(parts.clock())
    assert not parts.store.problems.current()


def test_however_long_all_waits_one_job_stands_for_each(parts: Works) -> None:
    """Ten incidents at once and workers that take a job each two seconds: no round makes the line longer."""
    incidents = [parts.declare("P3", title=f"Number {n}") for n in range(10)]
    sweep, expected = Sweep(parts.redis, parts.store), Counter(e for i in incidents for e in ready(i))
    while any(calls(parts)):
        assert rounds(parts, sweep, 2) == 0
        assert asked_for(parts) <= expected
        for name in QUEUES:
            for (effects,) in take(parts.redis, name, "deliver"):  # sent, however slowly
                parts.redis.zrem(ALARMS, *map(effect_alarm, effects))
