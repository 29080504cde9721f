"""Delivered effects: the message that stands now, the page in it, a room, a meeting."""

from collections.abc import Container

from escalation.engine import cards, paging, warroom
from escalation.engine.automatic import actions
from escalation.engine.change import Change
from escalation.engine.channels import reaching
from escalation.engine.outcomes.refusals import forget_collective_refusals, judge_refusals, note_refusals
from escalation.incident.effects import (
    Alert,
    ArchiveRoom,
    CallWebhook,
    DeleteMeeting,
    Invite,
    MailOut,
    MailReview,
    OpenMeeting,
    OpenRoom,
    PageBy,
    Place,
    PostCard,
    Publish,
    Refresh,
    Remind,
    RemindPerson,
    RunAction,
    Say,
    SendInvitation,
    SendPage,
    SetTopic,
    Tell,
)
from escalation.incident.events.moves import Move
from escalation.incident.events.outcomes import Delivered, MeetingOpened, PageGathered, RoomOpened
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.pages import MAX_ALSO
from escalation.incident.state.posted import Copy, CopyKind, Post


def delivered(change: Change, event: Delivered, useful: Container[Move]) -> None:
    """Record a delivered effect and its message, and remove it from the pending ones."""
    effect = change.incident.effect(event.effect)
    if effect is None:
        _redact_late_card(change, event)
        return
    match effect:
        case Refresh():
            _refreshed(change, effect, event)
            return
        case SetTopic() if effect.face > event.face:
            change.replace_effect(effect.model_copy(update={"at": change.now}))
            return
        case PostCard(withdrawn=True) | Say(withdrawn=True):
            change.drop_effects(effect.id)
            _redact_late_card(change, event)
            return
        case SendPage():
            _page_arrived(change, effect, event)
        case RunAction():
            actions.done(change, effect, event.status)
        case PageBy():
            paging.taken_by(change, effect.page, effect.via)
            reaching.note_accepted(change, effect)
        case MailOut() | MailReview() | Invite() | SendInvitation() if event.refused:
            note_refusals(change, effect, event.refused)
        case ArchiveRoom() if change.incident.room:
            change.set(room=change.incident.room.model_copy(update={"lost": True}))
        case Remind() | RemindPerson():
            cards.reminder_posted(change, effect, event)
        case PostCard():
            kind = CopyKind.ROOM if effect.place == "room" else CopyKind.CHANNEL
            cards.posted(change, Copy(id=effect.id, kind=kind, channel=event.channel, ts=event.ts, face=event.face))
        case Say() | Tell():
            cards.message_posted(change, effect, event, useful)
    if isinstance(effect, MailOut | PageBy | Alert | Publish | CallWebhook):
        _sent_elsewhere(change, effect)
    if isinstance(effect, MailOut | CallWebhook) or (isinstance(effect, Say) and _to_list(effect)):
        _note_sent(change, effect, event)
    change.drop_effects(effect.id)


def _sent_elsewhere(change: Change, effect: MailOut | PageBy | Alert | Publish | CallWebhook) -> None:
    """Record that words of the incident went through another channel than Slack."""
    person = change.incident.page(effect.page).person if isinstance(effect, PageBy) else ""
    entries = (effect.entry,) if isinstance(effect, MailOut | Publish | CallWebhook) else ()
    post = Post(id=effect.id, entries=entries, place=effect.carried_by, at=change.now, person=person)
    change.set(posts=(*change.incident.posts, post))


def _to_list(effect: Say) -> bool:
    """True for a post in the channel of a list; that stakeholders are told in their own one is noted when decided."""
    return effect.place is Place.STAKEHOLDERS and bool(effect.channel)


