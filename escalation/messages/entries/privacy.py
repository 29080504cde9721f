"""Entries about what is kept private: a security incident, what was public before, who was forgotten."""

from escalation.config.notify import Via
from escalation.config.tickets import ITEM_TICKETS, TICKETS
from escalation.incident.model import Incident
from escalation.incident.state.entries import Entry
from escalation.text import Channel, Lines, Person, Strong, Verbatim, line, people


def security(incident: Incident, entry: Entry) -> Lines:
    """Render that it is a security incident now, by whom and why."""
    head = line("🔒 ", Strong("Now a security incident"), ", marked by ", Person(entry.by), ".")
    rest = line("Updates are posted only here. Public cards were redacted and get no further updates.")
    return (head, *((line("Why: ", entry.why),) if entry.why else ()), rest)


def exposed(incident: Incident, entry: Entry) -> Lines:
    """Render what of it was public before, who was told, and what cannot be undone."""
    fields = entry.fields
    channels = fields["channels"].split() if "channels" in fields else [fields["channel"], fields["room"]]
    places = [Channel(c, c) for c in channels if c]
    elsewhere = ", ".join(_ELSEWHERE.get(name, name.replace("_", " ")) for name in fields.get("elsewhere", "").split())
    told = (line("👤 ", Strong("Told directly: "), *people(entry.people)),) if entry.people else ()
    archived = [Channel(c, c) for c in fields.get("archived", "").split()]
    if not (places or elsewhere or told or archived):
        return (line("Nothing about it was public."),)
    here = (
        (line("👁️ ", Strong("Previously public, now redacted: "), "messages in ", *_listed(places), "."),)
        if places
        else ()
    )
    why = "Slack lets no app change an archived channel. Ask an admin to delete it."
    stays = (
        (line("📦 ", Strong("Still public: "), "name, topic and messages of ", *_listed(archived), ". ", why),)
        if archived
        else ()
    )
    left = (line("📤 ", Strong("Not undone: "), f"{elsewhere}. Ask for corrections there."),) if elsewhere else ()
    former = fields["room"]
    topic = (line("📌 Slack's own topic messages remain in ", Channel(former, former), "."),) if former else ()
    title = line("Title: ", Verbatim(incident.facts.title))
    return (*here, *stays, *told, *left, *topic, title)


def _listed(places: list[Channel]) -> tuple[Channel | str, ...]:
    return tuple(part for place in places for part in (", ", place))[1:]


_ELSEWHERE: dict[str, str] = {TICKETS: "its ticket", ITEM_TICKETS: "tickets of its action items"} | {
    via: via.words for via in Via
}


def redacted(incident: Incident, entry: Entry) -> Lines:
    """Render that somebody was forgotten."""
    return (line("🧹 ", Strong("Somebody was forgotten."), " Who they were and what they wrote was removed here."),)
