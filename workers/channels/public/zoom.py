"""Zoom: a meeting for each war room, by an app of the type Server-to-Server OAuth. https://developers.zoom.us/docs/api/meetings/

A link is worth waiting for a few seconds and no more: the whole of a creation, login and lost replies included, ends
by then. Zoom has no key that would drop a second creation, so a meeting whose reply was lost is found by its topic.
`start_url`, with which anybody is the host, is never read.
"""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx2

from escalation.incident.state.rooms import Meeting
from workers.channels.failures import Failed, Kind, asked_wait, no_answer
from workers.channels.refusals.zoom import zoom_failure, zoom_login_failure
from workers.channels.tls import ssl_context

OWNER = "me"  # of the app
LIMIT = 3.0  # seconds for a creation as a whole
TIMEOUT = 10.0  # seconds for what nobody waits for
CONNECT = 1.0  # seconds
LONGEST_ANSWER = 1 << 20  # bytes; a page of 300 meetings has a third of that
LISTED = 300  # the most that one answer has
MAX_PAGES = 3
SPARE = 60.0  # seconds before its end in which a token is not used any more
CLOCKS_APART = timedelta(minutes=5)
_SCHEDULED = 2  # the kind of meeting that lists show; an instant one (1) could not be found again


class ZoomClient:
    """Client of one account. All methods raise Failed. A host is a user's address or id; `me` is the app's owner."""

    def __init__(self, account: str, client: str, secret: str, url: str) -> None:
        self._api = url.rstrip("/").removesuffix("/v2")
        self._login = {"grant_type": "account_credentials", "account_id": account}
        self._basic = (client, secret)
        self._http = httpx2.Client(verify=ssl_context())
        self._lock = threading.Lock()
        self._token, self._token_until = "", 0.0
        self.scopes: frozenset[str] = frozenset()

    def open(self, hosts: Sequence[str], topic: str, since: datetime, *, retrying: bool) -> Meeting:
        """Create a meeting of the first host, which anybody can join before them.

        `retrying`: it may have been created before, at `since` or later, for one of them.
        """
        until = time.monotonic() + LIMIT
        if retrying and (found := self._find(hosts, topic, since, until)):
            return found
        try:
            return self._create(hosts[0], topic, since, until)
        except Failed as failed:
            if failed.kind is not Kind.PASSING or time.monotonic() >= until:
                raise
        return self._find(hosts[:1], topic, since, until) or self._create(hosts[0], topic, since, until)

    def find(self, hosts: Sequence[str], topic: str, since: datetime) -> Meeting | None:
        """Find a meeting that we created since then, by its topic; None when there is none."""
        return self._find(hosts, topic, since, time.monotonic() + TIMEOUT)

    def delete(self, meeting: str) -> None:
        """Delete a meeting; one that is gone already is as good."""
        until = time.monotonic() + TIMEOUT
        self._call("DELETE", f"/meetings/{meeting}", until, gone=True)

    def check(self, host: str) -> None:
        """Log in and list a meeting of a host."""
        self._call("GET", f"/users/{host}/meetings", time.monotonic() + TIMEOUT, params={"page_size": "1"})

    def _create(self, host: str, topic: str, since: datetime, until: float) -> Meeting:
        wanted = {
            "topic": topic,
            "type": _SCHEDULED,
            "start_time": f"{since:%Y-%m-%dT%H:%M:%SZ}",
            "timezone": "UTC",
            "duration": 60,
            "settings": {"join_before_host": True, "jbh_time": 0, "waiting_room": False},
        }
        return _meeting(self._call("POST", f"/users/{host}/meetings", until, json=wanted), host)

    def _find(self, hosts: Sequence[str], topic: str, since: datetime, until: float) -> Meeting | None:
        for host in hosts:
            for meeting in self._listed(host, until):
                if meeting.get("topic") == topic and _is_new(meeting, since):
                    return _meeting(meeting, host)
        return None

    def _listed(self, host: str, until: float) -> Iterator[dict[str, Any]]:
        params = {"type": "scheduled", "page_size": str(LISTED)}
        for _ in range(MAX_PAGES):
            answer = self._call("GET", f"/users/{host}/meetings", until, params=params)
            yield from answer.get("meetings") or ()
            if not (following := answer.get("next_page_token")):
                return
            params = {**params, "next_page_token": following}

    def _call(self, method: str, path: str, until: float, *, gone: bool = False, **request: Any) -> Any:
        """Call the API. A token that Zoom refuses is replaced once: a new one may end those given out before."""
        url = f"{self._api}/v2{path}"
        for last in (False, True):
            token = self._access_token(until)
            status, answer, wait = self._request(
                method, url, until, headers={"Authorization": f"Bearer {token}"}, **request
            )
            if status != 401 or last:
                break
            self._forget(token)
        if status < 300 or (gone and status == 404):
            return answer
        code = answer.get("code", 0)
        raise zoom_failure(status, code if isinstance(code, int) else 0, wait)

    def _access_token(self, until: float) -> str:
        if not self._lock.acquire(timeout=max(0.0, until - time.monotonic())):  # another thread waits for Zoom
            raise no_answer("Zoom", TimeoutError())
        try:
            if not self._token or time.monotonic() >= self._token_until:
                self._log_in(until)
            return self._token
        finally:
            self._lock.release()

    def _log_in(self, until: float) -> None:
        parts = urlsplit(self._api)
        url = urlunsplit(parts._replace(netloc=parts.netloc.removeprefix("api."))) + "/oauth/token"
        status, answer, wait = self._request("POST", url, until, params=self._login, auth=self._basic)
        token, lasts = answer.get("access_token"), answer.get("expires_in")
        if status >= 300 or not isinstance(token, str):
            raise zoom_login_failure(status, wait)
        self._token_until = time.monotonic() + (lasts if isinstance(lasts, int) else 3600) - SPARE
        self._token, self.scopes = token, frozenset(str(answer.get("scope", "")).split())

    def _forget(self, token: str) -> None:
        with self._lock:
            if self._token == token:
                self._token = ""

    def _request(self, method: str, url: str, until: float, **request: Any) -> tuple[int, dict[str, Any], float]:
        """Make one request; returns its status, its JSON object (empty: none), and the wait that it asks for."""
        left = until - time.monotonic()
        if left <= 0:
            raise no_answer("Zoom", TimeoutError())
        timeout = httpx2.Timeout(left, connect=min(left, CONNECT))
        body = b""
        try:
            with self._http.stream(method, url, timeout=timeout, **request) as response:
                for chunk in response.iter_bytes():
                    body += chunk
                    if time.monotonic() > until or len(body) > LONGEST_ANSWER:
                        raise no_answer("Zoom", TimeoutError())
        except httpx2.HTTPError as error:
            raise no_answer("Zoom", error) from None
        return response.status_code, _object(body), asked_wait(response.headers)


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _meeting(answer: dict[str, Any], host: str) -> Meeting:
    """The meeting of an answer. One without a link that can be shown is no answer."""
    url = answer.get("join_url")
    if not answer.get("id") or not isinstance(url, str) or not url.startswith(("https://", "http://")):
        raise no_answer("Zoom", ValueError())
    return Meeting(id=str(answer["id"]), url=url, host=host)


def _is_new(meeting: dict[str, Any], since: datetime) -> bool:
    """False for a meeting of before: another installation's incident may have had the same id and title."""
    try:
        created = datetime.fromisoformat(str(meeting.get("created_at")))
    except ValueError:
        return True
    return created.tzinfo is None or created >= since - CLOCKS_APART
