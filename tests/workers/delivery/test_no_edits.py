"""Slack does not let a message be edited: workspaces may end that after a while, or another app posted it."""

from collections.abc import Iterator

import pytest

from escalation.incident.events.moves import Acknowledge, MarkSecurity
from escalation.incident.state.entries import EntryKind
from tests.support.bot import everything
from tests.support.worker import SlackByClock, Works, redis_of, works_anew

OMAR = "U0OMAR0001"
WORDS = "zebra crossing"
MARK = MarkSecurity(by=OMAR, why="a leak")


@pytest.fixture
def parts(slack_by_clock: SlackByClock) -> Iterator[Works]:
    with redis_of("valkey") as redis:
        yield works_anew(redis, *slack_by_clock)


@pytest.mark.parametrize("error", ["edit_window_closed", "cant_update_message"])
def test_words_that_must_not_be_read_are_deleted_where_they_cannot_be_edited(parts: Works, error: str) -> None:
    """The room that hears that they were redacted is told the truth."""
    incident = parts.declare("P0", title=WORDS, outage=True)
    parts.run()
    parts.fault("chat.update", "error", error=error, times=None)
    parts.service.handle(incident.id, MARK)
    parts.run()
    parts.run_for(5, step=0.5)
    assert [w for w in parts.public_words(WORDS) if "set the channel topic" not in w] == []


def test_words_that_can_be_neither_edited_nor_deleted_are_said(parts: Works) -> None:
    """Whoever leads is asked to delete them by hand; nobody takes them for redacted."""
    incident = parts.declare("P0", title=WORDS)
    parts.run()
    parts.service.handle(incident.id, Acknowledge(by=OMAR))
    parts.run()
    parts.fault("chat.update", "error", error="cant_update_message", times=None)
    parts.fault("chat.delete", "error", error="cant_delete_message", times=None)
    parts.service.handle(incident.id, MARK)
    parts.run()
    parts.run_for(5, step=0.5)
    troubles = [e.why for e in parts.now(incident).timeline if e.kind is EntryKind.TROUBLE]
    assert any("its words still stand in its former card: delete it there" in why for why in troubles)
    assert any("its words still stand" in everything(m) for m in parts.directs())


def test_cards_that_cannot_be_edited_are_a_problem_of_ours(parts: Works) -> None:
    """They say what is no longer so: doctor and readiness name the setting, and the card is tried again."""
    incident = parts.declare("P0")
    parts.run()
    parts.fault("chat.update", "error", error="edit_window_closed", times=None)
    parts.service.handle(incident.id, Acknowledge(by=OMAR))
    parts.run()
    [problem] = [p for p in parts.store.problems.current() if p.key == "slack:refresh"]
    assert "lets no message be edited" in problem.text
    assert "workspace admin" in problem.remedy
    parts.slack_back()
    parts.run_for(62, step=1)
    assert not [p for p in parts.store.problems.current() if p.key == "slack:refresh"]
    copy = parts.now(incident).card()
    assert copy
    [card] = [m for m in parts.messages() if m["ts"] == copy.ts]
    assert "Acknowledged" in everything(card)
