"""What the incident decides about its ticket, without any tracker."""

from datetime import timedelta

from bot.render.card import card
from bot.render.lists import NO_TICKETS, Page, tickets
from escalation.config.tickets import Tickets, Tracker, Vendor
from escalation.incident.effects import UpdateIssue
from escalation.incident.events.moves import Escalate, MarkSecurity, Resolve
from escalation.incident.events.news import IssueSeen
from escalation.incident.events.outcomes import IssueUpdated
from escalation.incident.state.entries import EntryKind
from escalation.incident.tracked import Issue
from tests.support.incidents import ISSUE, with_entry
from tests.support.story import START, Story

TICKETS = Tickets(github="acme/shop")
RESOLVE = Resolve(by="UONCALL", summary="The pool was full", resolution="Doubled it")


def pending(story: Story) -> list[UpdateIssue]:
    return [e for e in story.incident.effects if isinstance(e, UpdateIssue)]


def opened(wanted: Tickets = TICKETS, issue: Issue = ISSUE) -> Story:
    story = Story(tickets=wanted)
    (effect,) = pending(story)
    return story.do(IssueUpdated(effect=effect.id, issue=issue))


def test_they_go_one_after_the_other() -> None:
    """What the tracker is told comes in the order in which it happened."""
    story = Story(tickets=TICKETS).do(Escalate(by="UONCALL")).do(RESOLVE)
    effects = pending(story)
    assert [e.action for e in effects] == ["open", "comment", "comment", "close"]
    assert [e.after for e in effects[1:]] == [e.id for e in effects[:-1]]


def test_an_exercise_has_no_ticket() -> None:
    """Nobody outside the response is told of a drill."""
    assert pending(Story(tickets=TICKETS, drill=True)) == []


def test_a_comment_does_not_undo_what_was_seen_meanwhile() -> None:
    """Closed there while our comment was on its way: it stays closed, and the room is asked once."""
    story = opened().do(Escalate(by="UONCALL"))
    (comment,) = pending(story)
    closed = ISSUE.model_copy(update={"open": False, "updated": START + timedelta(minutes=1)})
    story.do(IssueSeen(issue=closed, known_as="octocat")).do(IssueUpdated(effect=comment.id, issue=ISSUE))
    assert story.incident.issue == closed
    assert len(list(story.entries(EntryKind.ISSUE_CLOSED))) == 1


def test_a_ticket_that_was_opened_while_the_incident_became_private_is_said() -> None:
    """It cannot be taken back: the private room hears where it stands."""
    story = Story(tickets=TICKETS)
    (effect,) = pending(story)
    story.do(MarkSecurity(by="UONCALL")).do(IssueUpdated(effect=effect.id, issue=ISSUE))
    assert pending(story) == []
    [(_, entry)] = story.entries(EntryKind.ISSUE)
    assert (entry.fields["what"], entry.fields["key"]) == ("exposed", "acme/shop#12")


def test_a_private_incident_begins_anew_in_the_private_tracker() -> None:
    """Where one is named; the public ticket is left alone."""
    story = opened(TICKETS.model_copy(update={"private": Tracker(jira="SEC")})).do(MarkSecurity(by="UONCALL"))
    (effect,) = pending(story)
    assert (effect.action, effect.vendor) == ("open", Vendor.JIRA)


def test_the_backlog_links_to_the_tracker() -> None:
    """`/incident tickets` leads there."""
    page = Page.of((with_entry(EntryKind.ISSUE),), 0, "tickets", "Open tickets", NO_TICKETS)
    assert "<https://github.com/acme/shop/issues/12|acme/shop#12>" in str(tickets(page))


def test_the_card_links_to_the_ticket() -> None:
    """Its name there, and how it stands."""
    assert "<https://github.com/acme/shop/issues/12|acme/shop#12> (open in GitHub)" in str(
        card(with_entry(EntryKind.ISSUE), ())
    )
