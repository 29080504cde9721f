"""Jira on this machine, as Cloud or Data Center: it refuses what they refuse, and Cloud's search lags behind."""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.support.story import START
from tests.support.vendors.server import Answer, Asked, Vendor

USER, TOKEN, PROJECT, ME = "bot@example.com", "ATATT3xFfGF0aaaaaaaaaaaa", "OPS", "5b10a2844c20165700ede21g"
CATEGORIES = {"To Do": "new", "In Progress": "indeterminate", "Done": "done"}
NO_DAYS = {
    "errorMessages": [],
    "errors": {"duedate": "Field 'duedate' cannot be set. It is not on the appropriate screen, or unknown."},
}
JQL = re.compile(r'project = "(\w+)" AND labels = "(\S+)" ORDER BY created ASC')


@dataclass
class JiraStandIn(Vendor):
    """`cloud` False: Data Center, with a token of its own. `lag`: searches that do not show what was created.

    `required`: fields that the transition to Done asks for; `mandatory`: further ones that a creation needs.
    `has_days` False: no screen has the field for the due date.
    """

    cloud: bool = True
    issues: dict[str, dict[str, Any]] = field(default_factory=dict)
    comments: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    assignable: tuple[str, ...] = ("5b10ac8d82e05b22cc7d4ef5", "dana")
    lag: int = 0
    required: dict[str, Any] = field(default_factory=dict)
    mandatory: tuple[str, ...] = ()
    has_days: bool = True
    transitions: dict[str, str] = field(default_factory=lambda: {"11": "To Do", "21": "In Progress", "31": "Done"})
    now: Callable[[], datetime] = lambda: START

    def answer(self, asked: Asked) -> Answer:
        basic = base64.b64encode(f"{USER}:{TOKEN}".encode()).decode()
        if asked.headers.get("authorization") != (f"Basic {basic}" if self.cloud else f"Bearer {TOKEN}"):
            return 401, {"errorMessages": ["You are not authenticated."]}
        path = asked.path.removeprefix("/rest/api/2")
        match path.strip("/").split("/"):
            case ["issue"]:
                return self._create(asked.json["fields"])
            case ["search", "jql"] if self.cloud:
                return self._search(asked)
            case ["search"] if not self.cloud:
                return self._search(asked)
            case ["search"]:
                return 410, {"errorMessages": ["The requested API has been removed."]}
            case ["project", project]:
                known = {"key": PROJECT, "issueTypes": [{"name": "Task"}, {"name": "Bug"}]}
                return (200, known) if project == PROJECT else (404, {"errorMessages": ["No project."]})
            case ["mypermissions"]:
                return 200, {"permissions": {"CREATE_ISSUES": {"havePermission": True}}}
            case ["issue", key, *rest] if key in self.issues:
                return self._one(key, rest, asked)
        return 404, {"errorMessages": ["Issue does not exist or you do not have permission to see it."]}

    def _create(self, fields: dict[str, Any]) -> Answer:
        if fields["project"]["key"] != PROJECT:
            return 400, {"errorMessages": [], "errors": {"project": "valid project is required"}}
        if fields["issuetype"]["name"] not in ("Task", "Bug"):
            return 400, {"errorMessages": [], "errors": {"issuetype": "Specify a valid issue type"}}
        if not 0 < len(fields["summary"]) <= 255 or "\n" in fields["summary"]:
            return 400, {"errorMessages": [], "errors": {"summary": "Summary must be less than 255 characters."}}
        if "duedate" in fields and not self.has_days:
            return 400, NO_DAYS
        if any(" " in label for label in fields["labels"]):
            return 400, {"errorMessages": [], "errors": {"labels": "The label contains spaces which is invalid."}}
        if missing := [name for name in self.mandatory if name not in fields]:
            return 400, {"errorMessages": [], "errors": {name: f"{name} is required." for name in missing}}
        key = f"{PROJECT}-{len(self.issues) + 1}"
        self.issues[key] = {
            "key": key,
            "fields": {
                **{name: fields[name] for name in ("summary", "description", "labels")},
                "status": _status("To Do"),
                "assignee": None,
                "duedate": fields.get("duedate"),
                "creator": self._person(ME),
                "updated": self._stamp(),
            },
        }
        self.comments[key] = []
        return 201, {"id": "10000", "key": key, "self": f"{self.url}/rest/api/2/issue/10000"}

    def _search(self, asked: Asked) -> Answer:
        found = JQL.fullmatch(asked.form["jql"])
        if found is None:
            return 400, {"errorMessages": ["Error in the JQL Query"]}
        if self.cloud and self.lag:
            self.lag -= 1
            return 200, {"issues": [], "isLast": True}
        there = [i for i in self.issues.values() if found[2] in i["fields"]["labels"]]
        shown = there if "fields" in asked.form else [{"id": "10000"} for _ in there]
        return 200, {"issues": shown, "isLast": True} if self.cloud else {"issues": shown, "total": len(there)}

    def _one(self, key: str, rest: list[str], asked: Asked) -> Answer:
        issue = self.issues[key]
        match rest, asked.method:
            case ["comment"], "POST":
                self.comments[key].append({"body": asked.json["body"]})
                return 201, self.comments[key][-1]
            case ["comment"], "GET":
                return 200, {"comments": self.comments[key][::-1]}
            case [], "PUT":
                if not self.has_days:
                    return 400, NO_DAYS
                issue["fields"] |= {**asked.json["fields"], "updated": self._stamp()}
                return 204, {}
            case ["transitions"], "GET":
                return 200, {"transitions": [self._transition(n, to) for n, to in self.transitions.items()]}
            case ["transitions"], "POST":
                return self._move(key, asked.json)
            case ["assignee"], "PUT":
                login = asked.json.get("accountId" if self.cloud else "name")
                if login is None:
                    issue["fields"]["assignee"] = None
                    return 204, {}
                if login not in self.assignable:
                    return 400, {"errorMessages": [], "errors": {"assignee": "cannot be assigned issues."}}
                issue["fields"]["assignee"] = self._person(login)
                return 204, {}
        return 200, issue

    def _transition(self, number: str, to: str) -> dict[str, Any]:
        asked = self.required if CATEGORIES[to] == "done" else {}
        fields = {name: {"required": True, "hasDefaultValue": False, **more} for name, more in asked.items()}
        return {"id": number, "name": f"Move to {to}", "to": _status(to), "fields": fields}

    def _move(self, key: str, said: dict[str, Any]) -> Answer:
        to = self.transitions.get(said["transition"]["id"], "")
        if not to or (CATEGORIES[to] == "done" and set(self.required) - set(said.get("fields", {}))):
            return 400, {"errorMessages": [], "errors": {"resolution": "Resolution is required."}}
        self.set_status(key, to)
        return 204, {}

    def set_status(self, key: str, status: str) -> dict[str, Any]:
        """Move an issue, as somebody does."""
        self.issues[key]["fields"] |= {"status": _status(status), "updated": self._stamp()}
        return self.issues[key]

    def _person(self, login: str) -> dict[str, str]:
        return {"accountId": login} if self.cloud else {"name": login}

    def _stamp(self) -> str:
        return self.now().strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def _status(name: str) -> dict[str, Any]:
    return {"name": name, "statusCategory": {"key": CATEGORIES[name]}}
