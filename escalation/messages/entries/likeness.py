"""Entries about other incidents that are like this one, by their ids: what those say is looked up when it is shown."""

from escalation.incident.model import Incident
from escalation.incident.state.entries import Entry
from escalation.text import Line, Lines, Person, Strong, Verbatim, line


def alike(incident: Incident, entry: Entry) -> Lines:
    """Which open incidents may be the same problem, and which of the past are similar."""
    lines: list[Line] = []
    if still_open := ids_of(entry, "open"):
        lines.append(line("🔎 ", Strong("Maybe the same problem: "), ", ".join(still_open), ", which is open."))
        if len(still_open) > 1:
            lines[-1] = line("🔎 ", Strong("Maybe the same problem: "), ", ".join(still_open), ", which are open.")
    if past := ids_of(entry, "past"):
        lines.append(line("🔎 ", Strong("Similar incidents of the past: "), ", ".join(past), "."))
    return tuple(lines)


def ids_of(entry: Entry, field: str) -> tuple[str, ...]:
    """Return the ids of the incidents that such an entry names: those `open` then, or of the `past`."""
    return tuple(entry.fields.get(field, "").split())


def same_problem(incident: Incident, entry: Entry) -> Lines:
    """Who reported the same problem again, by which incident if it was one, and their words unless that is private."""
    other, reporter = entry.fields.get("other", ""), entry.people[0] if entry.people else entry.fields.get("source", "")
    reported = ("reported again by ", Person(reporter)) if reporter else ("reported again",)
    if other in incident.hidden:
        return (line("👥 ", Strong("Same problem: "), f"{other}, which is private, was a duplicate of this incident."),)
    how = f"; {other} was cancelled as a duplicate of this incident." if other else "."
    return (
        line("👥 ", Strong("Same problem: "), *reported, how),
        *(line(Verbatim(text)) for text in entry.text.splitlines() if text),
    )
