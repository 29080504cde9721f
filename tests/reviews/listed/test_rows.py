"""Commitments as rows of a Slack List: each once, in step with its item, and none of a private incident."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from escalation.incident.events.moves import MarkSecurity
from escalation.records.forgetting import Forgotten
from escalation.reviews.action_items import ItemState, closed, edited, given_to, reopened
from escalation.reviews.listed import row_of
from escalation.storage.action_items import ITEMS
from escalation.storage.keeping.forgetting import Forgetting
from escalation.values import former
from tests.reviews.listed.listing import DANA, DUE, HOUR, LATER, OMAR, Listing
from workers.recurring.upkeep import Upkeep


def test_a_commitment_is_a_row_that_the_incidents_channel_reads(listing: Listing) -> None:
    """Its words, owner, day, state and number; an idea has none, and a list at rest costs no call."""
    incident = listing.parts.declare()
    item = listing.note(incident, "Tell @everyone <!here> *soon*")
    listing.note(incident, "An idea", owner="", due=None)
    listing.round()
    [there] = listing.lists
    assert there["access"] == {"#incidents": "read"}
    [row] = there["rows"]
    assert row.pop("id").startswith("Rec")
    said = {"number": item.id, "item": "Tell @everyone <!here> *soon*", "owner": DANA, "due": "2024-12-31"}
    assert row == said | {"state": "open"}
    before = len(listing.parts.calls(""))
    listing.round(times=3)
    assert len(listing.parts.calls("")) == before


CHANGES: dict[str, tuple[Any, dict[str, str]]] = {
    "another owner": (partial(given_to, owner=OMAR, due=None), {"owner": OMAR}),
    "another day": (partial(given_to, owner=DANA, due=LATER), {"due": "2025-01-15"}),
    "other words": (lambda item: replace(item, text="Two alerts"), {"item": "Two alerts"}),
    "done": (lambda item: closed(item, ItemState.DONE, DANA, item.at), {"state": "done"}),
    "dropped": (lambda item: closed(item, ItemState.DROPPED, DANA, item.at, "no"), {"state": "dropped"}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_row_follows_its_item(listing: Listing, change: str) -> None:
    """Whatever changes is written anew in the same row, by one call."""
    item = listing.note(listing.parts.declare())
    listing.round()
    [before] = listing.rows
    step, said = CHANGES[change]
    listing.change(item, step)
    assert listing.rows == [before | said]
    assert listing.times("slackLists.items.update") == 1


def test_a_row_follows_what_is_opened_again(listing: Listing) -> None:
    """And what is promised no longer leaves the list, until somebody promises it."""
    item = listing.note(listing.parts.declare())
    listing.round()
    [before] = listing.rows
    listing.change(item, lambda i: closed(i, ItemState.DONE, DANA, i.at))
    listing.change(item, reopened)
    assert listing.rows == [before]
    listing.change(item, partial(edited, owner="", due=None))
    assert listing.rows == []
    listing.change(item, partial(edited, owner=OMAR, due=DUE))
    [row] = listing.rows
    assert row["owner"] == OMAR


def test_a_row_whose_update_got_no_answer_is_written_again(listing: Listing) -> None:
    """Slack did carry it out, and by the next round the item is what it was before."""
    item = listing.note(listing.parts.declare())
    listing.round()
    [before] = listing.rows
    listing.parts.fault("slackLists.items.update", "drop_after")
    listing.items.change(item.id, lambda i: closed(i, ItemState.DONE, DANA, i.at))
    listing.round()
    assert listing.rows == [before | {"state": "done"}]
    listing.items.change(item.id, reopened)
    listing.round()
    assert listing.rows == [before]


def test_many_are_written_a_few_at_a_time(listing: Listing) -> None:
    """Slack takes so many calls a minute."""
    incident = listing.parts.declare()
    items = [listing.note(incident, f"Number {n}") for n in range(20)]
    listing.round()
    assert 0 < len(listing.rows) < 10
    listing.round(times=3)
    assert sorted(row["number"] for row in listing.rows) == sorted(item.id for item in items)


def test_what_was_done_long_ago_leaves_the_list(listing: Listing) -> None:
    """A list takes so many rows; the record keeps its item."""
    item = listing.note(listing.parts.declare())
    listing.round()
    listing.change(item, lambda i: closed(i, ItemState.DONE, DANA, listing.parts.clock()))
    listing.round(89 * 24 * HOUR)
    assert len(listing.rows) == 1
    listing.round(2 * 24 * HOUR)
    assert listing.rows == []
    listing.round(times=2)
    assert listing.times("slackLists.items.create") == 1


# Private, drills, removed ------------------------------------------------------------------------------------------


def test_an_item_of_a_private_incident_is_never_there(listing: Listing) -> None:
    """Nor does one that is open make it: not a byte of it reaches the list."""
    secret = listing.parts.declare(security=True)
    listing.note(secret, "SECRET-MARKER")
    listing.round(times=2)
    assert listing.lists == []
    listing.note(listing.parts.declare())
    listing.round(times=2)
    assert [row["item"] for row in listing.rows] == ["Alert on the pool"]
    assert "SECRET-MARKER" not in str(listing.parts.calls(""))


@pytest.mark.parametrize("noticed", [True, False])
def test_rows_of_an_incident_that_becomes_private_are_deleted(listing: Listing, noticed: bool) -> None:
    """Also those of which a crash left the item as it was, once anything of it is to be written."""
    incident = listing.parts.declare()
    item = listing.note(incident, "SECRET-MARKER")
    listing.round()
    listing.parts.service.handle(incident.id, MarkSecurity(by=DANA))
    if not noticed:
        listing.items.change(item.id, lambda i: replace(i, private=False, text="SECRET-MARKER again"))
    listing.round(times=2)
    assert listing.rows == []
    assert "again" not in str(listing.parts.calls("slackLists.items.update"))


def test_both_rows_of_a_creation_in_doubt_are_deleted(listing: Listing) -> None:
    """A row that Slack made later than it was looked for is found when it matters."""
    incident = listing.parts.declare()
    item = listing.note(incident, "SECRET-MARKER")
    listing.parts.fault("slackLists.items.create", "drop_before")
    listing.round(times=2)
    there, context = listing.records.get(), listing.parts.context
    row = row_of(item)
    assert there
    assert row
    context.slack.lists.add(there, row)
    assert [row["item"] for row in listing.rows] == ["SECRET-MARKER"] * 2
    listing.items.make_private(incident.id)
    listing.round()
    assert listing.rows == []


def test_a_drill_makes_no_list(listing: Listing) -> None:
    """It is practice."""
    incident = listing.parts.declare()
    drill = listing.parts.service.declare(DANA, incident.severity, incident.facts, drill_speed=1.0)
    listing.note(drill)
    listing.round(times=2)
    assert listing.lists == []


def test_rows_of_items_that_retention_removed_are_deleted(listing: Listing) -> None:
    """What is gone from the record is gone from Slack."""
    item = listing.note(listing.parts.declare())
    listing.round()
    listing.parts.redis.hdel(ITEMS, item.id)
    listing.round()
    assert (listing.rows, listing.records.rows()) == ([], {})


def test_whoever_is_forgotten_is_in_no_row(listing: Listing) -> None:
    """Their words go, and the row names no owner: Slack knows no way to empty a cell, so it is another row."""
    listing.note(listing.parts.declare(), f"Ask Dana Example <@{DANA}>")
    listing.round()
    person = Forgotten(former(1), ids=frozenset({DANA}), names=frozenset({"Dana Example"}))
    Forgetting(listing.parts.store, person, dry=False).run()
    listing.round(times=2)
    [row] = listing.rows
    assert "owner" not in row
    assert "Dana" not in str(row)
    assert DANA not in str(row)


# Slack says no, or nothing -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["drop_after", "drop_before", "status", "ratelimited"])
def test_a_row_whose_creation_got_no_answer_stands_once(listing: Listing, kind: str) -> None:
    """It is looked for by its number, and adopted as it is owed now."""
    incident = listing.parts.declare()
    item = listing.note(incident)
    listing.note(incident, f"As {item.id} has it")
    listing.round()
    third = listing.note(incident, "Third")
    listing.parts.fault("slackLists.items.create", kind)
    listing.round()
    listing.items.change(third.id, lambda i: replace(i, text="Third, in other words"))
    listing.round(HOUR, times=2)
    assert sorted(row["item"] for row in listing.rows) == [
        "Alert on the pool",
        f"As {item.id} has it",
        "Third, in other words",
    ]


def test_a_row_that_somebody_deleted_stays_deleted(listing: Listing) -> None:
    """Whoever deletes one does not want it; its item goes on."""
    incident = listing.parts.declare()
    item, other = listing.note(incident), listing.note(incident, "Another")
    listing.round()
    [there] = listing.lists
    [row] = [row["id"] for row in there["rows"] if row["number"] == item.id]
    listing.delete(there["id"], row=row)
    listing.change(item, partial(given_to, owner=OMAR, due=LATER))
    listing.change(item, lambda i: closed(i, ItemState.DONE, OMAR, i.at))
    assert [row["number"] for row in listing.rows] == [other.id]
    listing.parts.redis.hdel(ITEMS, item.id)
    listing.round()
    assert list(listing.records.rows()) == [other.id]


@pytest.mark.parametrize("when", ["new", "handed over", "done"])
def test_an_owner_who_left_is_left_out(listing: Listing, when: str) -> None:
    """Slack refuses who is not there any more; the row says the rest."""
    incident = listing.parts.declare()
    if when == "new":
        listing.parts.control(f"users/{OMAR}", deleted=True)
        listing.note(incident, owner=OMAR)
        listing.round(times=2)
    else:
        item = listing.note(incident, owner=OMAR if when == "done" else DANA)
        listing.round()
        listing.parts.control(f"users/{OMAR}", deleted=True)
        steps = {
            "handed over": partial(given_to, owner=OMAR, due=None),
            "done": lambda i: closed(i, ItemState.DONE, DANA, i.at),
        }
        listing.change(item, steps[when])
    listing.parts.control(f"users/{OMAR}", deleted=False)
    [row] = listing.rows
    assert "owner" not in row
    assert row["state"] == ("done" if when == "done" else "open")
    assert listing.problems() == []


def test_one_row_that_slack_refuses_keeps_no_other_one_back(listing: Listing) -> None:
    """Whoever runs Tocsin reads which; it is tried again an hour later, and then no problem any more."""
    incident = listing.parts.declare()
    first, second = listing.note(incident, "One"), listing.note(incident, "Two")
    listing.parts.fault("slackLists.items.create", "error", error="invalid_blocks", times=1)
    listing.round(times=2)
    assert [row["number"] for row in listing.rows] == [second.id]
    [problem] = listing.problems()
    assert first.id in problem
    listing.round(HOUR)
    assert sorted(row["number"] for row in listing.rows) == [first.id, second.id]
    assert listing.problems() == []


def test_upkeep_keeps_the_list(listing: Listing) -> None:
    """The rounds of a worker are all it takes."""
    listing.note(listing.parts.declare())
    rounds = Upkeep(listing.parts.context)
    rounds.start()
    rounds.close()
    assert len(listing.rows) == 1
