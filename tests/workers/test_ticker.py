"""The ticker: what is due is queued, once, never early, whoever ticks."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from redis import Redis
from rq.job import Job
from rq.serializers import JSONSerializer

from escalation.processes import QUEUES
from escalation.storage.store import Store
from tests.support.story import START
from tests.support.worker import BACKENDS, redis_of
from workers.clock import ticker
from workers.clock.ticker import tick
from workers.queue.outbox import checkpoint_task
from workers.queue.rq import Task, queue, schedule


@pytest.fixture(params=BACKENDS)
def redis(request: pytest.FixtureRequest) -> "Iterator[Redis]":
    with redis_of(request.param) as client:
        yield client


def wait_for(redis: "Redis", name: str, at: datetime, number: int = 1, queue_name: str = "urgent") -> None:
    with redis.pipeline() as pipe:
        for n in range(number):
            schedule(pipe, checkpoint_task("INC-20241218-001", f"{name}-{n}", queue_name), at)
        pipe.execute()


def enqueued(redis: "Redis", name: str) -> list[str]:
    """The checkpoints that the jobs of a queue fire, in their order, alone or many in one job."""
    found = [Job.fetch(i, connection=redis, serializer=JSONSerializer) for i in queue(redis, name).get_job_ids()]
    return [about for job in found for _, about in (job.args[0] if len(job.args) == 1 else [job.args])]


@pytest.mark.parametrize(("early_by", "moved"), [(0, 1), (1, 0), (1_000, 0), (999_999, 0), (-1, 1), (-60_000_000, 1)])
def test_never_early_not_by_a_microsecond(redis: "Redis", early_by: int, moved: int) -> None:
    """Due is due: at its very microsecond, and not before."""
    due = START + timedelta(microseconds=123_457)
    wait_for(redis, "a", due)
    assert tick(redis, due - timedelta(microseconds=early_by)) == moved


def test_a_moved_job_is_one_that_rq_can_run(redis: "Redis") -> None:
    """Its hash says queued, since when, and what to call."""
    wait_for(redis, "a", START)
    tick(redis, START + timedelta(seconds=2))
    job = Job.fetch("INC-20241218-001-a-0", connection=redis, serializer=JSONSerializer)
    assert job.get_status() == "queued"
    assert job.enqueued_at == START + timedelta(seconds=2)
    assert (job.func_name, list(job.args)) == ("workers.jobs.checkpoint_due", ["INC-20241218-001", "a-0"])
    assert queue(redis, "urgent").get_job_ids() == [job.id]
    assert redis.zcard("rq:scheduled:urgent") == 0


def test_all_queues_are_served(redis: "Redis") -> None:
    """Each job comes to its own."""
    for name in QUEUES:
        wait_for(redis, name, START, queue_name=name)
    assert tick(redis, START) == len(QUEUES)
    assert [queue(redis, name).get_job_ids() for name in QUEUES] == [[f"INC-20241218-001-{q}-0"] for q in QUEUES]


def test_more_than_a_batch_is_moved_in_order(redis: "Redis") -> None:
    """A whole burst at one instant goes in one tick, and in few jobs: RQ takes its time for each."""
    wait_for(redis, "late", START + timedelta(milliseconds=1), 700)
    wait_for(redis, "soon", START, 700)
    assert tick(redis, START + timedelta(seconds=1)) == 1400
    assert [name.split("-")[0] for name in enqueued(redis, "urgent")] == ["soon"] * 700 + ["late"] * 700
    assert redis.llen("rq:queue:urgent") == 1400 / ticker.COMBINED
    assert len(redis.keys("rq:job:*")) == 1400 / ticker.COMBINED


def test_many_in_one_job_are_a_job_that_rq_can_run(redis: "Redis") -> None:
    """It names what it fires: an incident and a checkpoint each, whatever mark the waiting job's id had."""
    wait_for(redis, "a", START, 1)
    with redis.pipeline() as pipe:
        schedule(pipe, checkpoint_task("INC-20241218-002", "com_mail-1", "urgent", "again-17"), START)
        pipe.execute()
    tick(redis, START)
    (job_id,) = queue(redis, "urgent").get_job_ids()
    job = Job.fetch(job_id, connection=redis, serializer=JSONSerializer)
    assert (job.get_status(), job.enqueued_at, job.origin) == ("queued", START, "urgent")
    assert job.func_name == "workers.jobs.checkpoints_due"
    assert job.args == [[["INC-20241218-001", "a-0"], ["INC-20241218-002", "com_mail-1"]]]


