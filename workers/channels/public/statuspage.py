"""Atlassian Statuspage: incidents and planned maintenance of one page. https://developer.statuspage.io/

A creation can be found again by its metadata, which no search covers: the latest incidents are listed. Updates carry
none; the last one is compared before it is repeated.
"""

from datetime import UTC, datetime
from typing import Any

import httpx2

from escalation.config.status_page import Maintenance
from escalation.status_page.publications import Publication, PublicStatus
from workers.channels.failures import asked_wait, no_answer
from workers.channels.refusals.statuspage import statuspage_failure
from workers.channels.replies import not_theirs
from workers.channels.tls import ssl_context

TIMEOUT = 10.0  # seconds
LONGEST_NAME, LONGEST_BODY = 255, 25_000  # characters
LISTED = 100  # the most that one answer has
CALLED_OFF = "This maintenance is cancelled."
BY_ITSELF = (  # https://developer.statuspage.io/#operation/postPagesPageIdIncidents
    *("scheduled_auto_in_progress", "scheduled_auto_completed"),
    *("auto_transition_to_maintenance_state", "auto_transition_to_operational_state"),
    *("auto_transition_deliver_notifications_at_start", "auto_transition_deliver_notifications_at_end"),
)


class StatuspageClient:
    """Client of one page. All methods raise Failed."""

    def __init__(self, key: str, page: str, url: str) -> None:
        headers = {"Authorization": f"OAuth {key}"}
        base = f"{url.rstrip('/')}/v1/pages/{page}"
        self._http = httpx2.Client(base_url=base, headers=headers, timeout=TIMEOUT, verify=ssl_context())

    def components(self) -> dict[str, str]:
        """Return the ids of the page's components, by name."""
        return {component["name"]: component["id"] for component in self._list("/components")}

    def find(self, public_id: str) -> str:
        """Return the id there of an incident of ours; empty when it has none."""
        listed = self._list(f"/incidents?limit={LISTED}")
        own = (i["id"] for i in listed if (i.get("metadata") or {}).get("tocsin", {}).get("id") == public_id)
        return next(own, "")

    def create(self, update: Publication, components: dict[str, str], states: dict[str, str]) -> str:
        """Create an incident; returns its id there. `components` are ids by name; `states` hold now, by id."""
        marked = {"metadata": {"tocsin": {"id": update.incident}}}
        return self._write("POST", "/incidents", _incident(update, components, states) | marked)

    def update(self, there: str, update: Publication, components: dict[str, str], states: dict[str, str]) -> None:
        """Publish an update of an incident, unless it is the latest one already. `states` as for `create`."""
        updates = self._incident(there).get("incident_updates") or [{}]
        if (updates[0].get("status"), updates[0].get("body")) != (update.status, update.body[:LONGEST_BODY]):
            self._write("PATCH", f"/incidents/{there}", _incident(update, components, states))

    def plan(self, window: Maintenance, mark: str, components: dict[str, str], begun: dict[str, str] | None) -> str:
        """Plan maintenance, which begins and ends there by itself, whether we live or not; returns its id there.

        `begun`: the states of its components, by id, if it has begun already.
        """
        ids = [components[name] for name in window.components if name in components]
        said = {
            "name": window.title[:LONGEST_NAME],
            "status": "scheduled" if begun is None else "in_progress",
            "body": (window.words or window.title)[:LONGEST_BODY],
            "impact_override": "maintenance",
            "scheduled_for": _iso(window.starts),
            "scheduled_until": _iso(window.ends),
            **dict.fromkeys(BY_ITSELF, True),
            "component_ids": ids,
            "components": begun or {},
            "metadata": {"tocsin": {"id": mark}},
            "deliver_notifications": True,
        }
        return self._write("POST", "/incidents", said)

    def call_off(self, there: str, components: dict[str, str]) -> None:
        """Cancel maintenance, visibly; `components` are the states that hold then, by id. Done already is as good."""
        if self._incident(there).get("status") != "completed":
            said = {"status": "completed", "body": CALLED_OFF, "components": components, "deliver_notifications": True}
            self._write("PATCH", f"/incidents/{there}", said)

    def restate(self, there: str, components: dict[str, str]) -> None:
        """State components of an incident again, by id, without an update of it: nobody is told."""
        self._write("PATCH", f"/incidents/{there}", {"components": components, "deliver_notifications": False})

    def delete(self, there: str) -> None:
        """Delete an incident; one that is gone already is as good."""
        self._call("DELETE", f"/incidents/{there}", gone=True)

    def _list(self, path: str) -> list[dict[str, Any]]:
        found = self._call("GET", path)
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise not_theirs("Statuspage", "STATUSPAGE_URL")
        return found

    def _incident(self, there: str) -> dict[str, Any]:
        return _theirs(self._call("GET", f"/incidents/{there}"))

    def _write(self, method: str, path: str, incident: dict[str, Any]) -> str:
        """Create or change an incident; returns its id."""
        return str(_theirs(self._call(method, path, incident))["id"])

    def _call(self, method: str, path: str, incident: dict[str, Any] | None = None, *, gone: bool = False) -> Any:
        try:
            response = self._http.request(method, path, json={"incident": incident} if incident else None)
        except httpx2.HTTPError as error:
            raise no_answer("Statuspage", error) from None
        if response.status_code >= 300 and not (gone and response.status_code == 404):
            raise statuspage_failure(response.status_code, asked_wait(response.headers))
        try:
            return response.json() if response.content else {}
        except ValueError as error:
            raise no_answer("Statuspage", error) from None


def _theirs(answer: Any) -> dict[str, Any]:
    """An incident, as every answer about one holds it. Raises Failed for anything else: nothing was published."""
    if not isinstance(answer, dict) or "id" not in answer:
        raise not_theirs("Statuspage", "STATUSPAGE_URL")
    return answer


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _incident(update: Publication, components: dict[str, str], states: dict[str, str]) -> dict[str, Any]:
    """The incident as an update leaves it. Resolving heals no component by itself: their states are always sent."""
    return {
        "name": update.name[:LONGEST_NAME] or "Incident",
        "status": PublicStatus(update.status).value,
        "body": update.body[:LONGEST_BODY],
        "impact_override": update.impact.value,
        "component_ids": [components[name] for name in update.components if name in components],
        "components": states,
        "deliver_notifications": True,
    }
