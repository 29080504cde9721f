"""Tickets of open incidents, read every few minutes: GitHub never repeats a webhook. Twins, closed after an hour."""

from collections.abc import Callable
from datetime import datetime

import structlog

from escalation.config.tickets import Vendor
from escalation.errors import NotFound, Refused
from escalation.incident.events.news import IssueSeen
from escalation.incident.model import Incident
from escalation.incident.tickets import mark_of
from escalation.incident.tracked import Issue
from escalation.storage.tickets import TicketRecords
from escalation.values import INCIDENT_ID
from workers.channels.failures import Failed, Kind
from workers.channels.trackers.tracker import Found, TrackerClient
from workers.context import Context
from workers.delivery.problems import report_call

EVERY_SECONDS = 180
POLLED = "tocsin:ticket:polled"

log = structlog.get_logger()


class TicketRounds:
    """Reads tickets. `stopping` ends a round early; a tracker that fails is left alone until the next one."""

    def __init__(self, context: Context, stopping: Callable[[], bool]) -> None:
        self._context = context
        self._records = TicketRecords(context.redis)
        self._stopping = stopping

    def refresh(self, now: datetime) -> None:
        """Read all that is due."""
        if not self._context.redis.set(POLLED, "1", nx=True, ex=EVERY_SECONDS):
            return
        for vendor, client in self._context.channels.trackers.items():
            problem = f"tickets:read:{vendor}"
            try:
                self._read(vendor, client)
                self._close_twins(vendor, client, now)
                self._context.store.problems.clear(problem)
            except Failed as failed:
                log.warning("tickets not read", vendor=vendor, error=failed.error)
                report_call(self._context.store.problems, problem, vendor.words, failed, now, what="tickets")

    def _read(self, vendor: Vendor, client: TrackerClient) -> None:
        for incident in self._context.store.open_incidents():
            issue = incident.issue
            if issue is None or issue.gone or issue.vendor is not vendor or self._stopping():
                continue
            self._tell(incident, issue, _read_one(client, issue))

    def _tell(self, incident: Incident, known: Issue, there: Found) -> None:
        issue = there.issue.model_copy(update={"key": known.key, "url": known.url, "private": known.private})
        if issue == known:
            return
        by = "" if there.by == self._records.me(known.vendor) else there.by
        service = self._context.service
        member = service.company.member_of_login(known.vendor, by, service.store.directory())
        try:
            service.handle(incident.id, IssueSeen(issue=issue, by=member, known_as=by[:100]))
        except Refused as refused:  # during an upgrade: the next round reads it again
            log.warning("ticket not followed", incident=incident.id, why=str(refused))

    def _close_twins(self, vendor: Vendor, client: TrackerClient, now: datetime) -> None:
        for incident_id in filter(INCIDENT_ID.fullmatch, self._records.doubtful(now)):
            incident = self._get(incident_id)
            issue = incident.issue if incident else None
            if incident is None or issue is None:
                self._records.settled(incident_id)
            elif issue.vendor is vendor:
                self._close_twins_of(incident, issue, client)
                self._records.settled(incident_id)

    def _close_twins_of(self, incident: Incident, kept: Issue, client: TrackerClient) -> None:
        tracker = incident.tickets.private if incident.tickets and incident.private else incident.tickets
        if tracker is None or kept.private is not incident.private:  # it is private since: nothing more goes there
            return
        for twin in client.find(tracker, mark_of(incident), incident.declared_at):
            if twin.issue.key != kept.key and twin.issue.open:
                log.warning("second ticket closed", incident=incident.id, kept=kept.key, closed=twin.issue.key)
                client.close_twin(twin.issue.key, kept)

    def _get(self, incident_id: str) -> Incident | None:
        try:
            return self._context.store.get(incident_id)
        except NotFound:
            return None


def _read_one(client: TrackerClient, issue: Issue) -> Found:
    """The ticket as it is there, which may be no more."""
    try:
        return client.read(issue.key)
    except Failed as failed:
        if failed.kind is not Kind.GONE:
            raise
        return Found(issue.model_copy(update={"gone": True}))
