"""GitHub's issues on this machine. They refuse what GitHub refuses, and drop in silence what GitHub drops."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.support.story import START
from tests.support.vendors.server import Answer, Asked, Vendor

TOKEN, REPO, ME = "github_pat_11AAAAAAA0aaaaaaaaaaaa", "acme/shop", "tocsin-bot"
REASONS = ("completed", "not_planned", "reopened", "duplicate", None)


@dataclass
class GitHubStandIn(Vendor):
    """`issues` by number; `push` False: labels and assignees are dropped; `hidden`: answers of the list without news.

    `disabled`: issues are switched off; `renamed`: the repository's new name; `swallow`: creations that are carried out
    late, `late` brings them.
    """

    issues: dict[int, dict[str, Any]] = field(default_factory=dict)
    comments: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    assignable: tuple[str, ...] = ("octocat", "hubot")
    push: bool = True
    disabled: bool = False
    renamed: str = ""
    refuse: int = 0
    now: Callable[[], datetime] = lambda: START
    swallow: int = 0
    late: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, asked: Asked) -> Answer:
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return 401, {"message": "Bad credentials"}
        if self.refuse:
            return self.refuse, {"message": "refused"}
        name, _, rest = asked.path.removeprefix("/repos/").partition("/issues")
        if self.renamed and name == REPO:
            self.more = {"Location": self.url + asked.path.replace(REPO, self.renamed) + _query(asked)}
            return 301 if asked.method == "GET" else 307, {"message": "Moved"}
        if name != (self.renamed or REPO):
            return 404, {"message": "Not Found"}
        if not asked.path.partition("/issues")[1]:
            return 200, {"full_name": name, "has_issues": not self.disabled, "permissions": {"push": self.push}}
        if self.disabled:
            return 410, {"message": "Issues has been disabled in this repository."}
        if not rest:
            return self._create(asked.json) if asked.method == "POST" else (200, self._list(asked))
        return self._one(int(rest.split("/")[1]), rest.split("/")[2:], asked)

    def deliver_late(self) -> None:
        """Carry out what was swallowed."""
        for said in self.late:
            self._create(said)
        self.late.clear()

    def _create(self, said: dict[str, Any]) -> Answer:
        if not said.get("title") or len(said["title"]) > 256 or len(said.get("body", "")) > 65_536:
            return 422, {"message": "Validation Failed"}
        if self.swallow:
            self.swallow -= 1
            self.late.append(said)
            return 504, {"message": "We couldn't respond to your request in time."}
        number, stamp = len(self.issues) + 1, self._stamp()
        self.issues[number] = {
            "number": number,
            "html_url": f"https://github.com/{self.renamed or REPO}/issues/{number}",
            "title": said["title"],
            "body": said.get("body"),
            "state": "open",
            "state_reason": None,
            "labels": [{"name": name} for name in said.get("labels", []) if self.push],
            "assignees": [],
            "user": {"login": ME},
            "closed_by": None,
            "created_at": stamp,
            "updated_at": stamp,
        }
        self.comments[number] = []
        return 201, self.issues[number]

    def _list(self, asked: Asked) -> list[dict[str, Any]]:
        since, page = asked.form.get("since", ""), int(asked.form.get("page", 1))
        size = int(asked.form.get("per_page", 30))
        found = [i for i in self.issues.values() if asked.form.get("state") == "all" or i["state"] == "open"]
        found = sorted((i for i in found if i["updated_at"] >= since), key=lambda i: -i["number"])
        return found[(page - 1) * size : page * size]

    def _one(self, number: int, rest: list[str], asked: Asked) -> Answer:
        issue = self.issues.get(number)
        if issue is None:
            return 410, {"message": "This issue was deleted"}
        match rest, asked.method:
            case [], "PATCH":
                return self._change(issue, asked.json)
            case ["comments"], "POST":
                self.comments[number].append({"body": asked.json["body"], "user": {"login": ME}})
                issue["updated_at"] = self._stamp()
                return 201, self.comments[number][-1]
            case ["comments"], "GET":
                return 200, self.comments[number]
            case ["assignees"], "POST":
                allowed = [name for name in asked.json["assignees"] if self.push and name in self.assignable]
                issue["assignees"] += [{"login": name} for name in allowed if {"login": name} not in issue["assignees"]]
                return 201, issue
            case ["assignees"], "DELETE":
                issue["assignees"] = [a for a in issue["assignees"] if a["login"] not in asked.json["assignees"]]
                return 200, issue
        return 200, issue

    def _change(self, issue: dict[str, Any], said: dict[str, Any]) -> Answer:
        if {"body", "title"} & set(said) and "state" not in said:
            if len(said.get("body", "")) > 65_536 or said.get("title", "x") == "":
                return 422, {"message": "Validation Failed"}
            issue |= {name: said[name] for name in ("title", "body") if name in said} | {"updated_at": self._stamp()}
            return 200, issue
        if said.get("state") not in ("open", "closed") or said.get("state_reason") not in REASONS:
            return 422, {"message": "Validation Failed"}
        self.set_state(issue["number"], said["state"], ME)
        issue["state_reason"] = said["state_reason"]
        return 200, issue

    def set_state(self, number: int, state: str, by: str) -> dict[str, Any]:
        """Close or reopen an issue, as somebody does."""
        changed = {"state": state, "closed_by": {"login": by} if state == "closed" else None}
        self.issues[number] |= changed | {"updated_at": self._stamp()}
        return self.issues[number]

    def _stamp(self) -> str:
        return self.now().strftime("%Y-%m-%dT%H:%M:%SZ")


def _query(asked: Asked) -> str:
    joined = "&".join(f"{name}={value}" for name, value in asked.form.items())
    return f"?{joined}" if joined else ""
