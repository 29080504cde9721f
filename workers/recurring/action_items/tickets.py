"""Tickets of commitments: created, carried on and closed as the action items are; read every few minutes.

What is owed follows from the item and what was last seen of its ticket, so each round does what is left, however the
former one ended.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog

from bot.render.common import card_url
from escalation.config.tickets import TICKETS, Tracker, Vendor
from escalation.incident.model import Incident
from escalation.incident.tracked import Issue
from escalation.reviews.action_items import ActionItem, ItemState, ItemTicket
from escalation.reviews.item_tickets import LABEL, Owed, body, comment, mark_of, owed, ticket_of, title
from escalation.storage.action_items import ActionItems
from escalation.storage.tickets import BEGUN_SECONDS, TicketRecords
from workers.channels.failures import Failed, Kind
from workers.channels.trackers.tracker import Draft, Found, TrackerClient
from workers.context import Context
from workers.delivery.trackers.creation import TOKENS, Creation
from workers.delivery.trackers.news import ItemNews
from workers.queue.leases import lease_key
from workers.recurring.back_off import BackOff

POLLED, CURSOR = "tocsin:ticket:items:polled", "tocsin:ticket:items:cursor"
EVERY_SECONDS = 180
MOST_READ = 40  # items read at once; with more of them each is read less often
MOST_CHANGED = 10  # items in a round: a tracker takes about eighty changes a minute, and an item may need four
LEASE_SECONDS = 120  # a few calls of ten seconds
LOST_REPLY = timedelta(minutes=10)  # how long ago a comment may have been made whose reply was lost

log = structlog.get_logger()


class ItemTickets:
    """Mirrors commitments. `stopping` ends a round early."""

    def __init__(self, context: Context, stopping: Callable[[], bool]) -> None:
        self._context = context
        self._stopping = stopping
        self._items = ActionItems(context.redis)
        self._records = TicketRecords(context.redis)
        self._news = ItemNews(context.service)
        self._back_off = BackOff(
            context,
            waits="tocsin:ticket:items:wait",
            problems=f"{TICKETS}:action items",
            what="tickets of action items",
        )

    def refresh(self, now: datetime) -> None:
        """Read what is there, if that is due, and do what is owed."""
        if not self._context.channels.trackers:
            return
        self._back_off.start_round()
        if self._context.redis.set(POLLED, "1", nx=True, ex=EVERY_SECONDS):
            self._read()
            self._close_twins(now)
        changed = 0
        for item in filter(owed, self._items.all()):
            if changed < MOST_CHANGED and not self._stopping():
                changed += self._mirror(item, now)

    # What is owed there ----------------------------------------------------------------------------------------------

    def _mirror(self, item: ActionItem, now: datetime) -> bool:
        """Do all that is owed for one item, under a lease; True if it was tried."""
        tracker = self._tracker(item)
        vendor = item.ticket.vendor if item.ticket else tracker.vendor if tracker else None
        if vendor is None or self._back_off.holds(vendor, item.id):
            return False
        client = self._context.channels.trackers.get(vendor)
        if client is None:
            self._note_trouble(item, f"{vendor.words} is not set up: set {TOKENS[vendor]}")
            return False
        lease = lease_key(f"item-ticket-{item.id}")
        if not self._context.redis.set(lease, "1", nx=True, ex=LEASE_SECONDS):
            return False
        try:
            self._step_by_step(item, client, now)
            self._back_off.succeeded(vendor, item.id)
        except Failed as failed:
            self._note_trouble(item, failed.reason.text)
            self._back_off.failed(vendor, item.id, failed)
        finally:
            self._context.redis.delete(lease)
        return True

    def _tracker(self, item: ActionItem) -> Tracker | None:
        """Where a ticket of the item goes: as the configuration says now, for an incident may be long over."""
        tickets = self._context.service.company.tickets_of(item.service)
        return tickets.private if tickets and item.private else tickets

    def _step_by_step(self, item: ActionItem, client: TrackerClient, now: datetime) -> None:
        for incident in self._context.store.read([item.incident]):
            if incident.private and not item.private:  # its items follow in a moment, or did not in a crash
                self._items.make_private(incident.id)
            elif not incident.drill:
                self._steps(item, incident, client, now)

    def _steps(self, item: ActionItem, incident: Incident, client: TrackerClient, now: datetime) -> None:
        for _ in Owed:
            what = owed(item)
            if what is None:
                break
            ticket, trouble = self._do(what, item, incident, client, now)
            item = self._items.change(item.id, partial(replace, ticket=ticket, trouble=trouble))

    def _do(
        self, what: Owed, item: ActionItem, incident: Incident, client: TrackerClient, now: datetime
    ) -> tuple[ItemTicket | None, str]:
        """Make one change there; return the ticket as it is then, and what the tracker left out."""
        if what is Owed.OPEN:
            return self._open(item, incident, client, now), ""
        ticket = item.ticket
        assert ticket is not None
        try:
            return self._change(what, item, ticket, client, now)
        except Failed as failed:
            if failed.kind is not Kind.GONE:
                raise
            return replace(ticket, gone=True), ""

    def _open(self, item: ActionItem, incident: Incident, client: TrackerClient, now: datetime) -> ItemTicket | None:
        tracker = self._tracker(item)
        if tracker is None:
            return None
        tracker = tracker.model_copy(update={"labels": (*tracker.labels, LABEL)})
        url = card_url(incident, self._context.store.directory().url)
        draft = Draft(title(item), body(item, incident, url), mark_of(item), None if item.private else item.due)
        creation = Creation(client, self._records, self._context.store.problems)
        since = now - timedelta(seconds=BEGUN_SECONDS)
        made = creation.make(f"item:{item.id}", item.id, tracker, draft, since, now)
        return replace(ticket_of(item, made.found.issue, made.found.due), owner="")

    def _change(
        self, what: Owed, item: ActionItem, ticket: ItemTicket, client: TrackerClient, now: datetime
    ) -> tuple[ItemTicket, str]:
        key, login = ticket.key, self._login(item.owner, ticket.vendor)
        moved = what is Owed.CARRY and ticket.promised != item.due
        if what is Owed.CARRY and ticket.owner != item.owner:
            client.hand_over(key, login, self._login(ticket.owner, ticket.vendor))
        if moved and item.due and not item.private:
            client.set_due(key, item.due)
        if (moved or what is not Owed.CARRY) and (words := comment(item, what)):
            client.comment(key, words, f"{mark_of(item)}-{what}-{now:%Y%m%d}", now - LOST_REPLY)
        if what is not Owed.CARRY:
            client.set_open(key, what is Owed.REOPEN, done=item.state is ItemState.DONE)
        there = client.read(key)
        known = {name.lower() for name in there.issue.assignees}
        lost = what is Owed.CARRY and login and login.lower() not in known
        return ticket_of(item, there.issue, there.due), f"{ticket.vendor.words} left out {login}" if lost else ""

    def _login(self, person: str, vendor: Vendor) -> str:
        entry = self._context.service.company.entry_of(person, self._context.store.directory()) if person else None
        return entry.login(vendor) if entry else ""

    def _note_trouble(self, item: ActionItem, why: str) -> None:
        if item.trouble != why:
            self._items.change(item.id, lambda before: replace(before, trouble=why))

    # What is there ---------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        """Read the tickets of open items, some at a time: GitHub never repeats a webhook."""
        tickets = sorted((i.id, i.ticket) for i in self._items.all() if i.state is ItemState.OPEN and i.ticket)
        raw: Any = self._context.redis.get(CURSOR)
        start = int(raw or 0) if len(tickets) > MOST_READ else 0
        for item_id, ticket in (tickets + tickets)[start : start + MOST_READ][: len(tickets)]:
            client = self._context.channels.trackers.get(ticket.vendor)
            if client and not ticket.gone and not self._back_off.is_away(ticket.vendor) and not self._stopping():
                self._tell(item_id, ticket, client)
        self._context.redis.set(CURSOR, (start + MOST_READ) % max(len(tickets), 1))

    def _tell(self, item_id: str, ticket: ItemTicket, client: TrackerClient) -> None:
        try:
            there = client.read(ticket.key)
        except Failed as failed:
            if failed.kind is not Kind.GONE:
                self._back_off.unread(ticket.vendor, failed)
                return
            there = Found(_issue(ticket, gone=True))
        self._back_off.read(ticket.vendor)
        issue = there.issue.model_copy(update={"key": ticket.key})
        by = "" if there.by == self._records.me(ticket.vendor) else there.by
        self._news.tell(item_id, replace(there, issue=issue), by, by)

    def _close_twins(self, now: datetime) -> None:
        """Close what a creation in doubt made a second time, an hour later."""
        for item_id in self._records.doubtful(now):
            item = self._items.get(item_id) if "/" in item_id else None
            ticket = item.ticket if item else None
            client = self._context.channels.trackers.get(ticket.vendor) if ticket else None
            if item and ticket and client and ticket.private is item.private:
                if not self._back_off.is_away(ticket.vendor):
                    self._close_twins_of(item, ticket, client, now)
            elif "/" in item_id:
                self._records.settled(item_id)

    def _close_twins_of(self, item: ActionItem, kept: ItemTicket, client: TrackerClient, now: datetime) -> None:
        tracker = self._tracker(item)
        try:
            found = client.find(tracker, mark_of(item), now - timedelta(seconds=BEGUN_SECONDS)) if tracker else ()
            for twin in found:
                if twin.issue.key != kept.key and twin.issue.open:
                    log.warning("second ticket closed", item=item.id, kept=kept.key, closed=twin.issue.key)
                    client.close_twin(twin.issue.key, _issue(kept))
        except Failed as failed:
            self._back_off.unread(kept.vendor, failed)
            return
        self._records.settled(item.id)


def _issue(ticket: ItemTicket, *, gone: bool = False) -> Issue:
    return Issue(vendor=ticket.vendor, key=ticket.key, url=ticket.url, private=ticket.private, gone=gone)
