"""Other incidents that are like one: what is said about them, and what comes of a duplicate."""

from escalation.engine import cards, communications, warroom
from escalation.engine.change import Change
from escalation.incident.effects import TellDuplicate, TellOriginal
from escalation.incident.events.news import AlikeFound, AlikeHidden, OriginalOver, SameProblem
from escalation.incident.state.entries import Entry, EntryKind
from escalation.incident.state.facts import Status
from escalation.values import title_of


def alike(change: Change, event: AlikeFound) -> None:
    """Say once, in the thread, which others are like this incident."""
    incident = change.incident
    if not incident.open or incident.latest(EntryKind.ALIKE) or not (event.open or event.past):
        return
    found = {"open": " ".join(event.open), "past": " ".join(event.past), "join": event.join}
    change.say(change.note(EntryKind.ALIKE, fields={name: ids for name, ids in found.items() if ids}))


def hidden(change: Change, event: AlikeHidden) -> None:
    """Show the messages that name an incident anew: of one that is private now they say nothing but its id."""
    said = (e for e in change.incident.timeline if e.kind is EntryKind.SAME_PROBLEM)
    if event.other not in change.incident.hidden and any(e.fields.get("other") == event.other for e in said):
        change.set(hidden=(*change.incident.hidden, event.other))
    named = {entry.n for entry in change.incident.timeline if event.other in _named(entry)}
    for post in change.incident.posts:
        if post.ts and not post.redacted and named.intersection(post.entries):
            cards.refresh(change, post.id)


def _named(entry: Entry) -> list[str]:
    if entry.kind is EntryKind.PREVENTION:
        return [entry.fields["item"].partition("/")[0]]
    if entry.kind is EntryKind.SAME_PROBLEM:
        return [entry.fields.get("other", "")]
    alike = entry.kind is EntryKind.ALIKE
    return " ".join((entry.fields.get("open", ""), entry.fields.get("past", ""))).split() if alike else []


def tell_original(change: Change, original: str) -> None:
    """Have the incident that this one duplicates hear of it."""
    change.add_effect(TellOriginal, other=original)


def tell_duplicates(change: Change) -> None:
    """Have the duplicates of an incident that is over hear of it: some of them may stand on the status page."""
    said = (e.fields.get("other", "") for e in change.incident.timeline if e.kind is EntryKind.SAME_PROBLEM)
    for other in dict.fromkeys(filter(None, said)):
        change.add_effect(TellDuplicate, other=other)


def original_over(change: Change, event: OriginalOver) -> None:
    """Announce the end where a duplicate was told of; one that was reopened meanwhile has an end of its own."""
    incident = change.incident
    cancelled = incident.latest(EntryKind.CANCELLED) if incident.status is Status.CANCELLED else None
    if cancelled and cancelled.fields.get("duplicate_of") == event.other:
        communications.original_over(change)
        tell_duplicates(change)


def same_problem(change: Change, event: SameProblem) -> None:
    """Say what the duplicate said, once, and invite who reported it. A private incident lets nobody in by this."""
    incident = change.incident
    known = (e for e in incident.timeline if e.kind is EntryKind.SAME_PROBLEM)
    if not incident.open or any(_same(entry, event) for entry in known):
        return
    source = title_of(event.reporter) and event.reporter
    named = {"other": event.other, "source": source}
    fields = {name: value for name, value in named.items() if value}
    people = () if source else (event.reporter,)
    change.say(change.note(EntryKind.SAME_PROBLEM, by=event.by, text=event.text, people=people, fields=fields))
    if not incident.private:
        warroom.invite(change, dict.fromkeys((event.reporter, event.by)))


def _same(entry: Entry, event: SameProblem) -> bool:
    """True if that was said already: about the same duplicate, or by the same person in the same words."""
    if event.other:
        return entry.fields.get("other") == event.other
    return (entry.by, entry.text) == (event.by, event.text)
