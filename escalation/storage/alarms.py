"""What an incident has ahead of it: checkpoints whose clocks run, effects that may go out; each is an alarm by name."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from escalation.engine import checkpoints
from escalation.incident.effects import Effect
from escalation.incident.model import Incident


@dataclass(frozen=True)
class Agenda:
    """`clocks`: checkpoint id -> due time. `ready`: the pending effects that nothing stands before, by id."""

    incident: str
    clocks: dict[str, datetime]
    ready: dict[str, Effect]

    @cached_property
    def alarms(self) -> dict[str, float]:
        """Everything that has to happen, by its name in the alarm set, with its time in epoch seconds."""
        times = {checkpoint_alarm(self.incident, c): due.timestamp() for c, due in self.clocks.items()}
        return times | {effect_alarm(e.id): e.at.timestamp() for e in self.ready.values()}


def agenda(incident: Incident) -> Agenda:
    """What an incident has ahead of it."""
    return Agenda(incident.id, checkpoints.alarms(incident), ready(incident))


def ready(incident: Incident) -> dict[str, Effect]:
    """The pending effects that nothing stands before, by id."""
    pending = {e.id for e in incident.effects}
    return {e.id: e for e in incident.effects if e.after not in pending}


def alarms(incident: Incident) -> dict[str, float]:
    """Everything that has to happen for an incident, with its time in epoch seconds."""
    return agenda(incident).alarms


def checkpoint_alarm(incident_id: str, checkpoint_id: str) -> str:
    """The member of the alarm set that stands for a checkpoint."""
    return f"c:{incident_id}:{checkpoint_id}"


def effect_alarm(effect_id: str) -> str:
    """The member of the alarm set that stands for a pending effect."""
    return f"e:{effect_id}"


def incident_of(effect_id: str) -> str:
    """`INC-20241218-001-7-refresh` -> `INC-20241218-001`."""
    return "-".join(effect_id.split("-")[:3])


@dataclass(frozen=True)
class Commit:
    """One incident of a commit: as it was (None: it is new), and as it is."""

    before: Incident | None
    after: Incident

    @cached_property
    def old(self) -> Agenda:
        """What it had ahead of it."""
        return agenda(self.before) if self.before else Agenda(self.after.id, {}, {})

    @cached_property
    def new(self) -> Agenda:
        """What it has ahead of it."""
        return agenda(self.after)
