"""What every service for published reviews can do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from escalation.config.documents.reviews import ReviewPlace, ReviewVendor


@dataclass(frozen=True)
class DocumentDraft:
    """A document to publish: `body` in the service's own markup; `mark` finds it again."""

    title: str
    body: str
    mark: str


class Placed(NamedTuple):
    """A document in a service: its name there, and its address."""

    key: str
    url: str


class DocumentClient(Protocol):
    """Client of a service. Its methods raise Failed; of kind GONE for a document that was deleted."""

    vendor: ReviewVendor

    def create(self, place: ReviewPlace, draft: DocumentDraft) -> Placed:
        """Create a document. Raises InDoubt if it may have been created all the same."""

    def find(self, place: ReviewPlace, draft: DocumentDraft, since: datetime) -> Sequence[Placed]:
        """Find the documents with a draft's mark that were made since then under its title, the oldest first."""

    def update(self, key: str, draft: DocumentDraft, *, retitle: bool) -> None:
        """Write a document anew, with its title if that changed: people may have given it another one."""

    def close_twins(self, place: ReviewPlace, draft: DocumentDraft, since: datetime, kept: Placed) -> None:
        """Close what a creation in doubt made besides the document that is kept."""

    def check(self, place: ReviewPlace) -> None:
        """Check that documents could be created there; nothing is."""
