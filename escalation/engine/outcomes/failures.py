"""Effects that fail or are given up, and rooms and messages that are gone."""

from collections.abc import Mapping

from escalation.engine import cards, paging, warroom
from escalation.engine.automatic import actions
from escalation.engine.change import Change
from escalation.engine.channels import reaching
from escalation.incident.effects import (
    Effect,
    OpenMeeting,
    OpenRoom,
    PageBy,
    PinCard,
    Place,
    PostCard,
    Remind,
    RunAction,
    Say,
)
from escalation.incident.events.outcomes import Dropped, MessageGone, Trouble
from escalation.incident.responders import commander
from escalation.incident.state.entries import Entry, EntryKind
from escalation.incident.state.posted import Copy, CopyKind
from escalation.incident.state.rooms import Room

_CALLED: Mapping[type, str] = {OpenRoom: "the war room", OpenMeeting: "a call of its own"}  # on the timeline


def dropped(change: Change, event: Dropped) -> None:
    """Drop an effect for good; `gone` names a channel that was archived or deleted."""
    effect = change.incident.effect(event.effect)
    if effect is None:
        return
    if isinstance(effect, PageBy):
        reaching.not_sent(change, effect, event.why)
    if isinstance(effect, RunAction):
        actions.failed(change, effect, event.why)
    if not (event.gone and change.incident.private and isinstance(effect, Say)):  # that is said in the next room
        change.drop_effects(effect.id)
    if event.lasting and not isinstance(effect, RunAction):
        _note_trouble(change, effect, event.why, given_up="yes")
    if isinstance(effect, OpenMeeting) and not effect.withdrawn:  # the fixed link takes its place
        warroom.bookmark_call(change)
        change.advance_face()
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
    """Open a new room for a private incident: archived rooms are final, and it has no other place."""
    warroom.leave(change, lost)
    change.set(lanes={})
    warroom.open_for(change, sorted(change.incident.people()))
    _follow_card(change)


def _follow_card(change: Change) -> None:
    """Post under the new card, after it and in order, what was still to be posted under the lost one."""
    first = before = change.incident.lanes["thread"]
    for effect in change.incident.effects:
        said = isinstance(effect, Say | Remind) and effect.place is Place.THREAD
        waits = said and not (isinstance(effect, Say) and effect.withdrawn)
        if waits and effect.id != first:
            change.replace_effect(effect.model_copy(update={"after": before}))
            before = effect.id
    change.set(lanes={**change.incident.lanes, "thread": before})


def message_gone(change: Change, event: MessageGone) -> None:
    """Forget a deleted message, and post anew what has to live: a card, an unanswered page, a standing reminder."""
    incident = change.incident
    copy = incident.copy_of(event.shown)
    if copy is None and incident.post_of(event.shown) is None:
        return
    if copy and copy.kind in (CopyKind.CHANNEL, CopyKind.ROOM) and not copy.redacted:
        _card_gone(change, copy)
        return
    cards.forget(change, event.shown)
    if copy is None or copy.final or copy.redacted:
        return
    if copy.kind is CopyKind.DIRECT:
        paging.post_page_anew(change, copy.page)
    else:
        cards.remind_anew(change, copy)


def _card_gone(change: Change, card: Copy) -> None:
    """Post a new card, in whose thread all goes on. That of a closed incident waits until there is something to say."""
    incident = change.incident
    waiting = any(isinstance(e, Remind) or (isinstance(e, Say) and not e.withdrawn) for e in incident.effects)
    if not (incident.open or waiting):
        cards.drop_updates(change, card.id)
        return
    cards.forget(change, card.id)
    if card.kind is CopyKind.ROOM:
        new = change.add_effect(PostCard, "room", place="room")
        change.add_effect(PinCard, after=new.id)
    else:
        new = change.add_effect(PostCard, place="channel")
        change.set(lost_cards=(*incident.lost_cards, card))
    entry = change.note(EntryKind.CARD_LOST)
    if incident.private or card.kind is CopyKind.CHANNEL:
        change.set(lanes={**change.incident.lanes, "thread": new.id})
        change.say(entry)
        _follow_card(change)
    else:
        change.say(entry, Place.ROOM)


def trouble(change: Change, event: Trouble) -> None:
    """Show on the card that an effect fails; it is retried. What is ours is noted too, once for each reason."""
    incident = change.incident
    effect = incident.effect(event.effect)
    if effect is None or incident.troubles.get(event.effect) == event.why:
        return
    change.set(troubles={**incident.troubles, event.effect: event.why})
    change.advance_face()
    if isinstance(effect, PageBy) and not event.passing and event.effect not in incident.troubles:
        reaching.held_up(change, effect)
    if event.ask or not (event.passing or effect.optional):
        noted = _note_trouble(change, effect, event.why)
        if noted and event.ask:
            change.notify(noted, *(commander(incident, change.roster) or (incident.reporter,)))


def _note_trouble(change: Change, effect: Effect, why: str, **fields: str) -> Entry | None:
    """Note what fails, once for each reason; None if that was noted before."""
    what = _CALLED.get(type(effect), effect.kind)
    known = (e for e in change.incident.timeline if e.kind is EntryKind.TROUBLE and e.why == why)
    if any(fields.items() <= e.fields.items() for e in known):
        return None
    if isinstance(effect, PageBy):
        fields, whose = fields | {"channel": effect.via}, (change.incident.page(effect.page).person,)
        return change.note(EntryKind.TROUBLE, people=whose, why=why, fields={"what": what, **fields})
    return change.note(EntryKind.TROUBLE, why=why, fields={"what": what, **fields})
