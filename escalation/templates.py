"""The words: what each line of the timeline says to people. Lines of spans; no Block Kit, no escaping."""

from collections.abc import Callable
from datetime import datetime

from escalation.incident import Entry, EntryKind, Incident, PageState
from escalation.values import spoken_duration
from escalation.words import Channel, Line, Link, Person, Strong, Time, line, people

Lines = tuple[Line, ...]
MARKS = {"P0": "🚨", "P1": "🟠", "P2": "🟡", "P3": "🟢"}


def tell(incident: Incident, entry: Entry) -> Lines:
    """One timeline entry, as it is posted: the first line is the headline."""
    return _TELL[entry.kind](incident, entry)


def why_you(incident: Incident, page_n: int) -> Lines:
    """The head of a page: that you are paged, as whom, and why."""
    page = incident.page(page_n)
    role = (" as ", Strong(page.role)) if page.role else ()
    tier = f" ({page.rung})" if page.rung else ""
    ask = (line("Acknowledge if you are on it."),) if page.state is PageState.OPEN and incident.open else ()
    return (
        line(Strong(f"{MARKS[incident.severity]} You are paged"), *role, tier, "."),
        line("Why: ", page.why, "."),
        *ask,
    )


def initial_alert(incident: Incident, entry: Entry) -> Lines:
    """Every field of the first alert's template."""
    facts = incident.facts
    cadence = incident.policy.updates
    return tuple(
        (
            line(Strong(f"{MARKS[incident.severity]} {incident.severity} INCIDENT - {incident.policy.name.upper()}")),
            line(Strong("Incident ID: "), incident.id),
            line(Strong("Title: "), facts.title),
            line(Strong("Time: "), Time(incident.declared_at, clock=False)),
            line(Strong("Severity: "), f"{incident.severity} - {incident.policy.name}"),
            line(Strong("Impact: "), facts.impact or "not stated"),
            line(Strong("Description: "), facts.description or "none given"),
            line(Strong("Status: "), incident.status.upper()),
            line(Strong("Assigned: "), *_assigned(incident)),
            line(Strong("War room: "), *war_room(incident)),
            line(Strong("Declared by: "), Person(entry.by), f" ({facts.detection})"),
        )
        + ((line(f"Updates will be provided every {spoken_duration(cadence.every)}."),) if cadence else ())
        + (line("Do not reply here: use the war room for coordination."),)
    )


def war_room(incident: Incident) -> Line:
    """The room and the meeting link, whichever exist."""
    if incident.room and not incident.room.lost:
        room: Line = (Channel(incident.room.channel, incident.room.name),)
    else:
        awaited = (incident.policy.room or incident.private) and incident.room is None and incident.open
        room = ("being opened",) if awaited else ("this thread",)
    return (*room, " · ", Link(incident.meeting_url, "join the call")) if incident.meeting_url else room


def _assigned(incident: Incident) -> Line:
    if incident.assigned:
        return people(incident.assigned)
    paged = tuple(dict.fromkeys(p.person for p in incident.pages if p.role))
    return (*people(paged[:1]), " (paged, not acknowledged)") if paged else ("nobody yet",)


def progress_update(incident: Incident, entry: Entry) -> Lines:
    """Every field of the progress update's template."""
    fields = entry.fields
    elapsed = spoken_duration(entry.at - incident.declared_at)
    status = {"identified": "root cause identified"}.get(fields["status"], fields["status"])
    lines = [
        line(Strong(f"🔄 {incident.severity} INCIDENT UPDATE - {incident.id}")),
        line(Strong("Time: "), Time(entry.at, clock=False), f" ({elapsed} elapsed)"),
        line(Strong("Status: "), status.upper()),
        line(Strong("Progress: "), entry.text),
        line(Strong("Next steps: "), fields["next_steps"] or "not stated"),
        line(Strong("ETA to resolution: "), fields["eta"] or "not known yet"),
        line(Strong("Impact: "), fields["impact"] or "not stated"),
    ]
    if fields["next_update"]:
        lines.append(line(Strong("Next update: "), Time(_time(fields["next_update"])), " or when resolved"))
    return (*lines, line("Posted by ", Person(entry.by)))


