"""Send each effect once: claim it, reload its incident, send, record.

A message that may have been sent before is looked for before it is sent again.
"""

import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from functools import partial

import structlog
from redis import RedisError
from redis.client import Pipeline

from escalation.config.notify import Via
from escalation.config.status_page import STATUS_PAGE
from escalation.errors import NotFound, TooNew
from escalation.incident.effects import ASIDE, SLACK, Effect, Refresh, SendInvitation, SendPage, aside_of
from escalation.incident.events.outcomes import (
    Delivered,
    Dropped,
    IssueUpdated,
    MeetingOpened,
    MessageGone,
    OutcomeEvent,
    PersonRefused,
    RoomOpened,
    Trouble,
)
from escalation.incident.model import Incident
from escalation.storage.alarms import incident_of, ready
from workers import metrics
from workers.channels.failures import Failed, Kind, back_off, bug
from workers.context import Context
from workers.delivery import problems, rate_limits, retry_when_back
from workers.delivery.failure_outcomes import outcome_of
from workers.delivery.links import LinkPlanner
from workers.delivery.plan import Plan, Planned, Planner, RetryAt, SendResult
from workers.delivery.public.invitations import InvitationPlanner
from workers.delivery.public.status_page import StatusPagePlanner
from workers.delivery.slack.planner import SlackPlanner
from workers.queue import ledger, outbox
from workers.queue.leases import Lease, Leases

QUEUED_PER_THREAD = 8  # more than that go back to Redis, where any worker can take them
ASIDE_THREADS = 4  # for systems of the company's: one that hangs delays other actions, and no message
REQUEUE_AFTER = timedelta(seconds=0.5)

log = structlog.get_logger()


class _Threads:
    """Threads, and slots for the effects that they may hold."""

    def __init__(self, count: int, name: str) -> None:
        self.pool = ThreadPoolExecutor(count, thread_name_prefix=name)
        self.slots = threading.Semaphore(count * (1 + QUEUED_PER_THREAD))


