"""Run a part of a worker: the ticker, the sweep, or the RQ worker of one queue. Each ends on SIGTERM."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import structlog
from redis import Redis, RedisError
from rq import Queue, SimpleWorker
from rq.job import Job
from rq.serializers import JSONSerializer

from escalation.processes import ALERTS, MESSAGES, URGENT_MESSAGES, Part
from escalation.storage import heartbeats
from workers import jobs
from workers.clock import sweep, ticker
from workers.context import Context
from workers.queue.rq import YIELDS_TO, OwnJob, queue, queue_key

WORKER_TTL = 20  # RQ blocks 15 seconds less than this for a job: a beat each 5 seconds at the least
MAINTENANCE = 60  # seconds
RESTART_DELAY = 0.5
# Of 19: messages have a lower priority for the processor than checkpoints, pages and people's clicks. A storm of alerts
# gives way to them as well, but not to messages: what is critical among it still has to be found.
NICE = {URGENT_MESSAGES: 10, MESSAGES: 10, ALERTS: 5}
MAX_YIELD, MAX_YIELD_WITH_JOB, YIELD_POLL = 2.0, 0.9, 0.05  # seconds; a job held for 1 s counts as lost to the sweep

log = structlog.get_logger()


class Heartbeat:
    """Writes `tocsin:alive:{part}:{host}:{pid}` as long as the loop of its part really runs."""

    def __init__(self, redis: Redis, part: str) -> None:
        self._redis = redis
        self._key = heartbeats.own_key(part)
        self._next = 0.0

    def beat(self) -> None:
        """Write the heartbeat, every two seconds at most."""
        if time.monotonic() >= self._next:
            heartbeats.beat(self._redis, self._key, time.time())
            self._next = time.monotonic() + heartbeats.INTERVAL

    def stop(self) -> None:
        """Delete the heartbeat: this part has ended, and nobody should count on it."""
        with contextlib.suppress(RedisError):
            self._redis.delete(self._key)


class QueueWorker(SimpleWorker):
    """An RQ worker without forks or scheduler, for one queue: with several, RQ loses the job of a worker that dies."""

    max_connection_wait_time = 1.0

    def __init__(self, name: str, redis: Redis, beat: Callable[[], None], stop: threading.Event) -> None:
        self._name = name
        self._beat = beat
        self._stop = stop
        super().__init__(
            [queue(redis, name)],
            connection=redis,
            job_class=OwnJob,
            worker_ttl=WORKER_TTL,
            maintenance_interval=MAINTENANCE,
            serializer=JSONSerializer,
            log_job_description=False,
        )

    def subscribe(self) -> None:
        """Do not subscribe to RQ's commands, which nobody sends: saves a thread, a connection and a slower stop."""

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Beat for RQ and for this part."""
        super().heartbeat(timeout, pipeline)
        self._beat()

    def dequeue_job_and_maintain_ttl(self, *args: Any, **named: Any) -> tuple[Job, Queue] | None:
        """Take the next job, after yielding to the queues that go first."""
        self._yield_to_priority(MAX_YIELD)
        return super().dequeue_job_and_maintain_ttl(*args, **named)

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Run a job, after yielding once more."""
        self._yield_to_priority(
            MAX_YIELD_WITH_JOB
        )  # the job may have come while we waited for one, as the first of a burst
        super().execute_job(job, queue)

    def _yield_to_priority(self, longest: float) -> None:
        """Wait, up to `longest` seconds, while queues that go first have jobs: all share processor, disk, Redis."""
        priority = [queue_key(name) for name in YIELDS_TO.get(self._name, ())]
        ends = time.monotonic() + longest
        while priority and self.connection.exists(*priority) and time.monotonic() < ends and not self._stop.is_set():
            time.sleep(YIELD_POLL)

    def procline(self, message: str) -> None:
        """Do nothing: RQ would rename the process with each job, and `ps` should show which part it is."""

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """Stop after the current job."""
        self._stop.set()
        super().request_stop(signum, frame)  # type: ignore[no-untyped-call]  # RQ left it untyped


def run_part(part: Part, context: Context) -> None:
    """Run one part until SIGTERM or SIGINT, through outages of Redis and Slack."""
    stop = threading.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, lambda *_: stop.set())
    os.nice(NICE.get(part, 0))
    heartbeat = Heartbeat(context.redis, part)
    try:
        if part == "ticker":
            ticker.run(context.redis, context.clock, stop, heartbeat.beat)
        elif part == "sweep":
            sweep.run(context, stop, heartbeat.beat)
        else:
            _serve(part, context, stop, heartbeat)
    finally:
        heartbeat.stop()


def _serve(name: str, context: Context, stop: threading.Event, heartbeat: Heartbeat) -> None:
    """Serve a queue until stopped: RQ ends its own loop on many occasions."""
    jobs.bind(context, name)
    try:
        while not stop.is_set():
            _serve_once(name, context, stop, heartbeat)
    finally:
        jobs.unbind()


def _serve_once(name: str, context: Context, stop: threading.Event, heartbeat: Heartbeat) -> None:
    try:
        worker = QueueWorker(name, context.redis, heartbeat.beat, stop)
        worker.work(logging_level="WARNING")
    except RedisError as error:
        log.warning("redis unavailable, worker restarting", queue=name, error=type(error).__name__)
        stop.wait(RESTART_DELAY)
