"""Finished reviews in GitHub and Confluence: published once they were held, and written anew when they change.

What is owed follows from the review and what was last written there, so each round does what is left, however the
former one ended. A creation is noted before it is tried: where its reply was lost, what it made is found and adopted.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import structlog

from bot.render.reviews import published
from escalation.config.documents.reviews import ReviewPlace, ReviewVendor
from escalation.incident.model import Incident
from escalation.reviews.draft import draft
from escalation.reviews.roles import roles_of, without_names
from escalation.storage.action_items import ActionItems
from escalation.storage.reviews import Reviews
from escalation.storage.reviews.documents import Document, ReviewDocuments, parts_of, slot
from escalation.storage.tickets import TWINS_AFTER
from escalation.values import fingerprint
from workers.channels.documents.client import DocumentClient, DocumentDraft, Placed
from workers.channels.failures import Failed, Kind
from workers.channels.trackers.tracker import InDoubt
from workers.context import Context
from workers.queue.leases import lease_key
from workers.recurring.back_off import BackOff

COMPARED, CURSOR = "tocsin:review-document:compared", "tocsin:review-document:cursor"
EVERY_SECONDS = 180
MOST_COMPARED = 20  # documents at once; with more of them each is compared less often
FOLLOWED = timedelta(days=90)  # after the review was held: later changes are no news
LEASE_SECONDS = 120  # a few calls of ten seconds
WITHDRAWN_SECONDS = 3600  # until it is looked again whether somebody deleted it there

log = structlog.get_logger()


class Work(NamedTuple):
    """A document to bring up to date: where, and what is to stand there; no `place` for one to withdraw."""

    slot: str
    client: DocumentClient
    known: Document | None
    place: ReviewPlace | None
    draft: DocumentDraft

    @property
    def shown(self) -> str:
        """Fingerprint of what is to stand there."""
        return fingerprint(f"{self.draft.title}\n{self.draft.body}")

    @property
    def titled(self) -> str:
        """Fingerprint of its title alone."""
        return fingerprint(self.draft.title)


class PublishedReviews:
    """Publishes reviews."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._documents = ReviewDocuments(context.redis)
        self._reviews = Reviews(context.redis)
        self._items = ActionItems(context.redis)
        self._problems = context.store.problems
        self._back_off = BackOff(
            context, waits="tocsin:review-document:wait", problems="reviews:published", what="finished reviews"
        )

    def refresh(self, now: datetime) -> None:
        """Do what is owed for reviews that were held just now; compare some of the others, if that is due."""
        self._back_off.start_round()
        due = self._documents.due()
        for incident_id in due:
            if self._see_to(incident_id, now):
                self._documents.done(incident_id)
        if self._context.redis.set(COMPARED, "1", nx=True, ex=EVERY_SECONDS):
            for incident_id in self._some(now):
                if incident_id not in due:
                    self._see_to(incident_id, now)
                self._close_twins(incident_id, now)

    def _some(self, now: datetime) -> list[str]:
        """Incidents with documents, some at a time, each in its turn."""
        kept = self._documents.all().items()
        ids = sorted({parts_of(name)[0] for name, d in kept if d.withdrawn or d.held > now - FOLLOWED})
        raw: Any = self._context.redis.get(CURSOR)
        start = int(raw or 0) % len(ids) if len(ids) > MOST_COMPARED else 0
        self._context.redis.set(CURSOR, start + MOST_COMPARED)
        return [*ids, *ids][start : start + MOST_COMPARED][: len(ids)]

    # One review ------------------------------------------------------------------------------------------------------

    def _see_to(self, incident_id: str, now: datetime) -> bool:
        """Do all that is owed for one incident, under a lease; True if nothing is left."""
        incident = next(iter(self._context.store.read([incident_id])), None)
        if incident is None:
            return True
        owed = list(self._owed(incident))
        lease = lease_key(f"review-documents-{incident_id}")
        if not owed or not self._context.redis.set(lease, "1", nx=True, ex=LEASE_SECONDS):
            return not owed
        try:
            return not [work for work in owed if not self._try(work, incident, now)]
        finally:
            self._context.redis.delete(lease)

    def _owed(self, incident: Incident) -> Iterator[Work]:
        """Yield the documents that are not as they should be."""
        known, places = self._documents.of(incident.id), self._context.service.company.reviews
        for vendor, client in self._context.channels.documents.items():
            name = slot(incident.id, vendor, private=incident.private)
            exposed = slot(incident.id, vendor, private=False)
            if incident.private and exposed in known:
                draft = DocumentDraft(incident.id, _withdrawn(vendor), _mark(incident.id))
                yield Work(exposed, client, known[exposed], None, draft)
            if places is None or incident.drill or (incident.reviewed is None and name not in known):
                continue
            place = places.private if incident.private else places
            wanted = not places.severities or incident.severity in places.severities or incident.private
            if place and vendor in place.named() and (wanted or name in known):
                work = Work(name, client, known.get(name), place, self._draft(incident, vendor, place))
                if work.known is None or not work.known.key or work.known.shown != work.shown:
                    yield work

    def _draft(self, incident: Incident, vendor: ReviewVendor, place: ReviewPlace) -> DocumentDraft:
        names, mark = self._context.store.directory().names, _mark(incident.id)
        review = draft(incident, self._reviews.written(incident.id), self._items.of(incident.id))
        if place.roles:
            review = without_names(review, roles_of(incident, review), names)
        if vendor is ReviewVendor.GITHUB:
            body = published.for_github(review, names)
        else:
            body = published.for_confluence(review, names, mark)
        return DocumentDraft(published.title(review), body, mark)

    def _try(self, work: Work, incident: Incident, now: datetime) -> bool:
        """Bring one document up to date; True if it is."""
        vendor = work.client.vendor
        if self._back_off.holds(vendor, work.slot):
            return False
        try:
            if work.place is None:
                self._withdraw(work, incident)
            else:
                self._write(work, work.place, incident, now)
        except Failed as failed:
            self._failed(work, failed)
            return False
        self._back_off.succeeded(vendor, work.slot)
        return True

    # There -----------------------------------------------------------------------------------------------------------

    def _write(self, work: Work, place: ReviewPlace, incident: Incident, now: datetime) -> None:
        """Write it anew where it is, or create it: one that was deleted there too."""
        known, held = work.known, incident.reviewed.at if incident.reviewed else now
        doubted = known.doubted if known else None
        placed = self._updated(work, known) if known and known.key else None
        if placed is None:
            if known and known.key:
                log.info("published review was deleted, creating it anew", incident=incident.id, at=known.place)
                known = replace(known, key="", title=work.draft.title)
            name, since = place.named()[work.client.vendor], known.since if known else now
            begun = Document(name, since, held, title=work.draft.title, shown=work.shown, doubted=doubted)
            placed = self._made(work, place, known, begun)
            known = begun
        assert known
        written = Document(known.place, known.since, held, *placed, titled=work.titled, shown=work.shown)
        self._documents.save(work.slot, replace(written, doubted=doubted))

    def _updated(self, work: Work, known: Document) -> Placed | None:
        """Write a document anew; None if it was deleted there."""
        try:
            work.client.update(known.key, work.draft, retitle=known.titled != work.titled)
        except Failed as failed:
            if failed.kind is not Kind.GONE:
                raise
            return None
        return Placed(known.key, known.url)

    def _made(self, work: Work, place: ReviewPlace, known: Document | None, begun: Document) -> Placed:
        """Find what an earlier try made, and write it anew where that differs; else create it."""
        if known:
            sought = replace(work.draft, title=known.title)
            if found := next(iter(work.client.find(place, sought, known.since)), None):
                if known.shown != work.shown:
                    work.client.update(found.key, work.draft, retitle=known.title != work.draft.title)
                return found
        self._documents.save(work.slot, begun)
        return work.client.create(place, work.draft)

    def _withdraw(self, work: Work, incident: Incident) -> None:
        """Empty a document whose incident became private; what its history shows is for somebody to delete."""
        known, vendor = work.known, work.client.vendor
        assert known
        problem, emptied = f"reviews:published:{work.slot}:withdrawn", self._emptied(work, known)
        if emptied is None:
            self._documents.forget(work.slot)
            self._problems.clear(problem)
            return
        at = replace(known, key=emptied.key, url=emptied.url, title="")
        self._documents.save(work.slot, replace(at, withdrawn=True, shown=work.shown, trouble=""))
        self._back_off.wait(work.slot, WITHDRAWN_SECONDS)
        text = (
            f"the review of {incident.id} became private after it was published; its history in {vendor.words} shows it"
        )
        self._problems.report(problem, text, f"delete {emptied.key} in {vendor.words}")

    def _emptied(self, work: Work, known: Document) -> Placed | None:
        """Leave nothing but the number; None if there is nothing. What was created in doubt is looked for."""
        placed: Placed | None = Placed(known.key, known.url)
        if not known.key:
            sought = replace(work.draft, title=known.title)
            place = ReviewPlace.model_validate({work.client.vendor: known.place})
            placed = next(iter(work.client.find(place, sought, known.since)), None)
        if placed is None:
            return None
        try:
            work.client.update(placed.key, work.draft, retitle=True)
        except Failed as failed:
            if failed.kind is not Kind.GONE:
                raise
            return None
        return placed

    def _close_twins(self, incident_id: str, now: datetime) -> None:
        """Close what a creation in doubt made besides, an hour later: the slowest server is done by then."""
        for name, kept in self._documents.of(incident_id).items():
            vendor = parts_of(name)[1]
            client = self._context.channels.documents.get(vendor)
            doubted = kept.doubted and kept.doubted + TWINS_AFTER <= now
            if not (doubted and kept.key and client) or self._back_off.is_away(vendor):
                continue
            place = ReviewPlace.model_validate({vendor: kept.place})
            sought = DocumentDraft("", "", _mark(incident_id))
            try:
                client.close_twins(place, sought, kept.since, Placed(kept.key, kept.url))
                self._documents.save(name, replace(kept, doubted=None))
                self._back_off.read(vendor)
            except Failed as failed:
                self._back_off.unread(vendor, failed)

    # Failures --------------------------------------------------------------------------------------------------------

    def _failed(self, work: Work, failed: Failed) -> None:
        """Say it with the review, and back off."""
        if document := self._documents.of(parts_of(work.slot)[0]).get(work.slot):
            doubted = self._context.clock() if isinstance(failed, InDoubt) else document.doubted
            self._documents.save(work.slot, replace(document, trouble=failed.reason.text, doubted=doubted))
        self._back_off.failed(work.client.vendor, work.slot, failed)


def _mark(incident_id: str) -> str:
    return f"review-{incident_id}"


def _withdrawn(vendor: ReviewVendor) -> str:
    said = published.WITHDRAWN
    return said if vendor is ReviewVendor.GITHUB else published.confluence_line(said)
