"""Words about the ticket in a tracker: on the timeline, and in the tracker itself.

Others than the people of the incident read a tracker: it names tiers, never people.
"""

from escalation.config.tickets import Vendor
from escalation.incident.model import Incident
from escalation.incident.state.entries import Entry, EntryKind
from escalation.text import Line, Lines, Link, Person, Strong, Time, Verbatim, line

LONGEST_TITLE = 200  # characters of a title in a tracker, where 255 are the most
LONGEST = 4_000  # characters of one field in a tracker

# On the timeline -------------------------------------------------------------------------------------------------


def issue(incident: Incident, entry: Entry) -> Lines:
    """Render what became of the ticket."""
    what = entry.fields["what"]
    vendor = Vendor(entry.fields["vendor"]).words
    if what == "exposed":
        rest = line(" had been opened in ", vendor, " before it was private: delete it there.")
        return (line("👁️ ", _link(entry), *rest),)
    if what == "assigned" and entry.text:
        return (line("🎫 ", _link(entry), " is assigned in ", vendor, " to ", Verbatim(entry.text), *_by(entry), "."),)
    done = {
        "opened": "opened",
        "assign": "assigned",
        "assigned": "assigned to nobody",
        "rename": "renamed",
        "close": "closed",
        "reopen": "reopened",
        "deleted": "was deleted",
    }[what]
    return (line("🎫 Ticket ", _link(entry), f" {done} in {vendor}", *_by(entry), "."), *_lost(entry, vendor))


def _lost(entry: Entry, vendor: str) -> Lines:
    lost = entry.fields.get("lost", "").split("\n")
    return (line("⚠️ ", vendor, " left out ", Verbatim(", ".join(lost)), "."),) if any(lost) else ()


def closed_there(incident: Incident, entry: Entry) -> Lines:
    """Ask whether the incident is over, since its ticket was closed there."""
    vendor = Vendor(entry.fields["vendor"]).words
    return (
        line("🎫 ", _link(entry), " was closed in ", vendor, *_by(entry), "."),
        line(Strong("Is the incident over?"), " Resolve it here; until then it goes on."),
    )


def reopened_there(incident: Incident, entry: Entry) -> Lines:
    """Ask whether the incident is back, since its ticket was reopened there."""
    vendor = Vendor(entry.fields["vendor"]).words
    return (
        line("🎫 ", _link(entry), " was reopened in ", vendor, *_by(entry), "."),
        line(Strong("Is the trouble back?"), " Reopen the incident here; until then nobody is paged."),
    )


def _link(entry: Entry) -> Link:
    return Link(entry.fields["url"], entry.fields["key"])


def _by(entry: Entry) -> Line:
    if entry.by:
        return line(" by ", Person(entry.by))
    known_as = entry.fields.get("known_as", "")
    return line(" by ", Verbatim(known_as)) if known_as else ()


# In the tracker --------------------------------------------------------------------------------------------------


def title(incident: Incident) -> str:
    """Build the ticket's title."""
    return f"{incident.id}: {'Security incident' if incident.private else incident.facts.title}"[:LONGEST_TITLE]


def body(incident: Incident, card_url: str) -> Lines:
    """Build the ticket's text. Of a private incident it has id, severity and link only."""
    link = (line(Link(card_url, "The incident in Slack")),) if card_url else ()
    severity = line(Strong("Severity: "), f"{incident.severity}, {incident.policy.name}")
    if incident.private:
        return (severity, *link)
    facts = incident.facts
    told = {"Impact": facts.impact, "Description": facts.description, "Service": facts.service, "Team": incident.team}
    fields = (line(Strong(f"{name}: "), Verbatim(value[:LONGEST])) for name, value in told.items() if value)
    return (severity, *fields, line(Strong("Declared: "), Time(incident.declared_at)), *link)


def comment(incident: Incident, entry: Entry) -> Lines:
    """Build the comment about a timeline entry, in one or two paragraphs. Of a private incident it has no words."""
    head, words = _comment(incident, entry)
    when = line(" (", Time(entry.at), ")")
    said = () if incident.private or not words else (line(Verbatim(words[:LONGEST])),)
    return (line(Strong(head), *when), *said)


def _comment(incident: Incident, entry: Entry) -> tuple[str, str]:
    fields = entry.fields
    match entry.kind:
        case EntryKind.PAGED:
            return f"Escalated: tier {fields['tier']}, {fields['name']}, was paged", entry.why
        case EntryKind.NOBODY_LEFT:
            return "Every tier was paged, and nobody is left", ""
        case EntryKind.SEVERITY:
            return f"Severity changed from {fields['from']} to {fields['to']}", entry.why
        case EntryKind.VERIFIED:
            return "Fix verified", entry.text
        case EntryKind.RESOLVED:
            done = incident.as_of(entry).resolution
            return "Resolved", f"{done.summary}\n{done.resolution}" if done else entry.text
        case EntryKind.REOPENED:
            return "Reopened", entry.why
        case _:
            duplicate = fields.get("duplicate_of", "")
            return f"Cancelled: duplicate of {duplicate}" if duplicate else "Cancelled: false alarm", entry.why
