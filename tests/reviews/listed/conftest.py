"""A worker with the list."""

from collections.abc import Iterator

import pytest

from tests.reviews.listed.listing import Listing, listing_in
from tests.support.worker import SlackByClock


@pytest.fixture
def listing(slack_by_clock: SlackByClock) -> Iterator[Listing]:
    with listing_in(slack_by_clock) as made:
        yield made
