"""A new incident says which open action items were meant to prevent it, and their owners are told once."""

from datetime import timedelta
from typing import Any

import pytest

from escalation.incident.events.moves import Cancel, MarkSecurity, Reopen, Resolve, RootCause
from escalation.incident.model import Incident
from escalation.incident.state.entries import Entry, EntryKind
from escalation.messages.timeline import entry_lines
from escalation.reviews.action_items import ActionItem, ItemState, closed
from escalation.storage.action_items import ActionItems
from escalation.text import text
from tests.support.company import user
from tests.support.worker import Works
from workers.recurring.action_items.preventions import Preventions
from workers.recurring.keeping.search import SearchRounds
from workers.recurring.reminders import Reminders

DATABASE, OTHER = "Database issues", "Application bugs"
OMAR = user("omar")
DAY = timedelta(days=1)


def over(parts: Works, category: str = DATABASE, title: str = "Checkout is down", **facts: Any) -> Incident:
    """An incident of the past, with its cause."""
    known = {"service": "checkout", "title": title} | facts
    incident = parts.declare("P2", **known)
    parts.service.handle(incident.id, Resolve(by=OMAR, summary="s", resolution="r", category=category))
    return incident


def noted(parts: Works, incident: Incident, what: str = "Alert on the pool", **facts: Any) -> ActionItem:
    """An open commitment of Omar's from an incident, due in five days."""
    due = parts.clock().date() + timedelta(days=5)
    known: dict[str, Any] = {
        "owner": OMAR,
        "due": due,
        "service": incident.facts.service,
        "private": incident.private,
    } | facts
    return ActionItems(parts.redis).add(incident.id, lambda new: ActionItem(new, what, OMAR, parts.clock(), **known))


def said(parts: Works, incident: Incident) -> list[Entry]:
    """What an incident says of action items, after two rounds."""
    for _ in range(2):
        SearchRounds(parts.context, lambda: False).run(parts.clock())
        Preventions(parts.context).check(parts.clock())
    return [e for e in parts.now(incident).timeline if e.kind is EntryKind.PREVENTION]


def told(parts: Works) -> list[str]:
    """The direct messages about a return, after two rounds."""
    for _ in range(2):
        Reminders(parts.context).send_due(parts.clock())
    return [str(m) for m in parts.directs() if "this was to prevent it" in str(m)]


def test_the_same_service_and_cause_names_the_open_item_with_its_owner_and_delay(parts: Works) -> None:
    """As soon as the cause is known, once, in the thread; an open item of 66 days is 61 days overdue."""
    item = noted(parts, over(parts, title="Pool exhausted", impact="Timeouts"))
    parts.clock.push(hours=66 * 24)
    again = parts.declare("P1", service="checkout", title="Nobody can pay by card", impact="Cards")
    assert said(parts, again) == []
    parts.service.handle(again.id, RootCause(by=OMAR, cause="The pool", category=DATABASE.lower()))
    [entry] = said(parts, again)
    words = text(entry_lines(parts.now(again), entry), {OMAR: "Omar"})
    for part in ("was to prevent this", item.id, "Omar", "61 days overdue"):
        assert part in words
    assert any(getattr(effect, "entry", 0) == entry.n for effect in parts.now(again).effects)


def test_a_similar_incident_says_so_without_a_cause(parts: Works) -> None:
    """By the words of both, as whoever declares is shown; it is called similar, not the same."""
    noted(parts, over(parts, title="Card payments time out at the gateway"))
    parts.clock.push(hours=1)
    again = parts.declare("P1", title="Card payments time out at the gateway")
    [entry] = said(parts, again)
    assert "of a similar incident" in text(entry_lines(parts.now(again), entry))


@pytest.mark.parametrize(
    "facts", [{"category": OTHER}, {"service": "search"}], ids=["another cause", "another service"]
)
def test_another_path_names_nothing(parts: Works, facts: dict[str, Any]) -> None:
    """Neither the service alone nor the cause alone makes a return."""
    noted(parts, over(parts, title="Blue whale", **facts))
    again = parts.declare("P1", service="checkout", title="Nobody can pay by card", impact="Cards")
    parts.service.handle(again.id, RootCause(by=OMAR, cause="The pool", category=DATABASE))
    assert said(parts, again) == []
    assert told(parts) == []


