"""A commitment's ticket in a tracker: what it is owed there, what is news from there, and its words. Pure.

Both sides are compared with the state that was last seen there: what differs here is for the tracker, what differs
there is for the item. So each change is made once, whichever side it began on and whatever was missed between.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from escalation.incident.model import Incident
from escalation.incident.tracked import Issue
from escalation.messages.tickets import LONGEST, LONGEST_TITLE
from escalation.reviews.action_items import ActionItem, ItemState, ItemTicket, closed, reopened
from escalation.text import Line, Lines, Link, Strong, Verbatim, line
from escalation.values import PersonId, machine

LABEL = "action-item"
"""Label of such a ticket, beside those of the tracker."""


class Owed(StrEnum):
    """What is to be done in the tracker for an item."""

    OPEN = "open"
    CARRY = "carry"
    CLOSE = "close"
    REOPEN = "reopen"


def owed(item: ActionItem) -> Owed | None:
    """Return what comes next; None if the tracker knows everything, or must hear nothing more."""
    ticket, is_open = item.ticket, item.state is ItemState.OPEN
    if ticket is None:
        return Owed.OPEN if is_open and item.commitment else None
    if ticket.gone or ticket.private is not item.private:
        return None
    if ticket.open is not is_open:
        return Owed.REOPEN if is_open else Owed.CLOSE
    carried = (ticket.owner, ticket.promised) == (item.owner, item.due)
    return None if carried or not is_open else Owed.CARRY


def mark_of(item: ActionItem) -> str:
    """Return the mark by which its ticket is found again."""
    mark = f"{item.incident}-item-{item.id.partition('/')[2]}"
    return f"{mark}-private" if item.private else mark


@dataclass(frozen=True)
class TicketNews:
    """An item's ticket as it is in the tracker now. `worked` False: it was closed without having been worked on.

    `by` did it, a member, or somebody who is `known_as` that there. `assigned` are the members among its assignees.
    """

    issue: Issue
    due: date | None = None
    worked: bool = True
    by: PersonId = ""
    known_as: str = ""
    assigned: tuple[PersonId, ...] = ()


def ticket_of(item: ActionItem, issue: Issue, due: date | None = None) -> ItemTicket:
    """Return the ticket as it is after a change of ours, which carried the item's owner and day."""
    return ItemTicket(
        vendor=issue.vendor,
        key=item.ticket.key if item.ticket else issue.key,
        url=item.ticket.url if item.ticket else issue.url,
        open=issue.open,
        assignees=issue.assignees,
        due=due,
        updated=issue.updated,
        gone=issue.gone,
        private=item.ticket.private if item.ticket else item.private,
        owner=item.owner,
        promised=item.due,
    )


def follow(item: ActionItem, news: TicketNews, at: datetime) -> ActionItem:
    """Follow what others changed in the tracker: closed, opened, assigned, another day, deleted."""
    known, there = item.ticket, news.issue
    if known is None or known.gone or (known.vendor, known.key) != (there.vendor, there.key):
        return item
    if known.updated and there.updated and there.updated < known.updated:
        return item
    if there.gone:
        return replace(item, ticket=replace(known, gone=True))
    if known.private is not item.private:
        return item
    seen = replace(known, open=there.open, assignees=there.assignees, due=news.due, updated=there.updated)
    after = _moved(replace(item, ticket=seen), known, news, at)
    return _taken(after, known, news)


def _moved(item: ActionItem, known: ItemTicket, news: TicketNews, at: datetime) -> ActionItem:
    there = news.issue
    if known.open and not there.open and item.state is ItemState.OPEN:
        state = ItemState.DONE if news.worked else ItemState.DROPPED
        who = f" by {news.known_as}" if news.known_as and not news.by else ""
        by = news.by or machine(there.vendor.words)
        return closed(item, state, by, at, f"closed in {there.vendor.words}{who}")
    if not known.open and there.open and item.state is not ItemState.OPEN:
        return reopened(item)
    return item


def _taken(item: ActionItem, known: ItemTicket, news: TicketNews) -> ActionItem:
    """Take over another owner, and another day, unless the tracker was not told yet of what they are here."""
    ticket = item.ticket
    if ticket is None or (known.owner, known.promised) != (item.owner, item.due):
        return item
    owner, due = item.owner, item.due
    if set(ticket.assignees) != set(known.assignees) and news.assigned and owner not in news.assigned:
        owner = news.assigned[-1]
    if ticket.due != known.due and ticket.due is not None:
        due = ticket.due
    return replace(item, owner=owner, due=due, ticket=replace(ticket, owner=owner, promised=due))


# In the tracker, which others than the people of the incident read -------------------------------------------------


def title(item: ActionItem) -> str:
    """Build the ticket's title; of a private incident it has the number only."""
    return f"{item.id}: {'Action item' if item.private else item.text}"[:LONGEST_TITLE]


def body(item: ActionItem, incident: Incident, card_url: str) -> Lines:
    """Build the ticket's text. Of a private incident it has id, severity and link only."""
    return tuple(_body(item, incident, card_url))


def _body(item: ActionItem, incident: Incident, card_url: str) -> Iterator[Line]:
    if not item.private:
        yield line(Verbatim(item.text[:LONGEST]))
    of = () if item.private else (": ", Verbatim(incident.facts.title))
    yield line(Strong("Action item of: "), f"{incident.severity} {incident.id}", *of)
    if not item.private:
        told = {"Service": item.service, "Team": incident.team, "Due": f"{item.due:%Y-%m-%d}" if item.due else ""}
        yield from (line(Strong(f"{name}: "), Verbatim(value)) for name, value in told.items() if value)
    if card_url:
        yield line(Link(card_url, "The incident in Slack"))


def comment(item: ActionItem, what: Owed) -> Lines:
    """Build the comment on a change: by which day it is promised now, or why it is dropped; most need no words."""
    if what is Owed.CARRY:
        return (line(f"Now due on {item.due:%Y-%m-%d}."),) if item.due and not item.private else ()
    if what is Owed.CLOSE and item.state is ItemState.DROPPED and not item.private:
        return (line(Strong("Dropped: "), Verbatim(item.why[:LONGEST])),)
    return ()
