"""Commitments in GitHub and Jira, through stand-ins: one ticket each, in step with the item in both directions."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Any

import pytest

from escalation.config.tickets import Tracker
from escalation.incident.events.moves import MarkSecurity
from escalation.incident.state.entries import EntryKind
from escalation.reviews.action_items import ActionItem, ItemState, ItemTicket, closed, given_to, item_line, reopened
from escalation.storage.action_items import ActionItems
from tests.support.vendors.github import ME, REPO, GitHubStandIn
from tests.support.vendors.jira import JiraStandIn
from tests.support.vendors.tracked import GITHUB, JIRA, Tracked, tracked
from tests.trackers.test_news import Hooks, hooked
from workers.delivery.trackers.creation import SETTLES
from workers.recurring.action_items.tickets import POLLED, ItemTickets

CLOUD, DATA_CENTER, GITHUB_STAND_IN = "cloud", "data center", "github"
DUE, LATER = date(2024, 12, 31), date(2025, 1, 15)
LOGIN = {GITHUB_STAND_IN: "octocat", CLOUD: "5b10ac8d82e05b22cc7d4ef5", DATA_CENTER: "5b10ac8d82e05b22cc7d4ef5"}
TOLD = "Action item of"


@dataclass
class Case:
    """An incident with a commitment, and the tracker where it is mirrored."""

    tracked: Tracked[Any]

    def __post_init__(self) -> None:
        self.items = ActionItems(self.tracked.parts.redis)
        self.rounds = ItemTickets(self.tracked.parts.context, lambda: False)

    def note(self, text: str = "Alert on the pool for @everyone", **facts: Any) -> ActionItem:
        """Note an item: a commitment of Dana's, unless said otherwise."""
        incident, now = self.tracked.now, self.tracked.parts.clock()
        known: dict[str, Any] = {
            "owner": "UDANA",
            "due": DUE,
            "service": incident.facts.service,
            "private": incident.private,
        } | facts
        return self.items.add(incident.id, lambda new: ActionItem(new, text, "UDANA", now, **known))

    def act(self, seconds: float = 30.0) -> None:
        """Push the clock, and run a round without a read of what is there."""
        self.tracked.parts.clock.push(seconds=seconds)
        self.tracked.parts.redis.set(POLLED, "1")
        self.rounds.refresh(self.tracked.parts.clock())

    def read(self) -> None:
        """Run a round with a read."""
        self.tracked.parts.clock.push(seconds=5)
        self.tracked.parts.redis.delete(POLLED)
        self.rounds.refresh(self.tracked.parts.clock())

    def change(self, step: Any) -> ActionItem:
        """Change the item, and carry it there."""
        self.items.change(self.item.id, step)
        self.act()
        return self.item

    def close_there(self, state: str = "closed") -> None:
        """Close the ticket there, or open it, as somebody does."""
        there, is_open = self.tracked.there, state == "open"
        self.tracked.parts.clock.push(seconds=5)
        if isinstance(there, GitHubStandIn):
            there.set_state(self.number, state, "octocat")
        else:
            there.set_status(self.ticket.key, "To Do" if is_open else "Done")

    @property
    def item(self) -> ActionItem:
        """The item as it stands."""
        [item] = self.items.of(self.tracked.incident.id)
        return item

    @property
    def ticket(self) -> ItemTicket:
        """Its ticket, which there is."""
        assert self.item.ticket
        return self.item.ticket

    @property
    def number(self) -> Any:
        """Its key in the stand-in."""
        return next(n for n, issue in self.tracked.there.issues.items() if TOLD in str(issue))

    @property
    def issues(self) -> list[dict[str, Any]]:
        """Tickets of items there."""
        return [issue for issue in self.tracked.there.issues.values() if TOLD in str(issue)]

    @property
    def is_open(self) -> bool:
        """True if the ticket is open there."""
        [issue] = self.issues
        fields = issue.get("fields")
        return bool(fields["status"]["name"] != "Done" if fields else issue["state"] == "open")

    @property
    def assigned(self) -> list[str]:
        """Whom it is assigned to there."""
        [issue] = self.issues
        if "fields" not in issue:
            return [a["login"] for a in issue["assignees"]]
        assignee = issue["fields"]["assignee"] or {}
        return list(assignee.values())


