"""Alarms of an incident: its waiting checkpoints and its effects that are ready to go out, each by name."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from escalation.engine import checkpoints
from escalation.incident.effects import ArchiveRoom, Effect, Refresh, Retract, Say
from escalation.incident.model import Incident


@dataclass(frozen=True)
class DueWork:
    """Work that an incident has ahead of it.

    `due_checkpoints`: checkpoint id -> due time. `ready`: the pending effects that wait for no other one, by id.
    """

    incident: str
    due_checkpoints: dict[str, datetime]
    ready: dict[str, Effect]

    @cached_property
    def alarms(self) -> dict[str, float]:
        """Members of the alarm set with their times in epoch seconds."""
        times = {checkpoint_alarm(self.incident, c): due.timestamp() for c, due in self.due_checkpoints.items()}
        return times | {effect_alarm(e.id): e.at.timestamp() for e in self.ready.values()}


def due_work(incident: Incident) -> DueWork:
    """Return the work that an incident has ahead of it."""
    return DueWork(incident.id, checkpoints.alarms(incident), ready(incident))


def ready(incident: Incident) -> dict[str, Effect]:
    """Return the pending effects that wait for no other one, by id.

    A room is archived last: its card and messages cannot be updated any more.
    """
    pending = {e.id for e in incident.effects}
    updated = any(isinstance(e, Refresh | Say | Retract) for e in incident.effects)
    free = {e.id: e for e in incident.effects if e.after not in pending}
    return {name: e for name, e in free.items() if not (updated and isinstance(e, ArchiveRoom))}


def alarms(incident: Incident) -> dict[str, float]:
    """Return an incident's members of the alarm set with their times in epoch seconds."""
    return due_work(incident).alarms


def checkpoint_alarm(incident_id: str, checkpoint_id: str) -> str:
    """Name of a checkpoint in the alarm set."""
    return f"c:{incident_id}:{checkpoint_id}"


def effect_alarm(effect_id: str) -> str:
    """Name of a pending effect in the alarm set."""
    return f"e:{effect_id}"


def incident_of(effect_id: str) -> str:
    """Return the incident's id in an effect's id: `INC-20241218-001-7-refresh` -> `INC-20241218-001`."""
    return "-".join(effect_id.split("-")[:3])


@dataclass(frozen=True)
class Commit:
    """One incident of a commit: before (None: it is new) and after."""

    before: Incident | None
    after: Incident

    @cached_property
    def old(self) -> DueWork:
        """Work due before the commit."""
        return due_work(self.before) if self.before else DueWork(self.after.id, {}, {})

    @cached_property
    def new(self) -> DueWork:
        """Work due after the commit."""
        return due_work(self.after)