def test_what_is_closed_or_was_noted_later_or_is_from_a_false_alarm_is_not_named(parts: Works) -> None:
    """Only what was open when the incident began was to prevent it."""
    first, false = over(parts), parts.declare("P2", service="checkout", title="Checkout is down")
    done, wrong = noted(parts, first), noted(parts, false)
    parts.service.handle(false.id, Cancel(by=OMAR, why="A test"))
    ActionItems(parts.redis).change(done.id, lambda i: closed(i, ItemState.DONE, OMAR, parts.clock()))
    parts.clock.push(hours=1)
    again = parts.declare("P1", service="checkout", title="Checkout is down")
    parts.clock.push(seconds=1)
    noted(parts, first, "Too late")
    parts.service.handle(again.id, RootCause(by=OMAR, cause="The pool", category=DATABASE))
    assert said(parts, again) == []
    assert wrong.state is ItemState.OPEN


def test_the_owner_is_told_directly_once(parts: Works) -> None:
    """At once, whatever the hour, with the incident's id and how late it is; of an idea nobody is told."""
    first = over(parts)
    noted(parts, first)
    noted(parts, first, "Try a second gateway", owner="", due=None)
    parts.clock.push(hours=10 * 24 - 6)
    again = parts.declare("P1", service="checkout", title="Checkout is down")
    assert len(said(parts, again)) == 2
    [message] = told(parts)
    assert again.id in message
    assert "Alert on the pool" in message
    assert "overdue" in message


def test_the_lead_is_told_in_place_of_an_owner_who_left(parts: Works) -> None:
    """With the owner's name, and the incident that began."""
    company = parts.service.company
    service = next(name for name in company.services if company.lead_of(name) not in ("", OMAR, "omar"))
    noted(parts, over(parts, service=service))
    parts.clock.push(hours=1)
    parts.control(f"users/{OMAR}", deleted=True)
    said(parts, parts.declare("P1", service=service, title="Checkout is down"))
    [message] = told(parts)
    assert "its owner cannot be reached" in message
    assert OMAR in message


# Private incidents -----------------------------------------------------------------------------------------------


def test_items_of_private_incidents_are_named_nowhere(parts: Works) -> None:
    """Not even in another private one."""
    noted(parts, over(parts, security=True, title="Keys leaked"), "SECRET-MARKER")
    parts.clock.push(hours=1)
    for security in (False, True):
        again = parts.declare("P1", service="checkout", title="Keys leaked", security=security)
        parts.service.handle(again.id, RootCause(by=OMAR, cause="x", category=DATABASE))
        assert said(parts, again) == []
    assert told(parts) == []


def test_nobody_outside_hears_of_a_private_incident_by_an_item(parts: Works) -> None:
    """Its own room reads what was to prevent it; the owner is told nothing, and the item keeps nothing of it."""
    item = noted(parts, over(parts))
    parts.clock.push(hours=1)
    again = parts.declare("P1", service="checkout", title="Checkout is down", security=True)
    assert len(said(parts, again)) == 1
    assert told(parts) == []
    assert ActionItems(parts.redis).of(item.incident)[0].again == ()


def test_an_incident_that_becomes_private_is_forgotten_by_the_item(parts: Works) -> None:
    """What was not sent yet is not sent any more."""
    item = noted(parts, over(parts))
    parts.clock.push(hours=1)
    again = parts.declare("P1", service="checkout", title="Checkout is down")
    said(parts, again)
    assert ActionItems(parts.redis).of(item.incident)[0].again
    parts.service.handle(again.id, MarkSecurity(by=OMAR))
    assert ActionItems(parts.redis).of(item.incident)[0].again == ()
    assert told(parts) == []


def test_what_the_item_says_is_in_the_thread_until_its_incident_is_private(parts: Works) -> None:
    """Then the message is shown anew, with nothing but its number."""
    first = over(parts)
    noted(parts, first, "SECRET-MARKER")
    parts.clock.push(hours=1)
    again = parts.declare("P1", service="checkout", title="Checkout is down")
    parts.run()
    assert said(parts, again)
    parts.run()
    assert [m for m in parts.messages() if "SECRET-MARKER" in str(m)]
    parts.service.handle(first.id, Reopen(by=OMAR, why="It was an attack"))
    parts.service.handle(first.id, MarkSecurity(by=OMAR))
    said(parts, again)
    parts.run()
    assert not [m for m in parts.messages() if "SECRET-MARKER" in str(m)]
