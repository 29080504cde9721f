"""Failures that last: who is told, what is retried how often, and when it ends."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot.http.health import readiness
from bot.render.card import card
from escalation.incident.effects import BookmarkLink, Invite, PinCard, SetTopic
from escalation.incident.events.moves import Acknowledge, Cancel
from escalation.incident.model import Incident
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.pages import PageState
from escalation.slo import Objective
from tests.support.worker import Works

METHODS = {
    "bookmarks.add": BookmarkLink,
    "conversations.invite": Invite,
    "pins.add": PinCard,
    "conversations.setTopic": SetTopic,
}
LINES = (
    12  # of the log, of one effect that keeps failing: while it may pass, and that it lasts; none with each later try
)


def problems(parts: Works) -> dict[str, str]:
    """Key -> text and remedy of the register."""
    return {p.key: f"{p.text}: {p.remedy}" for p in parts.store.problems.current()}


def blocked(parts: Works) -> bool:
    return any(problem.blocks for problem in parts.store.problems.current())


def on_card(incident: Incident) -> str:
    return str(card(incident, ()).blocks)


@pytest.mark.parametrize("method", ["conversations.open", "chat.postMessage"])
@pytest.mark.parametrize(
    ("error", "words"), [("messages_tab_disabled", "Messages tab is off"), ("not_enough_users", "direct messages")]
)
def test_pages_refused_because_of_us_escalate_nobody(parts: Works, method: str, error: str, words: str) -> None:
    """The card, the problems and readiness say why with the remedy, the page is retried, and no tier is passed over."""
    parts.fault(method, "error", error=error, times=None)
    incident = parts.declare("P0")
    parts.run()
    parts.run_for(30, step=1)
    now = parts.now(incident)
    assert now.tiers_paged == (1,)
    assert not now.nobody_left
    assert {page.state for page in now.pages} == {PageState.OPEN}
    assert words in on_card(now)
    assert words in problems(parts)["slack:page"]
    assert not readiness(parts.store, True).ready
    parts.slack_back()
    parts.run_for(120, step=5)
    assert all(parts.now(incident).in_slack(page) for page in parts.now(incident).pages)
    assert "slack:page" not in problems(parts)
    assert not parts.now(incident).troubles


@pytest.mark.parametrize("error", ["cannot_dm_bot", "user_disabled", "user_not_visible"])
def test_everybody_refused_for_one_reason_is_our_fault(parts: Works, error: str) -> None:
    """It is said with its remedy and retried; the CTO is not paged in the same second."""
    parts.fault("conversations.open", "error", error=error, times=None)
    incident = parts.declare("P0")
    parts.run()
    parts.run_for(20, step=1)
    now = parts.now(incident)
    assert now.tiers_paged == (1,)
    assert len(problems(parts)["slack:page"]) > 20
    assert blocked(parts)
    assert "Slack refuses everybody alike" in on_card(now)
    parts.slack_back()
    parts.run_for(60, step=5)
    assert all(parts.now(incident).in_slack(page) for page in parts.now(incident).pages)
    assert not blocked(parts)


def test_a_direct_channel_that_stays_lost_is_the_persons(parts: Works) -> None:
    """It is opened anew once; lost again, the page is refused and the next tier paged."""
    parts.fault("chat.postMessage", "error", error="channel_not_found", times=None, match={"channel": dm_of(parts)})
    incident = parts.declare("P0")
    parts.run()
    parts.run_for(5, step=0.5)
    now = parts.now(incident)
    assert {page.person for page in now.pages if page.state is PageState.REFUSED} == {"mei", "U0MEI00001"}
    assert 2 in now.tiers_paged


def dm_of(parts: Works) -> str:
    return parts.context.slack.direct_channel("U0MEI00001")


@pytest.mark.parametrize("method", METHODS)
def test_an_optional_method_that_fails_for_good_is_tried_seldom_and_ends(parts: Works, method: str) -> None:
    """It backs off to minutes, is said in the problems, the card's details and a few log lines, and ends with it."""
    parts.fault(method, "status", status=503, times=None)
    incident = parts.declare("P0")
    with capture_logs() as logs:
        parts.run_for(600, step=1)
    assert any("http_503" in words for words in problems(parts).values())
    assert "http_503" in on_card(parts.now(incident))
    before = len(parts.calls(method))
    mine = {e.id for e in parts.now(incident).effects if isinstance(e, METHODS[method])}
    lasting = mine & set(parts.now(incident).troubles)
    with capture_logs() as more:
        parts.run_for(1200, step=5)
        assert len(parts.calls(method)) - before <= 6 * max(1, len(mine))
        parts.service.handle(incident.id, Cancel(by="U0DANA0001"))
        parts.run_for(4000, step=20)
    told = [line for line in (*logs, *more) if line.get("effect") in mine]
    later = [line for line in more if line.get("effect") in lasting]
    assert told
    assert len(told) <= LINES * len(mine), told
    assert len(later) <= len(lasting), later
    assert not [e for e in parts.now(incident).effects if isinstance(e, METHODS[method])]
    given_up = [e for e in parts.now(incident).timeline if e.fields.get("given_up")]
    assert len(given_up) == 1


