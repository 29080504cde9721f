"""GitHub Issues. https://docs.github.com/rest/issues

A creation is found again by a hidden comment in its text, in the list of issues: the search lags behind.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx2

from escalation.config.tickets import Tracker, Vendor
from escalation.incident.tracked import Issue
from escalation.text import Lines, Link, line
from workers.channels.failures import Failed, Kind, Reason
from workers.channels.refusals.trackers import github_failure
from workers.channels.trackers import markup
from workers.channels.trackers.calls import Api, in_doubt
from workers.channels.trackers.tracker import Draft, Found

PAGE, PAGES = 100, 5  # the most that one answer has; more issues than that in a few minutes are none of ours
CLOCKS_DIFFER = timedelta(minutes=10)  # GitHub's and ours
LONGEST_TITLE = 256  # characters
MOVED = (301, 302, 307, 308)
NOT_WORKED_ON = ("not_planned", "duplicate")


class GitHubClient:
    """Client of GitHub, or of a GitHub Enterprise Server: `url` is its API."""

    vendor = Vendor.GITHUB
    searches = 1

    def __init__(self, token: str, url: str) -> None:
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            "User-Agent": "Tocsin",
        }
        self._url = url.rstrip("/")
        self._api = Api("GitHub", headers)

    def create(self, tracker: Tracker, draft: Draft) -> Found:
        """Create an issue. Labels that we may not set are left out by GitHub without a word."""
        text = f"{markup.for_github(draft.body)}\n\n{_hidden(draft.mark)}"
        title = markup.plain(draft.title)[:LONGEST_TITLE]
        body = {"title": title, "body": text, "labels": list(tracker.labels)}
        path = f"/repos/{tracker.project}/issues"
        made = self._api.json(self._call("POST", path, body, creates=True), creates=True)
        return found(made, tracker.project)

    def find(self, tracker: Tracker, mark: str, since: datetime) -> Sequence[Found]:
        """Find the issues with a mark in the list, which pull requests are in too."""
        asked = f"/repos/{tracker.project}/issues?state=all&sort=created&direction=desc"
        listed = self._pages(f"{asked}&since={_stamp(since - CLOCKS_DIFFER)}")
        marked = (i for i in listed if "pull_request" not in i and _hidden(mark) in (i.get("body") or ""))
        return [found(i, tracker.project) for i in sorted(marked, key=lambda i: i["number"])]

    def read(self, key: str) -> Found:
        """Read an issue."""
        return found(self._api.json(self._call("GET", _path(key))), key.partition("#")[0])

    def comment(self, key: str, lines: Lines, mark: str, since: datetime | None) -> None:
        """Comment an issue."""
        path = f"{_path(key)}/comments"
        if since and any(
            _hidden(mark) in (c.get("body") or "") for c in self._pages(f"{path}?since={_stamp(since - CLOCKS_DIFFER)}")
        ):
            return
        self._call("POST", path, {"body": f"{markup.for_github(lines)}\n\n{_hidden(mark)}"})

    def rewrite(self, key: str, text: str, mark: str, title: str = "") -> None:
        """Write an issue's text anew, given in Markdown, and its title, if one is given."""
        named = {"title": markup.plain(title)[:LONGEST_TITLE]} if title else {}
        self._call("PATCH", _path(key), {"body": f"{text}\n\n{_hidden(mark)}"} | named)

    def set_open(self, key: str, is_open: bool, *, done: bool) -> None:
        """Close or reopen an issue; doing it twice is doing it once."""
        reason = "reopened" if is_open else "completed" if done else "not_planned"
        self._call("PATCH", _path(key), {"state": "open" if is_open else "closed", "state_reason": reason})

    def assign(self, key: str, logins: Sequence[str]) -> None:
        """Assign people. Those who may not be are left out by GitHub without a word."""
        self._assignees("POST", key, logins)

    def rename(self, key: str, title: str) -> None:
        """Set the title."""
        self._call("PATCH", _path(key), {"title": markup.plain(title)[:LONGEST_TITLE]})

    def hand_over(self, key: str, login: str, former: str) -> None:
        """Assign one person in place of another."""
        if former and former.lower() != login.lower():
            self._assignees("DELETE", key, (former,))
        if login:
            self._assignees("POST", key, (login,))

    def _assignees(self, method: str, key: str, logins: Sequence[str]) -> None:
        try:
            self._call(method, f"{_path(key)}/assignees", {"assignees": list(logins)})
        except Failed as failed:
            if failed.error != "github: 422":
                raise

    def set_due(self, key: str, due: date) -> None:
        """Do nothing: issues have no day, a comment says it."""

    def close_twin(self, key: str, kept: Issue) -> None:
        """Close an issue as a duplicate."""
        word = (line("Made twice by mistake; see ", Link(kept.url, kept.key), "."),)
        self._call("POST", f"{_path(key)}/comments", {"body": markup.for_github(word)})
        self._call("PATCH", _path(key), {"state": "closed", "state_reason": "duplicate"})

    def check(self, tracker: Tracker) -> None:
        """Check that the repository is there, has issues, and that we may write to it, as far as it says."""
        repository = self._api.json(self._call("GET", f"/repos/{tracker.project}"))
        if not repository.get("has_issues", True):
            raise github_failure(410, where=tracker.project)
        if not repository.get("permissions", {"push": True}).get("push"):
            text = f"GitHub leaves out labels and assignees in {tracker.project}: we may not write to it"
            remedy = "give the owner of GITHUB_TOKEN the role Write there, and the token the permission Issues: write"
            raise Failed("github: no push", Kind.OURS, reason=Reason(text, remedy))

    def _pages(self, path: str) -> Iterator[Any]:
        """Yield what a list holds, page by page."""
        for page in range(1, PAGES + 1):
            listed = self._api.json(self._call("GET", f"{path}&per_page={PAGE}&page={page}"))
            yield from listed
            if len(listed) < PAGE:
                return

    def _call(self, method: str, path: str, body: Any = None, *, creates: bool = False) -> httpx2.Response:
        response = self._api.call(method, f"{self._url}{path}", body, creates=creates)
        if response.status_code in MOVED and (there := self._moved_to(response)):
            response = self._api.call(method, there, body, creates=creates)
        if response.status_code >= 500 and creates:
            raise in_doubt(github_failure(response.status_code, response.headers))
        if response.status_code >= 300:
            raise github_failure(response.status_code, response.headers, path.removeprefix("/repos/").partition("?")[0])
        return response

    def _moved_to(self, response: httpx2.Response) -> str:
        """Where a renamed repository is now; empty for another host, which must not get our token.

        https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects
        """
        there = response.headers.get("location", "")
        own, other = urlsplit(self._url), urlsplit(there)
        return there if (own.scheme, own.netloc) == (other.scheme, other.netloc) else ""


def _hidden(mark: str) -> str:
    return f"<!-- tocsin:{mark} -->"


def _path(key: str) -> str:
    project, _, number = key.partition("#")
    return f"/repos/{project}/issues/{number}"


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def found(issue: Any, project: str) -> Found:
    """Read an issue of an answer, or of a webhook."""
    return Found(
        issue=Issue(
            vendor=Vendor.GITHUB,
            key=f"{project}#{issue['number']}",
            url=issue["html_url"],
            open=issue["state"] == "open",
            assignees=tuple(person["login"] for person in issue.get("assignees") or ()),
            updated=datetime.fromisoformat(issue["updated_at"]),
        ),
        labels=tuple(label["name"] for label in issue.get("labels") or ()),
        by=(issue.get("closed_by") or {}).get("login", ""),
        worked=issue.get("state_reason") not in NOT_WORKED_ON,
        author=(issue.get("user") or {}).get("login", ""),
    )
