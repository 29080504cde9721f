"""Send once: claim, reload, send, record. Whatever may have been sent before is looked for before it is sent again."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from functools import partial

import structlog
from redis import RedisError
from redis.client import Pipeline

from escalation.errors import NotFound, TooNew
from escalation.incident.effects import SLACK, Effect, SendPage
from escalation.incident.events import Delivered, Dropped, OutcomeEvent, PersonRefused, Trouble
from escalation.incident.model import Incident
from escalation.storage.alarms import incident_of, ready
from workers import metrics
from workers.channels.failures import Failed, Kind, back_off
from workers.context import Context
from workers.delivery import rate_limits, retry_when_back
from workers.delivery.failure_outcomes import settle
from workers.delivery.links import LinkPlanner
from workers.delivery.plan import Plan, Planned, Planner, RetryAt, SendResult
from workers.delivery.slack import SlackPlanner
from workers.queue import ledger, outbox
from workers.queue.leases import Lease, Leases

WAITING_FOR_EACH_THREAD = 8  # more than that go back to Redis, where every worker can take them
LATER = timedelta(seconds=0.5)

log = structlog.get_logger()


class Deliveries:
    """The sends of one process."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._leases = Leases(context.redis)
        self._planners: dict[str, Planner] = {
            "": LinkPlanner(context.service),
            SLACK: SlackPlanner(context.slack, context.service),
            **{name: planner(context.service) for name, planner in context.channels.others.items()},
        }
        self._pool = ThreadPoolExecutor(context.threads, thread_name_prefix="send")
        self._room = threading.Semaphore(context.threads * (1 + WAITING_FOR_EACH_THREAD))

    def deliver(self, effect_ids: list[str]) -> None:
        """Carry out some effects, concurrently; the caller waits for `patience` seconds at most."""
        now = self._context.clock()
        futures = [f for effect_id in effect_ids if (f := self._start(effect_id, now))]
        done, _ = wait(futures, timeout=self._context.patience)
        for future in done:
            future.result()

    def has_room(self) -> bool:
        """Whether this process can take one more."""
        if not self._room.acquire(blocking=False):
            return False
        self._room.release()
        return True

    def close(self) -> None:
        """Finish what is in flight; what only waits for a thread goes back to Redis."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._leases.close()

    def _start(self, effect_id: str, now: datetime) -> "Future[None] | None":
        """Claim an effect and hand it to a thread: what waits for one is held, so that nobody takes it for lost."""
        if not self._room.acquire(blocking=self._context.patience is None):
            self._later(effect_id)
            return None
        lease = None
        try:
            lease = self._leases.claim(effect_id, now)
        finally:
            if lease is None:  # nothing to do, or Redis is away: the place is free again
                self._room.release()
        if lease is None:
            return None
        future = self._pool.submit(self._carry_out, lease)
        future.add_done_callback(partial(self._left, lease))
        return future

    def _left(self, lease: Lease, future: "Future[None]") -> None:
        """A thread is free again; what never got one, because this process ends, is handed to the others."""
        self._room.release()
        if future.cancelled():
            self._leases.release(lease, done=False)
            self._later(lease.effect)

    def _later(self, effect_id: str) -> None:
        now = self._context.clock()
        try:
            incident = self._load(effect_id)
        except TooNew as newer:
            outbox.hand_on_effect(self._context.redis, effect_id, newer, now)
            return
        if incident:
            outbox.retry(self._context.redis, effect_id, now + LATER, incident.policy.urgent)

    def _carry_out(self, lease: Lease) -> None:
        try:
            again = self._once(lease)
            while again and (following := self._leases.claim(lease.effect, self._context.clock())):
                again = self._once(following)
        except RedisError as away:
            log.warning("delivery: redis is away", effect=lease.effect, error=type(away).__name__)
            raise
        except Exception:  # the thread's end: nobody waits for what was slow, and the sweep has it tried again
            log.exception("delivery failed", effect=lease.effect)
            metrics.count(self._context.redis, "deliveries_total", kind="any", result="error")
            raise

    def _once(self, lease: Lease) -> bool:
        """Try once and let go; True when the effect has to be looked at again."""
        done = wanted = False
        try:
            done = self._attempt(lease)
        except TooNew as newer:  # even after a send: whoever takes it looks for that before sending again
            outbox.hand_on_effect(self._context.redis, lease.effect, newer, self._context.clock())
        finally:
            wanted = self._leases.release(lease, done=done)
        return wanted

    # One effect ------------------------------------------------------------------------------------------------------

    def _attempt(self, lease: Lease) -> bool:
        """Try once; True when nothing is left of the effect."""
        incident = self._load(lease.effect)
        effect = ready(incident).get(lease.effect) if incident else None
        if incident is None or effect is None:
            return True
        now = self._context.clock()
        try:
            planned = self._plan(incident, effect, now)
            if isinstance(planned, RetryAt):
                outbox.retry(self._context.redis, effect.id, planned.at, incident.policy.urgent)
                return False
            went = self._go(lease, incident, effect, planned, now) if isinstance(planned, Plan) else _nothing(planned)
        except Failed as failed:
            return self._failed(lease, incident, effect, failed)
        if went is None:
            return False
        self._record(incident, effect, went)
        return True

    def _plan(self, incident: Incident, effect: Effect, now: datetime) -> Planned:
        planner = self._planners.get(effect.carried_by)
        return planner.plan(incident, effect, now) if planner else Dropped(effect=effect.id, why="it is not set up")

    def _go(self, lease: Lease, incident: Incident, effect: Effect, plan: Plan, now: datetime) -> SendResult | None:
        """Send, unless the limits say later or the lease was lost."""
        if self._context.paced:
            first = incident.policy.urgent or incident.private  # a leak's public cards are redacted now
            budget = rate_limits.urgent(plan.budget) if first else plan.budget
            at = rate_limits.ask(self._context.redis, budget, effect.id, now)
            if at:
                outbox.retry(self._context.redis, effect.id, at, incident.policy.urgent)
                return None
        times = self._leases.begin(lease)
        if not times:
            return None
        try:
            return plan.go(times > 1)
        except Failed as failed:
            raise self._seen_from_here(failed, plan) from failed

    def _seen_from_here(self, failed: Failed, plan: Plan) -> Failed:
        """A direct message's channel that is gone is opened anew; a closed one means that its person left."""
        if not plan.person or failed.kind is not Kind.LOST:
            return failed
        self._context.slack.forget_direct(plan.person)
        kind = Kind.PERSON if failed.error == "is_archived" else Kind.PASSING
        return Failed(failed.error, kind, channel=failed.channel)

    def _record(self, incident: Incident, effect: Effect, went: SendResult) -> None:
        now = self._context.clock()
        with self._context.redis.pipeline() as pipe:
            ledger.accepted(pipe, effect, went.outcome, now, adopted=went.adopted)
            _count(pipe, effect, went, now)
            pipe.zcard(outbox.HELD)
            others_wait = pipe.execute()[-1]
        self._context.service.handle(incident.id, went.outcome)
        if others_wait and retry_when_back.is_back(effect, went):
            retry_when_back.call_in(self._context.redis, now)

    def _failed(self, lease: Lease, incident: Incident, effect: Effect, failed: Failed) -> bool:
        channel = self._context.service.company.workspace.incidents_channel
        outcome = settle(incident, effect, failed, channel)
        if outcome is not None and not isinstance(outcome, Trouble):
            self._record(incident, effect, SendResult(outcome))
            return True
        if failed.kind is Kind.LOST:
            self._context.slack.rooms.forget_channel(channel)
        if isinstance(outcome, Trouble):
            log.error("a send is refused because of us", effect=effect.id, error=failed.error, why=outcome.why)
            self._context.service.handle(incident.id, outcome)
        self._again(lease, incident, effect, failed, "trouble" if outcome else "retried")
        return False

    def _again(self, lease: Lease, incident: Incident, effect: Effect, failed: Failed, result: str) -> None:
        log.warning("a send failed and is tried again", effect=effect.id, error=failed.error)
        waits = timedelta(seconds=back_off(failed, self._leases.failed(lease)))
        at, urgent = self._context.clock() + waits, incident.policy.urgent
        outbox.retry(self._context.redis, effect.id, at, urgent, held=retry_when_back.is_held(effect, failed))
        metrics.count(self._context.redis, "deliveries_total", kind=effect.kind, result=result)

    def _load(self, effect_id: str) -> Incident | None:
        try:
            return self._context.store.get(incident_of(effect_id))
        except NotFound:
            return None


def _nothing(came: OutcomeEvent | SendResult) -> SendResult:
    """Nothing is sent, and this came of it."""
    return came if isinstance(came, SendResult) else SendResult(came)


def _count(pipe: "Pipeline", effect: Effect, went: SendResult, now: datetime) -> None:
    result = _RESULTS.get(type(went.outcome), "adopted" if went.adopted else "sent")
    metrics.count(pipe, "deliveries_total", kind=effect.kind, result=result)
    if isinstance(effect, SendPage) and isinstance(went.outcome, Delivered):
        metrics.add(pipe, "lateness_seconds", [(now - effect.at).total_seconds()], {"kind": "page"})


_RESULTS: dict[type, str] = {Dropped: "dropped", PersonRefused: "refused"}
