"""What others change in a tracker comes back: by webhook, verified, and by a poll, since GitHub repeats nothing."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import Mock

import httpx2
import pytest

from bot.deps import AnswerDeps
from escalation.incident.asks import Ask, asks
from escalation.incident.events.moves import Move, Resolve
from escalation.incident.state.entries import EntryKind
from tests.support.bot import running_bot
from tests.support.http import web
from tests.support.vendors.github import ME, REPO, GitHubStandIn
from tests.support.vendors.jira import JiraStandIn
from tests.support.vendors.tracked import Tracked, tracked
from workers.delivery.trackers.creation import SETTLES
from workers.delivery.trackers.news import TrackerNews
from workers.recurring.trackers.tickets import POLLED, TicketRounds

SECRET = "it is a secret to everybody"
RESOLVE = Resolve(by="UDANA", summary="The pool was full", resolution="Doubled it")


def github_event(case: Tracked[GitHubStandIn], action: str, sender: str = "octocat", **changes: Any) -> dict[str, Any]:
    """The payload of an `issues` event, as GitHub documents it."""
    issue = case.there.issues[1] | changes
    return {"action": action, "issue": issue, "repository": {"full_name": REPO}, "sender": {"login": sender}}


def jira_event(case: Tracked[JiraStandIn], event: str = "jira:issue_updated") -> dict[str, Any]:
    """The payload of an event of an issue."""
    user = {"accountId": "5b10ac8d82e05b22cc7d4ef5", "displayName": "Dana"}
    return {"timestamp": 1, "webhookEvent": event, "user": user, "issue": case.there.issues["OPS-1"]}


class Hooks:
    """A bot that takes webhooks about one incident's ticket."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.sent = 0

    def github(self, told: Any, event: str = "issues", secret: str = SECRET, delivery: str = "") -> httpx2.Response:
        self.sent += 1
        body = json.dumps(told).encode()
        headers = {"X-GitHub-Event": event, "X-GitHub-Delivery": delivery or f"72d3162e-{self.sent}"}
        headers["X-Hub-Signature-256"] = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return web.post(f"{self.url}/hooks/github", content=body, headers=headers)

    def jira(self, told: Any, secret: str = SECRET, query: str = "") -> httpx2.Response:
        body = json.dumps(told).encode()
        headers = {"X-Atlassian-Webhook-Identifier": "1"}
        if not query:
            headers["X-Hub-Signature"] = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return web.post(f"{self.url}/hooks/jira{query}", content=body, headers=headers)


@contextmanager
def hooked(case: Tracked[Any]) -> Iterator[Hooks]:
    service = case.parts.service
    deps = AnswerDeps(github_secrets=(SECRET,), jira_secrets=(SECRET,), trackers=TrackerNews(service))
    workspace = Mock(bot_token="xoxb-1", app_token="xapp-1", signing_secret="s", api_url="http://127.0.0.1:9/")
    with running_bot(workspace, service, connected=False, answers=deps) as bot:
        yield Hooks(bot.url)


@pytest.fixture
def github() -> Iterator[tuple[Tracked[GitHubStandIn], Hooks]]:
    with tracked(GitHubStandIn()) as case:
        case.act()
        with hooked(case) as hooks:
            yield case, hooks


def test_closing_there_asks_whether_it_is_over(github: tuple[Tracked[GitHubStandIn], Hooks]) -> None:
    """The room is asked once, with Resolve below it; the incident goes on until somebody says so."""
    case, hooks = github
    case.there.set_state(1, "closed", "octocat")
    assert hooks.github(github_event(case, "closed"), delivery="d1").status_code == 200
    assert hooks.github(github_event(case, "closed"), delivery="d1").json()["what"] == "seen before"
    assert hooks.github(github_event(case, "closed"), delivery="d2").status_code == 200
    [entry] = case.entries(EntryKind.ISSUE_CLOSED)
    assert (entry.by, entry.fields["known_as"]) == ("UDANA", "octocat")
    assert asks(case.now, entry) == (Ask(Move.RESOLVE),)
    assert case.now.open


def test_reopening_there_asks_whether_it_is_back(github: tuple[Tracked[GitHubStandIn], Hooks]) -> None:
    """After the end of an incident, and with Reopen below it."""
    case, hooks = github
    case.do(RESOLVE)
    case.there.set_state(1, "open", "hubot")
    hooks.github(github_event(case, "reopened", "hubot"))
    [entry] = case.entries(EntryKind.ISSUE_REOPENED)
    assert asks(case.now, entry) == (Ask(Move.REOPEN),)
    assert not case.now.open


