"""What every tracker can do, and the shape of a ticket there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from escalation.config.tickets import Tracker, Vendor
from escalation.incident.tracked import Issue
from escalation.text import Lines
from workers.channels.failures import Failed


@dataclass(frozen=True)
class Draft:
    """A ticket to create. `mark` finds it again: it is unique in a project. `due` is its day, where it has one."""

    title: str
    body: Lines
    mark: str
    due: date | None = None


@dataclass(frozen=True)
class Found:
    """A ticket as a tracker has it. `by`: who closed it last, where that is known; `author` made it.

    `worked` False: it was closed without having been worked on.
    """

    issue: Issue
    labels: tuple[str, ...] = ()
    by: str = ""
    author: str = ""
    due: date | None = None
    worked: bool = True


class InDoubt(Failed):
    """A creation that may have been carried out: no answer came, or a fault of the server's."""


class TrackerClient(Protocol):
    """Client of a tracker. Its methods raise Failed; of kind GONE for a ticket that was deleted."""

    vendor: Vendor
    searches: int
    """How often a ticket whose creation is in doubt has to be looked for in vain before it is created again."""

    def create(self, tracker: Tracker, draft: Draft) -> Found:
        """Create a ticket. Raises InDoubt if it may have been created all the same."""

    def find(self, tracker: Tracker, mark: str, since: datetime) -> Sequence[Found]:
        """Find the tickets with that mark, the oldest first, among those made since then."""

    def read(self, key: str) -> Found:
        """Read a ticket."""

    def comment(self, key: str, lines: Lines, mark: str, since: datetime | None) -> None:
        """Comment a ticket. Given `since` the comment may have been made from then on: it is looked for first."""

    def set_open(self, key: str, is_open: bool, *, done: bool) -> None:
        """Close or reopen a ticket, unless it is so. `done` False: closed without having been worked on."""

    def assign(self, key: str, logins: Sequence[str]) -> None:
        """Assign people to a ticket beside those who are."""

    def rename(self, key: str, title: str) -> None:
        """Give a ticket another title."""

    def hand_over(self, key: str, login: str, former: str) -> None:
        """Assign a ticket to somebody in place of another, if it is that one's; empty for nobody."""

    def set_due(self, key: str, due: date) -> None:
        """Set a ticket's day, where it has one that we may set."""

    def close_twin(self, key: str, kept: Issue) -> None:
        """Close a second ticket of the same incident, with a word about the one that is kept."""

    def check(self, tracker: Tracker) -> None:
        """Check that tickets could be created there; nothing is."""
