"""Messages give way to checkpoints and pages, and not for ever."""

import itertools
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from escalation.processes import QUEUES
from tests.support.worker import BACKENDS, Works, raw, redis_of, works
from workers import jobs, process
from workers.process import MAX_YIELD, MAX_YIELD_WITH_JOB, NICE, Heartbeat, QueueWorker, _serve_once
from workers.queue.outbox import checkpoint_task
from workers.queue.rq import YIELDS_TO, Task, push, queue_key
from workers.recurring import upkeep


@pytest.fixture(params=BACKENDS)
def parts(request: pytest.FixtureRequest) -> Iterator[Works]:
    with redis_of(request.param) as client:
        yield works(client)


class Watch:
    """Takes the place of `time` in `workers.process`: each sleep lets time pass, and tells who wants to know."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept = 0
        self.on_sleep: list[Any] = []

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += 1
        for tell in self.on_sleep:
            tell()


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    found = Watch()
    monkeypatch.setattr(process, "time", found)
    return found


def queued(parts: Works, *names: str) -> None:
    """A job that does nothing on each of these queues."""
    with parts.redis.pipeline() as pipe:
        for name in names:
            push(pipe, Task(f"deliver-{name}", name, "deliver", ([],)), parts.clock())
        pipe.execute()


def work(parts: Works, name: str) -> None:
    """A worker of that queue does what is there. It takes the signals of its process, which is ours here."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    jobs.bind(parts.context)
    try:
        QueueWorker(name, parts.redis, lambda: None, threading.Event()).work(burst=True, logging_level="WARNING")
    finally:
        jobs.unbind()
        for number, handler in kept.items():
            signal.signal(number, handler)


@pytest.mark.parametrize(("name", "first"), list(itertools.permutations(QUEUES, 2)))
def test_messages_begin_when_nothing_more_pressing_waits(parts: Works, watch: Watch, name: str, first: str) -> None:
    """Each waits for what comes first, and for nothing else: a P0's messages do not wait for others' checkpoints."""
    queued(parts, name, first)
    left = []
    watch.on_sleep.append(lambda: left.append(parts.redis.llen(queue_key(name))))
    watch.on_sleep.append(lambda: parts.redis.delete(queue_key(first)) if watch.slept == 3 else None)
    work(parts, name)
    assert left == [1, 1, 1] * (first in YIELDS_TO.get(name, ()))
    assert not parts.redis.llen(queue_key(name))


def test_they_do_not_wait_for_ever(parts: Works, watch: Watch) -> None:
    """Nobody serves the other queue, say: then they go out all the same."""
    with parts.redis.pipeline() as pipe:
        push(pipe, checkpoint_task("INC-20241218-009", "x", "normal"), parts.clock() - timedelta(hours=1))
        pipe.execute()
    queued(parts, "messages")
    work(parts, "messages")
    assert not parts.redis.llen(queue_key("messages"))
    assert watch.now < 2 * MAX_YIELD + MAX_YIELD_WITH_JOB + 1


def test_a_worker_that_is_told_to_end_does_not_wait(parts: Works, watch: Watch) -> None:
    """SIGTERM while it gives way."""
    queued(parts, "normal", "messages")
    stop = threading.Event()
    worker = QueueWorker("messages", parts.redis, lambda: None, stop)
    watch.on_sleep.append(stop.set)
    worker._yield_to_priority(MAX_YIELD)
    assert watch.slept == 1


@pytest.mark.parametrize(("name", "left"), [("urgent", 40), ("normal", 40), ("urgent-messages", 25), ("messages", 25)])
def test_messages_that_wait_go_along_with_the_first(parts: Works, name: str, left: int) -> None:
    """RQ's own work is done once for some of them; of those nothing is left in Redis. Pages go one by one."""
    with parts.redis.pipeline() as pipe:
        for n in range(40):
            effect = f"INC-20241218-009-{n}-say"
            push(pipe, Task(f"deliver-{effect}", name, "deliver", ([effect],)), parts.clock())
        pipe.execute()
    jobs.bind(parts.context, name)
    try:
        jobs.deliver(["INC-20241218-009-40-say"])
    finally:
        jobs.unbind()
    assert parts.redis.llen(queue_key(name)) == len(parts.redis.keys("rq:job:*")) == left


def test_what_is_no_message_is_left_to_its_own_turn(parts: Works) -> None:
    """Upkeep is asked for on the same queue, and is a job like any other."""
    queued(parts, "messages")
    upkeep.enqueue(parts.redis, parts.clock())
    queued(parts, "messages")
    jobs.bind(parts.context, "messages")
    try:
        jobs.deliver([])
    finally:
        jobs.unbind()
    first = raw(parts.redis.lrange(queue_key("messages"), 0, -1)[0])
    assert first.startswith(b"upkeep-")
    assert parts.redis.exists(b"rq:job:" + first)


def test_a_worker_that_follows_another_leaves_the_connections_alone(
    parts: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RQ ends its loop when Redis was away for a moment; threads of ours are in the middle of a send then."""
    monkeypatch.setattr(QueueWorker, "work", lambda *_, **__: None)
    heart, pool = Heartbeat(parts.redis, "messages"), parts.redis.connection_pool
    _serve_once("messages", parts.context, threading.Event(), heart)
    used = pool.get_connection()
    used.send_command("PING")  # type: ignore[no-untyped-call]  # redis-py has it untyped
    _serve_once("messages", parts.context, threading.Event(), heart)
    assert used.read_response() == b"PONG"
    pool.release(used)


def test_a_storm_of_alerts_gives_way_to_pages_and_goes_before_messages() -> None:
    """For the processor: what is critical among it still has to be found."""
    assert all(NICE.get(part, 0) == 0 for part in ("ticker", "sweep", "urgent", "normal"))
    assert 0 < NICE["alerts"] < NICE["urgent-messages"] <= NICE["messages"]


def test_what_a_process_has_at_its_start_is_collected_no_more() -> None:
    """Also in a bot that is started by itself: a full collection would hold up every answer."""
    seen = "import gc; from tocsin.run.fork import collect_seldom; collect_seldom(); print(gc.get_freeze_count())"
    found = subprocess.run([sys.executable, "-c", seen], capture_output=True, text=True, check=True)
    assert int(found.stdout) > 1_000