def test_an_assignment_and_a_deletion_are_entries(github: tuple[Tracked[GitHubStandIn], Hooks]) -> None:
    """The timeline says who did it, and to whom."""
    case, hooks = github
    hooks.github(github_event(case, "assigned", "hubot", assignees=[{"login": "octocat"}]))
    hooks.github(github_event(case, "deleted", "hubot"))
    said = [(e.fields["what"], e.text, e.fields.get("known_as")) for e in case.entries()[1:]]
    assert said == [("assigned", "octocat", "hubot"), ("deleted", "", "hubot")]
    assert case.issue.gone


def test_our_own_doing_comes_back_unheard(github: tuple[Tracked[GitHubStandIn], Hooks]) -> None:
    """What we closed ourselves asks nobody anything."""
    case, hooks = github
    case.do(RESOLVE)
    assert hooks.github(github_event(case, "closed", ME)).json()["what"] == "our own doing"
    assert hooks.github(github_event(case, "closed", "octocat")).json()["what"] == "taken"
    assert case.entries(EntryKind.ISSUE_CLOSED) == []


def test_old_news_is_no_news(github: tuple[Tracked[GitHubStandIn], Hooks]) -> None:
    """A webhook that somebody redelivers a day later does not bring the past back."""
    case, hooks = github
    old = github_event(case, "closed", state="closed", updated_at="2024-12-18T15:00:00Z")
    hooks.github(old)
    assert case.entries(EntryKind.ISSUE_CLOSED) == []
    assert case.issue.open


def test_another_issue_with_our_mark_changes_nothing(github: tuple[Tracked[GitHubStandIn], Hooks]) -> None:
    """In a public repository anybody may copy the mark."""
    case, hooks = github
    hooks.github(github_event(case, "closed", "mallory", number=99, state="closed"))
    assert case.issue.open
    assert case.entries(EntryKind.ISSUE_CLOSED) == []


def test_a_wrong_signature_is_refused_and_what_is_no_issue_is_taken(
    github: tuple[Tracked[GitHubStandIn], Hooks],
) -> None:
    """403 without the secret; pings, other events and unreadable bodies are answered 200."""
    case, hooks = github
    assert hooks.github(github_event(case, "closed"), secret="guessed").status_code == 403
    assert web.post(f"{hooks.url}/hooks/github", content=b"{}").status_code == 403
    for told, event in (({"zen": "Speak like a human."}, "ping"), ({"issue": 7}, "issues"), ([], "issues")):
        assert hooks.github(told, event).status_code == 200
    assert case.entries(EntryKind.ISSUE_CLOSED) == []


def test_jira_is_heard_signed_or_by_a_token_in_its_address() -> None:
    """Data Center does not sign: the secret may stand in the address. A wrong one is refused."""
    with tracked(JiraStandIn()) as case, hooked(case) as hooks:
        case.act()
        case.there.set_status("OPS-1", "Done")
        told = jira_event(case)
        assert hooks.jira(told, secret="guessed").status_code == 403
        assert hooks.jira(told, query="?token=guessed").status_code == 403
        assert hooks.jira(told, query=f"?token={SECRET.replace(' ', '%20')}").json()["what"] == "taken"
        assert hooks.jira(told).json()["what"] == "seen before"
        [entry] = case.entries(EntryKind.ISSUE_CLOSED)
        assert entry.by == "UDANA"


def poll(case: Tracked[Any]) -> None:
    case.parts.redis.delete(POLLED)
    TicketRounds(case.parts.context, lambda: False).refresh(case.parts.clock())


def test_the_poll_sees_what_no_webhook_told() -> None:
    """Closed there while we were away: the room is asked all the same, once, and by whom it was is said."""
    with tracked(GitHubStandIn()) as case:
        case.act()
        case.parts.clock.push(seconds=5)
        case.there.set_state(1, "closed", "hubot")
        poll(case)
        poll(case)
        [entry] = case.entries(EntryKind.ISSUE_CLOSED)
        assert entry.fields["known_as"] == "hubot"


def test_the_poll_says_what_is_ours() -> None:
    """A token that was revoked is a problem while it lasts."""
    with tracked(GitHubStandIn()) as case:
        case.act()
        case.there.refuse = 401
        poll(case)
        assert [p.key for p in case.parts.store.problems.current()] == ["tickets:read:github"]
        case.there.refuse = 0
        poll(case)
        assert case.parts.store.problems.current() == []


def test_a_second_ticket_is_closed_an_hour_later() -> None:
    """A creation that GitHub carried out late, after we had made another, leaves one open ticket."""
    with tracked(GitHubStandIn(swallow=1)) as case:
        case.act()
        case.act(SETTLES)
        case.there.deliver_late()
        assert [i["state"] for i in case.there.issues.values()] == ["open", "open"]
        poll(case)
        assert [i["state"] for i in case.there.issues.values()] == ["open", "open"]
        case.parts.clock.push(hours=1, seconds=60)
        poll(case)
        assert [i["state"] for i in case.there.issues.values()] == ["open", "closed"]
        assert case.there.issues[2]["state_reason"] == "duplicate"
        assert case.issue.key == "acme/shop#1"
