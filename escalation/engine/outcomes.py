"""What the outside answered to an effect: where its message stands, or why it could not be carried out."""

from escalation.engine import cards, paging, warroom
from escalation.engine.change import Change
from escalation.incident.effects import ArchiveRoom, OpenRoom, PostCard, Refresh, Say, SendPage, SetTopic
from escalation.incident.events import Delivered, Dropped, PageGathered, PersonRefused, RoomOpened, Trouble
from escalation.incident.model import MAX_ALSO, Copy, CopyKind, EntryKind, PageState, Room


def delivered(change: Change, event: Delivered) -> None:
    """An effect went out: what it left behind is written down, and it is pending no more."""
    effect = change.incident.effect(event.effect)
    if effect is None:
        _late(change, event)
        return
    match effect:
        case Refresh():
            _refreshed(change, effect, event)
            return
        case SetTopic() if effect.face > event.face:
            change.replace_effect(effect.model_copy(update={"at": change.now}))
            return
        case PostCard(withdrawn=True):
            change.drop_effects(effect.id)
            _late(change, event)
            return
        case SendPage():
            _page_arrived(change, effect, event)
        case ArchiveRoom() if change.incident.room:
            change.set(room=change.incident.room.model_copy(update={"lost": True}))
        case PostCard():
            kind = CopyKind.ROOM if effect.place == "room" else CopyKind.CHANNEL
            cards.posted(change, Copy(id=effect.id, kind=kind, channel=event.channel, ts=event.ts, face=event.face))
    change.drop_effects(effect.id)


def _page_arrived(change: Change, effect: SendPage, event: Delivered) -> None:
    page = change.incident.page(effect.page)
    if event.person and event.person != page.person:  # found only now: from here on the page is that member's
        page = page.model_copy(update={"person": event.person})
        paging.set_page(change, page)
    older = (c.id for c in change.incident.copies if c.person == page.person and not c.final)
    cards.finalise(change, *older)
    cards.posted(
        change,
        Copy(
            id=effect.id,
            kind=CopyKind.DIRECT,
            channel=event.channel,
            ts=event.ts,
            face=event.face,
            person=page.person,
            page=page.n,
        ),
    )


def page_gathered(change: Change, event: PageGathered) -> None:
    """The page lists what stands in its thread. Other copies show no difference."""
    copy = change.incident.copy_of(event.effect)
    if copy is None:
        return
    page = change.incident.page(copy.page)
    if event.other in page.also or len(page.also) >= MAX_ALSO:
        return
    listed = page.model_copy(update={"also": (*page.also, event.other)})
    change.set(pages=tuple(listed if p.n == page.n else p for p in change.incident.pages))
    if not copy.final:
        cards.refresh(change, copy.id)


def _refreshed(change: Change, effect: Refresh, event: Delivered) -> None:
    """The copy shows `event.face` now. If the incident moved on meanwhile, the effect stays, renewed."""
    copies = change.incident.copies
    change.set(copies=tuple(c.model_copy(update={"face": event.face}) if c.id == effect.copy_id else c for c in copies))
    if event.face < effect.face:
        change.replace_effect(effect.model_copy(update={"at": change.now}))
    else:
        change.drop_effects(effect.id)


def _late(change: Change, event: Delivered) -> None:
    """A message that went out although it was called off: in public, about what is private now. Redact it."""
    incident = change.incident
    card = event.ts and event.face and not event.person
    known = any((c.channel, c.ts) == (event.channel, event.ts) for c in incident.copies)
    at_home = incident.room and event.channel == incident.room.channel
    if not (incident.private and card) or known or at_home:
        return
    copy = Copy(
        id=event.effect, kind=CopyKind.CHANNEL, channel=event.channel, ts=event.ts, face=0, redacted=True, final=True
    )
    cards.posted(change, copy)


def room_opened(change: Change, event: RoomOpened) -> None:
    """The war room is there; one that became unwanted meanwhile is left without a word of the matter."""
    effect = change.incident.effect(event.effect)
    if effect is None or (isinstance(effect, OpenRoom) and effect.withdrawn):
        change.drop_effects(event.effect)
        if change.incident.private and not event.room.private:  # opened while the incident became private
            change.set(old_rooms=(*change.incident.old_rooms, event.room))
            change.cause(SetTopic, channel=event.room.channel, neutral=True)
        return
    change.set(room=event.room)
    change.drop_effects(effect.id)
    change.note(EntryKind.ROOM_OPENED, fields={"channel": event.room.channel, "name": event.room.name})


def person_refused(change: Change, event: PersonRefused) -> None:
    """Something could not reach its person. If it was a page, the next tier is paged."""
    effect = change.incident.effect(event.effect)
    if effect is None:
        return
    change.drop_effects(effect.id)
    if isinstance(effect, SendPage) and change.incident.page(effect.page).state is PageState.OPEN:
        paging.climb_past(change, change.incident.page(effect.page), event.why)


def dropped(change: Change, event: Dropped) -> None:
    """An effect is given up; `gone` names a channel that was archived or deleted."""
    effect = change.incident.effect(event.effect)
    if effect is None:
        return
    if not (event.gone and change.incident.private and isinstance(effect, Say)):  # that is said in the next room
        change.drop_effects(effect.id)
    room = change.incident.room
    if room and not room.lost and room.channel == event.gone:
        change.set(room=room.model_copy(update={"lost": True}))
        if change.incident.reviewed:  # we archived it ourselves, and this came after
            return
        entry = change.note(EntryKind.ROOM_LOST, why=event.why, fields={"name": room.name})
        if change.incident.private:
            _move_to_new_room(change, room)
        change.say(entry)


def _move_to_new_room(change: Change, lost: Room) -> None:
    """A private incident has no other home: archived rooms are final, so it gets a new one."""
    warroom.leave(change, lost)
    change.set(lanes={})
    warroom.open_for(change, sorted(change.incident.people()))
    _say_it_there(change)


def _say_it_there(change: Change) -> None:
    """What was still to be said in the lost room follows the new room's card, in its order."""
    before = change.incident.lanes["thread"]
    for effect in change.incident.effects:
        if isinstance(effect, Say):
            change.replace_effect(effect.model_copy(update={"after": before}))
            before = effect.id
    change.set(lanes={**change.incident.lanes, "thread": before})


def trouble(change: Change, event: Trouble) -> None:
    """Refused because of us: said once for each reason, and retried."""
    effect = change.incident.effect(event.effect)
    if effect is None or effect.optional or change.incident.troubles.get(event.effect) == event.why:
        return
    what = "the war room" if isinstance(effect, OpenRoom) else effect.kind
    change.set(troubles={**change.incident.troubles, event.effect: event.why})
    change.note(EntryKind.TROUBLE, why=event.why, fields={"what": what})
