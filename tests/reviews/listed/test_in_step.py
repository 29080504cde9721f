"""Whatever people do and Slack loses meanwhile: each commitment stands once, as it is, and nothing else does."""

from collections.abc import Callable
from functools import partial

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from escalation.errors import Refused
from escalation.reviews.action_items import ActionItem, ItemState, closed, edited, reopened
from tests.reviews.listed.listing import DANA, DUE, HOUR, LATER, OMAR, Listing, listing_in
from tests.support.profiles import examples
from tests.support.worker import SlackByClock

STEPS: dict[str, Callable[[ActionItem], ActionItem]] = {
    "done": lambda item: closed(item, ItemState.DONE, DANA, item.at),
    "opened again": reopened,
    "handed over": partial(edited, owner=OMAR, due=LATER),
    "an idea": partial(edited, owner="", due=None),
    "promised": partial(edited, owner=DANA, due=DUE),
}
DEEDS = st.sampled_from(["noted", "private", "round", *STEPS])
METHODS = st.sampled_from([f"slackLists.items.{name}" for name in ("create", "update", "delete", "list")])
FAULTS = st.sampled_from(["drop_before", "drop_after", "status", "ratelimited"])
LIVES = st.lists(st.tuples(DEEDS, st.integers(0, 3), st.none() | st.tuples(METHODS, FAULTS)), min_size=3, max_size=14)


@given(LIVES)
@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_commitment_stands_once_whatever_was_lost(
    slack_by_clock: SlackByClock, lives: list[tuple[str, int, tuple[str, str] | None]]
) -> None:
    """Once Slack is there for a while, the list says what the record says."""
    with listing_in(slack_by_clock) as listing:
        incidents = [listing.parts.declare(), listing.parts.declare()]
        items = [listing.note(incidents[0])]
        listing.round()
        for deed, n, fault in lives:
            if fault:
                listing.parts.fault(*fault)
            if deed == "round":
                listing.round()
            elif deed == "noted":
                items.append(listing.note(incidents[n % 2], f"Number {len(items)}"))
            elif deed == "private":
                listing.items.make_private(incidents[1].id)
            else:
                changed(listing, items[n % len(items)].id, STEPS[deed])
        listing.parts.slack_back()
        listing.round(HOUR, times=6)
        assert_in_step(listing)


def changed(listing: Listing, item: str, step: Callable[[ActionItem], ActionItem]) -> None:
    """Take a step where it can be taken."""
    try:
        listing.items.change(item, step)
    except Refused:
        return


def assert_in_step(listing: Listing) -> None:
    """A row for each open commitment that is not private, perhaps for a closed one, and for nothing else."""
    rows = {row["number"]: row for row in listing.rows}
    assert len(rows) == len(listing.rows)
    items = {item.id: item for item in listing.items.all()}
    may = {key for key, item in items.items() if item.commitment and not item.private}
    assert {key for key in may if items[key].state is ItemState.OPEN} <= set(rows) <= may
    for key, row in rows.items():
        item = items[key]
        said = (row["item"], row["owner"], row["due"], row["state"])
        assert said == (item.text, item.owner, str(item.due), item.state)
