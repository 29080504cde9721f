"""War room: opening, phases with their time boxes, and the roles of the response."""

from collections.abc import Iterable
from datetime import timedelta

from escalation.config.rules.rooms import PhaseStart
from escalation.engine import cards
from escalation.engine.change import Change
from escalation.errors import Refused
from escalation.incident.effects import (
    ArchiveRoom,
    BookmarkLink,
    DeleteMeeting,
    Invite,
    OpenMeeting,
    OpenRoom,
    PinCard,
    PostCard,
    SetTopic,
)
from escalation.incident.events.moves import TakeLead
from escalation.incident.events.news import Linked
from escalation.incident.responders import commander, in_roles
from escalation.incident.room_names import meeting_topic, room_name, topic
from escalation.incident.state.checkpoints import Checkpoint, CheckpointKind
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.facts import Status
from escalation.incident.state.leads import Lead
from escalation.incident.state.rooms import Room
from escalation.times import spoken_duration
from escalation.values import PersonId, title_of

ARCHIVED_AFTER = timedelta(minutes=30)  # of a cancelled incident's room: time to reopen it, or to say a last word


def open_room(change: Change) -> None:
    """Open the room, unless there is one, and invite everybody involved and the policy's guests."""
    if change.has_room():
        return
    if change.incident.room:  # archived or deleted, which is final
        leave(change, change.incident.room)
    incident = change.incident
    guests = in_roles(incident, change.roster, incident.policy.room_invites)
    paged = sorted(incident.people() - {incident.reporter})
    open_for(change, (incident.reporter, *guests, *paged))
    begin_phase(change, PhaseStart.OPENED)


def open_for(change: Change, people: Iterable[PersonId]) -> None:
    """Open a room for these people, with everything in it. In a private one the card's thread lives there too."""
    private = change.incident.private
    opened = change.add_effect(OpenRoom, "room", name=room_name(change.incident, private), private=private)
    invite(change, people)
    card = change.add_effect(PostCard, "room", place="room")
    change.add_effect(PinCard, after=card.id)
    _set_topic(change, after=opened.id)
    _open_call(change)
    for title, url in change.incident.service_links:
        change.add_effect(BookmarkLink, after=opened.id, title=title, url=url)
    if private:
        change.set(lanes={**change.incident.lanes, "thread": card.id})


def _open_call(change: Change) -> None:
    """Have a meeting made for the room where there is none yet, else put the link to its call there."""
    incident = change.incident
    if not incident.open:
        return
    if incident.own_meetings and incident.meeting is None:
        if not incident.opening_meeting():
            change.add_effect(OpenMeeting, topic=meeting_topic(incident), neutral=incident.private)
    else:
        bookmark_call(change)


def bookmark_call(change: Change) -> None:
    """Put the link to the call at the top of the room, once that is open."""
    url, effects = change.incident.call_url, change.incident.effects
    if url and change.has_room():
        opening = next((e.id for e in effects if isinstance(e, OpenRoom) and not e.withdrawn), "")
        change.add_effect(BookmarkLink, after=opening, title="Meeting", url=url)


def delete_meeting(change: Change) -> None:
    """Give up the meeting: its topic tells what became private, and whoever read its link may join it."""
    if change.incident.meeting:
        change.add_effect(DeleteMeeting, meeting=change.incident.meeting.id)
        change.set(meeting=None)


def invite(change: Change, people: Iterable[PersonId]) -> None:
    """Invite people into the room, if there is (or will be) one."""
    once = tuple(dict.fromkeys(person for person in people if not title_of(person)))
    if once and change.has_room():
        change.add_effect(Invite, "room", people=once)


def leave(change: Change, room: Room) -> None:
    """Leave a lost room: nothing is posted there any more, and its card is dropped."""
    cards.forget_room(change)
    change.set(old_rooms=(*change.incident.old_rooms, room), room=None)


def refresh_topic(change: Change) -> None:
    """Set the topic again if it changed."""
    room = change.incident.room
    if room and not room.lost and topic(change.incident) != topic(change.before):
        _set_topic(change)


def _set_topic(change: Change, after: str = "") -> None:
    incident = change.incident
    name = f"{incident.id}-topic-{incident.round}-{len(incident.old_rooms)}"
    waiting = incident.effect(name)
    after = after or (waiting.after if waiting else "")
    change.replace_effect(SetTopic(id=name, at=change.now, after=after, face=incident.face))


def archive(change: Change) -> None:
    """Archive the room, after everything that is still to be posted or updated there."""
    if change.incident.room and not change.incident.room.lost:
        change.add_effect(ArchiveRoom, "thread" if change.incident.private else "room")


