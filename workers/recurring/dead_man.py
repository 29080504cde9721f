"""Slack as our dead man: keep in its queue what it would send if nothing of ours ran any more.

A round compares what should stand there with the records of what does, schedules what is missing, and calls off what is
over. It runs after each change of an urgent incident, at most every two seconds, in whichever worker holds the lease.
"""

import re
import threading
import uuid
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import structlog
from redis import RedisError

from bot.render.common import card_url
from bot.render.pages import STOOD_IN, stand_in
from escalation.dead_man import BEHIND, StandIn, is_awaited, stand_ins
from escalation.errors import NotFound, TooNew
from escalation.incident.model import Incident
from escalation.storage.problems import RECURRING
from escalation.storage.surfaces import SCHEDULED
from workers.channels.failures import Failed, Kind
from workers.channels.slack_scheduled import FURTHEST, NO_FIELD, NOT_THERE, TOO_MANY, UNDELETABLE
from workers.context import Context
from workers.delivery import rate_limits
from workers.delivery.members import Members
from workers.delivery.people.stand_ins import block_id
from workers.delivery.problems import report_call
from workers.delivery.rate_limits import Budget
from workers.queue.stand_ins import Record, Records

EVERY = 2.0  # seconds
PER_INCIDENT = 0.05  # seconds: hundreds are looked at less often, and still well before the undeletable minute
LONGEST_PAUSE = 40.0  # seconds
FULLY = 15.0  # seconds after which a round looks at everything, changed or not
LEASE = "tocsin:stand-ins:lease"
LEASE_SECONDS = 60
MOST_CALLS = 20  # of either kind in a round, each a second or less: the lease outlasts them
# Tier 3 allows 50 calls a minute of each method. What is over goes first: it would ring for nothing.
CALL_OFF, SCHEDULE = Budget("call-off", 60 / 45, 20), Budget("scheduled", 60 / 45, 20)
POSTED_WITHIN = timedelta(minutes=2)  # after its time Slack has posted it, or never will
PROBLEM, REFUSED = "stand-ins", "slack:stand-ins"
# As bot.render.pages.stand_in writes it: mark, severity, and a title unless the incident is private.
_OURS = re.compile(rf"^\S+ \S+(?P<title> .*)?\. {STOOD_IN} \((?P<incident>INC-[0-9]+-[0-9]+)\)", re.DOTALL)
REMEDY = "nothing: they page as always. Run the watchdog on another host, for the case that all of Tocsin is down"

log = structlog.get_logger()


class DeadMan:
    """Keeps the stand-ins of this installation, from any process."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._slack = context.slack
        self._records = Records(context.redis)
        self._wanted = context.service.company.slack_dead_man
        self._lock = threading.Lock()
        self._last = self._last_full = float("-inf")
        self._pause = EVERY
        self._seen: object = None
        self._listed = False

    def start_due(self, now: datetime) -> None:
        """Start a round in a thread, unless one was lately or runs. Its errors are logged: the next one tries again."""
        if now.timestamp() - self._last >= self._pause and self._lock.acquire(blocking=False):
            self._last = now.timestamp()
            threading.Thread(target=self._round, args=(now,), name="dead man", daemon=True).start()

    def _round(self, now: datetime) -> None:
        try:
            self.reconcile(now)
        except RedisError as error:
            log.warning("redis unavailable, stand-ins waiting", error=type(error).__name__)
        except Exception as error:  # top of the thread
            log.exception("stand-ins failed")
            self._context.store.problems.report_bug("Slack's stand-ins of pages", error, kept=RECURRING)
        finally:
            self._lock.release()

    def reconcile(self, now: datetime) -> None:
        """Make Slack's queue hold what it should, as far as Slack and its limits let us."""
        incidents = {i.id: i for i in self._context.store.urgent_with_work()} if self._wanted else {}
        self._pause = min(max(EVERY, PER_INCIDENT * len(incidents)), LONGEST_PAUSE)
        records = self._records.all()
        inputs = self._context.store.roster_inputs()
        seen = (tuple(i.stamp for i in incidents.values()), inputs.state.stamp, frozenset(records.items()))
        waits = any(r.stand_in.post_at - UNDELETABLE.total_seconds() <= now.timestamp() for r in records.values())
        if seen == self._seen and not waits and now.timestamp() - self._last_full < FULLY:
            return
        token = uuid.uuid4().hex
        if not self._context.redis.set(LEASE, token, nx=True, ex=LEASE_SECONDS):
            return
        try:
            _Round(self._context, now, incidents, records, first=not self._listed).run()
            self._seen, self._last_full, self._listed = seen, now.timestamp(), True
            self._context.store.problems.clear(REFUSED)
        except Failed as failed:
            log.warning("stand-ins not kept, trying again", error=failed.error)
            if failed.kind in (Kind.PASSING, Kind.OURS):
                what = "Slack does not take the stand-ins of pages"
                report_call(self._context.store.problems, REFUSED, "Slack", failed, now, what=what)
            self._last = now.timestamp() + failed.wait
        finally:
            if self._context.redis.get(LEASE) == token.encode():
                self._context.redis.delete(LEASE)