class DeliveryPool:
    """Thread pools that carry out the effects of one process."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._leases = Leases(context.redis)
        self._planners: dict[str, Planner] = {
            "": LinkPlanner(context.service),
            SLACK: SlackPlanner(context.slack, context.service),
            STATUS_PAGE: StatusPagePlanner(context.service),
            **{name: planner(context.service) for name, planner in context.channels.others.items()},
        }
        self._invitations = InvitationPlanner(self._planners.get(Via.MAIL), context.slack)
        self._threads = _Threads(context.threads, "send")
        self._aside = {name: _Threads(ASIDE_THREADS, name) for name in ASIDE}

    def deliver(self, effect_ids: list[str]) -> None:
        """Carry out effects concurrently; wait for them for at most `patience` seconds."""
        now = self._context.clock()
        futures = [f for effect_id in effect_ids if (f := self._start(effect_id, now))]
        done, _ = wait(futures, timeout=self._context.patience)
        for future in done:
            future.result()

    def has_capacity(self) -> bool:
        """True if this process can take one more effect."""
        if not self._threads.slots.acquire(blocking=False):
            return False
        self._threads.slots.release()
        return True

    def close(self) -> None:
        """Finish the sends in flight; effects that still wait for a thread go back to Redis."""
        for threads in (self._threads, *self._aside.values()):
            threads.pool.shutdown(wait=True, cancel_futures=True)
        self._leases.close()

    def _start(self, effect_id: str, now: datetime) -> "Future[None] | None":
        """Claim an effect and hand it to a thread. Its lease is held meanwhile, so that no sweep repairs it."""
        threads = self._aside.get(aside_of(effect_id), self._threads)
        if not threads.slots.acquire(blocking=self._context.patience is None):
            self._requeue(effect_id)
            return None
        lease = None
        try:
            lease = self._leases.claim(effect_id, now)
        finally:
            if lease is None:  # nothing to do, or Redis is unavailable: the slot is free again
                threads.slots.release()
        if lease is None:
            return None
        future = threads.pool.submit(self._carry_out, lease)
        future.add_done_callback(partial(self._on_thread_done, threads, lease))
        return future

    def _on_thread_done(self, threads: "_Threads", lease: Lease, future: "Future[None]") -> None:
        """Free the slot; an effect that never got a thread, because this process ends, is requeued for the others."""
        threads.slots.release()
        if future.cancelled():
            self._leases.release(lease, done=False)
            self._requeue(lease.effect)

    def _requeue(self, effect_id: str) -> None:
        """Put an effect back into Redis, to be taken shortly by any worker; once, however many jobs ask for it."""
        now = self._context.clock()
        if not self._leases.put_off(effect_id, now, now + REQUEUE_AFTER):
            return
        try:
            incident = self._load(effect_id)
        except TooNew as newer:
            outbox.postpone_effect(self._context.redis, effect_id, newer, now)
            return
        if incident:
            outbox.retry(self._context.redis, effect_id, now + REQUEUE_AFTER, incident.policy.urgent)

    def _carry_out(self, lease: Lease) -> None:
        """Run in a thread: attempt the effect, once more for each job that asked for it meanwhile."""
        try:
            look_again = self._attempt_and_release(lease)
            while look_again and (next_lease := self._leases.claim(lease.effect, self._context.clock())):
                look_again = self._attempt_and_release(next_lease)
        except RedisError as error:
            log.warning("redis unavailable, delivery not finished", effect=lease.effect, error=type(error).__name__)
            raise
        except Exception:  # top of the thread: no caller may be waiting, and it will be retried
            log.exception("delivery failed", effect=lease.effect)
            metrics.count(self._context.redis, "deliveries_total", kind="any", result="error")
            raise

    def _attempt_and_release(self, lease: Lease) -> bool:
        """Try once and release the lease; True if the effect has to be looked at again."""
        done = look_again = False
        try:
            done = self._attempt(lease)
        except TooNew as newer:  # even after a send: the next worker looks for it before sending again
            outbox.postpone_effect(self._context.redis, lease.effect, newer, self._context.clock())
        finally:
            look_again = self._leases.release(lease, done=done)
        return look_again

    # One effect ------------------------------------------------------------------------------------------------------

    def _attempt(self, lease: Lease) -> bool:
        """Try once; True if nothing is left to do for the effect."""
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
            result = (
                self._send(lease, incident, effect, planned, now) if isinstance(planned, Plan) else _no_send(planned)
            )
        except Failed as failed:
            return self._on_failure(lease, incident, effect, failed)
        except (RedisError, TooNew):
            raise
        except Exception as error:  # told to people before the top of the thread logs it
            self._on_failure(lease, incident, effect, bug(error))
            raise
        if result is None:
            return False
        self._record(incident, effect, result)
        return True

    def _plan(self, incident: Incident, effect: Effect, now: datetime) -> Planned:
        if isinstance(effect, SendInvitation):
            return self._invitations.plan(incident, effect, now)
        planner = self._planners.get(effect.carried_by)
        return planner.plan(incident, effect, now) if planner else Dropped(effect=effect.id, why="it is not set up")

    def _send(self, lease: Lease, incident: Incident, effect: Effect, plan: Plan, now: datetime) -> SendResult | None:
        """Send, unless a rate limit says later or the lease was lost (then None)."""
        if self._context.paced and plan.budget:
            # A leak's public cards are redacted at once; a drill is in nobody's way.
            first = (incident.policy.urgent and not incident.drill) or incident.private
            budget = rate_limits.urgent(plan.budget) if first else plan.budget
            at = rate_limits.reserve(self._context.redis, budget, effect.id, now)
            if at:
                outbox.retry(self._context.redis, effect.id, at, incident.policy.urgent)
                return None
        times = self._leases.begin(lease)
        if not times:
            return None
        try:
            return plan.go(times > 1)
        except Failed as failed:
            raise self._reclassify(failed, effect, plan) from failed

    def _reclassify(self, failed: Failed, effect: Effect, plan: Plan) -> Failed:
        """Reclassify a lost direct-message channel: opened anew once, and if that is lost too, it is the person's."""
        if not plan.person or failed.kind is not Kind.LOST:
            return failed
        self._context.slack.forget_direct_channel(plan.person)
        first = self._leases.once(effect.id, "reopened")
        kind = Kind.PASSING if first and failed.error != "is_archived" else Kind.PERSON
        return Failed(failed.error, kind, channel=failed.channel)

    def _record(self, incident: Incident, effect: Effect, result: SendResult) -> Incident:
        """Write ledger, counters and outcome; release the held retries if this send shows that Slack is back.

        Returns the incident afterwards.
        """
        now = self._context.clock()
        with self._context.redis.pipeline() as pipe:
            ledger.accepted(pipe, effect, result.outcome, now, adopted=result.adopted)
            _count(pipe, effect, result, now)
            if isinstance(result.outcome, Delivered | RoomOpened | MeetingOpened | IssueUpdated):
                problems.clear(pipe, effect, result.about)
            is_back = retry_when_back.is_back(effect, result)
            if is_back:
                pipe.set(retry_when_back.TOOK, repr(now.timestamp()))
            pipe.zcard(outbox.HELD)
            held_count = pipe.execute()[-1]
        after = self._context.service.handle(incident.id, result.outcome)
        if self._deleted_meanwhile(result.outcome):
            after = self._context.service.handle(incident.id, MessageGone(effect=effect.id, shown=effect.id))
        if held_count and is_back:
            retry_when_back.release_all(self._context.redis, now)
        return after

    def _deleted_meanwhile(self, outcome: OutcomeEvent) -> bool:
        """True if the message was deleted by hand before it was recorded: nobody could know then whose it was."""
        if not isinstance(outcome, Delivered) or not outcome.ts:
            return False
        return self._context.store.deleted.has(outcome.channel, outcome.ts)

    def _on_failure(self, lease: Lease, incident: Incident, effect: Effect, failed: Failed) -> bool:
        """Record the failure's outcome, or schedule a retry; True if nothing is left to do."""
        outcome = outcome_of(incident, effect, failed, self._context.clock())
        if _concerns_us(outcome) and failed.kind is not Kind.PERSON and not failed.reported:
            problems.report(self._context.store.problems, effect, failed)
        if isinstance(outcome, MessageGone):
            self._context.service.handle(incident.id, outcome)
            if isinstance(effect, Refresh):
                return True
        elif outcome is not None and not isinstance(outcome, Trouble):
            after = self._record(incident, effect, SendResult(outcome))
            if isinstance(outcome, PersonRefused) and after.effect(effect.id):  # nobody can be reached, or undecided
                self._on_refused_alike(after, effect)
                self._retry(lease, incident, effect, failed, "refused")
                return False
            return True
        if not isinstance(outcome, Trouble):
            self._retry(lease, incident, effect, failed, "retried")
            return False
        known = incident.troubles.get(effect.id) == outcome.why
        if not known:
            _log_trouble(effect, failed, outcome)
        self._context.service.handle(incident.id, outcome)
        self._retry(lease, incident, effect, failed, "trouble", known=known)
        return False

    def _on_refused_alike(self, after: Incident, effect: Effect) -> None:
        """Report that Slack refuses everybody for the same reason, if that is what the incident made of it."""
        if why := after.troubles.get(effect.id):
            text, _, remedy = why.partition(": ")
            self._context.store.problems.report(problems.key_of(effect), text, remedy, blocks=True)

    def _retry(
        self, lease: Lease, incident: Incident, effect: Effect, failed: Failed, result: str, *, known: bool = False
    ) -> None:
        if not known:  # once for each reason, not with every try
            log.warning("send failed, retrying", effect=effect.id, error=failed.error)
        redis, now, urgent = self._context.redis, self._context.clock(), incident.policy.urgent
        times = self._leases.failed(lease)
        at = now + timedelta(seconds=back_off(failed, times, optional=effect.optional))
        held = retry_when_back.is_held(redis, effect, failed, self._leases.failing_since(effect.id, now))
        outbox.retry(redis, effect.id, at, urgent, held=held)
        metrics.count(redis, "deliveries_total", kind=effect.kind, result=result)

    def _load(self, effect_id: str) -> Incident | None:
        try:
            return self._context.store.get(incident_of(effect_id))
        except NotFound:
            return None


