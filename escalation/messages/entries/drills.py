"""Report of a drill."""

from escalation.incident.model import Incident
from escalation.incident.state.entries import Entry, EntryKind
from escalation.incident.state.pages import PageState
from escalation.text import Line, Lines, Person, Strong, Time, line, people
from escalation.times import spoken_duration
from escalation.values import PersonId


def drill_report(incident: Incident, entry: Entry) -> Lines:
    """Render a drill's report: who acknowledged, how fast, and what was missed."""
    return (
        line("🧪 ", Strong(f"Drill report of {incident.id}")),
        _drill_acknowledged(incident),
        _answered(incident),
        *_missed(incident),
    )


def _drill_acknowledged(incident: Incident) -> Line:
    done = incident.acknowledgement
    if done is None:
        return line("Nobody acknowledged.")
    late = "in time" if done.at <= incident.acknowledge_by else "late"
    return line("Acknowledged by ", Person(done.by), f" after {spoken_duration(done.at - incident.sla_from)} ({late}).")


def _answered(incident: Incident) -> Line:
    answered = tuple(dict.fromkeys(p.person for p in incident.pages if p.state is PageState.ANSWERED))
    return line("Answered their page: ", *people(answered), ". Did not: ", *people(_silent(incident)), ".")


def _silent(incident: Incident) -> tuple[PersonId, ...]:
    answered = {p.person for p in incident.pages if p.state is PageState.ANSWERED}
    return tuple(dict.fromkeys(p.person for p in incident.pages if p.person not in answered))


def _missed(incident: Incident) -> tuple[Line, ...]:
    """List each missed target: checkpoints that fired, updates and communications that came late or never."""
    kinds = (EntryKind.CHECKPOINT, EntryKind.UPDATE_DUE, EntryKind.OVERDUE)
    missed = [e for e in incident.timeline if e.kind in kinds]
    done = incident.acknowledgement
    if not missed and not _silent(incident) and done and done.at <= incident.acknowledge_by:
        return (line("Nothing was missed."),)
    if not missed:
        return (line("No checkpoint fired, and every update was on time."),)
    return (line("Missed:"), *(line("• ", Time(e.at), f" {e.why}") for e in missed))
