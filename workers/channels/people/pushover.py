"""Pushover: notifications that break through Do Not Disturb and repeat until they are acknowledged.

https://pushover.net/api and https://pushover.net/api/receipts. There is no id of ours on a message, so it is sent at
least once: after a lost reply it is sent again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from workers.channels.failures import asked_wait, no_answer
from workers.channels.refusals.push import pushover_failure
from workers.channels.replies import json_object, not_theirs
from workers.channels.tls import ssl_context

API = "https://api.pushover.net"
TIMEOUT = 10.0  # seconds
LONGEST_MESSAGE, LONGEST_TITLE, LONGEST_LINK = 1024, 250, 512  # characters
EMERGENCY, HIGH = 2, 1
RETRY = 60  # seconds between two alarms of one message; 30 at least
EXPIRE = (30, 10_800)  # seconds


@dataclass(frozen=True)
class Push:
    """A notification. `expire`: seconds that an urgent one repeats. `tag`: the incident, for a look-up by hand."""

    title: str
    message: str
    link: str = ""
    urgent: bool = True
    expire: float = 900.0
    tag: str = ""
    callback: str = ""


@dataclass(frozen=True)
class Receipt:
    """What became of an urgent notification."""

    acknowledged: bool
    by: str = ""
    expired: bool = False


class PushoverClient:
    """Client of one application. All methods raise Failed."""

    def __init__(self, token: str, url: str = API) -> None:
        self._token = token
        self._http = httpx2.Client(base_url=url.rstrip("/"), timeout=TIMEOUT, verify=ssl_context())

    def send(self, user: str, push: Push) -> str:
        """Notify one person; returns the receipt of an urgent notification. One call each: an answer ends all of it."""
        form: dict[str, Any] = {
            "user": user,
            "title": push.title[:LONGEST_TITLE],
            "message": push.message[:LONGEST_MESSAGE],
            "priority": EMERGENCY if push.urgent else HIGH,
        }
        if push.link and len(push.link) <= LONGEST_LINK:
            form |= {"url": push.link, "url_title": "Acknowledge"}
        if push.urgent:
            shortest, longest = EXPIRE
            form |= {"retry": RETRY, "expire": round(min(max(push.expire, shortest), longest))}
            form |= {name: value for name, value in (("tags", push.tag), ("callback", push.callback)) if value}
        return str(self._call("POST", "/1/messages.json", form).get("receipt") or "")

    def receipt(self, receipt: str) -> Receipt:
        """Read what became of an urgent notification."""
        found = self._call("GET", f"/1/receipts/{receipt}.json", {})
        by = str(found.get("acknowledged_by") or "")
        return Receipt(found.get("acknowledged") == 1, by, found.get("expired") == 1)

    def cancel(self, receipt: str) -> None:
        """Stop the alarm of an urgent notification."""
        self._call("POST", f"/1/receipts/{receipt}/cancel.json", {})

    def check(self) -> None:
        """Check the application's token: nothing is sent."""
        self._call("GET", "/1/sounds.json", {})

    def validate(self, user: str) -> None:
        """Check that a user key belongs to somebody: nothing is sent."""
        self._call("POST", "/1/users/validate.json", {"user": user})

    def _call(self, method: str, path: str, form: dict[str, Any]) -> Mapping[str, Any]:
        what: Any = {"params" if method == "GET" else "data": {"token": self._token, **form}}
        try:
            response = self._http.request(method, path, **what)
        except httpx2.HTTPError as error:
            raise no_answer("Pushover", error) from None
        found = json_object(response)
        if response.status_code < 300 and found.get("status") == 1:
            return found
        if response.status_code < 300 and "status" not in found:
            raise not_theirs("Pushover", "PUSHOVER_API_URL")
        errors = found.get("errors")
        said = "; ".join(map(str, errors)) if isinstance(errors, list) else ""
        # A refusal in a 200 is one all the same.
        status = response.status_code if response.status_code >= 300 else 400
        raise pushover_failure(status, said[:200], found.keys(), asked_wait(response.headers))
