"""Actions of an incident: those of a moment, and their runs as the timeline has them."""

from collections.abc import Mapping
from enum import StrEnum

from escalation.config.actions import Action
from escalation.incident.effects import RunAction
from escalation.incident.model import Incident
from escalation.incident.state.entries import Entry, EntryKind


class RunState(StrEnum):
    """State of a run. A dry one ends with its beginning."""

    STARTED = "started"
    DRY_RUN = "dry_run"
    DONE = "done"
    FAILED = "failed"


_BEGINNINGS = (RunState.STARTED, RunState.DRY_RUN)


def actions_at(incident: Incident, when: str) -> tuple[Action, ...]:
    """Return the actions of a moment: the declaration, a checkpoint by its id, a press of a button."""
    fits = (a for a in incident.actions if a.is_for(incident.severity, incident.facts.service))
    return tuple(action for action in fits if when in action.when)


def is_dry(action: Action, incident: Incident) -> bool:
    """True if nothing is called: the action is on trial, or the incident a drill."""
    return action.dry_run or incident.drill


def runs_of(incident: Incident, action: str) -> tuple[Entry, ...]:
    """Return the beginnings of an action's runs."""
    return tuple(e for e in _entries(incident) if e.fields["action"] == action and e.fields["state"] in _BEGINNINGS)


def is_running(incident: Incident, action: str) -> bool:
    """True while a run of an action has no outcome."""
    return any(isinstance(e, RunAction) and e.name == action for e in incident.effects)


def last_states(incident: Incident) -> Mapping[str, Entry]:
    """Return the latest entry of each action that was run, by its name."""
    return {entry.fields["action"]: entry for entry in _entries(incident)}


def _entries(incident: Incident) -> tuple[Entry, ...]:
    return tuple(e for e in incident.timeline if e.kind is EntryKind.ACTION)
