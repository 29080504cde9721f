"""Jira, Cloud and Data Center, by version 2 of its API, whose texts are wiki text.

https://developer.atlassian.com/cloud/jira/platform/rest/v2/ · https://docs.atlassian.com/software/jira/docs/api/REST/

A creation is found again by a label: on Cloud the search lags behind it by seconds or minutes.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import httpx2

from escalation.config.tickets import Tracker, Vendor
from escalation.incident.tracked import Issue
from escalation.text import Lines, Link, line
from workers.channels.failures import Failed, Kind, Reason
from workers.channels.refusals.trackers import jira_failure
from workers.channels.trackers import markup
from workers.channels.trackers.calls import Api, in_doubt
from workers.channels.trackers.tracker import Draft, Found

LONGEST_SUMMARY = 255  # characters
FIELDS = "status,assignee,labels,updated,creator,duedate"
OPEN = ("indeterminate", "new")  # categories of statuses, the one to reopen to first
DONE = "done"
DUE = "duedate"


class JiraClient:
    """Client of Jira. With a `user` it is Cloud (mail address and API token), without one Data Center (own token)."""

    vendor = Vendor.JIRA
    searches = 2

    def __init__(self, url: str, user: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._cloud = bool(user)
        headers = {"Accept": "application/json", "User-Agent": "Tocsin"}
        headers |= {} if user else {"Authorization": f"Bearer {token}"}
        auth = httpx2.BasicAuth(user, token) if user else None
        self._api = Api("Jira", headers, auth)

    def create(self, tracker: Tracker, draft: Draft) -> Found:
        """Create an issue."""
        fields = tracker.fields | {
            "project": {"key": tracker.project},
            "issuetype": {"name": tracker.type},
            "summary": markup.plain(draft.title)[:LONGEST_SUMMARY],
            "description": markup.for_jira(draft.body),
            "labels": [*tracker.labels, _label(draft.mark)],
        }
        day = {DUE: draft.due.isoformat()} if draft.due else {}
        try:
            made = self._call("POST", "/issue", {"fields": fields | day}, creates=True)
        except Failed as failed:
            if not day or failed.kind is not Kind.OURS or failed.error != "jira: 400":
                raise
            made = self._call("POST", "/issue", {"fields": fields}, creates=True)  # the project may have no such field
        try:
            return self.read(made["key"])
        except Failed as failed:
            raise in_doubt(failed) from None

    def find(self, tracker: Tracker, mark: str, since: datetime) -> Sequence[Found]:
        """Find the issues with a mark."""
        jql = f'project = "{tracker.project}" AND labels = "{_label(mark)}" ORDER BY created ASC'
        path = "/search/jql" if self._cloud else "/search"
        listed = self._call("GET", path, params={"jql": jql, "fields": FIELDS, "maxResults": "50"})
        return [found(issue, self._url) for issue in listed["issues"]]

    def read(self, key: str) -> Found:
        """Read an issue."""
        return found(self._call("GET", f"/issue/{key}", params={"fields": FIELDS}), self._url)

    def comment(self, key: str, lines: Lines, mark: str, since: datetime | None) -> None:
        """Comment an issue. Its last line tells a comment from others."""
        path, last = f"/issue/{key}/comment", f"(tocsin:{mark})"
        if since:
            latest = self._call("GET", path, params={"orderBy": "-created", "maxResults": "50"})
            if any(last in str(comment.get("body")) for comment in latest["comments"]):
                return
        self._call("POST", path, {"body": f"{markup.for_jira(lines)}\n\n{last}"})

    def set_open(self, key: str, is_open: bool, *, done: bool) -> None:
        """Close or reopen an issue: by the first transition into such a status that asks for nothing we do not know."""
        issue = self._call("GET", f"/issue/{key}", params={"fields": FIELDS})
        if found(issue, self._url).issue.open is is_open:
            return
        ways = self._call("GET", f"/issue/{key}/transitions", params={"expand": "transitions.fields"})["transitions"]
        wanted = OPEN if is_open else (DONE,)
        fitting = [w for category in wanted for w in ways if w["to"]["statusCategory"]["key"] == category]
        possible = next((w for w in fitting if _can_fill(w)), None)
        if possible is None:
            raise _no_way(key, is_open, fitting)
        body = {"transition": {"id": possible["id"]}, "fields": _resolution(possible)}
        self._call("POST", f"/issue/{key}/transitions", {k: v for k, v in body.items() if v})

    def assign(self, key: str, logins: Sequence[str]) -> None:
        """Assign the first of these people: an issue has one assignee. One who may not be is left out."""
        name = "accountId" if self._cloud else "name"
        try:
            self._call("PUT", f"/issue/{key}/assignee", {name: logins[0]})
        except Failed as failed:
            if failed.kind is not Kind.OURS or failed.error not in ("jira: 400", "jira: 404"):
                raise

    def rename(self, key: str, title: str) -> None:
        """Set the summary."""
        self._call("PUT", f"/issue/{key}", {"fields": {"summary": markup.plain(title)[:LONGEST_SUMMARY]}})

    def hand_over(self, key: str, login: str, former: str) -> None:
        """Assign somebody; without a login nobody, if the former one has it still."""
        if login:
            self.assign(key, (login,))
        elif former and former in self.read(key).issue.assignees:
            name = "accountId" if self._cloud else "name"
            self._call("PUT", f"/issue/{key}/assignee", {name: None})

    def set_due(self, key: str, due: date) -> None:
        """Set the day, if the project's screen has the field; a comment says it all the same."""
        try:
            self._call("PUT", f"/issue/{key}", {"fields": {DUE: due.isoformat()}})
        except Failed as failed:
            if failed.error != "jira: 400":
                raise

    def close_twin(self, key: str, kept: Issue) -> None:
        """Close an issue, with a word about the one that is kept."""
        word = (line("Made twice by mistake; see ", Link(kept.url, kept.key), "."),)
        self._call("POST", f"/issue/{key}/comment", {"body": markup.for_jira(word)})
        self.set_open(key, False, done=False)

    def check(self, tracker: Tracker) -> None:
        """Check that the project is there, and that we may create issues in it, of that type."""
        project = self._call("GET", f"/project/{tracker.project}")
        types = [kind["name"] for kind in project.get("issueTypes") or ()]
        if types and tracker.type not in types:
            reason = Reason(f"{tracker.project} has no issue type {tracker.type}", f"set one of {', '.join(types)}")
            raise Failed("jira: no type", Kind.OURS, reason=reason)
        asked = {"projectKey": tracker.project, "permissions": "CREATE_ISSUES"}
        rights = self._call("GET", "/mypermissions", params=asked)["permissions"]
        if not rights.get("CREATE_ISSUES", {}).get("havePermission", True):
            reason = Reason(f"we may not create issues in {tracker.project}", "give JIRA_TOKEN's user that permission")
            raise Failed("jira: no permission", Kind.OURS, reason=reason)

    def _call(
        self, method: str, path: str, body: Any = None, *, params: dict[str, str] | None = None, creates: bool = False
    ) -> Any:
        response = self._api.call(method, f"{self._url}/rest/api/2{path}", body, params, creates=creates)
        if response.status_code >= 300:
            if response.status_code == 404 and path.startswith("/issue/") and not path.endswith("/assignee"):
                key = path.split("/")[2]
                raise Failed("jira: gone", Kind.GONE, reason=Reason(f"{key} is gone in Jira, or hidden from us"))
            failed = jira_failure(response.status_code, response.headers, _said(response))
            if creates and response.status_code >= 500:
                raise in_doubt(failed)
            raise failed
        return self._api.json(response, creates=creates)


