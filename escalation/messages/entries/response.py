"""Entries about the work on an incident: cause, fix, checkpoints, reminders, corrections, its end."""

from collections.abc import Callable
from datetime import datetime

from escalation.incident.impact import INSTANTS
from escalation.incident.model import Incident
from escalation.incident.state.entries import Entry
from escalation.text import Line, Lines, Person, Strong, Time, Verbatim, line, people
from escalation.times import spoken_duration

_SUBJECTS = {"update": "progress update", "stable": "is it stable?", "communications": "communications"}


def with_text(mark: str, headline: str) -> Callable[[Incident, Entry], Lines]:
    """Return a renderer of a headline, who did it, and what they said."""

    def lines_of(incident: Incident, entry: Entry) -> Lines:
        words = entry.text or entry.why
        return (line(f"{mark} ", Strong(headline), " by ", Person(entry.by)), *((line(words),) if words else ()))

    return lines_of


def root_cause(incident: Incident, entry: Entry) -> Lines:
    """Render the root cause, and its category."""
    category = entry.fields.get("category")
    told = (line("Category: ", Verbatim(category)),) if category else ()
    return (*with_text("🔎", "Root cause found")(incident, entry), *told)


def fix_applied(incident: Incident, entry: Entry) -> Lines:
    """Render the applied fix, and until when it is monitored."""
    until = Time(datetime.fromisoformat(entry.fields["until"]))
    head = line("🩹 ", Strong("Fix applied"), " by ", Person(entry.by), ". Monitoring until ", until, ".")
    return (head, *((line(entry.text),) if entry.text else ()))


def silence(incident: Incident, entry: Entry) -> Lines:
    """Render that a reminder for an update brought none."""
    head = line("🔕 ", *people(entry.people), ": ", Strong(f"{incident.id} still has no progress update."))
    return (head, line("Why: ", entry.why, "."))


def snoozed(incident: Incident, entry: Entry) -> Lines:
    """Render which reminders were snoozed, until when, by whom."""
    what = ", ".join(_SUBJECTS.get(about, about) for about in entry.fields["what"].split(","))
    until = Time(datetime.fromisoformat(entry.fields["until"]))
    return (line("😴 ", Strong("Reminders snoozed"), f" ({what}) until ", until, " by ", Person(entry.by), "."),)


def monitored(incident: Incident, entry: Entry) -> Lines:
    """Render that a fix was monitored for its time, and what is asked now."""
    lasted = spoken_duration(incident.policy.monitor_for)
    addressed = (*people(entry.people), ": ") if entry.people else ()
    return (
        line("🩺 ", *addressed, Strong(f"Monitored for {lasted}. Is it stable?")),
        line("Resolve it, or report that the fix failed."),
    )


def times(incident: Incident, entry: Entry) -> Lines:
    stated = ((said, entry.fields[name]) for name, said in INSTANTS.items() if entry.fields.get(name))
    told: Line = ()
    for said, at in stated:
        told = (*told, f"{', ' if told else ''}{said.lower()} ", Time(datetime.fromisoformat(at)))
    return (line("🕑 ", Strong("Times"), " stated by ", Person(entry.by), ": ", *told, "."),)


def severity(incident: Incident, entry: Entry) -> Lines:
    """Render a changed severity, and who is not paged any more."""
    change = f"{entry.fields['from']} → {entry.fields['to']}"
    head = line("🎚️ ", Strong(f"Severity {change}"), " by ", Person(entry.by))
    withdrawn = (line("🔕 No longer paged: ", *people(entry.people), "."),) if entry.people else ()
    return (head, line("Why: ", entry.why), *withdrawn)


def cancelled(incident: Incident, entry: Entry) -> Lines:
    """Render a cancellation, or its corrected reason."""
    what = f"duplicate of {entry.fields['duplicate_of']}" if entry.fields.get("duplicate_of") else "false alarm"
    by = Person(entry.by)
    head = line("⚪ ", Strong(f"Cancelled: {what}"), " by ", by, ". Escalations and reminders stopped.")
    if entry.fields.get("corrects"):
        head = line("⚪ Reason corrected to ", Strong(what), " by ", by, ".")
    return (head, *((line("Why: ", entry.why),) if entry.why else ()))


_EDITED = {
    "title": "title",
    "impact": "impact",
    "description": "description",
    "service": "affected service",
    "public_wording": "public message",
    "detection": "detection",
    "data_loss": "data loss",
    "outage": "customer-facing outage",
    "major_impact": "major business impact",
}


def checkpoint(incident: Incident, entry: Entry) -> Lines:
    """Render a checkpoint that fired, with what it asks for."""
    head = line("⏰ ", Strong("Checkpoint: "), entry.why, ".")
    return (head, line(Strong(entry.fields["say"]))) if entry.fields.get("say") else (head,)


def ticket(incident: Incident, entry: Entry) -> Lines:
    """Render the ticket for the owning team."""
    team = entry.fields["team"]
    whose = f"the team {team}" if team else "a team (no service is named, or nobody owns it)"
    what = "in the backlog of" if entry.fields["ticket"] == "backlog" else "for"
    return (
        line("🎫 ", Strong(f"{incident.id} is a ticket {what} {whose}"), ": ", Verbatim(incident.facts.title)),
        line(
            f"{incident.severity} - {incident.policy.name}. Acknowledge by ", Time(incident.acknowledge_by, clock=False)
        ),
    )


def scheduled(incident: Incident, entry: Entry) -> Lines:
    """Render the planned time of the work."""
    return (line("🗓️ ", Strong("Scheduled: "), entry.text, " (by ", Person(entry.by), ")"),)


def edited(incident: Incident, entry: Entry) -> Lines:
    """Render the corrected fields, one line each."""
    lines = [line("✏️ ", Strong("Corrected"), " by ", Person(entry.by), ".")]
    for name, value in entry.fields.items():
        value_text = {"True": "yes", "False": "no", "None": "not known"}.get(value, value) or "(empty)"
        lines.append(line(Strong(f"{_EDITED[name].capitalize()}: "), Verbatim(value_text)))
    return tuple(lines)


def update_due(incident: Incident, entry: Entry) -> Lines:
    """Render the reminder that a progress update is due."""
    head = line("⏳ ", Strong("A progress update is due."), " Post a status update, even if nothing has changed.")
    if not entry.fields.get("promised_by"):
        return (head,)
    due = Time(datetime.fromisoformat(entry.fields["due"]))
    return (head, line("It was promised for ", due, " by ", Person(entry.fields["promised_by"]), "."))


def reviewed(incident: Incident, entry: Entry) -> Lines:
    """Render that the post-incident review was held."""
    archive = ". The war room is archived now." if incident.room and not incident.room.lost else "."
    words = (line(entry.text),) if entry.text else ()
    return (line("📋 ", Strong("Post-incident review done"), " (marked by ", Person(entry.by), ")", archive), *words)
