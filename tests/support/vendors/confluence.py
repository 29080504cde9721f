"""Confluence Cloud's pages on this machine. They refuse what Confluence refuses: it parses what it is given."""

from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

from tests.support.vendors.server import Answer, Asked, Vendor

USER, TOKEN, SPACE, SPACE_ID, PARENT = "tocsin@example.com", "ATATT3xFfGF0-confluence", "OPS", "98310", 4711
NAMESPACES = 'xmlns:ac="http://example.com/ac" xmlns:ri="http://example.com/ri"'


@dataclass
class ConfluenceStandIn(Vendor):
    """`pages` by id; `raced` saves of others that come just before one of ours; `readonly`: nothing may be added.

    `refuse` is answered to everything; `swallow`: creations that are carried out, and answered 504.
    """

    pages: dict[str, dict[str, Any]] = field(default_factory=dict)
    raced: int = 0
    readonly: bool = False
    refuse: int = 0
    swallow: int = 0

    def __post_init__(self) -> None:
        self.pages[str(PARENT)] = _page(str(PARENT), "Reviews", "<p>Below</p>", None)

    def answer(self, asked: Asked) -> Answer:
        login = b64encode(f"{USER}:{TOKEN}".encode()).decode()
        if asked.headers.get("authorization") != f"Basic {login}":
            return 401, {"message": "Unauthorized"}
        if self.refuse:
            return self.refuse, _errors(self.refuse, "refused")
        path = asked.path.removeprefix("/wiki/api/v2")
        if path == asked.path:
            return 404, {"message": "dead link"}
        match path.strip("/").split("/"):
            case ["spaces"]:
                found = [{"id": SPACE_ID, "key": SPACE}] if asked.form.get("keys") == SPACE else []
                return 200, {"results": found}
            case ["spaces", space, "operations"]:
                read = [{"operation": "read", "targetType": "space"}]
                add = [] if self.readonly else [{"operation": "create", "targetType": "page"}]
                return (200, {"operations": read + add}) if space == SPACE_ID else _missing()
            case ["pages"]:
                return self._create(asked.json) if asked.method == "POST" else (200, {"results": self._titled(asked)})
            case ["pages", key]:
                page = self.pages.get(key)
                if page is None or page["status"] == "trashed":
                    return _missing()
                return self._save(page, asked.json) if asked.method == "PUT" else (200, _without_body(page))
        return _missing()

    def ours(self) -> list[dict[str, Any]]:
        """The pages below the first one that are there."""
        return [p for p in self.pages.values() if p["id"] != str(PARENT) and p["status"] == "current"]

    def edit(self, page: dict[str, Any], **changed: Any) -> None:
        """Save a page as somebody else does."""
        page |= changed
        page["version"] = {"number": page["version"]["number"] + 1, "message": ""}

    def _titled(self, asked: Asked) -> list[dict[str, Any]]:
        assert asked.form["body-format"] == "storage"
        wanted = (asked.form["space-id"], asked.form["title"], asked.form["status"])
        return [p for p in self.pages.values() if (p["spaceId"], p["title"], p["status"]) == wanted]

    def _create(self, said: dict[str, Any]) -> Answer:
        if said.get("spaceId") != SPACE_ID:
            return 404, _errors(404, "Space not found")
        if self.readonly:
            return 403, _errors(403, "Not permitted to create pages")
        if said.get("parentId") and said["parentId"] not in self.pages:
            return 404, _errors(404, "Parent not found")
        if wrong := self._wrong(said):
            return wrong
        key = str(len(self.pages) + 5000)
        self.pages[key] = _page(key, said["title"], said["body"]["value"], said.get("parentId"))
        if self.swallow:
            self.swallow -= 1
            return 504, {}
        return 200, self.pages[key]

    def _save(self, page: dict[str, Any], said: dict[str, Any]) -> Answer:
        if self.raced:
            self.raced -= 1
            self.edit(page)
        number = page["version"]["number"]
        if said.get("id") != page["id"] or said.get("status") != "current" or "version" not in said:
            return 400, _errors(400, "id, status and version are required")
        if said["version"].get("number") != number + 1:
            return 409, _errors(409, f"Version must be incremented on update. Current Version: [{number}].")
        if wrong := self._wrong(said, page["id"]):
            return wrong
        page |= {"title": said["title"], "version": said["version"]}
        page["body"] = {"storage": {"value": said["body"]["value"], "representation": "storage"}}
        return 200, page

    def _wrong(self, said: dict[str, Any], own: str = "") -> Answer | None:
        title, body = said.get("title"), said.get("body") or {}
        if not title or len(title) > 255:
            return 400, _errors(400, "Title must be between 1 and 255 characters long")
        same = (p for p in self.pages.values() if p["title"] == title and p["status"] == "current" and p["id"] != own)
        if any(same):
            return 400, _errors(400, "A page with this title already exists: A page already exists with the same TITLE")
        if body.get("representation") != "storage":
            return 400, _errors(400, "representation is required")
        try:
            ElementTree.fromstring(f"<page {NAMESPACES}>{body['value']}</page>")
        except (ElementTree.ParseError, ValueError) as error:
            return 400, _errors(400, f"Error parsing xhtml: {error}")
        return None


def _page(key: str, title: str, body: str, parent: str | None) -> dict[str, Any]:
    return {
        "id": key,
        "status": "current",
        "title": title,
        "spaceId": SPACE_ID,
        "parentId": parent,
        "version": {"number": 1, "message": ""},
        "body": {"storage": {"value": body, "representation": "storage"}},
        "_links": {"webui": f"/spaces/{SPACE}/pages/{key}"},
    }


def _without_body(page: dict[str, Any]) -> dict[str, Any]:
    return page | {"body": {}}


def _missing() -> Answer:
    return 404, _errors(404, "Not Found")


def _errors(status: int, title: str) -> dict[str, Any]:
    return {"errors": [{"status": status, "code": "", "title": title, "detail": None}]}
