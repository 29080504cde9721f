"""Where an incident stands in Redis, and in which indexes it is to be found.

Keys: `tocsin:incident:{id}` the state; `tocsin:open` the open ids, and `tocsin:open:{severity}` by declaration;
`tocsin:incidents` all ids by declaration; `tocsin:urgent` urgent ids with something ahead of them; `tocsin:rooms` whose
war room a channel is or was; `tocsin:shared` open ids that share a war room with others of their time; `tocsin:alarms`
what must happen when; `tocsin:metrics` what the workers count. Sorted sets are scored in epoch seconds, as floats.
"""

from collections.abc import Sequence

from escalation.config.policy import Severity
from escalation.incident.model import Incident
from escalation.storage.alarms import Agenda, Commit

ALARMS = "tocsin:alarms"
OPEN = "tocsin:open"
ALL = "tocsin:incidents"
ROOMS = "tocsin:rooms"
URGENT = "tocsin:urgent"
SHARED = "tocsin:shared"
METRICS = "tocsin:metrics"


def key(incident_id: str) -> str:
    """The key of an incident's state."""
    return f"tocsin:incident:{incident_id}"


def open_of(severity: Severity) -> str:
    """The list of the open incidents of a severity."""
    return f"{OPEN}:{severity}"


def listed(incident: Incident | None) -> str:
    """The list of its severity, while it is open."""
    return open_of(incident.severity) if incident and incident.open else ""


def sets(incident: Incident | None, ahead: Agenda) -> set[str]:
    """The sets that an incident is to be found in."""
    if incident is None:
        return set()
    urgent = incident.policy.urgent and bool(ahead.alarms)
    belongs = {OPEN: incident.open, SHARED: _shares_room(incident), URGENT: urgent}
    return {index for index, yes in belongs.items() if yes}


def rooms(incident: Incident | None) -> set[str]:
    """The channels that are or were its war room."""
    return {r.channel for r in (incident.room, *incident.old_rooms) if r} if incident else set()


def alarms(changes: Sequence[Commit]) -> tuple[dict[str, float], list[str]]:
    """Those to be set and those to be removed. Only what differs, so that a retry's later time is not put back."""
    moved: dict[str, float] = {}
    gone: list[str] = []
    for change in changes:
        before, after = change.old.alarms, change.new.alarms
        moved |= {member: at for member, at in after.items() if before.get(member) != at}
        gone += before.keys() - after.keys()
    return moved, gone


def _shares_room(incident: Incident) -> bool:
    return incident.open and incident.policy.room_when_several and not incident.private and not incident.drill
