"""Reviews as issues of GitHub."""

from collections.abc import Sequence
from datetime import datetime

from escalation.config.documents.reviews import ReviewPlace, ReviewVendor
from escalation.config.tickets import Tracker, Vendor
from escalation.incident.tracked import Issue
from escalation.text import line
from workers.channels.documents.client import DocumentDraft, Placed
from workers.channels.failures import Failed, Kind
from workers.channels.trackers.github import GitHubClient
from workers.channels.trackers.tracker import Draft, Found


class GitHubDocuments:
    """Client of a repository's issues."""

    vendor = ReviewVendor.GITHUB

    def __init__(self, issues: GitHubClient) -> None:
        self._issues = issues

    def create(self, place: ReviewPlace, draft: DocumentDraft) -> Placed:
        """Create an issue. Labels that we may not set are left out by GitHub without a word."""
        return _placed(self._issues.create(_tracker(place), Draft(draft.title, (line(draft.body),), draft.mark)))

    def find(self, place: ReviewPlace, draft: DocumentDraft, since: datetime) -> Sequence[Placed]:
        """Find the issues with its mark; a title says nothing here."""
        return [_placed(found) for found in self._issues.find(_tracker(place), draft.mark, since)]

    def update(self, key: str, draft: DocumentDraft, *, retitle: bool) -> None:
        """Write an issue's text anew. 404 is said of a deleted issue too, where we may not see that it was."""
        try:
            self._issues.rewrite(key, draft.body, draft.mark, draft.title if retitle else "")
        except Failed as failed:
            if failed.error == "github: 404":
                raise Failed(failed.error, Kind.GONE, reason=failed.reason) from None
            raise

    def close_twins(self, place: ReviewPlace, draft: DocumentDraft, since: datetime, kept: Placed) -> None:
        """Close the other issues with its mark as duplicates, with a word about the one that is kept."""
        for found in self.find(place, draft, since):
            if found.key != kept.key:
                self._issues.close_twin(found.key, Issue(vendor=Vendor.GITHUB, key=kept.key, url=kept.url))

    def check(self, place: ReviewPlace) -> None:
        """Check that the repository is there, has issues, and that we may write to it, as far as it says."""
        self._issues.check(_tracker(place))


def _tracker(place: ReviewPlace) -> Tracker:
    return Tracker(github=place.github, labels=place.labels)


def _placed(found: Found) -> Placed:
    return Placed(found.issue.key, found.issue.url)
