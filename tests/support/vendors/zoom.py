"""Zoom's API on this machine: the login of a Server-to-Server app, and the meetings of an account's users."""

import base64
import threading
from dataclasses import dataclass, field
from typing import Any

from tests.support.vendors.server import Answer, Asked, Vendor
from tests.support.waiting import WITHIN

ACCOUNT, CLIENT, SECRET = "AbCdEfGhTestAccount", "client-of-the-app", "secret-of-the-app"
OWNER = "me"
HOST_KEY = "zak=only-for-the-host"
_BASIC = "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()


@dataclass
class ZoomStandIn(Vendor):
    """`meetings`: host -> theirs, the oldest first. `tokens` are those that it takes: a new one ends the former ones.

    `refuse` answers each API request with a status and Zoom's own number. `released`: answers wait until it is set.
    """

    hosts: tuple[str, ...] = (OWNER,)
    meetings: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    tokens: list[str] = field(default_factory=list)
    refuse: tuple[int, int] | None = None
    created_at: str = "2024-12-18T15:30:00Z"
    page: int = 300
    scope: str = "meeting:read:admin meeting:write:admin"
    released: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.released.set()

    @property
    def made(self) -> list[dict[str, Any]]:
        """All meetings that there are."""
        return [meeting for theirs in self.meetings.values() for meeting in theirs]

    def handle(self, asked: Asked) -> Answer | None:
        self.released.wait(WITHIN)
        return super().handle(asked)

    def answer(self, asked: Asked) -> Answer:
        if asked.path == "/oauth/token":
            return self._log_in(asked)
        if asked.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens[-1:]:
            return 401, {"code": 124, "message": "Invalid access token."}
        if self.refuse:
            return self.refuse[0], {"code": self.refuse[1], "message": "Refused."}
        match asked.path.split("/")[1:], asked.method:
            case (["v2", "users", host, "meetings"], _) if host not in self.hosts:
                return 404, {"code": 1001, "message": f"User does not exist: {host}."}
            case (["v2", "users", host, "meetings"], "POST"):
                return self._create(host, asked.json)
            case (["v2", "users", host, "meetings"], "GET"):
                return self._list(host, asked.form)
            case (["v2", "meetings", number], "DELETE"):
                return self._delete(number)
        return 404, {"code": 404, "message": "No such path."}

    def _log_in(self, asked: Asked) -> Answer:
        good = asked.form.get("grant_type") == "account_credentials" and asked.form.get("account_id") == ACCOUNT
        if not good or asked.headers.get("authorization") != _BASIC:
            return 400, {"reason": "Invalid client_id or client_secret", "error": "invalid_client"}
        self.tokens.append(f"token-{len(self.tokens)}")
        return 200, {"access_token": self.tokens[-1], "token_type": "bearer", "expires_in": 3599, "scope": self.scope}

    def _create(self, host: str, wanted: dict[str, Any]) -> Answer:
        if not 0 < len(wanted["topic"]) <= 200 or wanted["type"] != 2:
            return 400, {"code": 300, "message": "Validation Failed."}
        number = 8_500_000_000 + len(self.requests)
        url = f"https://example.zoom.us/j/{number}?pwd=Secret{number}"
        meeting = {
            "id": number,
            "topic": wanted["topic"],
            "type": 2,
            "created_at": self.created_at,
            "join_url": url,
            "settings": wanted["settings"],
        }
        self.meetings.setdefault(host, []).append(meeting)
        return 201, meeting | {"start_url": f"https://example.zoom.us/s/{number}?{HOST_KEY}"}

    def _list(self, host: str, form: dict[str, str]) -> Answer:
        size, start = min(int(form.get("page_size", 30)), self.page), int(form.get("next_page_token") or 0)
        theirs = self.meetings.get(host, [])
        following = str(start + size) if start + size < len(theirs) else ""
        return 200, {"next_page_token": following, "meetings": theirs[start : start + size]}

    def _delete(self, number: str) -> Answer:
        for theirs in self.meetings.values():
            for meeting in theirs:
                if str(meeting["id"]) == number:
                    theirs.remove(meeting)
                    return 204, {}
        return 404, {"code": 3001, "message": "Meeting does not exist."}
