"""Words of the messages that are edited as things change: reminders, and the list of communications."""

from escalation.incident.communications import is_overdue, pending
from escalation.incident.effects import Reminded
from escalation.incident.model import Incident
from escalation.incident.state.communications import OwedCommunication, OwedState
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.leads import Lead
from escalation.incident.state.posted import Reminder
from escalation.messages import reviews
from escalation.messages.entries.rooms import LEADS
from escalation.text import Line, Lines, Person, Strong, Time, line, people
from escalation.times import spoken_duration
from escalation.values import PersonId


def reminder(incident: Incident, about: Reminded, person: PersonId = "") -> Lines:
    """Render a standing reminder; with `person`, the one in their direct messages. One that is over says so."""
    standing = incident.reminders.get(about)
    if standing is None:
        return (_ended(incident, about),)
    if about is Reminded.REVIEW:
        whose = (line("Why you: ", reviews.why_you(incident, standing, person), "."),) if person else ()
        return (*reviews.reminder(incident, standing), *whose)
    head = _update(incident, standing) if about is Reminded.UPDATE else _stable(incident)
    why = (line("Why you: ", why_you(incident, person), "."),) if person else ()
    return (*head, *why, *snoozed(standing))


def _update(incident: Incident, standing: Reminder) -> Lines:
    mark, word = ("🔕", "overdue") if standing.overdue else ("⏳", "due")
    head = line(f"{mark} ", Strong(f"Progress update {word}"), " since ", Time(standing.since), ".")
    ask = line("Post a status update, even if nothing has changed.")
    raised = incident.entry(standing.entry)
    by = raised.fields.get("promised_by")
    return (head, line("Promised by ", Person(by), "."), ask) if by else (head, ask)


def _stable(incident: Incident) -> Lines:
    watched = spoken_duration(incident.policy.monitor_for)
    return (
        line("🩺 ", Strong(f"Monitored for {watched}. Is it stable?")),
        line("Resolve it, or report that the fix failed."),
    )


def snoozed(standing: Reminder) -> Lines:
    """Render until when a reminder is snoozed, and by whom; nothing for one that is not."""
    if standing.snoozed_until is None:
        return ()
    return (line("😴 Snoozed until ", Time(standing.snoozed_until), " by ", Person(standing.snoozed_by), "."),)


def _ended(incident: Incident, about: Reminded) -> Line:
    update = incident.latest(EntryKind.UPDATE)
    if about is Reminded.UPDATE and update and incident.open:
        return line("✅ Progress update posted at ", Time(update.at), " by ", Person(update.by), ".")
    if about is Reminded.REVIEW and incident.reviewed:
        done = incident.reviewed
        return line("✅ Post-incident review marked as done at ", Time(done.at), " by ", Person(done.by), ".")
    return line("✅ No longer needed.")


def why_you(incident: Incident, person: PersonId) -> str:
    """Say why somebody gets a reminder: what is true of them now."""
    if incident.leads.get(Lead.COMMANDER) == person:
        return f"you are the {LEADS[Lead.COMMANDER]}"
    if incident.acknowledgement and incident.acknowledgement.by == person:
        return "you acknowledged it, and there is no incident commander"
    if incident.acknowledgement:
        return "whoever acknowledged it is off now, and you hold their role"
    role = incident.policy.role_name(incident.policy.commanding_role())
    return f"you are the {role}, and nobody has acknowledged it yet"


# Communications ----------------------------------------------------------------------------------------------------


def task_state(owed: OwedCommunication, incident: Incident) -> Line:
    """Say where a communication stands: due, overdue, to be approved, done or not needed."""
    by = (" by ", Person(owed.by)) if owed.by else ()
    match owed.state:
        case OwedState.WAITING:
            return line("needs approval", *((", ", *_deadline(owed, incident)) if owed.due else ()))
        case OwedState.OWED:
            return _deadline(owed, incident)
        case OwedState.DECLINED:
            return line("not needed", *((" (", Person(owed.by), ")") if owed.by else ()))
        case _ if _failing(owed, incident):
            return line("not all sent yet")
        case _:
            return line("published" if owed.by else "sent", *by)


def _failing(owed: OwedCommunication, incident: Incident) -> bool:
    """True while some of it is not delivered, which the card says as well."""
    return any(e.id in incident.troubles and getattr(e, "entry", 0) == owed.entry for e in incident.effects)


def _deadline(owed: OwedCommunication, incident: Incident) -> Line:
    if owed.due is None:
        return line("to be published")
    return line(*((Strong("overdue"), " since ") if is_overdue(owed, incident) else ("due by ",)), Time(owed.due))


def list_head(incident: Incident, person: PersonId) -> Lines:
    """Render the head of the list of communications in somebody's direct messages."""
    lead = incident.leads.get(Lead.COMMUNICATIONS, "")
    if lead and lead != person:
        return (line("📣 ", *people((lead,)), " looks after the communications now."),)
    name = LEADS[Lead.COMMUNICATIONS]
    why = f"you are the {name}" if lead else f"there is no {name}; {why_you(incident, person)}"
    standing = incident.reminders.get(Reminded.COMMUNICATIONS)
    return (
        line("📣 ", Strong("Communications")),
        line("Why you: ", why, "."),
        *(snoozed(standing) if standing and pending(incident) else ()),
    )
