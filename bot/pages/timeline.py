"""A long timeline in pages: each shows so many entries, and names every other one by the instant it begins with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from escalation.incident.model import Incident
from escalation.incident.noted import told_at
from escalation.incident.state.entries import Entry

PER_PAGE = 200  # entries: thousands at once would keep the bot busy for seconds, and a telephone as well


class Stretch(NamedTuple):
    """A page to choose: what it begins with, and the number of its last entry."""

    begins: datetime
    upto: int


@dataclass(frozen=True)
class TimelinePage:
    """Entries `first` to `upto` of `total`, in the order in which things happened. `stretches` are all pages."""

    entries: Sequence[Entry]
    first: int
    upto: int
    total: int
    stretches: tuple[Stretch, ...]

    @property
    def earlier(self) -> int:
        """Last entry of the page before this one; 0 if there is none."""
        return self.first - 1

    @property
    def later(self) -> int:
        """Last entry of the page after this one; 0 if there is none."""
        return min(self.upto + PER_PAGE, self.total) if self.upto < self.total else 0


def timeline_page(incident: Incident, upto: int = 0) -> TimelinePage:
    """Return the page that ends with an entry; the latest one unless there is such an entry."""
    ordered = sorted(incident.timeline, key=told_at)
    total = len(ordered)
    last = upto if 0 < upto <= total else total
    first = max(0, last - PER_PAGE)
    ends = range(total, 0, -PER_PAGE)
    stretches = tuple(Stretch(told_at(ordered[max(0, end - PER_PAGE)]), end) for end in reversed(ends))
    return TimelinePage(ordered[first:last], first + 1, last, total, stretches)
