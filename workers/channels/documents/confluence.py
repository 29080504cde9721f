"""Reviews as pages of Confluence Cloud. https://developer.atlassian.com/cloud/confluence/rest/v2/api-group-page/

A space has each title once, so that a page whose creation got no answer is found by its title; the last line of its
text tells it from a page of somebody else's. Each update is a version, whose message says what it shows.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import httpx2

from escalation.config.documents.reviews import ReviewPlace, ReviewVendor
from escalation.values import fingerprint
from workers.channels.documents.client import DocumentDraft, Placed
from workers.channels.failures import Failed, Kind, Reason
from workers.channels.refusals.trackers import confluence_failure
from workers.channels.trackers.calls import Api, in_doubt

LONGEST_TITLE = 255  # characters
TRIES = 3  # updates, while others save the page at the same time
CURRENT = "current"


class ConfluenceClient:
    """Client of Confluence Cloud; `url` leads to its `/wiki`, `user` is a mail address, `token` their API token."""

    vendor = ReviewVendor.CONFLUENCE

    def __init__(self, url: str, user: str, token: str) -> None:
        self._url = f"{url.rstrip('/').removesuffix('/wiki')}/wiki"
        headers = {"Accept": "application/json", "User-Agent": "Tocsin"}
        self._api = Api("Confluence", headers, httpx2.BasicAuth(user, token))

    def create(self, place: ReviewPlace, draft: DocumentDraft) -> Placed:
        """Create a page. One of ours that is there by this title is written anew instead."""
        space = self._space(place)
        if there := self._titled(space, draft):
            self.update(there.key, draft, retitle=False)
            return there
        page = {
            "spaceId": space,
            "status": CURRENT,
            "title": _title(draft),
            "body": _body(draft),
            **({"parentId": str(place.parent)} if place.parent else {}),
        }
        made = self._call("POST", "/pages", place.confluence or "", page, creates=True)
        return self._placed(made)

    def find(self, place: ReviewPlace, draft: DocumentDraft, since: datetime) -> Sequence[Placed]:
        """Find our page by its title; there is one at the most."""
        found = self._titled(self._space(place), draft)
        return [found] if found else []

    def update(self, key: str, draft: DocumentDraft, *, retitle: bool) -> None:
        """Save a page's next version, unless its latest shows the same. A page that was archived is left as it is."""
        for _ in range(TRIES - 1):
            try:
                self._save(key, draft, retitle=retitle)
                break
            except Failed as failed:
                if failed.error != "confluence: 409":
                    raise
        else:
            self._save(key, draft, retitle=retitle)

    def close_twins(self, place: ReviewPlace, draft: DocumentDraft, since: datetime, kept: Placed) -> None:
        """Do nothing: a space has each title once."""

    def check(self, place: ReviewPlace) -> None:
        """Check that the space is there, the page above, and that we may add pages."""
        space = self._space(place)
        allowed = self._call("GET", f"/spaces/{space}/operations", place.confluence or "")["operations"]
        if not any((each["operation"], each["targetType"]) == ("create", "page") for each in allowed):
            raise confluence_failure(403, where=place.confluence or "")
        if place.parent:
            above = self._call("GET", f"/pages/{place.parent}", f"page {place.parent}")
            if above["spaceId"] != space:
                reason = Reason(f"page {place.parent} is not in the space {place.confluence}", "correct reviews.parent")
                raise Failed("confluence: parent elsewhere", Kind.OURS, reason=reason)

    def _save(self, key: str, draft: DocumentDraft, *, retitle: bool) -> None:
        there = self._page(key)
        message = f"{draft.mark} {fingerprint(draft.title + draft.body)[:12]}"
        title = _title(draft) if retitle else there["title"]
        shown = there["version"].get("message") == message and there["title"] == title
        if shown or there["status"] != CURRENT:
            return
        page = {
            "id": key,
            "status": CURRENT,
            "title": title,
            "body": _body(draft),
            "version": {"number": there["version"]["number"] + 1, "message": message},
        }
        self._call("PUT", f"/pages/{key}", f"page {key}", page)

    def _page(self, key: str) -> Any:
        try:
            return self._call("GET", f"/pages/{key}", f"page {key}")
        except Failed as failed:
            if failed.error != "confluence: 404":
                raise
            raise Failed("confluence: gone", Kind.GONE, reason=failed.reason) from None

    def _space(self, place: ReviewPlace) -> str:
        """The id of a space, by its key."""
        name = f"space {place.confluence}"
        found = self._call("GET", "/spaces", name, params={"keys": place.confluence or ""})["results"]
        if not found:
            raise confluence_failure(404, where=name)
        return str(found[0]["id"])

    def _titled(self, space: str, draft: DocumentDraft) -> Placed | None:
        """Our page of this title. Raises Failed if it is somebody else's."""
        asked = {"space-id": space, "title": _title(draft), "status": CURRENT, "body-format": "storage"}
        found = self._call("GET", "/pages", "pages", params=asked)["results"]
        if not found:
            return None
        if draft.mark not in found[0]["body"]["storage"]["value"]:
            raise _taken()
        return self._placed(found[0])

    def _placed(self, page: Any) -> Placed:
        return Placed(str(page["id"]), f"{self._url}{page['_links']['webui']}")

    def _call(
        self,
        method: str,
        path: str,
        where: str,
        body: Any = None,
        *,
        params: dict[str, str] | None = None,
        creates: bool = False,
    ) -> Any:
        response = self._api.call(method, f"{self._url}/api/v2{path}", body, params, creates=creates)
        if response.status_code < 300:
            return self._api.json(response, creates=creates)
        if response.status_code == 400 and "title already exists" in response.text:
            raise _taken()
        failed = confluence_failure(response.status_code, response.headers, where)
        raise in_doubt(failed) if creates and response.status_code >= 500 else failed


def _title(draft: DocumentDraft) -> str:
    return " ".join(draft.title.split())[:LONGEST_TITLE]


def _body(draft: DocumentDraft) -> dict[str, str]:
    return {"representation": "storage", "value": draft.body}


def _taken() -> Failed:
    reason = Reason(
        "Confluence has a page of the review's title that we did not write, or may not see",
        "give that page another title, or let CONFLUENCE_USER see it",
    )
    return Failed("confluence: title taken", Kind.LOST, reason=reason)