@pytest.fixture(params=[GITHUB_STAND_IN, CLOUD, DATA_CENTER])
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    there: Any = GitHubStandIn() if request.param == GITHUB_STAND_IN else JiraStandIn(cloud=request.param == CLOUD)
    with tracked(there) as made:
        yield Case(made)


def test_a_commitment_has_one_ticket_with_owner_and_day(case: Case) -> None:
    """However often the round comes; the item links to it, and its words call nobody there."""
    case.note()
    for _ in range(3):
        case.act()
    [issue] = case.issues
    assert case.assigned == [LOGIN[GITHUB_STAND_IN] if "state" in issue else LOGIN[CLOUD]]
    assert "2024-12-31" in str(issue)
    assert "@everyone" not in str(issue)
    assert issue.get("fields", {"duedate": "2024-12-31"})["duedate"] == "2024-12-31"
    assert case.ticket.key in str(item_line(case.item))


def test_an_idea_has_none_until_somebody_promises_it(case: Case) -> None:
    """It becomes a ticket with its owner and its day."""
    case.note(owner="", due=None)
    case.act()
    assert case.issues == []
    case.change(partial(given_to, owner="UDANA", due=DUE))
    assert len(case.issues) == 1


@pytest.mark.parametrize("state", [ItemState.DONE, ItemState.DROPPED])
def test_done_here_is_closed_there_and_open_again_is_open_there(case: Case, state: ItemState) -> None:
    """With the reason, if it was dropped."""
    case.note()
    case.act()
    case.change(partial(closed, state=state, by="UDANA", at=case.tracked.parts.clock(), why="too dear"))
    assert not case.is_open
    said = [c["body"] for several in case.tracked.there.comments.values() for c in several]
    assert ["too dear" in words for words in said] == ([True] if state is ItemState.DROPPED else [])
    case.change(reopened)
    assert case.is_open


def test_closed_there_is_done_here_and_opened_there_is_open_here(case: Case) -> None:
    """Nobody has to say it twice, and nothing is sent back."""
    case.note()
    case.act()
    case.close_there()
    case.read()
    assert case.item.state is ItemState.DONE
    assert "closed in" in case.item.why
    asked = len([r for r in case.tracked.there.requests if r.method != "GET"])
    case.act()
    assert len([r for r in case.tracked.there.requests if r.method != "GET"]) == asked


def test_another_owner_and_day_are_carried(case: Case) -> None:
    """The former one is not assigned any more; the new day is said in a comment, and set where there is a field."""
    case.note()
    case.act()
    case.change(lambda item: replace(item, owner="USOMEBODY", due=LATER))
    [issue] = case.issues
    assert case.assigned == []
    assert any("2025-01-15" in c["body"] for several in case.tracked.there.comments.values() for c in several)
    assert issue.get("fields", {"duedate": "2025-01-15"})["duedate"] == "2025-01-15"


def test_assigned_there_is_theirs_here(case: Case) -> None:
    """Where the configuration knows the login."""
    case.note(owner="USOMEBODY")
    case.act()
    case.tracked.parts.clock.push(seconds=5)
    [issue] = case.issues
    if "fields" in issue:
        issue["fields"] |= {"assignee": case.tracked.there._person(LOGIN[CLOUD]), "duedate": "2025-01-15"}
    else:
        issue["assignees"] = [{"login": "octocat"}]
    case.read()
    assert case.item.owner == "UDANA"
    assert case.item.due == (LATER if "fields" in issue else DUE)
    asked = len([r for r in case.tracked.there.requests if r.method != "GET"])
    case.act()
    assert len([r for r in case.tracked.there.requests if r.method != "GET"]) == asked


@pytest.mark.parametrize("lost", [1, 2])
def test_a_lost_reply_makes_no_second_ticket(case: Case, lost: int) -> None:
    """What a creation without an answer made is found again and adopted."""
    case.note()
    case.tracked.there.lose = lost
    for _ in range(8):
        case.tracked.parts.redis.delete(f"tocsin:ticket:items:wait:{case.item.id}")  # fakeredis counts real seconds
        case.act(SETTLES)
    assert len(case.issues) == 1
    assert case.ticket.open
    assert case.item.trouble == ""


