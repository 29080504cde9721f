"""Pushover and ntfy on this machine."""

import uuid
from dataclasses import dataclass, field
from typing import Any

from tests.support.vendors.server import Answer, Asked, Vendor

APP_TOKEN = "azGDORePK8gMaC0QOYAMyEEuzJnyUi"
NTFY_TOKEN = "tk_AgQdq7mVBoFD37zQVN29RhuMzNIz2"


@dataclass
class PushoverStandIn(Vendor):
    """`users` are the keys that exist; None: any."""

    sent: list[dict[str, str]] = field(default_factory=list)
    receipts: dict[str, dict[str, Any]] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)
    users: set[str] | None = None
    quota: int = 10_000

    def answer(self, asked: Asked) -> Answer:
        form = asked.form
        if form.get("token") != APP_TOKEN:
            return self._refused("token", "application token is invalid")
        if asked.path == "/1/sounds.json":
            return 200, {"status": 1, "sounds": {}}
        if asked.path.endswith("/cancel.json"):
            self.cancelled.append(asked.path.split("/")[3])
            return 200, {"status": 1, "canceled": 1}
        if asked.path.startswith("/1/receipts/"):
            return 200, {"status": 1, **self.receipts[asked.path.rpartition("/")[2].removesuffix(".json")]}
        if self.users is not None and form.get("user") not in self.users:
            return self._refused("user", "user identifier is not a valid user, group, or subscribed user key")
        if asked.path == "/1/users/validate.json":
            return 200, {"status": 1, "devices": ["phone"]}
        return self._send(form)

    def _send(self, form: dict[str, str]) -> Answer:
        if not form.get("message"):
            return self._refused("message", "message cannot be blank")
        if len(form["message"]) > 1024 or len(form.get("title", "")) > 250:
            return self._refused("message", "message is too long")
        if self.quota <= 0:
            return 429, {"status": 0, "errors": ["application is over its quota"], "request": "r"}
        self.quota -= 1
        self.sent.append(form)
        if form.get("priority") != "2":
            return 200, {"status": 1, "request": "r"}
        if not (int(form.get("retry", 0)) >= 30 and 0 < int(form.get("expire", 0)) <= 10_800):
            return self._refused("retry", "retry must be at least 30, expire at most 10800")
        receipt = uuid.uuid4().hex[:30]
        form["receipt"] = receipt
        self.receipts[receipt] = {"acknowledged": 0, "acknowledged_by": "", "expired": 0}
        return 200, {"status": 1, "receipt": receipt, "request": "r"}

    def _refused(self, parameter: str, why: str) -> Answer:
        return 400, {"status": 0, parameter: "invalid", "errors": [why], "request": "r"}


@dataclass
class NtfyStandIn(Vendor):
    """A server of version 2.16 or later: `shown` has one notification for each topic and sequence_id."""

    shown: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    published: list[dict[str, Any]] = field(default_factory=list)
    closed: set[str] = field(default_factory=set)  # topics that the token may not write to

    def answer(self, asked: Asked) -> Answer:
        if asked.path == "/v1/health":
            return 200, {"healthy": True}
        if asked.headers.get("authorization") != f"Bearer {NTFY_TOKEN}":
            return 401, {"code": 40101, "http": 401, "error": "unauthorized"}
        body = asked.json or {}
        topic = body.get("topic", "")
        if not topic or len(topic) > 64 or not topic.replace("-", "").replace("_", "").isalnum():
            return 400, {"code": 40009, "http": 400, "error": "invalid request: topic invalid"}
        if topic in self.closed:
            return 403, {"code": 40301, "http": 403, "error": "forbidden"}
        if not 1 <= body.get("priority", 3) <= 5:
            return 400, {"code": 40007, "http": 400, "error": "invalid priority parameter"}
        if len(body.get("message", "").encode()) > 4096 or len(body.get("actions", [])) > 3:
            return 400, {"code": 40018, "http": 400, "error": "invalid request"}
        self.published.append(body)
        self.shown[topic, body.get("sequence_id") or str(len(self.published))] = body
        return 200, {"id": "abc", "event": "message", **body}
