"""Opsgenie's Alert API on this machine: alerts by alias, carried out at once."""

from dataclasses import dataclass, field
from typing import Any

from tests.support.vendors.server import Answer, Asked, Vendor

KEY = "eb243592-faa2-4ba2-a551q-1afdf565c889"


@dataclass
class OpsgenieStandIn(Vendor):
    """`alerts`: alias -> the open alert. A creation of one that is open counts up and changes nothing."""

    alerts: dict[str, dict[str, Any]] = field(default_factory=dict)
    closed: list[str] = field(default_factory=list)

    def answer(self, asked: Asked) -> Answer:
        if asked.headers.get("authorization") != f"GenieKey {KEY}":
            return 403, {"message": "Could not authenticate", "took": 0.0, "requestId": "r"}
        path = asked.path.removeprefix("/v2/alerts").strip("/")
        if path == "count":
            return 200, {"data": {"count": len(self.alerts)}}
        body = asked.json or {}
        if not path:
            if not body.get("message") or len(body["message"]) > 130 or len(body.get("alias", "")) > 512:
                return 422, {"message": "Request body is not processable", "errors": {}}
            known = self.alerts.setdefault(body["alias"], {**body, "count": 0, "acknowledged": False})
            known["count"] += 1
            return _accepted()
        alias, _, action = path.partition("/")
        if asked.form.get("identifierType") != "alias":
            return 422, {"message": "identifierType"}
        if alias in self.alerts:
            self._act(alias, action, body)
        return _accepted()

    def _act(self, alias: str, action: str, body: dict[str, Any]) -> None:
        if action == "acknowledge":
            self.alerts[alias]["acknowledged"] = True
        elif action == "priority":
            self.alerts[alias]["priority"] = body["priority"]
        elif action == "close":
            self.closed.append(alias)
            del self.alerts[alias]


def _accepted() -> Answer:
    return 202, {"result": "Request will be processed", "took": 0.1, "requestId": "r"}
