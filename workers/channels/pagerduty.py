"""PagerDuty's Events API v2: trigger, acknowledge, resolve. The incident's id is the dedup_key, so twice is once.

https://developer.pagerduty.com/docs/send-alert-event
"""

from datetime import datetime

import httpx2

from escalation.incident.model import Incident
from escalation.messages.mail import alert_summary
from workers.channels.failures import Failed, Kind
from workers.channels.tls import trust

TIMEOUT = 10.0  # seconds
LONGEST_SUMMARY = 1024  # characters
_SEVERITIES = {"P0": "critical", "P1": "error", "P2": "warning", "P3": "info"}


class PagerDutyClient:
    """`routing_key` is the integration key of a service; `url` a stand-in for tests."""

    def __init__(self, routing_key: str, url: str) -> None:
        self._key = routing_key
        self._http = httpx2.Client(timeout=TIMEOUT, verify=trust())
        self._url = url

    def send(self, incident: Incident, action: str) -> None:
        """Failed when it was not taken."""
        if action == "trigger":
            self.trigger(incident.id, alert_summary(incident), incident.severity, incident.declared_at)
        else:
            self._post(action, incident.id)

    def trigger(self, key: str, summary: str, severity: str, at: datetime) -> None:
        """Open an alert under a key of the caller's; `severity` as P0. Failed when it was not taken."""
        payload = {
            "summary": summary[:LONGEST_SUMMARY],
            "source": "tocsin",
            "severity": _SEVERITIES.get(severity, "critical"),
            "timestamp": at.isoformat(),
        }
        self._post("trigger", key, payload=payload, client="Tocsin")

    def resolve(self, key: str) -> None:
        """The alert under that key is over. Failed when it was not taken."""
        self._post("resolve", key)

    def _post(self, action: str, key: str, **more: object) -> None:
        event = {"routing_key": self._key, "event_action": action, "dedup_key": key, **more}
        try:
            answer = self._http.post(self._url, json=event)
        except httpx2.HTTPError as lost:
            raise Failed(f"pagerduty: {type(lost).__name__}", Kind.PASSING) from None
        if answer.status_code == 429 or answer.status_code >= 500:
            raise Failed(f"pagerduty: {answer.status_code}", Kind.PASSING, wait=_wait(answer))
        if answer.status_code >= 300:
            raise Failed(f"pagerduty: {answer.status_code}", Kind.OURS)


def _wait(answer: httpx2.Response) -> float:
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isdigit() else 0.0
