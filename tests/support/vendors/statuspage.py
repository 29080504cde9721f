"""Statuspage's API on this machine: incidents of one page. It refuses what theirs refuses."""

from dataclasses import dataclass, field
from typing import Any

from tests.support.vendors.server import Answer, Asked, Vendor

KEY, PAGE = "89a229ce1a8dbcf9ff30430fbe35eb4c0426574bca932061892cefd2138aa4b1", "kctbh9vrtdwd"
STATUSES = ("investigating", "identified", "monitoring", "resolved")
IMPACTS = ("none", "minor", "major", "critical")
STATES = ("operational", "degraded_performance", "partial_outage", "major_outage", "under_maintenance")
FIELDS = {
    *("name", "status", "body", "impact_override", "component_ids", "components", "metadata"),
    "deliver_notifications",
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

    def _write(self, incident: dict[str, Any], said: dict[str, Any]) -> Answer:
        if self.refuse_writes or not self._acceptable(said):
            return 422, {"error": ["is invalid"]}
        if incident not in self.incidents:
            self.incidents.insert(0, incident)
        for component, state in said.get("components", {}).items():
            self.components[component.removeprefix("id-")] = state
        incident |= {key: value for key, value in said.items() if key != "body"}
        incident["incident_updates"].insert(0, {"status": said["status"], "body": said["body"]})
        return 201, incident

    def _acceptable(self, said: dict[str, Any]) -> bool:
        known = {f"id-{name}" for name in self.components}
        return (
            set(said) <= FIELDS
            and 0 < len(said["name"]) <= 255
            and len(said["body"]) <= 25_000
            and said["status"] in STATUSES
            and said["impact_override"] in IMPACTS
            and set(said["components"]) <= known
            and set(said["components"].values()) <= set(STATES)
            and all(isinstance(value, dict) for value in said.get("metadata", {}).values())
        )
