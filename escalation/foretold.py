"""A simulated incident as rows: each line of its timeline, whom it reaches, where, why, and what would prevent it."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from escalation.config.plans import Means
from escalation.incident.effects import Alert, Effect, Invite, MailOut, PageBy, Say, Tell
from escalation.incident.model import Incident
from escalation.incident.records import CheckpointKind, Entry, EntryKind
from escalation.text import Line, Person, people
from escalation.values import PersonId, spoken_duration

DIRECT = "direct message"
_PAGES = (EntryKind.PAGED, EntryKind.REPEATED)
# What a fired checkpoint does is told right after it, and is prevented by what would have prevented the checkpoint.
_CONSEQUENCES = (EntryKind.PAGED, EntryKind.NOTIFIED, EntryKind.SKIPPED, EntryKind.NOBODY_LEFT)
_PREVENTED_BY = {
    EntryKind.REPEATED: ("answered",),
    EntryKind.UPDATE_DUE: ("updated",),
    EntryKind.SILENCE: ("updated",),
    EntryKind.OVERDUE: ("published",),
    EntryKind.MONITORED: ("resolved", "fix failed"),
}


@dataclass(frozen=True)
class Row:
    """One thing that happens `after` so long. `people` are paged, told or asked; `places` are where it is written.

    `unless` are the facts that would have prevented it; an incident that is closed prevents everything.
    """

    at: datetime
    after: timedelta
    kind: EntryKind
    what: str
    people: tuple[PersonId, ...] = ()
    places: tuple[str, ...] = ()
    why: str = ""
    unless: tuple[str, ...] = ()
    by: PersonId = ""

    def whom(self) -> Line:
        """Who did it, when people did; else whom it reaches: people, or whoever reads those places."""
        if self.by:
            return ("by ", Person(self.by))
        return people(self.people) if self.people else (", ".join(self.places),)


def rows(incident: Incident, caused: Iterable[Effect]) -> tuple[Row, ...]:
    """The timeline of an incident, with all effects that it ever caused."""
    places = _places(caused := tuple(caused))
    return tuple(
        Row(
            at=entry.at,
            after=entry.at - incident.declared_at,
            kind=entry.kind,
            what=_what(incident, entry),
            people=_invited(entry, caused) if entry.kind is EntryKind.ROOM_OPENED else entry.people,
            places=tuple(dict.fromkeys((*_ways(entry, caused), *places[entry.n]))),
            why=entry.why,
            unless=unless,
            by=entry.by,
        )
        for entry, unless in _with_what_prevents(incident)
    )


def comes_again(incident: Incident, kinds: Collection[CheckpointKind]) -> tuple[str, ...]:
    """What the checkpoints of these kinds do again and again, for as long as nobody acts."""
    policy, found = incident.policy, list[str]()
    if CheckpointKind.UPDATE in kinds and policy.updates:
        every, silence = policy.updates.every.spoken(), spoken_duration(policy.updates.silence)
        found.append(f"a progress update is asked for every {every}, and the commander told {silence} later")
    if CheckpointKind.MONITORING in kinds:
        found.append(f"whether the fix held is asked every {spoken_duration(policy.monitor_for)}")
    return tuple(found)


def _places(caused: Iterable[Effect]) -> defaultdict[int, list[str]]:
    """Entry -> where it is told."""
    found = defaultdict[int, list[str]](list)
    for effect in caused:
        if isinstance(effect, Say):
            found[effect.entry].append(effect.place)
        elif isinstance(effect, Tell):
            found[effect.entry].append(DIRECT)
        elif isinstance(effect, MailOut):
            found[effect.entry].append(Means.MAIL)
    return found


def _ways(entry: Entry, caused: Iterable[Effect]) -> tuple[str, ...]:
    """How a page reaches its people."""
    if entry.kind not in _PAGES:
        return ()
    return (DIRECT, *(e.via for e in caused if isinstance(e, PageBy | Alert) and e.at == entry.at))


def _invited(entry: Entry, caused: Iterable[Effect]) -> tuple[PersonId, ...]:
    made = (p for e in caused if isinstance(e, Invite) and e.at == entry.at for p in e.people)
    return tuple(dict.fromkeys(made))


def _with_what_prevents(incident: Incident) -> Iterator[tuple[Entry, tuple[str, ...]]]:
    fired, at = tuple[str, ...](), incident.declared_at
    for entry in incident.timeline:
        if entry.kind is EntryKind.CHECKPOINT:
            fired = tuple(
                fact.replace("_", " ") for fact in incident.policy.checkpoint(entry.fields["checkpoint"]).unless
            )
        elif entry.kind not in _CONSEQUENCES or entry.at != at:
            fired = ()
        at = entry.at
        yield entry, fired or _prevented_by(incident, entry)


def _prevented_by(incident: Incident, entry: Entry) -> tuple[str, ...]:
    if entry.kind is EntryKind.COMMUNICATION and entry.fields["stage"] == "first":
        return tuple(f.replace("_", " ") for f in incident.policy.communication(entry.fields["plan"]).unless)
    return _PREVENTED_BY.get(entry.kind, ())


# What happens, in a few words -----------------------------------------------------------------------------------------


def _what(incident: Incident, entry: Entry) -> str:
    told = _WHAT.get(entry.kind)
    return told(incident, entry) if told else entry.kind.replace("_", " ")


def _paged(incident: Incident, entry: Entry) -> str:
    fields = entry.fields
    empty = f"; nobody is {fields['empty_roles']}" if fields.get("empty_roles") else ""
    return (f"page tier {fields['tier']} ({fields['name']})" if fields["tier"] != "0" else "page by name") + empty


def _checkpoint(incident: Incident, entry: Entry) -> str:
    said = f": {entry.fields['say']}" if entry.fields["say"] else ""
    return f"checkpoint {entry.fields['checkpoint']}{said}"


def _communication(incident: Incident, entry: Entry) -> str:
    fields, owed = entry.fields, incident.owed(int(entry.fields["n"]))
    stage = {"first": "", "restored": " that it works again"}.get(fields["stage"], f" ({fields['stage']})")
    through = ", ".join(m.replace("_", " ") for m in owed.through)
    within = f", within {spoken_duration(owed.due - entry.at)}" if owed.due else ""
    approved = ", once somebody approved it" if fields["state"] == "waiting" else ""
    return f"tell {fields['audience']}{stage} through {through}{within}{approved}"


def _phase(incident: Incident, entry: Entry) -> str:
    fields = entry.fields
    if fields.get("over"):
        return f"the time box of {fields['over']} is over"
    return f"war room: {fields['name']}" + (f" ({fields['lasts']})" if fields["lasts"] else "")


_WHAT: dict[EntryKind, Callable[[Incident, Entry], str]] = {
    EntryKind.ROOT_CAUSE: lambda i, e: "root cause found",
    EntryKind.WORKAROUND: lambda i, e: "workaround in place",
    EntryKind.FIX_FAILED: lambda i, e: "the fix did not hold",
    EntryKind.PAGED: _paged,
    EntryKind.REPEATED: lambda i, e: "page again",
    EntryKind.CHECKPOINT: _checkpoint,
    EntryKind.SKIPPED: lambda i, e: f"nobody to page in tier {e.fields['tier']} ({e.fields['name']})",
    EntryKind.NOBODY_LEFT: lambda i, e: "nobody is left to page",
    EntryKind.NOTIFIED: lambda i, e: f"notify {e.fields['roles']}",
    EntryKind.UPDATE_DUE: lambda i, e: "remind: a progress update is due",
    EntryKind.SILENCE: lambda i, e: "remind the commander: still no progress update",
    EntryKind.MONITORED: lambda i, e: "ask whether the fix held",
    EntryKind.OVERDUE: lambda i, e: f"remind: {e.fields['through']} for {e.fields['audience']} is overdue",
    EntryKind.TICKET: lambda i, e: f"ticket for {e.fields['team'] or 'a team'} ({e.fields['ticket']})",
    EntryKind.ROOM_OPENED: lambda i, e: "open the private war room" if i.private else "open the war room",
    EntryKind.COMMUNICATION: _communication,
    EntryKind.PHASE: _phase,
}