@pytest.mark.parametrize("away", [False, True])
def test_a_second_ticket_is_closed_an_hour_later(away: bool) -> None:
    """A creation that GitHub carried out late leaves one open ticket, also when GitHub is away at that moment."""
    with tracked(GitHubStandIn(swallow=1)) as made:
        case = Case(made)
        case.note()
        for _ in range(2):
            case.act(SETTLES)
            made.parts.redis.delete(f"tocsin:ticket:items:wait:{case.item.id}")
        made.there.deliver_late()
        case.read()
        assert [i["state"] for i in case.issues] == ["open", "open"]
        made.parts.clock.push(hours=1, seconds=60)
        made.there.outage = 503 if away else 0
        case.read()
        made.there.outage = 0
        case.read()
        assert [i["state"] for i in case.issues] == ["open", "closed"]
        assert case.item.state is ItemState.OPEN


def test_what_needs_an_operator_is_a_problem_until_it_is_mended(case: Case) -> None:
    """The item says why it has no ticket, the register of problems what to do about it."""
    case.note()
    case.tracked.there.outage = 401
    case.act()
    [problem] = case.tracked.parts.store.problems.current()
    assert problem.remedy
    assert case.item.trouble
    assert case.item.trouble in str(item_line(case.item))
    case.tracked.there.outage = 0
    case.tracked.parts.redis.delete(f"tocsin:ticket:items:wait:{case.item.id}")
    case.act(61)
    assert case.tracked.parts.store.problems.current() == []
    assert case.item.trouble == ""
    assert case.ticket.open


def test_a_tracker_that_is_away_is_asked_once_a_round(case: Case) -> None:
    """Its other tickets wait too, and come once it is back."""
    for _ in range(3):
        case.note()
    case.tracked.there.outage = 503
    case.act()
    assert len(case.tracked.there.requests) == 1
    assert case.tracked.parts.store.problems.current() == []
    case.tracked.there.outage = 0
    for _ in range(3):
        for item in case.items.all():
            case.tracked.parts.redis.delete(f"tocsin:ticket:items:wait:{item.id}")
        case.act()
    assert len(case.issues) == 3


def test_a_project_without_a_field_for_the_day_has_it_in_words() -> None:
    """The ticket is made all the same, and a new day is a comment."""
    with tracked(JiraStandIn(has_days=False)) as made:
        case = Case(made)
        case.note()
        case.act()
        [issue] = case.issues
        assert "2024-12-31" in issue["fields"]["description"].replace("\\", "")
        case.change(lambda item: replace(item, due=LATER))
        assert len([c for several in made.there.comments.values() for c in several]) == 1
        case.read()
        assert case.item.due == LATER


def test_a_deleted_ticket_leaves_the_item_as_it_is(case: Case) -> None:
    """It is made no second time, and the item is no longer said to have one."""
    case.note()
    case.act()
    case.tracked.there.issues.clear()
    case.read()
    case.act()
    assert case.issues == []
    assert case.item.state is ItemState.OPEN
    assert case.ticket.gone
    assert case.ticket.key not in str(item_line(case.item))


def test_not_planned_there_is_dropped_here() -> None:
    """GitHub says so; what was closed without being worked on is not done."""
    with tracked(GitHubStandIn()) as made:
        case = Case(made)
        case.note()
        case.act()
        case.close_there()
        case.issues[0]["state_reason"] = "not_planned"
        case.read()
        assert case.item.state is ItemState.DROPPED


# By webhook ------------------------------------------------------------------------------------------------------


def github_event(case: Case, action: str, sender: str) -> dict[str, Any]:
    return {
        "action": action,
        "issue": case.issues[0],
        "repository": {"full_name": REPO},
        "sender": {"login": sender},
    }


@pytest.fixture
def hooks() -> Iterator[tuple[Case, Hooks]]:
    with tracked(GitHubStandIn()) as made, hooked(made) as opened:
        case = Case(made)
        case.note()
        case.act()
        yield case, opened


def test_a_webhook_closes_the_item_at_once_and_opens_it_again(hooks: tuple[Case, Hooks]) -> None:
    """By whom it was is known by their login."""
    case, there = hooks
    case.close_there()
    assert there.github(github_event(case, "closed", "octocat")).json()["what"] == "taken"
    assert (case.item.state, case.item.closed_by) == (ItemState.DONE, "UDANA")
    case.close_there("open")
    there.github(github_event(case, "reopened", "stranger"))
    assert case.item.state is ItemState.OPEN
    case.close_there()
    there.github(github_event(case, "closed", "stranger"))
    assert (case.item.closed_by, case.item.why) == ("machine:GitHub", "closed in GitHub by stranger")


