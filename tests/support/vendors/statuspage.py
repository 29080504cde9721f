"""Statuspage's API on this machine: incidents and maintenance of one page. It refuses what theirs refuses."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.support.vendors.server import Answer, Asked, Vendor

KEY, PAGE = "89a229ce1a8dbcf9ff30430fbe35eb4c0426574bca932061892cefd2138aa4b1", "kctbh9vrtdwd"
STATUSES = ("investigating", "identified", "monitoring", "resolved")
SCHEDULED = ("scheduled", "in_progress", "verifying", "completed")
IMPACTS = ("none", "minor", "major", "critical", "maintenance")
STATES = ("operational", "degraded_performance", "partial_outage", "major_outage", "under_maintenance")
FIELDS = {
    *("name", "status", "body", "impact_override", "component_ids", "components", "metadata"),
    *("deliver_notifications", "scheduled_for", "scheduled_until", "scheduled_auto_in_progress"),
    *("scheduled_auto_completed", "auto_transition_to_maintenance_state", "auto_transition_to_operational_state"),
    *("auto_transition_deliver_notifications_at_start", "auto_transition_deliver_notifications_at_end"),
}


@dataclass
class StatuspageStandIn(Vendor):
    """`incidents`: the newest first, each with its `incident_updates`, the newest first."""

    incidents: list[dict[str, Any]] = field(default_factory=list)
    components: dict[str, str] = field(default_factory=lambda: {"checkout": "operational"})
    refuse: int = 0
    refuse_writes: bool = False

    def answer(self, asked: Asked) -> Answer:
        if asked.headers.get("authorization") != f"OAuth {KEY}":
            return 401, {"error": "Could not authenticate"}
        base = f"/v1/pages/{PAGE}"
        if not asked.path.startswith(base):
            return 404, {"error": "Not found"}
        if self.refuse:
            return self.refuse, {"error": ["refused"]}
        path = asked.path.removeprefix(base)
        if path == "/components":
            return 200, [{"id": f"id-{name}", "name": name, "status": s} for name, s in self.components.items()]
        if path == "/incidents" and asked.method == "GET":
            return 200, self.incidents[:100]
        if path == "/incidents":
            return self._write({"id": f"i{len(self.incidents)}", "incident_updates": []}, asked.json["incident"])
        return self._one(path.removeprefix("/incidents/"), asked)

    def _one(self, there: str, asked: Asked) -> Answer:
        found = next((i for i in self.incidents if i["id"] == there), None)
        if found is None:
            return 404, {"error": "Not found"}
        if asked.method == "DELETE":
            self.incidents.remove(found)
            return 200, found
        return self._write(found, asked.json["incident"]) if asked.method == "PATCH" else (200, found)

    def tick(self, now: str) -> None:
        """Begin and end scheduled maintenance by itself, as it was asked for. `now` is in ISO 8601."""
        for each in (i for i in self.incidents if i.get("scheduled_for")):
            ids = each["component_ids"]
            if each["status"] == "scheduled" and each["scheduled_auto_in_progress"] and each["scheduled_for"] <= now:
                self._turn(each, "in_progress", "under_maintenance", ids)
            if each["status"] == "in_progress" and each["scheduled_auto_completed"] and each["scheduled_until"] <= now:
                self._turn(each, "completed", "operational", ids)

    def _turn(self, maintenance: dict[str, Any], status: str, state: str, ids: Iterable[str]) -> None:
        maintenance["status"] = status
        maintenance["incident_updates"].insert(0, {"status": status, "body": ""})
        self.components |= {each.removeprefix("id-"): state for each in ids}

    def _write(self, incident: dict[str, Any], said: dict[str, Any]) -> Answer:
        if self.refuse_writes or not self._acceptable(incident | said, set(said)):
            return 422, {"error": ["is invalid"]}
        if incident not in self.incidents:
            self.incidents.insert(0, incident)
        for component, state in said.get("components", {}).items():
            self.components[component.removeprefix("id-")] = state
        incident |= {key: value for key, value in said.items() if key != "body"}
        if "body" in said:
            incident["incident_updates"].insert(0, {"status": incident["status"], "body": said["body"]})
        return 201, incident

    def _acceptable(self, whole: dict[str, Any], given: set[str]) -> bool:
        known = {f"id-{name}" for name in self.components}
        times = whole.get("scheduled_for", ""), whole.get("scheduled_until", "~")
        return (
            given <= FIELDS
            and 0 < len(whole["name"]) <= 255
            and len(whole.get("body", "")) <= 25_000
            and whole["status"] in (SCHEDULED if times[0] else STATUSES)
            and times[0] < times[1]
            and whole["impact_override"] in IMPACTS
            and set(whole["components"]) <= known
            and set(whole["components"].values()) <= set(STATES)
            and all(isinstance(value, dict) for value in whole.get("metadata", {}).values())
        )
