"""Redis keys of an incident, and the indexes that list it.

Keys: `tocsin:incident:{id}` the state; `tocsin:open` the open ids, and `tocsin:open:{severity}` by declaration;
`tocsin:incidents` all ids by declaration; `tocsin:urgent` urgent ids with work due; `tocsin:rooms` channel -> the
incident whose war room it is or was; `tocsin:shared` open ids that may share a war room; `tocsin:alarms` due times of
checkpoints and effects; `tocsin:metrics` the workers' counters; `tocsin:figures` what the figures need of each closed
incident (escalation.figures.observation); `tocsin:to-review` ids whose required review was not held;
`tocsin:reviews-held` and `tocsin:reviews-private` ids whose review was held, or that became private, until it was seen
to that the review is published as it should be. Sorted sets are scored in epoch seconds, as floats.
"""

from collections.abc import Sequence

from redis.client import Pipeline

from escalation.config.policy import Severity
from escalation.incident.closing.reviews import outstanding
from escalation.incident.model import Incident
from escalation.incident.state.checkpoints import CheckpointKind
from escalation.storage.alarms import Commit, DueWork, checkpoint_alarm

ALARMS = "tocsin:alarms"
OPEN = "tocsin:open"
ALL = "tocsin:incidents"
ROOMS = "tocsin:rooms"
URGENT = "tocsin:urgent"
SHARED = "tocsin:shared"
METRICS = "tocsin:metrics"
FIGURES = "tocsin:figures"
TO_REVIEW = "tocsin:to-review"
REVIEWS_HELD = "tocsin:reviews-held"
REVIEWS_PRIVATE = "tocsin:reviews-private"


def key(incident_id: str) -> str:
    """Key of an incident's state."""
    return f"tocsin:incident:{incident_id}"


def open_of(severity: Severity) -> str:
    """Key of the open incidents of a severity."""
    return f"{OPEN}:{severity}"


def update(pipe: Pipeline, change: Commit) -> None:
    """Write what a commit changes of the lists."""
    before, after = change.before, change.after
    declared = {after.id: after.declared_at.timestamp()}
    if before is None:
        pipe.zadd(ALL, declared)
    if (left := severity_list(before)) != (entered := severity_list(after)):
        if left:
            pipe.zrem(left, after.id)
        if entered:
            pipe.zadd(entered, declared)
    old, new = memberships(before, change.old), memberships(after, change.new)
    for index in new - old:
        pipe.sadd(index, after.id)
    for index in old - new:
        pipe.srem(index, after.id)
    if opened := rooms(after) - rooms(before):
        pipe.hset(ROOMS, mapping=dict.fromkeys(opened, after.id))


def severity_list(incident: Incident | None) -> str:
    """Key of its severity's open incidents; empty unless it is open."""
    return open_of(incident.severity) if incident and incident.open else ""


def memberships(incident: Incident | None, work: DueWork) -> set[str]:
    """Return the keys of the sets that an incident belongs to."""
    if incident is None:
        return set()
    reviews = {checkpoint_alarm(incident.id, c.id) for c in incident.checkpoints if c.kind is CheckpointKind.REVIEW}
    urgent = incident.policy.urgent and bool(work.alarms.keys() - reviews)  # nobody is paged for a review
    belongs = {
        OPEN: incident.open,
        SHARED: _shares_room(incident),
        URGENT: urgent,
        TO_REVIEW: outstanding(incident),
        REVIEWS_HELD: incident.reviewed is not None and not incident.drill,
        REVIEWS_PRIVATE: incident.private,
    }
    return {index for index, belongs_there in belongs.items() if belongs_there}


def rooms(incident: Incident | None) -> set[str]:
    """Return the channels that are or were its war room."""
    return {r.channel for r in (incident.room, *incident.old_rooms) if r} if incident else set()


def alarms(changes: Sequence[Commit]) -> tuple[dict[str, float], list[str]]:
    """Return the alarms to set and to remove. Only what differs, so that a retry's later time is not put back."""
    changed: dict[str, float] = {}
    removed: list[str] = []
    for change in changes:
        before, after = change.old.alarms, change.new.alarms
        changed |= {member: at for member, at in after.items() if before.get(member) != at}
        removed += before.keys() - after.keys()
    return changed, removed


def _shares_room(incident: Incident) -> bool:
    return incident.open and incident.policy.room_when_several and not incident.private and not incident.drill
