"""The section of a report on prevention: what came back, and what had been meant to prevent it."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from escalation.figures.recurrence import Recurrence
from escalation.figures.words import recurrences
from escalation.reports.gather import Gathered
from escalation.reports.model import Cell, Section, Table
from escalation.reviews.action_items import ActionItem, ItemState, in_order
from escalation.text import Line, line

MAX_ROWS = 20
HEADER = ("incident", "service", "cause", "repeats", "owner", "state", "action item that was open")
NONE = "none"


def prevention(found: Gathered, zone: str) -> Section:
    """Show which incidents came back although something was to prevent them, or because nothing was."""
    today = found.now.astimezone(ZoneInfo(zone)).date()
    rows = tuple(_rows(found, today))
    left = len(rows) - MAX_ROWS
    more = (line(f"{left:,} more are not shown."),) if left > 0 else ()
    said = (*(line(text) for text in recurrences(found.figures)), *more, *_open(found, today))
    return Section("Prevention", said, Table("Recurrences", HEADER, rows[:MAX_ROWS]) if rows else None)


def _rows(found: Gathered, today: date) -> Iterator[tuple[Cell, ...]]:
    """Yield a row for each recurrence, the latest first, with the item that was to be done first of those open then."""
    items = {item.id: item for item in found.items}
    for seen in reversed(found.figures.observations):
        again = found.figures.recurred.get(seen.id)
        if again is None:
            continue
        began = datetime.fromtimestamp(seen.declared, found.now.tzinfo).date()
        were_open = in_order((items[i] for i in again.open if i in items), began)
        yield (seen.id, seen.service, seen.cause_category, again.of, *_first(were_open, again, found, began, today))


def _first(
    were_open: Sequence[ActionItem], again: Recurrence, found: Gathered, began: date, today: date
) -> tuple[Cell, ...]:
    """The cells about the item that was to be done first, and how many more were open."""
    if not were_open:
        return ("", "", "none, all were closed" if again.closed else NONE)
    first, more = were_open[0], len(were_open) - 1
    owner = found.names.get(first.owner, first.owner) or "nobody"
    return (owner, _state(first, began, today), f"{first.id} {first.text}{f' and {more:,} more' if more else ''}")


def _state(item: ActionItem, began: date, today: date) -> str:
    """How late it was when the incident began, and what it is now."""
    late = (began - item.due).days if item.due else 0
    then = f"{late} {'day' if late == 1 else 'days'} overdue" if late > 0 else "not due yet" if item.due else "an idea"
    return then if item.state is ItemState.OPEN else f"{then}, {item.state} since"


def _open(found: Gathered, today: date) -> Iterator[Line]:
    still = [i for i in found.items if i.state is ItemState.OPEN]
    promised = [i for i in still if i.commitment]
    overdue = sum(i.overdue(today) for i in promised)
    oldest = max(((today - i.at.date()).days for i in still), default=0)
    age = f"; the oldest is {oldest} {'day' if oldest == 1 else 'days'} old" if still else ""
    ideas = len(still) - len(promised)
    counted = f"{len(promised):,} promised, {overdue:,} of them overdue, and {ideas:,} ideas{age}"
    yield line(f"Open action items{of_all(found)}: {counted}.")


def of_all(found: Gathered) -> str:
    """Say that something is about every incident, in a report on some of them."""
    return " of all incidents" if found.narrowed else ""
