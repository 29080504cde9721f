"""Tests of somebody's contact methods: asked for by that person, sent once, and what became of them told. Pure."""

from datetime import datetime, timedelta

from escalation.config.notify import By
from escalation.errors import Refused
from escalation.oncall.schedule import OncallState, Trial, TrialState
from escalation.text import Line, Time, line
from escalation.values import PersonId

KEPT = timedelta(days=90)  # for the answer to "when was it tested last?"
APART = timedelta(seconds=60)  # two tests of one method
TAKEN_WITHIN = timedelta(minutes=2)  # later it surprises whoever asked for it


def ask(state: OncallState, person: str, member: PersonId, by: By, now: datetime) -> OncallState:
    """Ask for a test of one method. Refused a moment after the last one."""
    latest = latest_of(state, person).get(by)
    if latest and now - latest.asked_at < APART:
        raise Refused(line(f"{by.words} was tested at ", Time(latest.asked_at), ": wait a minute."))
    made = state.made + 1
    trial = Trial(id=made, person=person, member=member, by=by, asked_at=now, at=now)
    kept = tuple(t for t in state.trials if (t.person, t.by) != (person, by) and now - t.asked_at < KEPT)
    return state.model_copy(update={"trials": (*kept, trial), "made": made})


def record(state: OncallState, number: int, became: TrialState, now: datetime, why: str = "") -> OncallState:
    """Record what became of a test; later news never takes it back."""
    known = next((t for t in state.trials if t.id == number), None)
    if known is None or became.rank <= known.state.rank:
        return state
    return _with(state, known.model_copy(update={"state": became, "why": why, "at": now}))


def told(state: OncallState, number: int, became: TrialState) -> OncallState:
    """Record that its person was told of a state."""
    known = next((t for t in state.trials if t.id == number), None)
    return _with(state, known.model_copy(update={"told": became})) if known else state


def _with(state: OncallState, trial: Trial) -> OncallState:
    return state.model_copy(update={"trials": tuple(trial if t.id == trial.id else t for t in state.trials)})


def latest_of(state: OncallState, person: str) -> dict[By, Trial]:
    """Return somebody's latest test of each method."""
    return {trial.by: trial for trial in state.trials if trial.person == person}


def result(trial: Trial) -> Line:
    """Say what became of a test."""
    match trial.state:
        case TrialState.ASKED:
            words = "is on its way"
        case TrialState.ACCEPTED:
            words = "was sent. If nothing rings, it does not reach you"
        case TrialState.DELIVERED:
            words = "arrived"
        case TrialState.FAILED:
            words = f"failed: {trial.why}"
    return line(f"🧪 The test by {trial.by.words} of ", Time(trial.asked_at), f" {words}.")
