"""What the search knows follows the incidents, and new ones are told what is like them, in the background.

Nobody who declares or is paged waits for it, and it gives way to checkpoints and pages.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from escalation.errors import NotFound, Refused
from escalation.incident.events.news import AlikeFound, AlikeHidden
from escalation.incident.model import Incident
from escalation.incident.state.entries import EntryKind
from escalation.processes import MESSAGES
from escalation.search.document import document
from escalation.search.likeness import to_join
from escalation.storage.keeping.posted import PostedMessages
from escalation.storage.search.documents import fold
from escalation.storage.search.likeness import Likenesses
from workers.context import Context
from workers.queue.rq import YIELDS_TO, queue_key

RECENT = timedelta(hours=1)  # who works on an incident for longer knows what it is
AT_ONCE = 50  # incidents compared in a round: other work waits behind it
MAX_YIELD, YIELD_POLL = 2.0, 0.05  # seconds; what is not compared then has its turn in the next round

log = structlog.get_logger()


class SearchRounds:
    """Makes the documents of incidents that changed. `stopping` ends a round early."""

    def __init__(self, context: Context, stopping: Callable[[], bool]) -> None:
        self._context = context
        self._stopping = stopping
        self._likenesses = Likenesses(context.store)
        self._posted = PostedMessages(context.redis)
        self._waiting: dict[str, None] = {}

    def run(self, now: datetime) -> None:
        """Make all documents that are missing; compare new incidents, a number of them at once."""
        while not self._stopping() and (changed := fold(self._context.store)):
            for incident in changed:
                if _became_private(incident, now):
                    self._hide(incident)
                elif _is_to_compare(incident, now):
                    self._waiting[incident.id] = None
        ends = time.monotonic() + MAX_YIELD
        for incident_id in list(self._waiting)[:AT_ONCE]:
            if self._stopping() or not self._has_way(ends):
                return
            del self._waiting[incident_id]
            self._compare(incident_id)

    def _compare(self, incident_id: str) -> None:
        for incident in self._context.store.read([incident_id]):
            found = self._likenesses.of(incident) if incident.open else None
            if found:
                still_open, past = (tuple(d.id for d in part) for part in (found.open, found.past))
                join = to_join(document(incident), found.open)
                self._tell(incident.id, AlikeFound(open=still_open, past=past, join=join))

    def _hide(self, private: Incident) -> None:
        """Take back what was said of it: in reports, and under open incidents like it or those that it duplicated."""
        self._posted.hide(private)
        naming = (EntryKind.ALIKE, EntryKind.PREVENTION)
        still_open = (i for i in self._context.store.open_incidents() if any(map(i.latest, naming)))
        cancelled = (e for e in private.timeline if e.kind is EntryKind.CANCELLED)
        originals = (e.fields["duplicate_of"] for e in cancelled if e.fields.get("duplicate_of"))
        for other in dict.fromkeys((*(i.id for i in still_open), *originals)):
            self._tell(other, AlikeHidden(other=private.id))

    def _tell(self, incident_id: str, event: AlikeFound | AlikeHidden) -> None:
        try:
            self._context.service.handle(incident_id, event)
        except (NotFound, Refused) as gone:  # removed meanwhile, or an upgrade is under way
            log.info("likeness not told", incident=incident_id, why=str(gone))

    def _has_way(self, ends: float) -> bool:
        """Wait while checkpoints or pages do: all share the processor. False if they still do in the end."""
        first = [queue_key(name) for name in YIELDS_TO[MESSAGES]]
        while self._context.paced and self._context.redis.exists(*first):
            if time.monotonic() > ends:
                return False
            time.sleep(YIELD_POLL)
        return True


def _is_to_compare(incident: Incident, now: datetime) -> bool:
    recent = now - incident.declared_at < RECENT
    return incident.open and recent and incident.latest(EntryKind.ALIKE) is None


def _became_private(incident: Incident, now: datetime) -> bool:
    marked = incident.latest(EntryKind.SECURITY)
    return marked is not None and now - marked.at < RECENT
