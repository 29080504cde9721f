"""Workers whose incidents have tickets in a tracker's stand-in."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, TypeVar

from escalation.config.tickets import TICKETS, Tickets, Vendor
from escalation.incident.effects import UpdateIssue
from escalation.incident.events.moves import MoveEvent
from escalation.incident.model import Incident
from escalation.incident.state.entries import Entry, EntryKind
from escalation.incident.tracked import Issue
from tests.support.vendors import github, jira
from tests.support.vendors.server import running
from tests.support.worker import Works, redis_of, works
from workers.channels import Channels
from workers.channels.trackers.github import GitHubClient
from workers.channels.trackers.jira import JiraClient
from workers.channels.trackers.tracker import TrackerClient
from workers.delivery.deliver import DeliveryPool
from workers.delivery.trackers.tickets import CARD_WITHIN, TicketPlanner

GITHUB = Tickets(github=github.REPO)
JIRA = Tickets(jira=jira.PROJECT)
S = TypeVar("S", github.GitHubStandIn, jira.JiraStandIn)


@dataclass
class Tracked(Generic[S]):
    """An incident at work, and the tracker that its ticket is in."""

    parts: Works
    there: S
    incident: Incident

    def act(self, seconds: float = 0.0) -> Incident:
        """Push the clock, and carry out what the tracker is owed, in its order; nothing else is sent."""
        self.parts.clock.push(seconds=seconds)
        pool = DeliveryPool(self.parts.context)
        for _ in range(10):
            pending = [e for e in self.now.effects if isinstance(e, UpdateIssue)]
            before = len(pending)
            pool.deliver([e.id for e in pending[:1]])
            if len([e for e in self.now.effects if isinstance(e, UpdateIssue)]) in (0, before):
                break
        pool.close()
        return self.now

    def do(self, event: MoveEvent) -> Incident:
        """Make a move, and carry out what follows there."""
        self.parts.service.handle(self.incident.id, event)
        return self.act()

    @property
    def now(self) -> Incident:
        """The incident as it stands."""
        return self.parts.now(self.incident)

    @property
    def issue(self) -> Issue:
        """Its ticket, which there is."""
        assert self.now.issue
        return self.now.issue

    def entries(self, kind: EntryKind = EntryKind.ISSUE) -> list[Entry]:
        """What its timeline says about the ticket."""
        return [e for e in self.now.timeline if e.kind is kind]


def client_of(there: Any) -> TrackerClient:
    """A client of a stand-in."""
    if isinstance(there, github.GitHubStandIn):
        return GitHubClient(github.TOKEN, there.url)
    return JiraClient(there.url, jira.USER if there.cloud else "", jira.TOKEN)


@contextmanager
def tracked(there: S, tickets: Tickets | None = None, severity: str = "P2", **facts: Any) -> Iterator[Tracked[S]]:
    """An incident whose ticket is due: no card is posted, so that it goes without a link."""
    wanted = tickets or (GITHUB if isinstance(there, github.GitHubStandIn) else JIRA)
    with redis_of("fakeredis") as redis, running(there):
        parts = works(redis)
        there.now = parts.clock
        dana = parts.service.company.people["dana"].model_copy(
            update={"slack": "UDANA", "github": "octocat", "jira": "5b10ac8d82e05b22cc7d4ef5"}
        )
        people = {**parts.service.company.people, "dana": dana}
        parts.service.company = parts.service.company.model_copy(update={"tickets": wanted, "people": people})
        vendors: dict[Vendor, TrackerClient] = {(made := client_of(there)).vendor: made}
        others = {TICKETS: partial(TicketPlanner, vendors)}
        parts.context = replace(
            parts.context, channels=Channels(parts.context.slack, others, trackers=vendors), paced=False
        )
        incident = parts.declare(severity, **facts)
        parts.clock.push(seconds=CARD_WITHIN.total_seconds())
        yield Tracked(parts, there, incident)
