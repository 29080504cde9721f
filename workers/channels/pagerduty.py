"""PagerDuty's Events API v2: trigger, acknowledge, resolve. The incident's id is the dedup_key: duplicates are dropped.

https://developer.pagerduty.com/docs/send-alert-event
"""

from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx2

from escalation.incident.model import Incident
from escalation.messages.mail import alert_summary
from workers.channels.failures import asked_wait, no_answer
from workers.channels.refusals.paging import pagerduty_failure
from workers.channels.replies import check_accepted, json_object, not_theirs
from workers.channels.tls import ssl_context

TIMEOUT = 10.0  # seconds
LONGEST_SUMMARY = 1024  # characters
_SEVERITIES = {"P0": "critical", "P1": "error", "P2": "warning", "P3": "info"}


class PagerDutyClient:
    """Client of the Events API. `routing_key` is a service's integration key; `url` can be a stand-in for tests."""

    def __init__(self, routing_key: str, url: str) -> None:
        self._key = routing_key
        self._http = httpx2.Client(timeout=TIMEOUT, verify=ssl_context())
        self._url = url

    def send(self, incident: Incident, action: str) -> None:
        """Send an event (trigger, acknowledge or resolve) for an incident. Raises Failed if it was not accepted."""
        if action == "trigger":
            self.trigger(incident.id, alert_summary(incident), incident.severity, incident.declared_at)
        else:
            self._post(action, incident.id)

    def trigger(self, key: str, summary: str, severity: str, at: datetime) -> None:
        """Open an alert under the caller's dedup key; `severity` as P0. Raises Failed if it was not accepted."""
        payload = {
            "summary": summary[:LONGEST_SUMMARY],
            "source": "tocsin",
            "severity": _SEVERITIES.get(severity, "critical"),
            "timestamp": at.isoformat(),
        }
        self._post("trigger", key, payload=payload, client="Tocsin")

    def resolve(self, key: str) -> None:
        """Resolve the alert under that key. Raises Failed if it was not accepted."""
        self._post("resolve", key)

    def check(self) -> None:
        """Reach the API without sending an event: whatever it answers to a GET. Raises Failed."""
        try:
            response = self._http.get(self._url)
        except httpx2.HTTPError as error:
            raise no_answer("PagerDuty", error) from None
        if response.status_code >= 500:
            raise pagerduty_failure(response.status_code)

    def _post(self, action: str, key: str, **more: object) -> None:
        event = {"routing_key": self._key, "event_action": action, "dedup_key": key, **more}
        try:
            response = self._http.post(self._url, json=event)
        except httpx2.HTTPError as error:
            raise no_answer("PagerDuty", error) from None
        if response.status_code >= 300:
            raise pagerduty_failure(response.status_code, asked_wait(response.headers))
        check_accepted(response, "PagerDuty", "PAGERDUTY_URL")


class PagerDutyDirectory:
    """Reads users through the REST API. https://developer.pagerduty.com/api-reference/2395ca1feb25e-get-a-user"""

    def __init__(self, token: str, url: str) -> None:
        headers = {"Authorization": f"Token token={token}", "Accept": "application/vnd.pagerduty+json;version=2"}
        self._http = httpx2.Client(base_url=url.rstrip("/"), headers=headers, timeout=TIMEOUT, verify=ssl_context())

    def mail_of(self, user_id: str) -> str:
        """Return a user's mail address; empty for a user that is gone. Raises Failed."""
        found = self._user(f"/users/{quote(user_id, safe='')}").get("user")
        return str(found.get("email") or "") if isinstance(found, dict) else ""

    def check(self) -> None:
        """Use the token without reading anybody. Raises Failed."""
        self._user("/abilities")

    def _user(self, path: str) -> dict[str, Any]:
        try:
            response = self._http.get(path)
        except httpx2.HTTPError as error:
            raise no_answer("PagerDuty", error) from None
        if response.status_code == 404:
            return {}
        if response.status_code >= 300:
            failed = pagerduty_failure(response.status_code, asked_wait(response.headers))
            failed.reason = failed.reason._replace(remedy="correct PAGERDUTY_API_TOKEN" if failed.reason.remedy else "")
            raise failed
        if not (found := json_object(response)):  # a user that is gone is a 404
            raise not_theirs("PagerDuty", "PAGERDUTY_API_URL")
        return found
