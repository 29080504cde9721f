"""The Slack List itself: made once, found wanting where the plan has none, and never made in a loop."""

from dataclasses import replace
from functools import partial

import pytest

from escalation.storage.reviews.listed import ListRecords, SlackList
from escalation.storage.surfaces import KEY, LIST
from tests.reviews.listed.listing import HOUR, Listing, listing_in
from tests.support.bot import open_office
from tests.support.worker import SlackByClock, Works, works
from tocsin.doctor.redis_checks import surfaces_off

CREATE = "slackLists.create"


@pytest.mark.parametrize("error", ["paid_teams_only", "lists_disabled_user_team", "missing_scope", "unheard_of"])
def test_without_lists_all_else_works(listing: Listing, error: str) -> None:
    """The doctor names it, it is no fault, and it is tried again a day later."""
    listing.parts.fault(CREATE, "error", error=error, times=1)
    listing.note(listing.parts.declare())
    listing.round(times=5)
    [finding] = surfaces_off(listing.parts.redis)
    assert (finding.state, error in finding.what) == ("ok", True)
    assert listing.parts.store.problems.current() == []
    assert (listing.times(CREATE), listing.lists) == (1, [])
    assert 86_000 < int(listing.parts.redis.ttl(KEY + LIST)) <= 86_400
    listing.parts.redis.delete(KEY + LIST)
    listing.round()
    assert len(listing.rows) == 1


def test_lists_that_are_switched_off_later_are_left_alone(listing: Listing) -> None:
    """What was written is not forgotten: it goes on where it was."""
    incident = listing.parts.declare()
    listing.note(incident)
    listing.round()
    listing.note(incident, "Second")
    listing.parts.fault("slackLists.items.create", "error", error="lists_disabled_user_team", times=1)
    listing.round(times=3)
    assert len(listing.rows) == 1
    listing.parts.redis.delete(KEY + LIST)
    listing.round()
    assert (len(listing.rows), listing.times(CREATE)) == (2, 1)


def test_a_list_whose_creation_got_no_answer_is_made_once_more(listing: Listing) -> None:
    """An hour later, and whoever runs Tocsin is told that one may stand empty."""
    listing.parts.fault(CREATE, "drop_after")
    listing.note(listing.parts.declare())
    listing.round(times=10)
    assert listing.times(CREATE) == 1
    [problem] = listing.problems()
    assert "delete the empty one" in problem
    listing.round(HOUR, times=3)
    assert [len(there["rows"]) for there in listing.lists] == [0, 1]


def test_an_answer_without_columns_is_none(listing: Listing) -> None:
    """A list whose columns nobody knows cannot be filled."""
    listing.parts.fault(CREATE, "without", fields=["list_metadata"])
    listing.note(listing.parts.declare())
    listing.round(times=2)
    listing.round(HOUR, times=2)
    assert [len(there["rows"]) for there in listing.lists] == [0, 1]


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "status"])
def test_a_list_is_never_made_in_a_loop(listing: Listing, slack_by_clock: SlackByClock, kind: str) -> None:
    """Two tries without an answer, and then somebody has to ask: the remedy says how, and it works."""
    listing.parts.fault(CREATE, kind, times=None)
    listing.note(listing.parts.declare())
    for _ in range(48):
        listing.round(HOUR)
    assert listing.times(CREATE) == 2
    [problem] = listing.problems()
    assert "once without `follow_up_list`" in problem
    listing.parts.slack_back()
    Listing(without_list(listing, slack_by_clock)).round()
    assert listing.problems() == []
    listing.round(times=2)
    assert len(listing.lists[-1]["rows"]) == 1


def without_list(listing: Listing, slack_by_clock: SlackByClock) -> Works:
    """The same worker, started without the key."""
    workspace, clock = slack_by_clock
    company = listing.parts.service.company.model_copy(update={"follow_up_list": False})
    return works(listing.parts.redis, workspace, clock, company)


