"""A commitment's row in the Slack List: what it shows, and what is owed to it there. Pure.

The list follows the record, never the other way round. It has commitments only, and none of a private incident: what
must not stand there any more is deleted from it.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from escalation.reviews.action_items import ActionItem, ItemState
from escalation.values import PersonId, fingerprint, title_of

KEPT = timedelta(days=90)  # after it was closed: a Slack List takes a limited number of rows


@dataclass(frozen=True)
class Row:
    """What a row shows. `owner` is empty for one that Slack does not know."""

    number: str
    text: str
    due: date
    state: ItemState
    owner: PersonId = ""

    @property
    def shown(self) -> str:
        """Fingerprint of all of it."""
        return fingerprint("\n".join((self.number, self.text, str(self.due), self.state, self.owner)))


@dataclass(frozen=True)
class Listed:
    """A row as it was last written. Without `row`, Slack's id, it is being created and may be there.

    `shown` is the fingerprint of what it was to show; `owned`: it names an owner. `doubted`: a creation got no answer,
    so that there may be a second one. `gone`: somebody deleted it.
    """

    row: str = ""
    shown: str = ""
    owned: bool = False
    doubted: bool = False
    gone: bool = False


class Owed(StrEnum):
    """What is to be done in the list."""

    ADD = "add"
    UPDATE = "update"
    REMOVE = "remove"


def row_of(item: ActionItem) -> Row | None:
    """Build the row of a commitment; None for an idea."""
    if item.due is None or not item.owner:
        return None
    return Row(item.id, item.text, item.due, item.state, "" if title_of(item.owner) else item.owner)


def owed(item: ActionItem | None, listed: Listed | None, now: datetime, *, wanted: bool) -> Owed | None:
    """Return what comes next for an item, or for the row of one that was removed; None if nothing does.

    With `wanted` False, for the configuration asks for no list, rows stay as they are; only what must go goes.
    """
    row = row_of(item) if item and not item.private and not _long_closed(item, now) else None
    if listed is None:
        begins = wanted and item is not None and row is not None and item.state is ItemState.OPEN
        return Owed.ADD if begins else None
    if listed.gone:
        return None if item else Owed.REMOVE
    if row is None:
        return Owed.REMOVE
    if not wanted:
        return None
    if not listed.row:
        return Owed.ADD
    if listed.owned and not row.owner:
        return Owed.REMOVE  # added anew without: Slack documents no way to empty a cell
    return None if listed.shown == row.shown else Owed.UPDATE


def _long_closed(item: ActionItem, now: datetime) -> bool:
    return item.closed_at is not None and item.closed_at < now - KEPT
