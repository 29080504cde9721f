"""Planner of tickets in trackers: an effect says what to do, the incident as it stands what that means."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from bot.render.common import card_url
from escalation.config.tickets import TICKETS, Vendor
from escalation.incident.effects import Effect, UpdateIssue
from escalation.incident.events.outcomes import Dropped, IssueUpdated
from escalation.incident.model import Incident
from escalation.incident.tickets import mark_of, tracker_of
from escalation.incident.tracked import Issue
from escalation.messages import tickets as words
from escalation.reviews.draft import draft
from escalation.reviews.tracker import ticket_comment
from escalation.service import IncidentService
from escalation.storage.action_items import ActionItems
from escalation.storage.reviews import Reviews
from escalation.storage.tickets import TicketRecords
from escalation.text import Lines
from workers.channels.failures import Failed, Kind
from workers.channels.trackers.tracker import Draft, TrackerClient
from workers.delivery.plan import Plan, Planned, RetryAt, SendResult
from workers.delivery.rate_limits import Budget
from workers.delivery.trackers.creation import TOKENS, Creation

CARD_WITHIN, CARD_LOOK = timedelta(seconds=10), timedelta(seconds=1)  # a ticket links to the card, if Slack takes it
EVERY, BURST = 1.0, 10  # seconds between two changes; GitHub's secondary limit is 80 a minute


class TicketPlanner:
    """Plans what is done in trackers. `clients` are those that are set up."""

    def __init__(self, clients: Mapping[Vendor, TrackerClient], service: IncidentService) -> None:
        self._clients = clients
        self._service = service
        self._records = TicketRecords(service.store.redis)

    def plan(self, incident: Incident, effect: Effect, now: datetime) -> Planned:
        """The change in the tracker, or why there is none to make."""
        if not isinstance(effect, UpdateIssue):
            raise TypeError(f"trackers do not carry {effect.kind}")
        if effect.action == "open":
            return self._plan_open(incident, effect, now)
        issue = incident.issue
        if issue is None or issue.gone or issue.private is not incident.private:
            return Dropped(effect=effect.id, why="there is no ticket")
        client = self._clients.get(issue.vendor)
        if client is None:
            return _not_set_up(effect, issue.vendor)
        work = self._work(incident, effect, client, issue)
        if work is None:
            return Dropped(effect=effect.id, why="moot")
        return Plan(_budget(issue.vendor), partial(_unless_gone, effect, issue, work))

    # Opening -----------------------------------------------------------------------------------------------------

    def _plan_open(self, incident: Incident, effect: UpdateIssue, now: datetime) -> Planned:
        tracker = tracker_of(incident)
        if tracker is None:
            return Dropped(effect=effect.id, why="incidents like this one have no ticket any more")
        client = self._clients.get(tracker.vendor)
        if client is None:
            return _not_set_up(effect, tracker.vendor)
        url = card_url(incident, self._service.store.directory().url)
        if not url and now - effect.at < CARD_WITHIN:
            return RetryAt(now + CARD_LOOK)
        draft = Draft(words.title(incident), words.body(incident, url), mark_of(incident))
        creation = Creation(client, self._records, self._service.store.problems)

        def go(retrying: bool) -> SendResult:
            made = creation.make(effect.id, incident.id, tracker, draft, effect.at, now)
            issue = made.found.issue.model_copy(update={"private": incident.private})
            return SendResult(IssueUpdated(effect=effect.id, issue=issue, lost=made.lost), adopted=made.adopted)

        return Plan(_budget(tracker.vendor), go)

    # The rest ----------------------------------------------------------------------------------------------------

    def _work(
        self, incident: Incident, effect: UpdateIssue, client: TrackerClient, issue: Issue
    ) -> Callable[[bool], SendResult] | None:
        """The change of a ticket, as a Plan's `go`; None if it is moot by now."""
        match effect.action:
            case "comment":
                lines = words.comment(incident, incident.entry(effect.entry))
                return lambda retrying: self._comment(effect, client, issue, lines, retrying)
            case "review":
                review = self._review(incident)
                return lambda retrying: self._comment(effect, client, issue, review, retrying)
            case "rename":
                return lambda retrying: self._rename(effect, client, issue, words.title(incident))
            case "assign":
                logins = self._logins(incident, issue.vendor)
                return (lambda retrying: self._assign(effect, client, issue, logins)) if logins else None
        to_open = effect.action == "reopen"
        if incident.open is not to_open:
            return None
        return lambda retrying: self._set_open(incident, effect, client, issue)

    def _comment(
        self, effect: UpdateIssue, client: TrackerClient, issue: Issue, lines: Lines, retrying: bool
    ) -> SendResult:
        client.comment(issue.key, lines, effect.id, effect.at if retrying else None)
        return SendResult(IssueUpdated(effect=effect.id, issue=issue))

    def _review(self, incident: Incident) -> Lines:
        redis, names = self._service.store.redis, self._service.store.directory().names
        review = draft(incident, Reviews(redis).written(incident.id), ActionItems(redis).of(incident.id))
        return ticket_comment(incident, review, names)

    def _assign(self, effect: UpdateIssue, client: TrackerClient, issue: Issue, logins: Sequence[str]) -> SendResult:
        client.assign(issue.key, logins)
        there = client.read(issue.key).issue
        known = {login.lower() for login in there.assignees}
        lost = tuple(f"the assignee {login}" for login in logins if login.lower() not in known)
        return SendResult(IssueUpdated(effect=effect.id, issue=_kept(issue, there), lost=lost))

    def _rename(self, effect: UpdateIssue, client: TrackerClient, issue: Issue, title: str) -> SendResult:
        client.rename(issue.key, title)
        return SendResult(IssueUpdated(effect=effect.id, issue=_kept(issue, client.read(issue.key).issue)))

    def _set_open(self, incident: Incident, effect: UpdateIssue, client: TrackerClient, issue: Issue) -> SendResult:
        client.set_open(issue.key, incident.open, done=incident.resolution is not None)
        return SendResult(IssueUpdated(effect=effect.id, issue=_kept(issue, client.read(issue.key).issue)))

    def _logins(self, incident: Incident, vendor: Vendor) -> tuple[str, ...]:
        """The logins of the people who are assigned; one assignee is all that Jira has, the latest here."""
        company, directory = self._service.company, self._service.store.directory()
        entries = (company.entry_of(person, directory) for person in incident.assigned)
        logins = tuple(login for entry in entries if entry and (login := entry.login(vendor)))
        return logins[-1:] if vendor is Vendor.JIRA else logins


def _unless_gone(effect: UpdateIssue, issue: Issue, work: Callable[[bool], SendResult], retrying: bool) -> SendResult:
    """Do it, unless the ticket was deleted there."""
    try:
        return work(retrying)
    except Failed as failed:
        if failed.kind is not Kind.GONE:
            raise
        return SendResult(IssueUpdated(effect=effect.id, issue=issue.model_copy(update={"gone": True})))


def _kept(known: Issue, there: Issue) -> Issue:
    """The ticket as it is there now; under the name and address that people know."""
    return there.model_copy(update={"key": known.key, "url": known.url, "private": known.private})


def _budget(vendor: Vendor) -> Budget:
    return Budget(f"{TICKETS}:{vendor}", EVERY, BURST)


def _not_set_up(effect: UpdateIssue, vendor: Vendor) -> Dropped:
    return Dropped(effect=effect.id, why=f"{vendor.words} is not set up: set {TOKENS[vendor]}", lasting=True)