def _said(response: httpx2.Response) -> tuple[str, ...]:
    """The fields that a refusal names; its words may quote the incident's."""
    try:
        errors = response.json().get("errors")
    except (ValueError, AttributeError):
        return ()
    return tuple(errors) if isinstance(errors, dict) else ()


def _label(mark: str) -> str:
    return f"tocsin-{mark}"


def _missing(way: Any) -> list[str]:
    """The fields that a transition requires and nobody has filled in."""
    fields = (way.get("fields") or {}).items()
    return [name for name, field in fields if field.get("required") and not field.get("hasDefaultValue")]


def _can_fill(way: Any) -> bool:
    return all(name == "resolution" and way["fields"][name].get("allowedValues") for name in _missing(way))


def _resolution(way: Any) -> dict[str, Any]:
    """The resolution, where a transition requires one: Done, if there is one, else the first."""
    if "resolution" not in _missing(way):
        return {}
    allowed = way["fields"]["resolution"]["allowedValues"]
    chosen = next((value for value in allowed if value.get("name") in ("Done", "Fixed")), allowed[0])
    return {"resolution": {"id": chosen["id"]} if "id" in chosen else {"name": chosen["name"]}}


def _no_way(key: str, is_open: bool, fitting: Sequence[Any]) -> Failed:
    verb = "reopened" if is_open else "closed"
    asked = sorted({name for way in fitting for name in _missing(way)})
    why = f"its workflow asks for {', '.join(asked)}" if asked else "its workflow has no way for us"
    reason = Reason(f"{key} cannot be {verb} in Jira: {why}", "do it there by hand, or give us a transition without")
    return Failed("jira: no transition", Kind.LOST, reason=reason)


def found(issue: Any, url: str) -> Found:
    """Read an issue of an answer, or of a webhook. People are account ids on Cloud, names on Data Center."""
    fields = issue["fields"]
    assignee = person(fields.get("assignee"))
    return Found(
        issue=Issue(
            vendor=Vendor.JIRA,
            key=issue["key"],
            url=f"{url}/browse/{issue['key']}",
            open=fields["status"]["statusCategory"]["key"] != DONE,
            assignees=(assignee,) if assignee else (),
            updated=datetime.fromisoformat(fields["updated"]) if fields.get("updated") else None,
        ),
        labels=tuple(fields.get("labels") or ()),
        author=person(fields.get("creator")),
        due=date.fromisoformat(fields[DUE]) if fields.get(DUE) else None,
    )


def person(user: Any) -> str:
    """Return what Jira knows somebody by."""
    return str((user or {}).get("accountId") or (user or {}).get("name") or "")
