"""Opsgenie's Alert API, which Jira Service Management serves too: https://docs.opsgenie.com/docs/alert-api

The incident's id is the alias: while the alert is open a second creation is the same one. Requests are carried out
later, so an accepted one may still fail; nothing tells us but Opsgenie's own log.
"""

from typing import Any

import httpx2

from escalation.incident.model import Incident
from escalation.messages.mail import alert_summary
from workers.channels.failures import asked_wait, no_answer
from workers.channels.refusals.paging import opsgenie_failure
from workers.channels.replies import check_accepted
from workers.channels.tls import ssl_context

TIMEOUT = 10.0  # seconds
LONGEST_MESSAGE = 130  # characters
_PRIORITIES = {"P0": "P1", "P1": "P2", "P2": "P3", "P3": "P4"}


class OpsgenieClient:
    """Client of the Alert API. `url` is that of the instance: of the US, the EU, or Jira Service Management."""

    def __init__(self, key: str, url: str) -> None:
        self._url = url.rstrip("/") + "/v2/alerts"
        headers = {"Authorization": f"GenieKey {key}"}
        self._http = httpx2.Client(headers=headers, timeout=TIMEOUT, verify=ssl_context())

    def send(self, incident: Incident, action: str) -> None:
        """Trigger, acknowledge or resolve the alert of an incident. Raises Failed if it was not accepted."""
        if action == "trigger":
            self._trigger(incident)
        else:
            verb = {"acknowledge": "acknowledge", "resolve": "close"}[action]
            self._call("POST", f"/{incident.id}/{verb}?identifierType=alias", {"source": "Tocsin"})

    def check(self) -> None:
        """Count alerts, which every key may. Raises Failed."""
        self._call("GET", "/count")

    def _trigger(self, incident: Incident) -> None:
        """Create the alert, and state its priority: a creation of one that is there does not change it."""
        words = alert_summary(incident)
        priority = _PRIORITIES.get(incident.severity, "P1")
        alert = {"message": words[:LONGEST_MESSAGE], "alias": incident.id, "description": words, "priority": priority}
        self._call("POST", "", {**alert, "source": "Tocsin", "entity": incident.id})
        self._call("PUT", f"/{incident.id}/priority?identifierType=alias", {"priority": priority})

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        try:
            response = self._http.request(method, self._url + path, json=body)
        except httpx2.HTTPError as error:
            raise no_answer("Opsgenie", error) from None
        if response.status_code >= 300:
            raise opsgenie_failure(response.status_code, asked_wait(response.headers))
        check_accepted(response, "Opsgenie", "OPSGENIE_URL")
