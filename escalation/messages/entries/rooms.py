"""Entries about the war room: its phases, roles, invitations, and where the thread goes on."""

from datetime import datetime

from escalation.incident.model import Incident
from escalation.incident.state.entries import Entry
from escalation.incident.state.leads import Lead
from escalation.text import Channel, Line, Lines, Person, Strong, Time, line, people


def invited(incident: Incident, entry: Entry) -> Lines:
    """Say who was invited by mail to which meeting, and when it is; or that it changed, or is off."""
    about = {"call": "the call", "review": "the post-incident review"}[entry.fields["about"]]
    said = {"invited": f"Invited to {about}", "changed": f"Invitation to {about} changed"}
    what = said.get(entry.fields["what"], f"Invitation to {about} withdrawn")
    starts = Time(datetime.fromisoformat(entry.fields["starts"]), clock=False)
    return (line("📅 ", Strong(what), " by email: ", *people(entry.people), " (", starts, ")."),)


def room_opened(incident: Incident, entry: Entry) -> Lines:
    """Render the war room that was opened."""
    return (line("🚪 War room: ", Channel(entry.fields["channel"], entry.fields["name"])),)


def room_lost(incident: Incident, entry: Entry) -> Lines:
    """Render that the war room is gone, and why."""
    return (
        line(
            "⚠️ ", Strong("The war room is gone"), f" (#{entry.fields['name']}: {entry.why}). We go on in this thread."
        ),
    )


def card_lost(incident: Incident, entry: Entry) -> Lines:
    """Render that the card was deleted by hand."""
    return (line("🗑️ ", Strong("The incident's card was deleted."), " This is a new one; the thread goes on here."),)


LEADS = {
    Lead.COMMANDER: "incident commander",
    Lead.COMMUNICATIONS: "communications lead",
    Lead.SCRIBE: "scribe",
}


def phase(incident: Incident, entry: Entry) -> Lines:
    """Render a phase of the war room that begins, or whose time box is over."""
    fields = entry.fields
    if fields.get("over"):
        return (line("⏱️ The time box of ", Strong(fields["over"]), " is over. Where do we stand?"),)
    box = f" ({fields['lasts']})" if fields["lasts"] else ""
    acting = " (acting: nobody has taken the role yet)" if fields.get("acting") else ""
    led = (line("Incident commander: ", *people(entry.people), acting),) if entry.people else ()
    asks = tuple(line(f"• {ask}") for ask in fields["ask"].split("\n") if ask)
    return (line("🧭 ", Strong(f"{fields['number']}. {fields['name']}"), box), *led, *asks)


def leading(incident: Incident, entry: Entry) -> Lines:
    """Render a role of the response that was offered or taken."""
    role = LEADS[Lead(entry.fields["lead"])]
    by = Person(entry.by)
    if entry.fields["what"] == "offered":
        return (
            line("🤝 ", by, " asks ", *people(entry.people), " to be ", Strong(role), "."),
            line("Pending acceptance."),
        )
    if entry.fields["what"] == "declined":
        return (line("🤝 ", by, " declined to be ", Strong(role), ". ", *people(entry.people), ": ask somebody else."),)
    former: Line = (", after ", *people(entry.people)) if entry.people else ()
    took = " accepted and is " if entry.fields["what"] == "accepted" else " is "
    return (line("🎖️ ", by, took, Strong(role), *former, "."),)


def linked(incident: Incident, entry: Entry) -> Lines:
    """Render the incidents that share a war room with this one."""
    others, room = entry.fields["others"], entry.fields["coordinated_in"]
    where = "this one" if room == incident.id else room
    head = line("🔗 ", Strong("Several incidents are open at once: "), others)
    return (head, line("All of them are coordinated in the war room of ", Strong(where), "."))