def archive_later(change: Change) -> None:
    """Archive the room of a cancelled incident soon; not one in which others are coordinated."""
    incident = change.incident
    if not (incident.linked and incident.coordinated_in == incident.id):
        change.disarm(CheckpointKind.ARCHIVE)
        change.arm(CheckpointKind.ARCHIVE, change.now + incident.scaled(ARCHIVED_AFTER))


def reopen(change: Change) -> None:
    """Keep the room of a reopened incident, or open a new one in place of an archived one."""
    change.drop_effects(*(e.id for e in change.incident.effects if isinstance(e, ArchiveRoom)))
    if change.has_room():
        begin_phase(change, PhaseStart.OPENED)
    elif change.incident.policy.room or change.incident.private:
        open_room(change)


def begin_phase(change: Change, start: PhaseStart) -> None:
    """Enter the phase with that start, if the policy has one and there is a room."""
    phases = change.incident.policy.phases
    index = next((n for n, phase in enumerate(phases) if phase.begins is start), None)
    if index is not None and change.has_room():
        _enter(change, index)


def time_box_over(change: Change, checkpoint: Checkpoint) -> None:
    """Say that a phase's time box is over, and enter the next phase if it follows by itself."""
    following = int(checkpoint.about) + 1
    phases = change.incident.policy.phases
    if following < len(phases) and phases[following].begins is PhaseStart.AFTER:
        _enter(change, max(following, _current_phase(change)))
        return
    entry = change.note(EntryKind.PHASE, fields={"over": phases[following - 1].name})
    change.say(entry)


def _current_phase(change: Change) -> int:
    """Return the phase of a fix that was begun before the room opened; 0 when there is none."""
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
    if leads and change.incident.leads.get(Lead.COMMANDER) not in leads:
        fields["acting"] = "yes"
    change.say(change.note(EntryKind.PHASE, people=leads, fields=fields))
    if phase.lasts and phase.begins is not PhaseStart.MONITORING:  # there, the question whether the fix held ends it
        change.arm(CheckpointKind.PHASE, change.now + change.incident.scaled(phase.lasts), str(index))


# Roles of the response -------------------------------------------------------------------------------------------


def take_lead(change: Change, event: TakeLead) -> None:
    """Take a role of the response, or offer it: an offer counts once the other has accepted it."""
    if event.declined:
        _decline(change, event)
    elif event.to and event.to != event.by:
        _offer(change, event)
    else:
        _take(change, event)


def _offer(change: Change, event: TakeLead) -> None:
    change.set(offers={**change.incident.offers, event.lead: event.to})
    fields = {"lead": event.lead, "what": "offered"}
    entry = change.note(EntryKind.LEADING, by=event.by, people=(event.to,), fields=fields)
    change.say(entry)
    change.notify(entry, event.to)


def _decline(change: Change, event: TakeLead) -> None:
    """Drop an offer, and tell whoever made it: they look for somebody else."""
    if change.incident.offers.get(event.lead) != event.by:
        raise Refused("That role is not offered to you.")
    offers = (e for e in reversed(change.incident.timeline) if e.kind is EntryKind.LEADING and e.people == (event.by,))
    offered_by = next((e.by for e in offers if (e.fields["lead"], e.fields["what"]) == (event.lead, "offered")), "")
    change.set(offers=_without(change.incident.offers, event.lead))
    fields = {"lead": event.lead, "what": "declined"}
    entry = change.note(EntryKind.LEADING, by=event.by, people=(offered_by,), fields=fields)
    change.say(entry)
    change.notify(entry, offered_by)


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
    change.say(entry)
    change.notify(entry, *former)
    invite(change, (event.by,))


def _without(offers: dict[Lead, PersonId], lead: Lead) -> dict[Lead, PersonId]:
    return {name: person for name, person in offers.items() if name is not lead}


# Several at once -------------------------------------------------------------------------------------------------


def linked(change: Change, event: Linked) -> None:
    """Link another open incident, unless it is known: one room is for all."""
    incident = change.incident
    if event.other in incident.linked or incident.private or not incident.open:
        return
    link(change, (event.other,), event.coordinated_in)


def link(change: Change, others: tuple[str, ...], coordinated_in: str, shared: Room | None = None) -> None:
    """Record linked incidents, and open a room where the policy wants one for several at once."""
    incident = change.incident
    change.set(linked=(*incident.linked, *others), coordinated_in=coordinated_in, shared_room=shared)
    if incident.policy.room_when_several:
        open_room(change)
    fields = {"others": ", ".join(others), "coordinated_in": change.incident.coordinated_in}
    change.say(change.note(EntryKind.LINKED, fields=fields))