def test_our_own_doing_and_foreign_marks_change_nothing(hooks: tuple[Case, Hooks]) -> None:
    """What we closed ourselves, what is older than what is known, and an issue that copied the mark."""
    case, there = hooks
    case.close_there()
    assert there.github(github_event(case, "closed", ME)).json()["what"] == "our own doing"
    told = github_event(case, "closed", "octocat")
    there.github(told | {"issue": told["issue"] | {"number": 99}})
    there.github(told | {"issue": told["issue"] | {"updated_at": "2024-12-01T00:00:00Z"}})
    forged = str(told["issue"]["body"]).replace("-item-1", "-item-9")
    assert there.github(told | {"issue": told["issue"] | {"body": forged}}).json()["what"] == "no item of ours"
    assert case.item.state is ItemState.OPEN


def test_a_jira_webhook_closes_the_item() -> None:
    """As its poll would."""
    with tracked(JiraStandIn()) as made, hooked(made) as there:
        case = Case(made)
        case.note()
        case.act()
        case.close_there()
        user = {"accountId": LOGIN[CLOUD], "displayName": "Dana"}
        told = {"timestamp": 1, "webhookEvent": "jira:issue_updated", "user": user, "issue": case.issues[0]}
        assert there.jira(told).json()["what"] == "taken"
        assert (case.item.state, case.item.closed_by) == (ItemState.DONE, "UDANA")


# Private incidents -----------------------------------------------------------------------------------------------


def test_a_private_incidents_commitment_has_no_ticket() -> None:
    """Nothing of a security incident goes to a tracker that is not named for it."""
    with tracked(GitHubStandIn(), severity="P1", security=True) as made:
        case = Case(made)
        case.note("SECRET-MARKER")
        case.act()
        case.read()
        assert made.there.requests == []


def test_a_private_tracker_gets_id_severity_and_link_only() -> None:
    """Where one is named the ticket is there, without a word of the item's, and is closed with it."""
    tickets = GITHUB.model_copy(update={"private": Tracker(jira="OPS")})
    with tracked(JiraStandIn(), tickets, "P1", security=True, title="SECRET-MARKER") as made:
        case = Case(made)
        case.note("SECRET-MARKER")
        case.act()
        case.change(partial(closed, state=ItemState.DROPPED, by="UDANA", at=made.parts.clock(), why="SECRET-MARKER"))
        assert not case.is_open
        assert case.ticket.private
        assert not [r for r in made.there.requests if "SECRET-MARKER" in r.body or "2024-12-31" in r.body]


@pytest.mark.parametrize("opened", [True, False])
def test_a_ticket_is_left_alone_once_the_incident_is_private(opened: bool) -> None:
    """Nothing more goes there, not even its end; the item says that it stands in the open."""
    with tracked(GitHubStandIn()) as made:
        case = Case(made)
        case.note()
        if opened:
            case.act()
        before = len(made.there.requests)
        made.parts.service.handle(made.incident.id, MarkSecurity(by="UDANA", why="SECRET-MARKER"))
        assert case.item.private
        [exposed] = made.entries(EntryKind.EXPOSED)
        assert ("action_items" in exposed.fields["elsewhere"].split()) is opened
        case.change(partial(closed, state=ItemState.DONE, by="UDANA", at=made.parts.clock()))
        case.read()
        assert len([r for r in made.there.requests[before:] if r.method != "GET"]) == 0
        assert ("delete it there" in str(item_line(case.item))) is opened


def test_a_drill_has_none() -> None:
    """What is only practised is in no tracker."""
    with tracked(JiraStandIn(), JIRA) as made:
        case = Case(made)
        drill = made.parts.service.declare("UDANA", made.incident.severity, made.incident.facts, drill_speed=1.0)
        case.items.add(drill.id, lambda new: ActionItem(new, "x", "UDANA", made.parts.clock(), "UDANA", DUE))
        case.act()
        assert made.there.issues == {}