def test_a_job_that_fires_no_checkpoint_goes_alone(redis: "Redis") -> None:
    """A send's next try keeps its place between the checkpoints."""
    with redis.pipeline() as pipe:
        for n, name in enumerate(("a", "b")):
            schedule(pipe, checkpoint_task("INC-20241218-001", name, "urgent"), START + timedelta(milliseconds=n))
        schedule(pipe, Task("retry-1", "urgent", "deliver", (["INC-20241218-001-1"],)), START)
        pipe.execute()
    assert tick(redis, START + timedelta(seconds=1)) == 3
    assert queue(redis, "urgent").get_job_ids() == ["INC-20241218-001-a", "retry-1", "INC-20241218-001-b"]


def test_many_tickers_move_each_job_once(redis: "Redis") -> None:
    """Eight at the same time, and no lock."""
    wait_for(redis, "a", START, 300)
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda _: tick(redis, START), range(16))) == 300
    assert len(set(enqueued(redis, "urgent"))) == len(enqueued(redis, "urgent")) == 300


@pytest.mark.parametrize("damage", ["gone", "started", "no hash"])
def test_a_damaged_job_does_not_stop_the_others(redis: "Redis", damage: str) -> None:
    """It is taken off the registry; its alarm is the sweep's matter."""
    wait_for(redis, "a", START, 2)
    key = "rq:job:INC-20241218-001-a-0"
    if damage == "started":
        redis.hset(key, "status", "started")
    else:
        redis.delete(key)
    if damage == "no hash":
        redis.set(key, "what?")
    assert tick(redis, START) == 1
    assert "a-1" in enqueued(redis, "urgent")
    assert redis.zcard("rq:scheduled:urgent") == 0


@pytest.mark.parametrize(
    ("following", "sleep"),
    [([], 0.1), ([0.03], 0.03), ([5.0, 0.02], 0.02), ([5.0, 9.0], 0.1), ([0.07, 0.05, 0.09, 0.06], 0.05)],
)
def test_it_sleeps_until_the_next_is_due(redis: "Redis", following: list[float], sleep: float) -> None:
    """A tenth of a second at most, since something nearer may be scheduled meanwhile, on whichever queue."""
    for name, seconds in zip(QUEUES, following, strict=False):
        wait_for(redis, name, START + timedelta(seconds=seconds), queue_name=name)
    moved, due = ticker._move_due(redis, START)
    assert not moved
    assert ticker._sleep(due, START) == pytest.approx(sleep, abs=1e-6)


def test_what_was_due_while_it_looked_is_not_slept_over() -> None:
    """Time has gone on since: then there is no sleep at all."""
    assert ticker._sleep(START.timestamp() - 3, START) == 0


class Unreachable:
    """A Redis that is away at first."""

    def __init__(self, redis: "Redis", times: int) -> None:
        self._redis, self.left = redis, times

    def eval(self, *arguments: Any) -> Any:
        if self.left:
            self.left -= 1
            self._redis.execute_command("no such command")  # type: ignore[no-untyped-call]  # redis-py has it untyped
        return self._redis.eval(*arguments)

    def set(self, *arguments: Any, **options: Any) -> Any:
        return self._redis.set(*arguments, **options)


def test_it_outlives_a_redis_that_goes_away(redis: "Redis") -> None:
    """And then it moves what fell due meanwhile."""
    wait_for(redis, "a", START)
    stop, away = threading.Event(), Unreachable(redis, 2)
    ticker.run(away, lambda: START, stop, stop.set)  # type: ignore[arg-type]  # it only needs these two
    assert away.left == 0
    assert queue(redis, "urgent").get_job_ids() == ["INC-20241218-001-a-0"]


@pytest.mark.parametrize(("gap", "noted"), [(2.0, False), (90.0, True)])
def test_an_outage_is_written_down(redis: "Redis", gap: float, noted: bool) -> None:
    """From the last look at the clock, by whichever ticker, until the first one after it."""
    ticker._note_outage(redis, START, 0.0)
    back = START + timedelta(seconds=gap)
    ticker._note_outage(redis, back, 0.0)
    assert Store(redis, lambda *_: None).last_outage() == ((START, back) if noted else None)
