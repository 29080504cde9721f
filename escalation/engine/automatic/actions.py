"""Actions: begun at the declaration, at a checkpoint or by a person, and their outcomes on the timeline."""

from datetime import timedelta

from escalation.config.actions import BUTTON, Action
from escalation.config.references import suggest
from escalation.engine.change import Change
from escalation.errors import Refused
from escalation.incident.actions import RunState, actions_at, is_dry, is_running, runs_of
from escalation.incident.effects import RunAction
from escalation.incident.events.moves import Run
from escalation.incident.model import Incident
from escalation.incident.state.entries import EntryKind
from escalation.text import Person, Time, line
from escalation.values import PersonId

AGAIN_AFTER = timedelta(minutes=1)  # real time: so long a command that two people typed at once is run once


def run(change: Change, when: str) -> None:
    """Begin the actions of that moment, behind the pages."""
    for action in actions_at(change.incident, when):
        _begin(change, action, when)


def run_by_hand(change: Change, event: Run) -> None:
    """Begin an action for a person; Refused for an unknown one, and for one that somebody else began meanwhile."""
    offered = actions_at(change.incident, BUTTON)
    action = next((a for a in offered if a.name == event.action), None)
    if action is None:
        known = {a.name for a in offered}
        raise Refused(f"There is no action called '{event.action}' here{suggest(event.action, known)}.")
    _require_once(change, event)
    _begin(change, action, BUTTON, event.by)


def check(incident: Incident) -> None:
    """Check that there is something to run by hand; raises Refused."""
    if not actions_at(incident, BUTTON):
        raise Refused("No action can be run here: `actions` in the configuration has none with `when: button` for it.")


def _require_once(change: Change, event: Run) -> None:
    """Refuse what began after the requester looked: a press knows the runs that it saw, a command only its time."""
    runs = runs_of(change.incident, event.action)
    if not runs:
        return
    who = "You" if runs[-1].by == event.by else Person(runs[-1].by) if runs[-1].by else "Tocsin"
    started = line(who, f" started {event.action} at ", Time(runs[-1].at))
    if is_running(change.incident, event.action):
        raise Refused(line(*started, ", and it has not answered yet."))
    if event.seen is None and change.now - runs[-1].at < AGAIN_AFTER:
        raise Refused(line(*started, ". Look at what came of it; it can be run again after a minute."))
    if event.seen is not None and event.seen != len(runs):
        raise Refused(line(*started, ", after this was shown. Look at what came of it before you run it again."))


def _begin(change: Change, action: Action, when: str, by: PersonId = "") -> None:
    dry = is_dry(action, change.incident)
    _note(change, action.name, RunState.DRY_RUN if dry else RunState.STARTED, by=by, host=action.host, when=when)
    if not dry:
        change.add_effect(RunAction, name=action.name, when=when, by=by)


def done(change: Change, effect: RunAction, status: int) -> None:
    """Record that an action was accepted, and with which status."""
    _note(change, effect.name, RunState.DONE, status=str(status))


def failed(change: Change, effect: RunAction, why: str) -> None:
    """Record that an action was not carried out, or that nobody knows."""
    _note(change, effect.name, RunState.FAILED, why)


def _note(change: Change, name: str, state: RunState, why: str = "", by: PersonId = "", **fields: str) -> None:
    entry = change.note(EntryKind.ACTION, by=by, why=why, fields={"action": name, "state": state, **fields})
    change.say(entry)