def _note_sent(change: Change, effect: MailOut | CallWebhook | Say, event: Delivered) -> None:
    """Note what was sent to whom, against which deadline."""
    told = change.incident.entry(effect.entry).fields
    match effect:
        case MailOut():
            roles = ("stakeholders",) if effect.to_role else ()
            means, to = "email", ", ".join(dict.fromkeys((*roles, *effect.lists)))
        case CallWebhook():
            means, to = effect.means.replace("_", " "), ""
        case Say():
            means, to = "Slack", f"#{effect.channel}"
    counts = {"reached": str(event.reached), "refused": str(len(event.refused))}
    fields = {"n": told["n"], "means": means, "to": to, "deadline": told.get("deadline", ""), **counts}
    change.note(EntryKind.SENT, fields=fields)


def _page_arrived(change: Change, effect: SendPage, event: Delivered) -> None:
    page = change.incident.page(effect.page)
    change.set(gone=tuple(p for p in change.incident.gone if p != (event.person or page.person)))
    if event.person and event.person != page.person:  # found only now: from here on the page is that member's
        page = page.model_copy(update={"person": event.person})
        paging.set_page(change, page)
    copy = Copy(
        id=effect.id,
        kind=CopyKind.DIRECT,
        channel=event.channel,
        ts=event.ts,
        face=event.face,
        person=page.person,
        page=page.n,
    )
    theirs = [c for c in change.incident.copies if c.kind is CopyKind.DIRECT and c.person == page.person]
    if event.by_slack_at:
        fields = {"at": event.by_slack_at.isoformat()}
        change.say(change.note(EntryKind.STOOD_IN, people=(page.person,), fields=fields))
    found_late = any(c.ts > copy.ts for c in theirs)  # a newer one has taken its place
    cards.finalise(change, *(c.id for c in theirs if not c.final and not found_late))
    cards.posted(change, copy)
    if found_late:
        cards.finalise(change, copy.id)
    if page.refusal:
        change.replace_page(page.model_copy(update={"refusal": ""}))
    forget_collective_refusals(change)
    judge_refusals(change)


def page_gathered(change: Change, event: PageGathered) -> None:
    """List another incident's page on the page whose thread holds it. Other cards show no difference."""
    copy = change.incident.copy_of(event.effect)
    if copy is None:
        return
    page = change.incident.page(copy.page)
    if event.other in page.also or len(page.also) >= MAX_ALSO:
        return
    listed = page.model_copy(update={"also": (*page.also, event.other)})
    change.replace_page(listed)
    if not copy.final:
        cards.refresh(change, copy.id)


def _refreshed(change: Change, effect: Refresh, event: Delivered) -> None:
    """Record the face that a card shows. If the incident changed meanwhile, the effect stays, renewed."""
    copies = change.incident.copies
    change.set(copies=tuple(c.model_copy(update={"face": event.face}) if c.id == effect.copy_id else c for c in copies))
    if event.face < effect.face:
        change.replace_effect(effect.model_copy(update={"at": change.now}))
    else:
        change.drop_effects(effect.id)


def _redact_late_card(change: Change, event: Delivered) -> None:
    """Redact a public card that was sent after the incident had become private."""
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
    """Record the opened war room; one no longer wanted gets a neutral topic instead."""
    effect = change.incident.effect(event.effect)
    if effect is None or (isinstance(effect, OpenRoom) and effect.withdrawn):
        change.drop_effects(event.effect)
        if change.incident.private and not event.room.private:  # opened while the incident became private
            change.set(old_rooms=(*change.incident.old_rooms, event.room))
            change.add_effect(SetTopic, channel=event.room.channel, neutral=True)
        return
    change.set(room=event.room)
    change.drop_effects(effect.id)
    change.note(EntryKind.ROOM_OPENED, fields={"channel": event.room.channel, "name": event.room.name})


def meeting_opened(change: Change, event: MeetingOpened) -> None:
    """Record the war room's meeting and put its link there; one no longer wanted is deleted again."""
    effect, known = change.incident.effect(event.effect), change.incident.meeting
    change.drop_effects(event.effect)
    if known and known.id == event.meeting.id:
        return
    if known or effect is None or (isinstance(effect, OpenMeeting) and effect.withdrawn):
        change.add_effect(DeleteMeeting, meeting=event.meeting.id)
        return
    change.set(meeting=event.meeting)
    change.advance_face()
    warroom.bookmark_call(change)
