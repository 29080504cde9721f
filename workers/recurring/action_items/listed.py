"""The Slack List of action items: commitments as rows, where the configuration asks for it and the plan has Lists.

What is owed follows from the items and from what was last written, so each round does what is left, however the former
one ended. A creation is noted before it is tried. A row whose creation got no answer is looked for and adopted. A list
is not, for no method finds it: it is created once more, an hour later, and then never again until somebody asks.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import structlog

from escalation.reviews.action_items import ActionItem
from escalation.reviews.listed import Listed, Owed, Row, owed, row_of
from escalation.storage.action_items import ActionItems
from escalation.storage.reviews.listed import ListRecords, SlackList
from escalation.storage.surfaces import LIST
from workers.channels.failures import Failed, Kind
from workers.channels.slack_lists import REFUSED, TITLE
from workers.context import Context
from workers.delivery.problems import report_call
from workers.queue.leases import lease_key

MOST_CHANGED = 8  # rows of a round, which comes twice a minute: deletions are of tier 2, 20 calls a minute
MOST_LISTS = 2  # created without somebody asking
AGAIN = timedelta(hours=1)  # after a creation that got no answer
WAIT_SECONDS = 3600  # after a refusal of one row
LEASE_SECONDS = 600  # longer than a round of calls of ten seconds
WAIT = "tocsin:action-list:wait"
ABOUT_LIST, ABOUT_ROWS, ABOUT_READERS, AWAY = (f"follow_up_list:{n}" for n in ("list", "rows", "readers", "slack"))
ASK_AGAIN = "start once without `follow_up_list`, then with it again, for another one"

log = structlog.get_logger()


class ListedItems:
    """Keeps the list in step. `stopping` ends a round early."""

    def __init__(self, context: Context, stopping: Callable[[], bool]) -> None:
        self._context = context
        self._stopping = stopping
        self._items = ActionItems(context.redis)
        self._records = ListRecords(context.redis)
        self._problems = context.store.problems
        self._lacking = False

    def refresh(self, now: datetime) -> None:
        """Do what is owed. Nothing without `follow_up_list`, but rows that must go still go."""
        wanted, there = self._context.service.company.follow_up_list, self._records.get()
        if not wanted and there and there.made:
            there = self._start_over(there)
        if not (wanted or there) or self._context.redis.exists(WAIT) or not self._context.slack.surfaces.on(LIST):
            return
        lease = lease_key("action-list")
        if not self._context.redis.set(lease, "1", nx=True, ex=LEASE_SECONDS):
            return
        try:
            self._round(now, wanted=wanted)
            self._problems.clear(AWAY)
        except Failed as failed:
            self._failed(failed, now)
        finally:
            self._context.redis.delete(lease)

    def _start_over(self, there: SlackList) -> SlackList | None:
        """Forget how many lists were made: whoever asks for the list again gets one."""
        self._problems.clear(ABOUT_LIST)
        if there.id:
            there = replace(there, made=0)
            self._records.save(there)
            return there
        self._records.forget()
        return None

    def _round(self, now: datetime, *, wanted: bool) -> None:
        rows = self._records.rows()
        items = {item.id: item for item in self._items.all()}
        due = {key: owed(items.get(key), rows.get(key), now, wanted=wanted) for key in sorted({*items, *rows})}
        first = [key for key, what in due.items() if what is Owed.REMOVE]
        others = [key for key, what in due.items() if what in (Owed.ADD, Owed.UPDATE)]
        there, self._lacking = self._records.get(), False
        if not (there and there.id) and any(self._may_stand(items[key]) for key in others):
            there = self._create(there or SlackList(), now)
        if there is None or not there.id:
            return
        if wanted:
            there = self._shared(there)
        tried = 0
        for key in (*first, *others):
            if tried < MOST_CHANGED and not self._stopping():
                tried += self._see_to(there, key, due[key], items.get(key), rows.get(key))
        if not self._lacking:
            self._problems.clear(ABOUT_ROWS)

    # The list --------------------------------------------------------------------------------------------------------

    def _create(self, before: SlackList, now: datetime) -> SlackList | None:
        """Create the list; None while that is not to be tried."""
        waits = before.begun is not None and now < before.begun + AGAIN
        if before.made >= MOST_LISTS and not waits:
            self._problems.report(ABOUT_LIST, f"the Slack List “{TITLE}” was made twice and cannot be used", ASK_AGAIN)
            return None
        if before.begun:
            text = f"Slack did not say whether it made the List “{TITLE}”"
            self._problems.report(ABOUT_LIST, text, "delete the empty one if there are two")
        if waits:
            return None
        self._records.save(replace(before, begun=now, made=before.made + 1))
        try:
            made = self._context.slack.lists.create()
        except Failed as failed:
            if not _in_doubt(failed):
                self._records.save(replace(before, begun=None))
            if failed.kind not in (Kind.PASSING, Kind.TOKEN):
                self._switch_off(failed)
                return None
            raise
        made = replace(made, made=before.made + 1)
        self._records.save(made)
        return made

    def _shared(self, there: SlackList) -> SlackList:
        """Let the incidents channel read the list. Rows are kept whether or not it may."""
        channel = self._context.service.company.workspace.incidents_channel
        if there.shared == channel:
            return there
        rooms = self._context.slack.rooms
        try:
            where = rooms.channel(channel)
            rooms.joining(where, partial(self._context.slack.lists.share, there.id, where))
        except Failed as failed:
            if failed.kind in (Kind.PASSING, Kind.TOKEN) or failed.error in REFUSED or failed.error == "list_not_found":
                raise
            text = f"the Slack List of action items is not shown in #{channel.lstrip('#')}: {failed.reason.text}"
            self._problems.report(ABOUT_READERS, text, "invite the bot there, or set workspace.incidents_channel")
            return there
        self._problems.clear(ABOUT_READERS)
        there = replace(there, shared=channel)
        self._records.save(there)
        return there

    # Rows ------------------------------------------------------------------------------------------------------------

    def _see_to(
        self, there: SlackList, key: str, what: Owed | None, item: ActionItem | None, listed: Listed | None
    ) -> bool:
        """Do what is owed for one row; True if it was tried."""
        if self._context.redis.exists(_wait(key)):
            self._lacking = True
            return False
        try:
            if what is Owed.REMOVE:
                self._remove(there, key, listed or Listed())
            elif item and self._may_stand(item) and (row := row_of(item)):
                self._write(there, row, listed)
            else:
                return False
        except Failed as failed:
            if failed.kind in (Kind.PASSING, Kind.TOKEN, Kind.LOST) or failed.error in REFUSED:
                raise
            self._lacking = True
            log.warning("row of an action item not written", item=key, error=failed.error)
            self._context.redis.set(_wait(key), "1", ex=WAIT_SECONDS)
            text = f"the Slack List lacks {key} as it is now: {failed.reason.text}"
            self._problems.report(ABOUT_ROWS, text, failed.reason.remedy)
        return True

    def _may_stand(self, item: ActionItem) -> bool:
        """True if its incident is neither a drill nor private. One that became private takes its items along."""
        incident = next(iter(self._context.store.read([item.incident])), None)
        if incident and incident.private and not item.private:
            self._items.make_private(incident.id)
        return incident is not None and not incident.private and not incident.drill

    def _write(self, there: SlackList, row: Row, listed: Listed | None) -> None:
        """Add a row, or bring it up to date. An owner whom Slack does not know is left out."""
        try:
            if listed and listed.row:
                self._update(there, row, listed)
            else:
                self._add(there, row, row.shown, begun=listed is not None)
        except Failed as failed:
            if failed.kind is not Kind.PERSON or not row.owner:
                raise
            if listed and listed.row:
                self._remove(there, row.number, listed)
            self._add(there, replace(row, owner=""), row.shown, begun=listed is not None and not listed.row)

    def _add(self, there: SlackList, row: Row, shown: str, *, begun: bool) -> None:
        """Add a row, unless an earlier try did, unheard; what it made besides is deleted."""
        known, *twins = (self._context.slack.lists.find(there, row.number) if begun else []) or [""]
        for twin in twins:
            self._delete(there, twin)
        if known:
            self._update(there, row, Listed(known, doubted=True), shown)
            return
        self._records.save_row(row.number, Listed())
        try:
            added = self._context.slack.lists.add(there, row)
        except Failed as failed:
            if not _in_doubt(failed):
                self._records.forget_row(row.number)
            raise
        self._records.save_row(row.number, Listed(added, shown, owned=bool(row.owner), doubted=begun))

    def _update(self, there: SlackList, row: Row, listed: Listed, shown: str = "") -> None:
        """Write a row anew. One that somebody deleted is not added again.

        What it shows is unknown until Slack has answered: the item may be what it was before by then.
        """
        gone = False
        self._records.save_row(row.number, replace(listed, shown="", owned=listed.owned or bool(row.owner)))
        try:
            self._context.slack.lists.update(there, listed.row, row)
        except Failed as failed:
            if failed.kind is not Kind.GONE:
                raise
            gone = True
        after = replace(listed, shown=shown or row.shown, owned=bool(row.owner), gone=gone)
        self._records.save_row(row.number, after)

    def _remove(self, there: SlackList, key: str, listed: Listed) -> None:
        """Delete a row, and what a creation that got no answer may have made."""
        if listed.row:
            self._delete(there, listed.row)
        if listed.doubted or not listed.row:
            for row_id in self._context.slack.lists.find(there, key):
                self._delete(there, row_id)
        self._records.forget_row(key)

    def _delete(self, there: SlackList, row_id: str) -> None:
        try:
            self._context.slack.lists.delete(there.id, row_id)
        except Failed as failed:
            if failed.kind is not Kind.GONE:
                raise

    # Failures --------------------------------------------------------------------------------------------------------

    def _failed(self, failed: Failed, now: datetime) -> None:
        """End a round. A lost list is made anew, for all that is known of it."""
        if failed.kind is Kind.LOST:
            self._lost()
        elif failed.error in REFUSED:
            self._switch_off(failed)
        elif failed.kind is Kind.PASSING:  # a refused token is told where it is used first
            what = "the Slack List of action items is not kept in step"
            report_call(self._problems, AWAY, "Slack", failed, now, what=what)
            if failed.wait:
                self._context.redis.set(WAIT, "1", px=max(1, int(failed.wait * 1000)))

    def _switch_off(self, failed: Failed) -> None:
        self._context.slack.surfaces.switch_off(LIST, failed.error)
        log.warning("slack takes no list", error=failed.error)

    def _lost(self) -> None:
        """Begin anew: somebody deleted the list, or took it from us, in which case its rows stand there still."""
        there = self._records.get()
        if there is None:
            return
        for key, listed in self._records.rows().items():
            if not listed.gone:
                self._records.forget_row(key)
        self._records.save(SlackList(made=there.made))
        text = f"Slack does not show us the List of action items any more ({there.id})"
        self._problems.report(ABOUT_LIST, text, "if it still exists, delete it: nothing keeps it in step")


def _in_doubt(failed: Failed) -> bool:
    """True if a call that failed may have been carried out."""
    return failed.kind is Kind.PASSING and failed.error not in ("ratelimited", "rate_limited")


def _wait(key: str) -> str:
    return f"{WAIT}:{key}"
