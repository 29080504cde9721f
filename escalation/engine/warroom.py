"""The war room: when it opens, its phases with their time boxes, and the roles that one person at a time holds."""

from escalation.config.policy import PhaseStart
from escalation.engine.change import Change
from escalation.engine.responders import commander, in_roles
from escalation.incident.effects import ArchiveRoom, Place, Refresh
from escalation.incident.events import Linked, TakeLead
from escalation.incident.model import Checkpoint, CheckpointKind, CopyKind, EntryKind, Lead, Status
from escalation.times import spoken_duration
from escalation.values import PersonId


def open_room(change: Change, also: tuple[PersonId, ...] = ()) -> None:
    """Open it, unless there is one: everybody concerned, and the policy's guests, are invited."""
    if change.has_room():
        return
    _leave_lost_room(change)
    incident = change.incident
    guests = in_roles(incident, change.roster, incident.policy.room_invites)
    paged = sorted(incident.people() - {incident.reporter})
    change.open_room(tuple(dict.fromkeys((incident.reporter, *guests, *paged, *also))))
    begin_phase(change, PhaseStart.OPENED)


def _leave_lost_room(change: Change) -> None:
    """Archived or deleted, which is final: nothing is written there any more, and its card is no home."""
    incident = change.incident
    if incident.room is None:
        return
    gone = {c.id for c in incident.copies if c.kind is CopyKind.ROOM}
    change.drop_effects(*(e.id for e in incident.effects if isinstance(e, Refresh) and e.copy_id in gone))
    kept = tuple(c for c in incident.copies if c.id not in gone)
    change.set(copies=kept, old_rooms=(*incident.old_rooms, incident.room), room=None)


def reopen(change: Change) -> None:
    """The room of an incident that is not over: it stays, or a new one takes the place of an archived one."""
    change.drop_effects(*(e.id for e in change.incident.effects if isinstance(e, ArchiveRoom)))
    if change.has_room():
        begin_phase(change, PhaseStart.OPENED)
    elif change.incident.policy.room or change.incident.private:
        open_room(change)


def begin_phase(change: Change, start: PhaseStart) -> None:
    """Enter the phase that begins so, if the policy has one and there is a room."""
    phases = change.incident.policy.phases
    index = next((n for n, phase in enumerate(phases) if phase.begins is start), None)
    if index is not None and change.has_room():
        _enter(change, index)


def time_box_over(change: Change, checkpoint: Checkpoint) -> None:
    """A gentle word that the time box is over, and what comes next."""
    following = int(checkpoint.about) + 1
    phases = change.incident.policy.phases
    if following < len(phases) and phases[following].begins is PhaseStart.AFTER:
        _enter(change, max(following, _under_way(change)))
        return
    entry = change.note(EntryKind.PHASE, fields={"over": phases[following - 1].name})
    change.say(entry, Place.ROOM)


def _under_way(change: Change) -> int:
    """The phase of a fix that was begun before the room opened; 0 when there is none."""
    starts = {Status.FIXING: PhaseStart.FIXING, Status.MONITORING: PhaseStart.MONITORING}
    start, phases = starts.get(change.incident.status), change.incident.policy.phases
    return next((n for n, phase in enumerate(phases) if phase.begins is start), 0)


def _enter(change: Change, index: int) -> None:
    phase = change.incident.policy.phases[index]
    change.set(phase=index)
    change.disarm(CheckpointKind.PHASE)
    fields = {
        "name": phase.name,
        "number": str(index + 1),
        "lasts": spoken_duration(phase.lasts) if phase.lasts else "",
        "ask": "\n".join(phase.ask),
    }
    leads = commander(change.incident, change.roster)
    change.say(change.note(EntryKind.PHASE, people=leads, fields=fields), Place.ROOM)
    if phase.lasts and phase.begins is not PhaseStart.MONITORING:  # there, the question whether the fix held ends it
        change.arm(CheckpointKind.PHASE, change.now + change.incident.scaled(phase.lasts), str(index))


# Roles of the response -------------------------------------------------------------------------------------------


def take_lead(change: Change, event: TakeLead) -> None:
    """Take a role, or offer it: an offer counts once the other has taken it."""
    if event.to and event.to != event.by:
        _offer(change, event)
    else:
        _take(change, event)


def _offer(change: Change, event: TakeLead) -> None:
    change.set(offers={**change.incident.offers, event.lead: event.to})
    fields = {"lead": event.lead, "what": "offered"}
    entry = change.note(EntryKind.LEADING, by=event.by, people=(event.to,), fields=fields)
    change.say_everywhere(entry)
    change.tell(event.to, entry)


def _take(change: Change, event: TakeLead) -> None:
    incident = change.incident
    before = incident.leads.get(event.lead, "")
    if before == event.by:
        change.set(offers=_without(incident.offers, event.lead))
        return
    change.set(leads={**incident.leads, event.lead: event.by}, offers=_without(incident.offers, event.lead))
    accepted = incident.offers.get(event.lead) == event.by
    fields = {"lead": event.lead, "what": "accepted" if accepted else "taken"}
    former = (before,) if before else ()
    entry = change.note(EntryKind.LEADING, by=event.by, people=former, fields=fields)
    change.say_everywhere(entry)
    for person in former:
        change.tell(person, entry)
    change.invite((event.by,))


def _without(offers: dict[Lead, PersonId], lead: Lead) -> dict[Lead, PersonId]:
    return {name: person for name, person in offers.items() if name is not lead}


# Several at once -------------------------------------------------------------------------------------------------


def linked(change: Change, event: Linked) -> None:
    """Another incident is open too: both know of each other, and one room is for all."""
    incident = change.incident
    if event.other in incident.linked or incident.private or not incident.open:
        return
    link(change, (event.other,), event.coordinated_in)


def link(change: Change, others: tuple[str, ...], coordinated_in: str) -> None:
    """Write down the others, and open a room where the policy wants one for several at once."""
    incident = change.incident
    change.set(linked=(*incident.linked, *others), coordinated_in=coordinated_in)
    if incident.policy.room_when_several:
        open_room(change)
    fields = {"others": ", ".join(others), "coordinated_in": change.incident.coordinated_in}
    change.say_everywhere(change.note(EntryKind.LINKED, fields=fields))
