"""Entries about systems: alerts, mail, actions, failed sends, and our own outages."""

from datetime import datetime

from escalation.config.notify import Via
from escalation.incident.actions import RunState
from escalation.incident.events.news import MAX_TITLES
from escalation.incident.model import Incident
from escalation.incident.state.entries import Entry, EntryKind
from escalation.text import Line, Lines, Person, Strong, Time, Verbatim, line, people
from escalation.times import spoken_duration

SENDS = {  # kinds of effects -> what they send
    "issue": "tickets",
    "page": "pages",
    "page_by": "pages",
    "stop_page": "the end of alarms",
    "alert": "alerts",
    "mail_out": "mail to stakeholders",
    "call_webhook": "updates for the public",
    "mail_review": "mail of finished reviews",
    "invitation": "invitations to meetings",
    "publish": "updates of the status page",
    "withdraw": "withdrawals from the status page",
    "open_room": "new war rooms",
    "invite": "invitations to war rooms",
    "topic": "topics of war rooms",
    "pin": "pins in war rooms",
    "bookmark": "bookmarks in war rooms",
    "open_meeting": "new meetings",
    "delete_meeting": "the deletion of meetings",
    "archive": "the archiving of war rooms",
    "hide_canvas": "taking canvases of private incidents out of public channels",
    "tell": "direct messages",
    "refresh": "updates of cards",
}


def action(incident: Incident, entry: Entry) -> Lines:
    """Render what an action did; whom it called is said where nothing was, and the rest of its address never."""
    fields, name = entry.fields, Strong(f"Action {entry.fields['action']}")
    match RunState(fields["state"]):
        case RunState.STARTED:
            by = (" by ", Person(entry.by)) if entry.by else ()
            return (line("🤖 ", name, " was started", *by, "."),)
        case RunState.DRY_RUN:
            why = "this is a drill" if incident.drill else "it is a dry run"
            return (line("🤖 ", name, f" was not started, since {why}. It would call {fields['host']}."),)
        case RunState.DONE:
            return (line("🤖 ", name, f" is done: its system answered {fields['status']}."),)
        case RunState.FAILED:
            return (line("⚠️ ", name, " failed: ", entry.why, "."),)


def trouble(incident: Incident, entry: Entry) -> Lines:
    """Render a send that fails, or that was given up; of a page, by which channel it goes to whom."""
    state, end = ("Not done", ".") if entry.fields.get("given_up") else ("Not delivered yet", ". Retrying.")
    what, via = entry.fields["what"], entry.fields.get("channel")
    if via:
        whose: Line = ("page of ", *people(entry.people), f" by {Via(via).words}")
        return (line("⚠️ ", Strong(f"{state}"), " (", *whose, "): ", entry.why, end),)
    return (line("⚠️ ", Strong(f"{state} ({SENDS.get(what, what)}): "), entry.why, end),)


def alerts(incident: Incident, entry: Entry) -> Lines:
    """Say which alerts began to fire and which ended; long lists are counted."""
    lines = [
        line(
            "🔔 ",
            Strong(f"{entry.fields['firing']} of {entry.fields['total']} alerts firing"),
            " (",
            Person(entry.by),
            ").",
        )
    ]
    lines += [line("Firing: ", Verbatim(title)) for title in _first(entry, "began")]
    lines += [line("Resolved: ", Verbatim(title)) for title in _first(entry, "ended")]
    return tuple(lines)


def _first(entry: Entry, name: str) -> list[str]:
    listed = [title for title in entry.fields.get(name, "").split("\n") if title]
    more = int(entry.fields.get(f"more_{name}", "0")) + max(0, len(listed) - MAX_TITLES)
    return [*listed[:MAX_TITLES], *([f"and {more} more"] if more else [])]


def alerts_ended(incident: Incident, entry: Entry) -> Lines:
    """Render that all alerts have ended; once one fires again, since when it does: nobody is asked any more."""
    later = (e for e in incident.timeline[entry.n :] if e.kind is EntryKind.ALERTS and e.fields.get("began"))
    if again := next(later, None):
        return (line("🔔 ", Strong("All alerts had ended"), " (", Person(entry.by), "), until ", Time(again.at), "."),)
    return (line("🔕 ", Strong("All alerts have ended"), " (", Person(entry.by), "). Is the incident over?"),)


def resolved_there(incident: Incident, entry: Entry) -> Lines:
    """Render that another paging service has it as resolved."""
    who = Verbatim(entry.fields["known_as"]) if entry.fields["known_as"] else Person(entry.by)
    return (line("🔕 ", Strong(f"Resolved in {entry.fields['service']}"), " by ", who, ". Is the incident over?"),)


def mail(incident: Incident, entry: Entry) -> Lines:
    """Render what somebody wrote by mail."""
    said = (line(Verbatim(text)) for text in entry.text.splitlines() if text)
    return (line("✉️ ", Person(entry.by), " wrote by email:"), *said)


def recovered(incident: Incident, entry: Entry) -> Lines:
    """Render Tocsin's own outage, and what went out late because of it."""
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
