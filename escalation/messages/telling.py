"""More of the words: the backlog, the roles and phases of the war room, links between incidents, drills."""

from datetime import datetime

from escalation.incident.model import Incident
from escalation.incident.records import Entry, EntryKind, Lead, PageState
from escalation.text import Line, Lines, Person, Strong, Time, line, people
from escalation.values import spoken_duration

LEADS = {
    Lead.COMMANDER: "incident commander",
    Lead.COMMUNICATIONS: "communications lead",
    Lead.SCRIBE: "scribe",
}
_EDITED = {
    "title": "title",
    "impact": "impact",
    "description": "description",
    "service": "affected service",
    "public_wording": "wording for the public",
    "detection": "detection",
    "data_loss": "data loss",
    "outage": "outage for customers",
    "major_impact": "major business impact",
}


def checkpoint(incident: Incident, entry: Entry) -> Lines:
    head = line("⏰ ", Strong("Checkpoint: "), entry.why, ".")
    return (head, line(Strong(entry.fields["say"]))) if entry.fields.get("say") else (head,)


def notified(incident: Incident, entry: Entry) -> Lines:
    who = f"Notified ({entry.fields['roles']}): "
    nobody = () if entry.people else (line("⚠️ Nobody holds: ", entry.fields["roles"], "."),)
    return (line("📨 ", Strong(who), *people(entry.people), ", not paged."), line("Why: ", entry.why, "."), *nobody)


def otherwise(incident: Incident, entry: Entry) -> Lines:
    """Written while Slack was away, read when it is back."""
    ways = line("📨 ", Strong(f"Paged by {entry.fields['ways']}"), ": ", *people(entry.people), ".")
    return (ways, line(f"Why: Slack had not taken the page after {entry.fields['after']}."))


def ticket(incident: Incident, entry: Entry) -> Lines:
    team = entry.fields["team"]
    whose = f"the team {team}" if team else "a team (no service is named, or nobody owns it)"
    what = "in the backlog of" if entry.fields["ticket"] == "backlog" else "for"
    return (
        line("🎫 ", Strong(f"{incident.id} is a ticket {what} {whose}"), f": {incident.facts.title}"),
        line(
            f"{incident.severity} - {incident.policy.name}. Acknowledge by ", Time(incident.acknowledge_by, clock=False)
        ),
    )


def scheduled(incident: Incident, entry: Entry) -> Lines:
    return (line("🗓️ ", Strong("Scheduled: "), entry.text, " (by ", Person(entry.by), ")"),)


def edited(incident: Incident, entry: Entry) -> Lines:
    lines = [line("✏️ ", Strong("Corrected"), " by ", Person(entry.by), ".")]
    for name, value in entry.fields.items():
        shown = {"True": "yes", "False": "no"}.get(value, value) or "(empty)"
        lines.append(line(Strong(f"{_EDITED[name].capitalize()}: "), shown))
    return tuple(lines)


def update_due(incident: Incident, entry: Entry) -> Lines:
    head = line("⏳ ", Strong("A progress update is due."), " Say where it stands, even if nothing changed.")
    if not entry.fields.get("promised_by"):
        return (head,)
    due = Time(datetime.fromisoformat(entry.fields["due"]))
    return (head, line("It was promised for ", due, " by ", Person(entry.fields["promised_by"]), "."))


# War room --------------------------------------------------------------------------------------------------------


def phase(incident: Incident, entry: Entry) -> Lines:
    fields = entry.fields
    if fields.get("over"):
        return (line("⏱️ The time box of ", Strong(fields["over"]), " is over. Where do we stand?"),)
    box = f" ({fields['lasts']})" if fields["lasts"] else ""
    led = (line("Facilitator: ", *people(entry.people)),) if entry.people else ()
    asks = tuple(line(f"• {ask}") for ask in fields["ask"].split("\n") if ask)
    return (line("🧭 ", Strong(f"{fields['number']}. {fields['name']}"), box), *led, *asks)


def leading(incident: Incident, entry: Entry) -> Lines:
    role = LEADS[Lead(entry.fields["lead"])]
    by = Person(entry.by)
    if entry.fields["what"] == "offered":
        return (
            line("🤝 ", by, " asks ", *people(entry.people), " to be ", Strong(role), "."),
            line("It counts once they accept."),
        )
    former: Line = (", after ", *people(entry.people)) if entry.people else ()
    took = " accepted and is " if entry.fields["what"] == "accepted" else " is "
    return (line("🎖️ ", by, took, Strong(role), *former, "."),)


def linked(incident: Incident, entry: Entry) -> Lines:
    others, room = entry.fields["others"], entry.fields["coordinated_in"]
    where = "this one" if room == incident.id else room
    head = line("🔗 ", Strong("Several incidents are open at once: "), others)
    return (head, line("All of them are coordinated in the war room of ", Strong(where), "."))


def reviewed(incident: Incident, entry: Entry) -> Lines:
    archive = ". The war room is archived now." if incident.room and not incident.room.lost else "."
    said = (line(entry.text),) if entry.text else ()
    return (line("📋 ", Strong("The post-incident review was held"), ", says ", Person(entry.by), archive), *said)


def recovered(incident: Incident, entry: Entry) -> Lines:
    """From when until when Tocsin was away, and what went out late because of it."""
    fields = entry.fields
    head = line("🕓 ", Strong("Late"), ". These were due, and are done only now:")
    if fields["from"]:
        start, end = (Time(datetime.fromisoformat(fields[name])) for name in ("from", "to"))
        head = line(
            "🕓 ", Strong("Tocsin was away"), " from ", start, " until ", end, ". Due meanwhile, and done only now:"
        )
    lines = [head]
    for missed in fields["missed"].split("\n"):
        at, _, what = missed.partition(" ")
        due = datetime.fromisoformat(at)
        lines.append(line("• ", Time(due), f" {what} ({spoken_duration(entry.at - due)} late)"))
    return tuple(lines)


# Drills ----------------------------------------------------------------------------------------------------------


def drill_report(incident: Incident, entry: Entry) -> Lines:
    """Who acknowledged, how fast, and what was missed."""
    return (
        line("🧪 ", Strong(f"Drill report of {incident.id}")),
        _acknowledged(incident),
        _answered(incident),
        *_missed(incident),
    )


def _acknowledged(incident: Incident) -> Line:
    done = incident.acknowledgement
    if done is None:
        return line("Nobody acknowledged.")
    late = "in time" if done.at <= incident.acknowledge_by else "late"
    return line("Acknowledged by ", Person(done.by), f" after {spoken_duration(done.at - incident.sla_from)} ({late}).")


def _answered(incident: Incident) -> Line:
    answered = tuple(dict.fromkeys(p.person for p in incident.pages if p.state is PageState.ANSWERED))
    silent = tuple(dict.fromkeys(p.person for p in incident.pages if p.person not in answered))
    return line("Answered their page: ", *people(answered), ". Did not: ", *people(silent), ".")


def _missed(incident: Incident) -> tuple[Line, ...]:
    """Each target that was passed: checkpoints that fired, updates and communications that came late or never."""
    kinds = (EntryKind.CHECKPOINT, EntryKind.UPDATE_DUE, EntryKind.OVERDUE)
    missed = [e for e in incident.timeline if e.kind in kinds]
    if not missed:
        return (line("Nothing was missed."),)
    return (line("Missed:"), *(line("• ", Time(e.at), f" {e.why}") for e in missed))
