"""Create a ticket once: what an earlier try made is found again and adopted, however its reply got lost."""

from datetime import datetime
from typing import NamedTuple

from escalation.config.tickets import TICKETS, Tracker, Vendor
from escalation.storage.problems import Problems
from escalation.storage.tickets import TicketRecords
from workers.channels.failures import Failed, Kind, Reason
from workers.channels.trackers.tracker import Draft, Found, InDoubt, TrackerClient

SETTLES = 30.0  # seconds after a lost reply until a slow server is done, and Jira's search has caught up
TOKENS = {Vendor.GITHUB: "GITHUB_TOKEN", Vendor.JIRA: "JIRA_TOKEN"}


class Made(NamedTuple):
    """A ticket that is there now, made by this try unless it was `adopted`; `lost` is what the tracker left out."""

    found: Found
    adopted: bool
    lost: tuple[str, ...]


class Creation:
    """Creates tickets in one tracker's service. Each creation has a key, the same whenever it is tried again."""

    def __init__(self, client: TrackerClient, records: TicketRecords, problems: Problems) -> None:
        self._client = client
        self._records = records
        self._problems = problems

    def make(self, key: str, of: str, tracker: Tracker, draft: Draft, since: datetime, now: datetime) -> Made:
        """Adopt or create the ticket of `of`, an incident or an action item. Raises Failed: try again later.

        `since` is when it may have been tried first.
        """
        adopted = self._find(key, of, tracker, draft, since, now)
        found = adopted or self._create(key, tracker, draft)
        self._records.note_me(tracker.vendor, found.author)
        lost = tuple(f"the label {label}" for label in tracker.labels if label not in found.labels)
        self._report_lost(tracker, lost)
        return Made(found, adopted is not None, lost)

    def _find(self, key: str, of: str, tracker: Tracker, draft: Draft, since: datetime, now: datetime) -> Found | None:
        """Find what an earlier try made; None if there was none, or it is not to be found. Failed: look again later."""
        searches = self._records.searches(key)
        if searches is None:
            return None
        self._records.doubt(of, now)
        if found := next(iter(self._client.find(tracker, draft.mark, since)), None):
            return found
        self._records.searched(key)
        if searches + 1 < self._client.searches:
            raise _not_found_yet(tracker.vendor)
        return None

    def _create(self, key: str, tracker: Tracker, draft: Draft) -> Found:
        self._records.begin(key)
        try:
            return self._client.create(tracker, draft)
        except InDoubt as doubt:
            doubt.wait = max(doubt.wait, SETTLES)
            raise
        except Failed:
            self._records.refused(key)
            raise

    def _report_lost(self, tracker: Tracker, lost: tuple[str, ...]) -> None:
        """Tell the operator what the tracker leaves out, or that it does so no more."""
        key, vendor = f"{TICKETS}:left out:{tracker.vendor}:{tracker.project}", tracker.vendor.words
        if not lost:
            self._problems.clear(key)
            return
        text = f"{vendor} leaves out labels of new tickets in {tracker.project}"
        remedy = f"let {TOKENS[tracker.vendor]} write to {tracker.project}, or correct tickets.labels"
        self._problems.report(key, text, remedy)


def _not_found_yet(vendor: Vendor) -> Failed:
    text = f"{vendor.words} did not say whether it made the ticket, and it is not to be found yet"
    return Failed(f"{vendor}: in doubt", Kind.PASSING, wait=SETTLES, reason=Reason(text))