def test_a_limit_and_an_outage_make_no_second_list(listing: Listing) -> None:
    """A call that Slack did not take made nothing."""
    listing.parts.fault(CREATE, "ratelimited", times=5)
    listing.note(listing.parts.declare())
    for _ in range(7):
        listing.round(HOUR)
    assert (len(listing.rows), listing.problems()) == (1, [])


def test_a_list_that_was_deleted_is_made_anew_once(listing: Listing) -> None:
    """With all that is in it; a second deletion is an answer. What was not deleted, but taken from us, is named."""
    incident = listing.parts.declare()
    items = [listing.note(incident, f"Number {n}") for n in range(3)]
    listing.round()
    [first] = listing.lists
    listing.delete(first["id"])
    listing.note(incident, "Number 3")
    listing.round(times=3)
    assert len(listing.rows) == len(items) + 1
    [problem] = listing.problems()
    assert first["id"] in problem
    [second] = listing.lists
    listing.delete(second["id"])
    listing.note(incident, "Number 4")
    listing.round(times=5)
    listing.round(HOUR, times=5)
    assert (listing.lists, listing.times(CREATE)) == ([], 2)
    [problem] = listing.problems()
    assert "once without `follow_up_list`" in problem


def test_an_update_finds_out_too_that_the_list_is_gone(listing: Listing) -> None:
    """Slack calls it another name there."""
    item = listing.note(listing.parts.declare())
    listing.round()
    [first] = listing.lists
    listing.delete(first["id"])
    listing.items.change(item.id, partial(replace, text="Other words"))
    listing.round(times=3)
    assert [row["item"] for row in listing.rows] == ["Other words"]


def test_the_channel_that_reads_it_is_owed_until_it_may(listing: Listing) -> None:
    """Rows do not wait for it, and whoever runs Tocsin is told meanwhile."""
    listing.parts.fault("slackLists.access.set", "error", error="invalid_parameters", times=2)
    listing.note(listing.parts.declare())
    listing.round()
    [there] = listing.lists
    assert (there["access"], len(there["rows"])) == ({}, 1)
    assert "#incidents" in listing.problems()[0]
    listing.round(times=2)
    assert (listing.lists[0]["access"], listing.problems()) == ({"#incidents": "read"}, [])


def test_slack_is_away(listing: Listing) -> None:
    """What is owed waits, and no problem is made of it."""
    incident = listing.parts.declare()
    item = listing.note(incident)
    listing.round()
    listing.parts.slack_away()
    listing.note(incident, "Second")
    listing.items.change(item.id, partial(replace, text="Other words"))
    listing.round(times=5)
    assert listing.problems() == []
    listing.parts.slack_back()
    listing.round(times=2)
    assert sorted(row["item"] for row in listing.rows) == ["Other words", "Second"]


def test_it_is_off_unless_asked_for(slack_by_clock: SlackByClock) -> None:
    """No list, no call, no record."""
    with listing_in(slack_by_clock, follow_up_list=False) as listing:
        listing.note(listing.parts.declare())
        listing.round(times=2)
        assert (listing.parts.calls(""), listing.records.get()) == ([], None)


def test_switched_off_later_it_stands_still_but_for_what_became_private(
    listing: Listing, slack_by_clock: SlackByClock
) -> None:
    """Nobody asked for the rows to go; what must not be read goes all the same."""
    incident, other = listing.parts.declare(), listing.parts.declare()
    listing.note(incident, "SECRET-MARKER")
    listing.note(other, "Stays")
    listing.round()
    off = Listing(without_list(listing, slack_by_clock))
    off.note(other, "Comes later")
    listing.items.make_private(incident.id)
    off.round(times=3)
    assert [row["item"] for row in off.rows] == ["Stays"]


def test_action_items_in_slack_lead_to_the_list() -> None:
    """Whoever looks at them finds it, once people can see it."""
    with open_office(follow_up_list=True) as office:
        dana = office.person("dana")
        dana.command("actions")
        assert "Slack List" not in dana.told("No open action items")
        ListRecords(office.world.redis).save(SlackList(id="F0LIST", shared="incidents"))
        dana.command("actions")
        assert "/F0LIST|Commitments as a Slack List>" in dana.told("Slack List")
