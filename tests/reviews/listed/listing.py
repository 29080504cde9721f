"""Tocsin with a Slack List of action items, in the local workspace; a round of it at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

from escalation.incident.model import Incident
from escalation.reviews.action_items import ActionItem
from escalation.storage.action_items import ActionItems
from escalation.storage.reviews.listed import ListRecords
from tests.support.company import example_company, user
from tests.support.http import web
from tests.support.worker import SlackByClock, Works, redis_of, works
from workers.recurring.action_items.listed import WAIT, ListedItems

DANA, OMAR = user("dana"), user("omar")
DUE, LATER = date(2024, 12, 31), date(2025, 1, 15)
HOUR = 3600.0
Json = dict[str, Any]


@dataclass
class Listing:
    """A worker whose configuration asks for the list."""

    parts: Works

    def __post_init__(self) -> None:
        self.items = ActionItems(self.parts.redis)
        self.records = ListRecords(self.parts.redis)

    def note(self, incident: Incident, text: str = "Alert on the pool", **facts: Any) -> ActionItem:
        """Note an item: a commitment of Dana's, unless said otherwise."""
        known: Json = {"owner": DANA, "due": DUE, "private": incident.private} | facts
        return self.items.add(incident.id, lambda new: ActionItem(new, text, DANA, self.parts.clock(), **known))

    def round(self, seconds: float = 30.0, times: int = 1) -> None:
        """Push the clock, and do what is owed."""
        for _ in range(times):
            self.parts.clock.push(seconds=seconds)
            for name in self.parts.redis.scan_iter(f"{WAIT}*"):
                if seconds >= HOUR:  # Redis has a clock of its own
                    self.parts.redis.delete(name)
            ListedItems(self.parts.context, lambda: False).refresh(self.parts.clock())

    def change(self, item: ActionItem, step: Any) -> ActionItem:
        """Change an item, and carry it there."""
        after = self.items.change(item.id, step)
        self.round(times=2)
        return after

    @property
    def lists(self) -> list[Json]:
        """The lists of the workspace."""
        found: list[Json] = self.parts.look("control/lists")["lists"]
        return found

    @property
    def rows(self) -> list[Json]:
        """The rows of the one list there is."""
        [there] = self.lists
        found: list[Json] = there["rows"]
        return found

    def delete(self, list_id: str, **row: str) -> None:
        """Delete a list, or a row of it, as somebody does in Slack."""
        assert self.parts.workspace
        web.post(f"{self.parts.workspace.url}/lists/T/{list_id}", json=row)

    def problems(self) -> list[str]:
        """What whoever runs Tocsin reads of it."""
        current = self.parts.store.problems.current()
        return [f"{p.text}: {p.remedy}" for p in current if p.key.startswith("follow_up_list")]

    def times(self, method: str) -> int:
        """How often a method was called."""
        return len(self.parts.calls(method))


@contextmanager
def listing_in(slack_by_clock: SlackByClock, **changes: Any) -> Iterator[Listing]:
    """A worker over an empty workspace, with an incidents channel."""
    workspace, clock = slack_by_clock
    with redis_of("valkey") as redis:
        company = example_company(**({"follow_up_list": True} | changes))
        made = works(redis, workspace, clock, company)
        made.control("reset")
        made.control("channels", name="incidents", creator=DANA)
        yield Listing(made)
