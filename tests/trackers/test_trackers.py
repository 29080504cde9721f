"""Tickets in GitHub and Jira, through stand-ins: once each, in step with the incident, adopted after lost replies."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from escalation.config.policy import Severity
from escalation.config.tickets import Tickets, Tracker
from escalation.incident.effects import UpdateIssue
from escalation.incident.events.moves import (
    Acknowledge,
    Cancel,
    ChangeSeverity,
    Edit,
    Escalate,
    MarkSecurity,
    Reopen,
    Resolve,
)
from escalation.incident.state.entries import EntryKind
from escalation.storage.indexes import ALARMS
from tests.support.story import kars
from tests.support.vendors.github import GitHubStandIn
from tests.support.vendors.jira import JiraStandIn
from tests.support.vendors.tracked import GITHUB, JIRA, Tracked, tracked
from tests.support.waiting import eventually
from workers.channels.trackers import calls
from workers.delivery.trackers.creation import SETTLES

RESOLVE = Resolve(by="UDANA", summary="The pool was full", resolution="Doubled it")
RAISE = ChangeSeverity(by="UDANA", policy=kars().severities[Severity.P1], why="Worse for @everyone, see #12")
GITHUB_STAND_IN, CLOUD, DATA_CENTER = "github", "cloud", "data center"


@pytest.fixture(params=[GITHUB_STAND_IN, CLOUD, DATA_CENTER])
def case(request: pytest.FixtureRequest) -> Iterator[Tracked[Any]]:
    """A P2 in each of the trackers."""
    there: Any = GitHubStandIn() if request.param == GITHUB_STAND_IN else JiraStandIn(cloud=request.param == CLOUD)
    with tracked(there) as made:
        yield made


def comments(case: Tracked[Any]) -> list[str]:
    return [c["body"] for several in case.there.comments.values() for c in several]


def is_open(case: Tracked[Any]) -> bool:
    [issue] = case.there.issues.values()
    fields = issue.get("fields")
    return bool(fields["status"]["name"] != "Done" if fields else issue["state"] == "open")


def test_a_ticket_is_opened_and_its_link_is_on_the_timeline(case: Tracked[Any]) -> None:
    """One ticket, named on the incident, with an entry that links to it."""
    case.act()
    case.act(60)
    assert len(case.there.issues) == 1
    [entry] = case.entries()
    assert entry.fields["what"] == "opened"
    assert entry.fields["url"] == case.issue.url
    assert case.issue.open


def test_an_escalation_and_a_severity_are_comments_once(case: Tracked[Any]) -> None:
    """Each is said there once, though the reply to it gets lost."""
    case.act()
    case.there.lose = 1
    case.do(RAISE)
    case.do(Escalate(by="UDANA"))
    case.act(60)
    case.act(60)
    heads = [c.splitlines()[0].strip("*") for c in comments(case)]
    assert [h.split(" (")[0].rstrip("*") for h in heads][:1] == ["Severity changed from P2 to P1"]
    assert len([h for h in heads if h.startswith("Escalated: tier")]) == 1
    assert len(heads) == 2


def test_a_corrected_title_is_corrected_there(case: Tracked[Any]) -> None:
    """The ticket is found by what the incident is called now."""
    case.act()
    case.do(Edit(by="UDANA", title="Search is down"))
    [issue] = case.there.issues.values()
    assert issue.get("title", issue.get("fields", {}).get("summary")) == f"{case.now.id}: Search is down"
    assert [e.fields["what"] for e in case.entries()] == ["opened", "rename"]


def test_the_end_closes_it_and_a_reopened_incident_opens_it_again(case: Tracked[Any]) -> None:
    """Closed with the resolution as its last comment; reopened with the incident."""
    case.act()
    case.do(RESOLVE)
    assert not is_open(case)
    assert "Doubled it" in comments(case)[-1]
    assert not case.issue.open
    case.do(Reopen(by="UDANA", why="It is back"))
    assert is_open(case)
    assert case.issue.open


def test_a_false_alarm_closes_it(case: Tracked[Any]) -> None:
    """Also of what was no incident at all."""
    case.act()
    case.do(Cancel(by="UDANA", why="A test"))
    assert not is_open(case)


def test_a_person_with_a_login_is_assigned(case: Tracked[Any]) -> None:
    """Whoever acknowledges has the ticket, where the configuration knows their login."""
    case.act()
    case.do(Acknowledge(by="UDANA"))
    assert case.issue.assignees
    [_, assigned] = case.entries()
    assert (assigned.fields["what"], assigned.fields.get("lost")) == ("assign", None)


@pytest.mark.parametrize("lost", [1, 2])
def test_a_lost_reply_makes_no_second_ticket(case: Tracked[Any], lost: int) -> None:
    """What a creation without an answer made is found again and adopted."""
    case.there.lose = lost
    for _ in range(8):
        case.act(SETTLES)
    assert len(case.there.issues) == 1
    assert case.issue.open
    assert [e.fields["what"] for e in case.entries()] == ["opened"]


def test_a_tracker_that_answers_too_late_has_one_ticket(case: Tracked[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """What it carries out after we gave up is adopted; meanwhile nothing waits for it."""
    monkeypatch.setattr(calls, "TIMEOUT", 0.2)
    case.there.hang = threading.Event()
    case.act()
    assert case.now.issue is None
    case.there.hang.set()
    eventually(lambda: case.there.issues)
    for _ in range(3):
        case.act(SETTLES)
    assert len(case.there.issues) == 1
    assert case.issue.open


def test_a_tracker_that_never_answers_is_said_and_given_up_after_a_day(case: Tracked[Any]) -> None:
    """The card says that there is no ticket, nothing else waits for it, and after a day nobody tries any more."""
    case.there.outage = 503
    for _ in range(6):
        case.act(120)
    name = "GitHub" if isinstance(case.there, GitHubStandIn) else "Jira"
    [why] = case.now.troubles.values()
    assert why == f"{name} does not take tickets ({name.lower()}: 503)"
    [problem] = case.parts.store.problems.current()
    assert problem.text == why
    assert f"the status page of {name}" in problem.remedy
    for _ in range(26):
        case.act(3600)
    asked = len(case.there.requests)
    case.act(3600)
    assert len(case.there.requests) == asked
    assert case.now.issue is None
    assert [e for e in case.now.effects if isinstance(e, UpdateIssue)] == []
    assert [e.why for e in case.now.timeline if e.kind is EntryKind.TROUBLE] == [why]


def test_cloud_is_searched_twice_half_a_minute_apart() -> None:
    """Jira Cloud shows a new ticket late: the second search finds it."""
    with tracked(JiraStandIn(lose=1, lag=1)) as case:
        for _ in range(4):
            case.act(SETTLES)
        assert len(case.there.issues) == 1
        assert case.issue.key == "OPS-1"


@pytest.mark.parametrize("status", [401, 403, 404, 422])
def test_a_refusal_of_us_is_said_and_the_ticket_comes_once_it_is_mended(status: int) -> None:
    """The card and the register of problems say what to do; nothing is lost, and nobody is paged for it."""
    with tracked(GitHubStandIn(refuse=status)) as case:
        case.act()
        [why] = case.now.troubles.values()
        [problem] = case.parts.store.problems.current()
        assert "GitHub" in why
        assert problem.key == "tickets:issue:github"
        assert problem.remedy
        case.there.refuse = 0
        case.act(61)
        assert case.issue.key == "acme/shop#1"
        assert case.parts.store.problems.current() == []


def test_a_rate_limit_is_waited_for() -> None:
    """403 with Retry-After is no refusal: the ticket comes when GitHub takes it, and not before."""
    with tracked(GitHubStandIn(refuse=403, retry_after="120")) as case:
        case.act()
        assert case.now.troubles == {}
        [effect] = [e for e in case.now.effects if isinstance(e, UpdateIssue)]
        due = case.parts.redis.zscore(ALARMS, f"e:{effect.id}")
        assert isinstance(due, float)
        assert due - case.parts.clock.seconds() == pytest.approx(120)
        case.there.refuse = 0
        case.act(121)
        assert case.issue.open


def test_labels_dropped_in_silence_are_noticed() -> None:
    """Without push access GitHub leaves labels out: the timeline and the operator hear of it."""
    with tracked(GitHubStandIn(push=False)) as case:
        case.act()
        [entry] = case.entries()
        assert entry.fields["lost"] == "the label incident"
        assert [p.key for p in case.parts.store.problems.current()] == ["tickets:left out:github:acme/shop"]
        case.do(Acknowledge(by="UDANA"))
        assert case.entries()[-1].fields["lost"] == "the assignee octocat"


def test_a_renamed_repository_is_followed() -> None:
    """GitHub redirects to the new name, a creation too."""
    with tracked(GitHubStandIn(renamed="acme/store")) as case:
        case.act()
        case.do(RESOLVE)
        assert not is_open(case)


def test_a_workflow_that_asks_for_a_resolution_gets_one() -> None:
    """Done, where a transition requires a resolution."""
    values = {"resolution": {"allowedValues": [{"id": "1", "name": "Won't Do"}, {"id": "2", "name": "Done"}]}}
    with tracked(JiraStandIn(required=values)) as case:
        case.act()
        case.do(RESOLVE)
        assert not is_open(case)


@pytest.mark.parametrize("given", [True, False])
def test_a_project_that_requires_more_fields_gets_them(given: bool) -> None:
    """Those of the configuration; without them the trouble names the field."""
    fields = {"customfield_10010": {"value": "Production"}} if given else {}
    with tracked(JiraStandIn(mandatory=("customfield_10010",)), Tickets(jira="OPS", fields=fields)) as case:
        case.act()
        assert bool(case.now.issue) is given
        assert ["customfield_10010" in why for why in case.now.troubles.values()] == ([] if given else [True])


def test_a_workflow_that_asks_for_more_is_said() -> None:
    """What only a person can fill in is left to one: the timeline says which ticket, and why."""
    with tracked(JiraStandIn(required={"customfield_1": {}})) as case:
        case.act()
        case.do(RESOLVE)
        [trouble] = [e for e in case.now.timeline if e.kind is EntryKind.TROUBLE]
        assert "OPS-1 cannot be closed in Jira: its workflow asks for customfield_1" in trouble.why


def test_a_deleted_ticket_is_said_once(case: Tracked[Any]) -> None:
    """Nothing more is sent to a ticket that is gone."""
    case.act()
    case.there.issues.clear()
    case.do(RAISE)
    case.do(Escalate(by="UDANA"))
    assert [e.fields["what"] for e in case.entries()] == ["opened", "deleted"]
    assert [e for e in case.now.effects if isinstance(e, UpdateIssue)] == []


# Private incidents -----------------------------------------------------------------------------------------------


def test_a_private_incident_has_no_ticket() -> None:
    """Nothing of a security incident goes to a tracker that is not named for it."""
    with tracked(GitHubStandIn(), severity="P1", security=True, title="SECRET-MARKER") as case:
        case.act()
        case.do(Escalate(by="UDANA"))
        assert case.there.requests == []


def test_a_private_tracker_gets_id_severity_and_link_only() -> None:
    """Where one is named the ticket is there, without a word of the incident's."""
    tickets = GITHUB.model_copy(update={"private": Tracker(jira="OPS")})
    with tracked(JiraStandIn(), tickets, "P1", security=True, title="SECRET-MARKER", impact="SECRET-MARKER") as case:
        case.act()
        case.do(RAISE.model_copy(update={"policy": kars().severities[Severity.P0], "why": "SECRET-MARKER"}))
        case.do(RESOLVE.model_copy(update={"summary": "SECRET-MARKER"}))
        assert case.issue.private
        assert not is_open(case)
        assert not [r for r in case.there.requests if "SECRET-MARKER" in r.body]