def test_an_optional_method_refused_because_of_us_is_said(parts: Works) -> None:
    """Without the scope for pins the incident goes on, and the details and the problems name it with the remedy."""
    parts.fault("pins.add", "error", error="missing_scope", times=None)
    incident = parts.declare("P0")
    parts.run_for(2, step=0.5)
    assert "lacks a scope" in problems(parts)["slack:pin"]
    assert "lacks a scope" in on_card(parts.now(incident))


def test_a_page_that_slack_does_not_take_says_so(parts: Works) -> None:
    """After seconds the card and readiness say that it is not delivered yet; both are clean once it is."""
    parts.fault("chat.postMessage", "status", status=503, times=None)
    incident = parts.declare("P0")
    parts.run_for(20, step=0.5)
    assert "Not delivered yet" in on_card(parts.now(incident))
    found = readiness(parts.store, True)
    assert not found.ready
    assert any("Slack does not take pages (http_503)" in problem for problem in found.problems)
    parts.slack_back()
    parts.run_for(60, step=1)
    assert not parts.now(incident).troubles
    assert "slack:page" not in problems(parts)


@pytest.mark.parametrize(
    ("fault", "logged"),
    [
        ({"kind": "status", "status": 503}, "send keeps failing, still retrying"),
        ({"kind": "drop_before"}, "send keeps failing, still retrying"),
        ({"kind": "error", "error": "missing_scope"}, "send fails, operator action needed"),
    ],
)
def test_the_log_says_whose_a_failure_is(parts: Works, fault: dict[str, Any], logged: str) -> None:
    """What passes by itself asks no operator for anything, however long it lasts."""
    words = {"send keeps failing, still retrying", "send fails, operator action needed"}
    parts.fault("chat.postMessage", times=None, **fault)
    with capture_logs() as logs:
        parts.declare("P0")
        parts.run_for(20, step=1)
    assert {line["event"] for line in logs} & words == {logged}


def test_what_the_response_can_mend_asks_no_operator(parts: Works) -> None:
    """The bot was removed from a private room: whoever leads is asked to invite it, and the log says so, once."""
    incident = parts.declare("P0", security=True)
    parts.run()
    room = parts.now(incident).room
    assert room
    parts.control(f"channels/{room.channel}", members=[])
    with capture_logs() as logs:
        parts.service.handle(incident.id, Acknowledge(by="U0DANA0001"))
        parts.run_for(20, step=1)
    events = [(line["event"], line["effect"]) for line in logs if line["log_level"] != "info" and "why" in line]
    assert {event for event, _ in events} == {"send waits until the bot is invited"}
    assert len(events) == len(set(events))


def test_a_lasting_fault_of_ours_is_given_up(parts: Works) -> None:
    """A day in vain, or an hour after the end of the incident, it ends with an entry."""
    parts.fault("chat.postMessage", "error", error="restricted_action", times=None, match={"channel": "C0STAKE"})
    parts.fault("conversations.create", "error", error="restricted_action", times=None)
    incident = parts.declare("P0")
    parts.run_for(30, step=1)
    assert parts.now(incident).troubles
    parts.service.handle(incident.id, Acknowledge(by="U0DANA0001"))
    parts.service.handle(incident.id, Cancel(by="U0DANA0001"))
    parts.run_for(2 * 3600, step=60)
    now = parts.now(incident)
    assert now.effects == ()
    assert any(e.kind is EntryKind.TROUBLE and e.fields.get("given_up") for e in now.timeline)


def test_a_page_that_slack_does_not_take_is_lost_for_the_objective(parts: Works) -> None:
    """Half a minute late it counts as lost although it is being retried; once accepted it was late, and is not lost."""
    parts.fault("chat.postMessage", "status", status=503, times=None)
    incident = parts.declare("P0")
    parts.run_for(40, step=1)
    found = parts.store.report(Objective(), timedelta(days=1), parts.clock())
    assert (found.lost, found.pages, found.pages_in_time) == (3, 3, 0)
    assert "not delivered in Slack yet" in on_card(parts.now(incident))
    parts.slack_back()
    parts.run_for(60, step=1)
    found = parts.store.report(Objective(), timedelta(days=1), parts.clock())
    assert (found.lost, found.pages, found.pages_in_time) == (0, 3, 0)


def test_a_fault_of_our_own_is_said_as_ours(parts: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Tocsin itself cannot do stands on the card, in the problems and in readiness, blames nobody, and ends."""

    def broken(*_: object, **__: object) -> None:
        raise KeyError("no such thing")

    incident = parts.declare("P0")
    with monkeypatch.context() as patched:
        patched.setattr("workers.delivery.slack.messages.page_message", broken)
        for _ in range(5):
            with suppress(KeyError):
                parts.run_for(5, step=1)
        now = parts.now(incident)
        assert "a fault in Tocsin itself (KeyError)" in on_card(now)
        assert problems(parts)["slack:page"].startswith("cannot send pages: a fault in Tocsin itself")
        assert blocked(parts)
        assert now.tiers_paged == (1,)
    parts.run_for(90, step=2)
    assert all(parts.now(incident).in_slack(page) for page in parts.now(incident).pages)
    assert not blocked(parts)
    assert not parts.now(incident).troubles