def resolution_notice(incident: Incident, entry: Entry) -> Lines:
    """Every field of the resolution notice's template. The review's date is a due date."""
    done = incident.resolution
    if done is None:  # reopened since: the notice of that time is told by its entry alone
        return (line(Strong(f"✅ {incident.severity} INCIDENT RESOLVED - {incident.id}")), line(entry.text))
    lines = [
        line(Strong(f"✅ {incident.severity} INCIDENT RESOLVED - {incident.id}")),
        line(Strong("Resolution time: "), Time(done.at, clock=False)),
        line(Strong("Duration: "), spoken_duration(done.at - incident.declared_at)),
        line(Strong("Severity: "), f"{incident.severity} - {incident.policy.name}"),
        line(Strong("Summary: "), done.summary),
        line(Strong("Resolution: "), done.resolution),
        line(Strong("Verification: "), done.verification or "not stated"),
        line(
            Strong("Impact: "), done.final_impact or incident.facts.impact or "not stated", _data_loss(done.data_loss)
        ),
    ]
    if incident.policy.review_within:
        due = done.at + incident.scaled(incident.policy.review_within)
        lines.append(line(Strong("Post-incident review: "), "due by ", Time(due, clock=False)))
    if done.next_steps:
        lines.append(line(Strong("Next steps: "), done.next_steps))
    return (*lines, line("Resolved by ", Person(done.by), ". Thank you for your patience."))


def _data_loss(lost: bool) -> str:
    return ". Data was lost." if lost else ". No data loss."


def _paged(incident: Incident, entry: Entry) -> Lines:
    tier = int(entry.fields["tier"])
    what = f"Tier {tier} ({entry.fields['name']}) paged: " if tier else "Paged by name: "
    by = (" by ", Person(entry.by)) if entry.by else ()
    lines = [line("📟 ", Strong(what), *people(entry.people), *by), line("Why: ", entry.why, ".")]
    if entry.fields.get("empty_roles"):
        lines.append(line("⚠️ Nobody holds: ", entry.fields["empty_roles"], "."))
    return tuple(lines)


def _repeated(incident: Incident, entry: Entry) -> Lines:
    return (line("📟 Paged again: ", *people(entry.people)), line("Why: ", entry.why, "."))


def _checkpoint(incident: Incident, entry: Entry) -> Lines:
    return (line("⏰ ", Strong("Checkpoint: "), entry.why, "."),)


def _skipped(incident: Incident, entry: Entry) -> Lines:
    who = (
        f"Tier {entry.fields['tier']} ({entry.fields['name']})" if entry.fields["tier"] != "0" else entry.fields["name"]
    )
    return (
        line("⚠️ ", Strong(f"{who} has nobody to page"), ": the next tier is paged now."),
        line("Why: ", entry.why, "."),
    )


def _refused(incident: Incident, entry: Entry) -> Lines:
    return (line("⚠️ ", Strong("The page to "), *people(entry.people), " could not reach them: ", entry.why, "."),)


def _nobody_left(incident: Incident, entry: Entry) -> Lines:
    return (
        line("🚫 ", Strong("Nobody is left to page.")),
        line("Why: ", entry.why, ". Page someone by name, or call them."),
    )


def _acknowledged(incident: Incident, entry: Entry) -> Lines:
    note = "" if entry.fields.get("paged") == "yes" else " (was not paged)"
    after = spoken_duration(entry.at - incident.declared_at)
    return (line("👀 ", Strong("Acknowledged"), " by ", Person(entry.by), note, f", {after} after the declaration."),)


def _joined(incident: Incident, entry: Entry) -> Lines:
    return (line("👀 ", Person(entry.by), " acknowledged their page and is in."),)


def _with_text(mark: str, headline: str) -> Callable[[Incident, Entry], Lines]:
    """A headline, who did it, and what they said."""

    def tell_it(incident: Incident, entry: Entry) -> Lines:
        said = entry.text or entry.why
        return (line(f"{mark} ", Strong(headline), " by ", Person(entry.by)), *((line(said),) if said else ()))

    return tell_it


def _fix_applied(incident: Incident, entry: Entry) -> Lines:
    until = Time(_time(entry.fields["until"]))
    head = line("🩹 ", Strong("Fix applied"), " by ", Person(entry.by), ". Being watched until ", until, ".")
    return (head, *((line(entry.text),) if entry.text else ()))


def _update_due(incident: Incident, entry: Entry) -> Lines:
    return (line("⏳ ", Strong("A progress update is due."), " Say where it stands, even if nothing changed."),)


def _silence(incident: Incident, entry: Entry) -> Lines:
    head = line("🔕 ", *people(entry.people), ": ", Strong(f"{incident.id} still has no progress update."))
    return (head, line("Why you: you lead this incident, and ", entry.why, "."))


