"""Notices of an incident, by their templates: first alert, progress update, resolution."""

from datetime import datetime

from escalation.incident.model import Incident
from escalation.incident.state.entries import Entry
from escalation.messages.template import WORDING, Wording
from escalation.text import Channel, Line, Lines, Link, Person, Strong, Time, Verbatim, line, people
from escalation.times import after_every, spoken_duration

MARKS = {"P0": "🚨", "P1": "🟠", "P2": "🟡", "P3": "🟢"}


def initial_alert(incident: Incident, entry: Entry, wording: Wording = WORDING) -> Lines:
    """Render the first alert by its template."""
    facts, cadence = incident.facts, incident.policy.updates
    return wording.lines(
        "initial_alert",
        **_head(incident),
        time=Time(incident.declared_at, clock=False),
        impact=Verbatim(facts.impact),
        description=Verbatim(facts.description),
        status=incident.status,
        assigned=_assigned(incident),
        war_room=war_room(incident),
        declared_by=Person(entry.by),
        detection=facts.detection,
        update_every=after_every(cadence.every.spoken()) if cadence else "",
    )


def _head(incident: Incident) -> dict[str, str]:
    return {
        "mark": MARKS[incident.severity],
        "id": incident.id,
        "severity": incident.severity,
        "severity_name": incident.policy.name,
        "title": Verbatim(incident.facts.title),
        "service": Verbatim(incident.facts.service),
    }


def war_room(incident: Incident) -> Line:
    """Link to the one war room, and to the meeting while it goes on; nothing where there is neither."""
    room, parts = incident.war_room, list[Line]()
    awaited = incident.open and incident.room is None and (incident.policy.room or incident.private)
    if awaited and not incident.shared_room:
        parts.append(("opening",))
    elif room:
        parts.append((Channel(room.channel, room.name), *([" (archived)"] if room.lost else [])))
    if incident.call_url and incident.open and parts:
        parts.append((Link(incident.call_url, "join the call"),))
    return tuple(span for n, part in enumerate(parts) for span in ((" · ", *part) if n else part))


def _assigned(incident: Incident) -> Line:
    if incident.assigned:
        return people(incident.assigned)
    paged = tuple(dict.fromkeys(p.person for p in incident.pages if p.role))
    return (*people(paged[:1]), " (paged, not acknowledged)") if paged else ("nobody yet",)


def progress_update(incident: Incident, entry: Entry, wording: Wording = WORDING) -> Lines:
    """Render a progress update by its template."""
    fields = entry.fields
    status = {"identified": "root cause identified"}.get(fields["status"], fields["status"])
    return wording.lines(
        "progress_update",
        **_head(incident),
        time=Time(entry.at, clock=False),
        elapsed=spoken_duration(entry.at - incident.declared_at),
        status=status,
        progress=entry.text,
        next_steps=fields["next_steps"],
        eta=eta(entry),
        impact=Verbatim(fields["impact"]),
        next_update=Time(datetime.fromisoformat(fields["next_update"])) if fields["next_update"] else "",
        war_room=war_room(incident),
        by=Person(entry.by),
    )


def resolution_notice(incident: Incident, entry: Entry, wording: Wording = WORDING) -> Lines:
    """Render the resolution notice by its template. The review's date is a due date."""
    done, review_by = incident.resolution, incident.review_by
    if done is None:  # reopened since: only the entry is left of that notice
        return (line(Strong(f"✅ {incident.severity} INCIDENT RESOLVED - {incident.id}")), line(entry.text))
    return wording.lines(
        "resolution_notice",
        **_head(incident),
        time=Time(done.at, clock=False),
        duration=duration(incident, done.at),
        summary=done.summary,
        resolution=done.resolution,
        verification=done.verification,
        impact=Verbatim(done.final_impact or incident.facts.impact),
        data_loss=_DATA_LOSS[done.data_loss],
        review_due=Time(review_by, clock=False) if review_by else "",
        next_steps=done.next_steps,
        by=Person(done.by),
    )


def duration(incident: Incident, until: datetime) -> str:
    """Return how long it lasted, from the declaration; of a reopened one both figures, with where each begins."""
    whole = spoken_duration(until - incident.declared_at)
    if not incident.stretches:
        return whole
    return f"{spoken_duration(until - incident.sla_from)} since reopening ({whole} in total)"


_DATA_LOSS = {True: "Data was lost.", False: "No data was lost.", None: ""}


def eta(entry: Entry) -> Time | str:
    """Return the ETA that an update stated: the instant where it names one, else its words."""
    at = entry.fields.get("eta_at")
    return Time(datetime.fromisoformat(at)) if at else entry.fields["eta"]
