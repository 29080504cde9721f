"""The canary: a synthetic alert travels from the intake, through the queue of alerts, to a message in a quiet channel.

It is no incident and stands in no list; only its time is kept. One is sent in each period, by whichever worker is
first; when none arrives in time that is a fault of ours, which ends with the next arrival.
"""

import threading
from datetime import datetime, timedelta

import structlog
from redis import RedisError

from bot.render.blockkit import Message
from escalation.storage.canary import SOURCE
from escalation.storage.intake import Body, Intake
from workers import metrics
from workers.channels import Tag
from workers.channels.failures import Failed
from workers.context import Context
from workers.delivery.destinations import Destinations
from workers.delivery.members import Members
from workers.queue.outbox import post_alerts

PROBLEM = "canary"
LATE = timedelta(seconds=30)  # as LOST_AFTER of a page
REMEDY = "`tocsin doctor` shows whether Redis, the workers, Slack and the canary's channel work"

log = structlog.get_logger()


class CanarySender:
    """Sends the canary of each period, and reports one that does not arrive."""

    def __init__(self, context: Context) -> None:
        self._store = context.service.store
        self._intake = Intake(context.redis, post_alerts)
        self._canary = context.service.company.canary
        self._slot = -1

    def send_due(self, now: datetime) -> None:
        """Send the canary of this period unless it was sent, and look after the last one. Raises RedisError."""
        if self._canary is None:
            if self._slot == -1 and self._store.canary.forget():
                self._store.problems.clear(PROBLEM)
            self._slot = 0
            return
        slot = int(now.timestamp() // self._canary.every.total_seconds())
        if slot != self._slot:
            if self._store.canary.departs(slot, now, self._canary.every):
                self._intake.keep(Body(f"canary-{slot}", SOURCE, now.timestamp(), b"{}"))
            self._slot = slot
            self._look_after(now)
        elif now.timestamp() - slot * self._canary.every.total_seconds() >= LATE.total_seconds():
            self._look_after(now)

    def _look_after(self, now: datetime) -> None:
        waits = self._store.canary.waits_since()
        if waits is not None and now.timestamp() - waits >= LATE.total_seconds():
            text = "the canary did not arrive: alerts may not become messages"
            if self._store.problems.report(PROBLEM, text, REMEDY):
                log.error("canary did not arrive", waits=round(now.timestamp() - waits))


class CanaryReceiver:
    """Posts a canary that has come through the queue of alerts, in a thread: alerts never wait for it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._destinations = Destinations(context.service, context.slack, Members(context.service, context.slack))

    def take(self, body: Body) -> None:
        """Post a canary. With `patience` None wait for that."""
        thread = threading.Thread(target=self._post, args=(body,), name="canary", daemon=True)
        thread.start()
        if self._context.patience is None:
            thread.join()

    def _post(self, body: Body) -> None:
        service, slack = self._context.service, self._context.slack
        if service.company.canary is None:
            return
        message = Message("Canary: alerts are taken in and become messages. Nothing has to be done.")
        try:
            self._destinations.reach(service.company.canary.channel, lambda c: slack.post(c, message, Tag(body.id, 0)))
            took = service.store.canary.arrived(body.at, self._context.clock())
            metrics.observe(self._context.redis, "canary_seconds", took)
            if took < LATE.total_seconds():
                service.store.problems.clear(PROBLEM)
        except (Failed, RedisError) as error:
            log.warning("canary not posted", error=str(error))