def _monitored(incident: Incident, entry: Entry) -> Lines:
    watched = spoken_duration(incident.policy.monitor_for)
    asked = (*people(entry.people), ": ") if entry.people else ()
    return (
        line("🩺 ", *asked, Strong(f"watched for {watched}: did the fix hold?")),
        line("Resolve it, or say that it did not."),
    )


def _escalated(incident: Incident, entry: Entry) -> Lines:
    return (line("⬆️ ", Strong("Escalated"), " by ", Person(entry.by), f" to tier {entry.fields['tier']}."),)


def _severity(incident: Incident, entry: Entry) -> Lines:
    change = f"{entry.fields['from']} → {entry.fields['to']}"
    return (line("🎚️ ", Strong(f"Severity {change}"), " by ", Person(entry.by)), line("Why: ", entry.why))


def _security(incident: Incident, entry: Entry) -> Lines:
    head = line("🔒 ", Strong("Now a security incident"), ", marked by ", Person(entry.by), ".")
    rest = line("Everything about it is said here only. Public cards were redacted, and nothing more is written there.")
    return (head, *((line("Why: ", entry.why),) if entry.why else ()), rest)


def _exposed(incident: Incident, entry: Entry) -> Lines:
    places = [Channel(c, c) for c in (entry.fields["channel"], entry.fields["room"]) if c]
    if not places:
        return (line("Nothing about it had been visible in public."),)
    where: Line = (places[0],) if len(places) == 1 else (places[0], " and ", places[1])
    return (
        line("👁️ ", Strong("What had been visible in public: "), "the card, its thread and the room, in ", *where, "."),
        line("Title: ", incident.facts.title),
        line("Description: ", incident.facts.description or "none"),
    )


def _room_opened(incident: Incident, entry: Entry) -> Lines:
    return (line("🚪 War room: ", Channel(entry.fields["channel"], entry.fields["name"])),)


def _room_lost(incident: Incident, entry: Entry) -> Lines:
    return (
        line(
            "⚠️ ", Strong("The war room is gone"), f" (#{entry.fields['name']}: {entry.why}). We go on in this thread."
        ),
    )


def _trouble(incident: Incident, entry: Entry) -> Lines:
    return (line("⚠️ ", Strong(f"Not delivered yet ({entry.fields['what']}): "), entry.why, ". It is being retried."),)


def _cancelled(incident: Incident, entry: Entry) -> Lines:
    what = f"duplicate of {entry.fields['duplicate_of']}" if entry.fields.get("duplicate_of") else "false alarm"
    head = line("⚪ ", Strong(f"Cancelled: {what}"), " by ", Person(entry.by), ". Every checkpoint is off.")
    return (head, *((line("Why: ", entry.why),) if entry.why else ()))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


_TELL: dict[EntryKind, Callable[[Incident, Entry], Lines]] = {
    EntryKind.DECLARED: initial_alert,
    EntryKind.PAGED: _paged,
    EntryKind.REPEATED: _repeated,
    EntryKind.CHECKPOINT: _checkpoint,
    EntryKind.SKIPPED: _skipped,
    EntryKind.REFUSED: _refused,
    EntryKind.NOBODY_LEFT: _nobody_left,
    EntryKind.ACKNOWLEDGED: _acknowledged,
    EntryKind.JOINED: _joined,
    EntryKind.ROOT_CAUSE: _with_text("🔎", "Root cause found"),
    EntryKind.FIX_STARTED: _with_text("🔧", "Fix started"),
    EntryKind.FIX_APPLIED: _fix_applied,
    EntryKind.FIX_FAILED: _with_text("❌", "Fix reported as failed"),
    EntryKind.UPDATE: progress_update,
    EntryKind.UPDATE_DUE: _update_due,
    EntryKind.SILENCE: _silence,
    EntryKind.MONITORED: _monitored,
    EntryKind.ESCALATED: _escalated,
    EntryKind.SEVERITY: _severity,
    EntryKind.SECURITY: _security,
    EntryKind.EXPOSED: _exposed,
    EntryKind.ROOM_OPENED: _room_opened,
    EntryKind.ROOM_LOST: _room_lost,
    EntryKind.TROUBLE: _trouble,
    EntryKind.RESOLVED: resolution_notice,
    EntryKind.REOPENED: _with_text("🔁", "Reopened"),
    EntryKind.CANCELLED: _cancelled,
}
