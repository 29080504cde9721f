"""The backlog behind a ticket: where each stands, and in which order a team sees them."""

from datetime import timedelta

import pytest

from escalation.incident.effects import Place
from escalation.incident.events.moves import (
    Cancel,
    Edit,
    FixApplied,
    FixFailed,
    MoveEvent,
    Reopen,
    Resolve,
    Schedule,
    StartFix,
    Verify,
)
from escalation.incident.model import Incident
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.facts import Status
from escalation.incident.tickets import TicketState, backlog, in_listed_order, ticket_state
from tests.support.incidents import declared
from tests.support.story import START, Story

SCHEDULE = Schedule(by="ULEAD", when="sprint 12")
FIX = FixApplied(by="ULEAD")
VERIFY = Verify(by="ULEAD", text="Looked at the page")
RESOLVE = Resolve(by="ULEAD", summary="s", resolution="r")


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ((), TicketState.OPEN),
        ((StartFix(by="ULEAD"),), TicketState.OPEN),
        ((SCHEDULE,), TicketState.SCHEDULED),
        ((SCHEDULE, FIX), TicketState.FIXED),
        ((FIX, VERIFY), TicketState.VERIFIED),
        ((FIX, VERIFY, FixFailed(by="ULEAD")), TicketState.OPEN),
        ((SCHEDULE, FIX, FixFailed(by="ULEAD")), TicketState.SCHEDULED),
        ((FIX, VERIFY, FixFailed(by="ULEAD"), FIX), TicketState.FIXED),
        ((RESOLVE,), TicketState.CLOSED),
        ((Cancel(by="ULEAD"),), TicketState.CLOSED),
        ((SCHEDULE, RESOLVE, Reopen(by="ULEAD")), TicketState.OPEN),
    ],
)
def test_where_a_ticket_stands(events: tuple[MoveEvent, ...], state: TicketState) -> None:
    """It follows from what was said of its incident; a fix that failed was verified in vain."""
    story = Story("P3")
    for event in events:
        story.do(event)
    assert ticket_state(story.incident) is state


def ticket(number: int, team: str, *events: MoveEvent, severity: str = "P3", minute: float = 0) -> Incident:
    story = Story(severity, team=team)
    for event in events:
        story.do(event)
    incident = story.incident
    at = story.until(minute).now
    return incident.model_copy(update={"id": f"INC-20241218-{number:03}", "declared_at": at})


TICKETS = (
    ticket(1, "web", SCHEDULE),
    ticket(2, "web", minute=5),
    ticket(3, "web", minute=3),
    ticket(4, "api", severity="P2"),
    ticket(5, "web", severity="P1"),
    ticket(6, ""),
)


@pytest.mark.parametrize(("team", "ids"), [("", [6, 4, 3, 2, 1]), ("web", [3, 2, 1]), ("api", [4]), ("nobody", [])])
def test_the_backlog_of_a_team(team: str, ids: list[int]) -> None:
    """By team, what nobody planned first, the oldest first; what is no ticket is not in it."""
    assert [incident.id for incident in backlog(TICKETS, team)] == [f"INC-20241218-{n:03}" for n in ids]


def test_a_ticket_that_moves_to_another_team_is_told_to_it() -> None:
    """The affected service was named wrongly: the team that owns the right one hears of the ticket."""
    story = Story("P2", service="checkout", team="web").until(10)
    story.do(Edit(by="UREPORTER", service="search", team="api"))
    assert story.said(Place.TEAM) == [(0, EntryKind.TICKET), (10, EntryKind.TICKET)]
    assert [e.fields["team"] for _, e in story.entries(EntryKind.TICKET)] == ["web", "api"]


def test_a_correction_of_the_words_is_no_new_ticket() -> None:
    """The team is told once."""
    story = Story("P2", team="web").until(10).do(Edit(by="UREPORTER", title="Search is slow"))
    assert story.said(Place.TEAM) == [(0, EntryKind.TICKET)]


def test_open_incidents_stand_by_severity_and_time_before_closed_ones() -> None:
    """P0 first, the longest open first; of the closed ones the newest first, whatever their severity."""
    rows = [("P3", 0, True), ("P0", 2, True), ("P1", 1, True), ("P0", 1, True), ("P0", 3, False), ("P2", 4, False)]
    incidents = [
        declared(severity).model_copy(
            update={"declared_at": START + timedelta(hours=hour)} | ({} if still_open else {"status": Status.RESOLVED})
        )
        for severity, hour, still_open in rows
    ]
    shown = [(str(i.severity), (i.declared_at - START) // timedelta(hours=1)) for i in in_listed_order(incidents)]
    assert shown == [("P0", 1), ("P0", 2), ("P1", 1), ("P3", 0), ("P2", 4), ("P0", 3)]
