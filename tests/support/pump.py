"""Everything a worker does, in one thread and at the clock's own pace: for tests that push the clock."""

import logging
from typing import Any

from rq import SimpleWorker
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.timeouts import TimerDeathPenalty

from escalation.processes import QUEUES
from workers import jobs
from workers.clock.ticker import tick
from workers.context import Context
from workers.queue.rq import queue

TOO_MANY = 10_000  # jobs of one run: something feeds itself


class _Worker(SimpleWorker):
    """Runs in any thread, on no clock of its own, and nobody watches whether it lives."""

    death_penalty_class = TimerDeathPenalty  # RQ's usual limit for a job's time needs signals: the main thread's
    should_run_maintenance_tasks = False  # by the real clock it would take jobs of a pushed one for lost

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """None."""


class Pump:
    """`context` should wait for its sends (`patience=None`), not paced (`paced=False`): its clock stands still."""

    def __init__(self, context: Context) -> None:
        self._context = context
        logging.getLogger("rq.worker").setLevel(logging.WARNING)  # RQ itself sets INFO: five lines for each job
        self._worker = _Worker(
            [queue(context.redis, name) for name in QUEUES],
            connection=context.redis,
            serializer=JSONSerializer,
            log_job_description=False,
        )
        self._worker.push_exc_handler(self._remember)  # type: ignore[no-untyped-call]  # RQ left it untyped
        self._errors: list[BaseException] = []

    def run(self) -> int:
        """Do all that is due and queued at this instant; how many jobs that were. Raises what a job raised."""
        jobs.bind(self._context)
        try:
            return self._until_quiet()
        finally:
            jobs.unbind()

    def _until_quiet(self) -> int:
        for done in range(TOO_MANY):
            tick(self._context.redis, self._context.clock())
            found = self._worker.dequeue_job_and_maintain_ttl(None)
            if found is None:
                return done
            self._worker.execute_job(*found)
            if self._errors:
                raise self._errors.pop()
        raise RuntimeError("there is no end of jobs")

    def _remember(self, job: Job, kind: Any, error: BaseException, trace: Any) -> bool:
        self._errors.append(error)
        return False