def _no_send(outcome: OutcomeEvent | SendResult) -> SendResult:
    """The result of an effect that needs no send."""
    return outcome if isinstance(outcome, SendResult) else SendResult(outcome)


def _log_trouble(effect: Effect, failed: Failed, trouble: Trouble) -> None:
    """Log what people see on the card, in words that say who can end it: time, that person, the response, or us."""
    match failed.kind:
        case _ if trouble.ask:
            log.warning("send waits until the bot is invited", effect=effect.id, error=failed.error, why=trouble.why)
        case Kind.PASSING:
            log.warning("send keeps failing, still retrying", effect=effect.id, error=failed.error, why=trouble.why)
        case Kind.PERSON:
            log.warning("send refused for a person", effect=effect.id, error=failed.error, why=trouble.why)
        case _:
            log.error("send fails, operator action needed", effect=effect.id, error=failed.error, why=trouble.why)


def _concerns_us(outcome: OutcomeEvent | None) -> bool:
    """True if the register of problems has to know: an operator has to act, or it lasts."""
    return isinstance(outcome, Trouble) or (isinstance(outcome, Dropped) and outcome.lasting)


def _count(pipe: "Pipeline", effect: Effect, result: SendResult, now: datetime) -> None:
    label = _RESULT_LABELS.get(type(result.outcome), "adopted" if result.adopted else "sent")
    metrics.count(pipe, "deliveries_total", kind=effect.kind, result=label)
    if isinstance(effect, SendPage) and isinstance(result.outcome, Delivered):
        metrics.add(pipe, "lateness_seconds", [(now - effect.at).total_seconds()], {"kind": "page"})


_RESULT_LABELS: dict[type, str] = {Dropped: "dropped", PersonRefused: "refused"}