def test_a_ticket_is_left_alone_once_the_incident_is_private() -> None:
    """What was public is listed; nothing more goes there, not even its end."""
    with tracked(GitHubStandIn()) as case:
        case.act()
        case.do(MarkSecurity(by="UDANA", why="SECRET-MARKER"))
        case.do(RESOLVE)
        assert len([r for r in case.there.requests if r.method != "GET"]) == 1
        [exposed] = case.entries(EntryKind.EXPOSED)
        assert "tickets" in exposed.fields["elsewhere"].split()


def test_words_from_outside_call_nobody_and_link_nothing(case: Tracked[Any]) -> None:
    """`@everyone`, `#12`, markup and a forged mark are shown as they were written."""
    case.act()
    case.do(RAISE)
    [said] = comments(case)
    assert "@everyone" not in said
    assert "#12" not in said
    assert "everyone" in said


@pytest.mark.parametrize(("severity", "wanted"), [("P3", True), ("P1", False)])
def test_only_the_wanted_severities_have_a_ticket(severity: str, wanted: bool) -> None:
    """`severities` narrows which incidents go to the tracker."""
    only = JIRA.model_copy(update={"severities": (Severity.P3,)})
    with tracked(JiraStandIn(), only, severity) as case:
        case.act()
        assert bool(case.there.issues) is wanted


def test_a_team_has_a_tracker_of_its_own() -> None:
    """A service's incidents go where its team wants them, by the rules of all."""
    common = Tickets(github="acme/all", private=Tracker(jira="SEC"))
    own = common.of_team(Tracker(jira="OPS"))
    assert (own.vendor, own.project, own.private) == ("jira", "OPS", Tracker(jira="SEC"))
