"""What reports say of incidents that came back, and of what had been meant to prevent them."""

from datetime import timedelta
from typing import Any

import pytest

from escalation.figures.observation import Observation
from escalation.figures.periods import Period
from escalation.figures.recurrence import PreventiveItem, Recurrence, recurrences
from escalation.figures.spreadsheet import COLUMNS, csv_of
from escalation.incident.events.moves import MarkSecurity, Reopen, Resolve
from escalation.reports.documents import on_request
from escalation.reports.gather import gather
from escalation.reviews.action_items import ActionItem, ItemState, closed
from escalation.storage.action_items import ActionItems
from escalation.text import text
from tests.support.company import user
from tests.support.story import START
from tests.support.worker import Works

DAY = timedelta(days=1)
T = START.timestamp()
CAUSE = "Database issues"


def seen(name: str, days: float, lasts: float = 0.1, **facts: Any) -> Observation:
    """An incident that is declared so many days from the start, and resolved soon."""
    known: dict[str, Any] = {"service": "checkout", "cause_category": CAUSE, "status": "resolved", "severity": "P1"}
    known |= {"resolved": T + (days + lasts) * 86_400, "first_severity": "P1"} | facts
    return Observation(id=name, declared=T + days * 86_400, **known)


def item(name: str, of: str, days: float = 1, until: float | None = None) -> PreventiveItem:
    return PreventiveItem(name, of, T + days * 86_400, None if until is None else T + until * 86_400)


def test_a_recurrence_has_what_was_open_when_it_began_and_what_had_been_closed() -> None:
    """However old: of any earlier incident of that service and cause, and of no other."""
    incidents = [seen("A", 0), seen("X", 0, service="search"), seen("B", 50), seen("C", 70)]
    items = [
        item("A/1", "A"),
        item("A/2", "A", until=60),
        item("X/1", "X"),
        item("C/1", "C", days=71),
        item("B/1", "B", 72),
    ]
    assert recurrences(incidents, items) == {"C": Recurrence("B", ("A/1",), ("A/2",))}


@pytest.mark.parametrize(
    ("later", "again"),
    [
        (seen("B", 30), True),
        (seen("B", 30.2), False),
        (seen("B", 0.05), False),
        (seen("B", 5, service="search"), False),
        (seen("B", 5, cause_category="Application bugs"), False),
        (seen("B", 5, cause_category=CAUSE.upper()), True),
        (seen("B", 5, cause_category=""), False),
        (seen("B", 5, drill=True), False),
        (seen("B", 5, private=True), False),
        (seen("B", 5, status="cancelled"), False),
    ],
)
def test_what_a_recurrence_is(later: Observation, again: bool) -> None:
    """The same service and cause, begun within thirty days of the other's end, and neither of them private."""
    assert bool(recurrences([seen("A", 0), later])) is again
    if later.private:
        assert not recurrences([seen("A", 0, private=True), seen("B", 5)])


def test_the_sheet_has_it_for_each_incident() -> None:
    """Behind the columns that were there before."""
    header, first, second = csv_of(
        [seen("A", 0), seen("B", 5)], {"B": Recurrence("A", ("A/1", "A/3"), ("A/2",))}
    ).split("\n")[:3]
    assert header.split(",") == list(COLUMNS)
    assert COLUMNS[-3:] == ("repeats", "open_action_items", "closed_action_items")
    assert first.endswith(",,,")
    assert second.endswith(",A,A/1 A/3,A/2")


# From the store --------------------------------------------------------------------------------------------------


def over(parts: Works, **facts: Any) -> str:
    incident = parts.declare("P2", **({"service": "checkout"} | facts))
    parts.service.handle(incident.id, Resolve(by=user("omar"), summary="s", resolution="r", category=CAUSE))
    return incident.id


def noted(parts: Works, of: str, **facts: Any) -> ActionItem:
    due = parts.clock().date() + timedelta(days=5)
    known: dict[str, Any] = {"owner": user("omar"), "due": due, "service": "checkout"} | facts
    return ActionItems(parts.redis).add(
        of, lambda new: ActionItem(new, "Alert on the pool", user("omar"), parts.clock(), **known)
    )


def reported(parts: Works) -> str:
    now = parts.clock.push(minutes=1)
    found = gather(parts.store, parts.service.company, Period(now - 7 * DAY, now), now - 14 * DAY, now)
    return text(tuple(on_request(found, "UTC").in_words()))


def test_a_recurrence_names_the_item_that_was_open_and_how_late_it_was(parts: Works) -> None:
    """With its owner; what is closed since is said to be."""
    first = over(parts)
    open_one, done = noted(parts, first), noted(parts, first)
    ActionItems(parts.redis).change(done.id, lambda i: closed(i, ItemState.DONE, user("omar"), parts.clock()))
    parts.clock.push(hours=20 * 24)
    again = over(parts)
    said = reported(parts)
    assert "within 30 days: 1 (1 had an action item that was still open)" in said
    for part in (
        again,
        first,
        f"{open_one.id} Alert on the pool",
        user("omar"),
        "15 days overdue",
        "1 promised, 1 of them overdue",
    ):
        assert part in said
    assert done.id not in said
    ActionItems(parts.redis).change(open_one.id, lambda i: closed(i, ItemState.DONE, user("omar"), parts.clock()))
    assert "15 days overdue, done since" in reported(parts)


def test_nothing_open_is_said_apart_from_what_was_closed(parts: Works) -> None:
    """A return despite finished work is another matter than one that nobody worked against."""
    first = over(parts)
    parts.clock.push(hours=24)
    over(parts)
    assert "1 (1 had none)" in reported(parts)
    item = noted(parts, first)
    ActionItems(parts.redis).change(item.id, lambda i: closed(i, ItemState.DONE, user("omar"), parts.clock()))
    parts.clock.push(hours=24)
    over(parts)
    assert "2 (1 had only action items that were closed, 1 had none)" in reported(parts)


def test_nothing_of_a_private_incident_is_in_it(parts: Works) -> None:
    """Neither its items nor what it repeats, also if it became private after they were noted."""
    first = over(parts)
    noted(parts, first)
    parts.clock.push(hours=24)
    parts.service.handle(first, Reopen(by=user("omar"), why="It was an attack"))
    parts.service.handle(first, MarkSecurity(by=user("omar")))
    parts.service.handle(first, Resolve(by=user("omar"), summary="s", resolution="r", category=CAUSE))
    over(parts)
    said = reported(parts)
    assert "within 30 days: 0." in said
    assert "Alert on the pool" not in said
    assert "0 promised" in said