class _Paused(Exception):
    """The calls of one kind are used up in this round."""


class _Round:
    """One round. `first`: of this process, which looks at what stands in Slack."""

    def __init__(
        self,
        context: Context,
        now: datetime,
        incidents: dict[str, Incident],
        records: dict[str, Record],
        *,
        first: bool,
    ) -> None:
        self._context, self._slack, self._now = context, context.slack, now
        self._records = Records(context.redis)
        self._incidents, self._known, self._first = incidents, records, first
        self._members = Members(context.service, context.slack)
        self._calls = Counter[str]()

    def run(self) -> None:
        """Call off what is over, then schedule what is missing, the soonest first. Raises Failed."""
        wanted = {s.key: s for i in self._incidents.values() for s in stand_ins(i, self._context.service.upcoming(i))}
        with suppress(_Paused):
            lost = any(not r.scheduled and not r.refused for r in self._known.values())
            if lost or (self._first and (self._known or wanted) and self._slack.surfaces.on(SCHEDULED)):
                self._look_at_slack(wanted)
            for key, record in self._known.items():
                if key not in wanted and not self._is_awaited(record.stand_in):
                    self._call_off(record)
        with suppress(_Paused):
            for stand in sorted(wanted.values(), key=lambda s: s.post_at):
                known = self._known.get(stand.key)
                if known is None or not (known.scheduled or known.refused):
                    self._schedule(stand)
        self._report()

    def _is_awaited(self, stand: StandIn) -> bool:
        incident = self._incidents.get(stand.incident) or self._load(stand.incident)
        return incident is not None and self._context.service.company.slack_dead_man and is_awaited(stand, incident)

    def _load(self, incident_id: str) -> Incident | None:
        try:
            return self._context.store.get(incident_id)
        except (NotFound, TooNew):
            return None

    # Slack's queue ---------------------------------------------------------------------------------------------------

    def _look_at_slack(self, wanted: Mapping[str, StandIn]) -> None:
        try:
            self._find_standing(wanted)
        except Failed as failed:
            if failed.kind in (Kind.PASSING, Kind.TOKEN):
                raise
            self._switch_off(failed)

    def _switch_off(self, failed: Failed) -> None:
        """Do without: what is refused, or answered without what we need, is refused for good."""
        log.warning("slack takes no scheduled messages", error=failed.error)
        self._slack.surfaces.switch_off(SCHEDULED, failed.error)

    def _find_standing(self, wanted: Mapping[str, StandIn]) -> None:
        """Adopt what stands in Slack: whose reply was lost, or whose record. Of an unknown incident it is not ours."""
        self._spend(SCHEDULE, "list")
        standing = {
            (row.channel, row.post_at, found["incident"], not found["title"]): row
            for row in self._slack.scheduled.standing()
            if (found := _OURS.search(row.text))
        }
        for stand in wanted.values():
            if stand.key not in self._known:
                record = self._addressed(stand)
                if record and _place(record) in standing:
                    self._keep(record)
        for key, record in list(self._known.items()):
            row = standing.pop(_place(record), None)
            if row and row.id != record.scheduled:
                self._keep(record.model_copy(update={"scheduled": row.id}))
            elif not row and not record.scheduled and record.stand_in.sends_at > self._now:
                self._records.drop(record)
                del self._known[key]
        for (channel, post_at, incident, private), row in standing.items():
            if self._load(incident):
                due = datetime.fromtimestamp(post_at, UTC) - BEHIND
                somebody = StandIn(incident=incident, person=channel, tier=0, due=due, private=private)
                self._keep(Record(stand_in=somebody, member="", channel=channel, scheduled=row.id))

    def _schedule(self, stand: StandIn) -> None:
        surfaces, incident = self._slack.surfaces, self._incidents[stand.incident]
        # In the last minute it could not be called off any more.
        if not self._now + UNDELETABLE < stand.sends_at < self._now + FURTHEST or not surfaces.on(SCHEDULED):
            return
        record = self._addressed(stand)
        if record is None:
            return
        self._spend(SCHEDULE, stand.key)
        try:
            self._keep(record)
            link = card_url(incident, self._slack.workspace_url())
            message = stand_in(incident, stand.tier, stand.due, block_id(record), "" if incident.private else link)
            scheduled = self._slack.scheduled.schedule(record.channel, message, stand.post_at)
            self._keep(record.model_copy(update={"scheduled": scheduled}))
        except Failed as failed:
            self._not_scheduled(record, failed)

    def _addressed(self, stand: StandIn) -> Record | None:
        """Return the record of a stand-in that is about to be; None for somebody whom Slack does not reach."""
        try:
            member = self._members.member(stand.person)
            return Record(stand_in=stand, member=member, channel=self._slack.direct_channel(member))
        except Failed as failed:
            if failed.kind is not Kind.PERSON:
                raise
            return None

    def _not_scheduled(self, record: Record, failed: Failed) -> None:
        if failed.error == TOO_MANY:
            self._keep(record.model_copy(update={"refused": True}))
            return
        unknown = failed.kind is Kind.PASSING or failed.error.startswith(NO_FIELD)
        if failed.error == "ratelimited" or not unknown:  # certainly not scheduled
            self._records.drop(record)
            del self._known[record.stand_in.key]
        if failed.kind in (Kind.PASSING, Kind.TOKEN):
            raise failed
        if failed.kind is Kind.LOST:
            self._slack.forget_direct_channel(record.member)
        elif failed.kind is not Kind.PERSON and failed.error != "time_in_past":
            self._switch_off(failed)

    def _call_off(self, record: Record) -> None:
        """Delete a message before it is posted; in its last minute, and after it, once it stands there."""
        left = record.stand_in.sends_at - self._now
        if record.refused:
            self._records.drop(record)
        elif left > UNDELETABLE and record.scheduled:
            self._spend(CALL_OFF, record.stand_in.key)
            try:
                self._slack.scheduled.delete(record.channel, record.scheduled)
            except Failed as failed:
                if failed.error == NOT_THERE:  # deleted by hand, or Slack's clock is ahead: its time will show
                    return
                raise
            self._records.drop(record)
        elif left <= timedelta():
            self._delete_posted(record)

    def _delete_posted(self, record: Record) -> None:
        """Delete what Slack posted though it need not have."""
        self._spend(CALL_OFF, record.stand_in.key)
        sent = self._slack.find_block(record.channel, block_id(record), record.stand_in.sends_at)
        if sent:
            self._slack.delete(sent.channel, sent.ts)
        if sent or self._now - record.stand_in.sends_at > POSTED_WITHIN:
            self._records.drop(record)

    # Keeping --------------------------------------------------------------------------------------------------------

    def _keep(self, record: Record) -> None:
        self._records.keep(record)
        self._known[record.stand_in.key] = record

    def _spend(self, budget: Budget, ticket: str) -> None:
        """Count a call. Raises _Paused when this round has made enough of its kind, or Slack's limit is near."""
        self._calls[budget.key] += 1
        name = f"{budget.key}:{ticket}"
        paced = self._context.paced and rate_limits.reserve(self._context.redis, budget, name, self._now)
        if self._calls[budget.key] > MOST_CALLS or paced:
            raise _Paused

    def _report(self) -> None:
        """Say for how many pages Slack has no room: it takes thirty of a conversation in five minutes."""
        problems = self._context.store.problems
        refused = sum(record.refused for record in self._records.all().values())
        if refused:
            text = f"Slack takes no more scheduled messages in some minutes: {refused} pages have no stand-in"
            problems.report(PROBLEM, text, REMEDY)
        elif problems.known(PROBLEM):
            problems.clear(PROBLEM)


def _place(record: Record) -> tuple[str, int, str, bool]:
    """What tells a message in Slack's queue from others of ours."""
    return record.channel, record.stand_in.post_at, record.stand_in.incident, record.stand_in.private
