"""Outcomes of effects: delivered with a message, or why it could not be delivered."""

from collections.abc import Container, Mapping
from datetime import datetime, timedelta
from enum import Enum, auto

from escalation.engine import cards, paging, reaching, warroom
from escalation.engine.automatic import actions
from escalation.engine.change import Change
from escalation.incident.closing.reviews import asked
from escalation.incident.effects import (
    Alert,
    ArchiveRoom,
    CallWebhook,
    DeleteMeeting,
    Effect,
    Invite,
    MailOut,
    MailReview,
    OpenMeeting,
    OpenRoom,
    PageBy,
    PagePerson,
    PinCard,
    Place,
    PostCard,
    Publish,
    Refresh,
    Remind,
    Reminded,
    RemindPerson,
    RunAction,
    Say,
    SendInvitation,
    SendPage,
    SetTopic,
    Tell,
)
from escalation.incident.events.moves import Move
from escalation.incident.events.news import MAX_TITLES, AlertsChanged, MailReceived, Redacted, ResolvedThere
from escalation.incident.events.outcomes import (
    Delivered,
    Dropped,
    MeetingOpened,
    MessageGone,
    PageGathered,
    PersonRefused,
    RoomOpened,
    Trouble,
)
from escalation.incident.model import Incident
from escalation.incident.responders import commander, speaker
from escalation.incident.state.entries import Entry, EntryKind
from escalation.incident.state.pages import MAX_ALSO, Page, PageState
from escalation.incident.state.posted import Copy, CopyKind, Post
from escalation.incident.state.rooms import Room
from escalation.values import PersonId

_CALLED: Mapping[type, str] = {OpenRoom: "the war room", OpenMeeting: "a call of its own"}  # on the timeline
JUDGED_AFTER = timedelta(seconds=5)  # a refused page waits no longer to see whether the others of it arrive


class Fault(Enum):
    """Whose fault a refused page is."""

    PERSON = auto()
    OURS = auto()
    UNKNOWN = auto()


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
            _note_refusals(change, effect, event.refused)
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
        _set_quietly(change, page.model_copy(update={"refusal": ""}))
    _forget_collective_refusals(change)
    _judge_refusals(change)


def page_gathered(change: Change, event: PageGathered) -> None:
    """List another incident's page on the page whose thread holds it. Other cards show no difference."""
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


def person_refused(change: Change, event: PersonRefused) -> None:
    """Record that an effect cannot reach its person. A refused page escalates, unless Slack refuses everybody alike."""
    effect = change.incident.effect(event.effect)
    if effect is None:
        return
    page = change.incident.page(effect.page) if isinstance(effect, PagePerson) else None
    if isinstance(effect, SendPage) and page and page.state is PageState.OPEN:
        _set_quietly(change, page.model_copy(update={"refusal": event.why}))
        _judge_refusals(change)
        return
    change.drop_effects(effect.id)
    if isinstance(effect, Tell | RemindPerson):
        _redirect(change, effect, event.why)
    if isinstance(effect, PageBy) and page:  # the page itself stands in Slack
        reaching.refused(change, effect, event.why)


def _redirect(change: Change, effect: Tell | RemindPerson, why: str) -> None:
    """Send a message that cannot reach its person to whoever holds the role now, and say so once in the thread.

    A role of the response that they had taken or were offered is free again.
    """
    incident, person = change.incident, effect.person
    known = person in incident.gone
    change.set(
        gone=tuple(dict.fromkeys((*incident.gone, person))),
        leads={lead: holder for lead, holder in incident.leads.items() if holder != person},
        offers={lead: holder for lead, holder in incident.offers.items() if holder != person},
    )
    entry = incident.entry(effect.entry)
    if entry.kind is EntryKind.LEADING:  # an offer, or the answer to one
        refused = change.note(EntryKind.REFUSED, people=(person,), why=why, fields={"via": effect.kind, "offer": "yes"})
        change.say(refused)
        change.notify(refused, *(p for p in (entry.by,) if p and p not in change.incident.gone))
        return
    about = effect.about if isinstance(effect, RemindPerson) else None
    lead = {Reminded.COMMUNICATIONS: speaker, Reminded.REVIEW: asked}.get(about, commander) if about else commander
    successors = lead(change.incident, change.roster)
    if not known:
        fields = {"via": effect.kind, "to": " ".join(successors)}
        change.say(change.note(EntryKind.REFUSED, people=(person,), why=why, fields=fields))
    if isinstance(effect, RemindPerson):
        standing = change.incident.reminders.get(effect.about)
        untold = tuple(p for p in successors if standing and p not in standing.told)
        if untold:
            cards.remind_people(change, effect.about, entry, *untold)
    elif entry.fields.get("from") != person:  # who has handed over needs no successor
        reached = {e.person for e in change.incident.effects if isinstance(e, Tell) and e.entry == entry.n}
        told = {p.person for p in incident.posts if entry.n in p.entries}
        change.notify(entry, *(p for p in successors if p not in reached | told | set(entry.people)))


def _set_quietly(change: Change, page: Page) -> None:
    """Replace a page by its new state; readers see no difference."""
    change.set(pages=tuple(page if p.n == page.n else p for p in change.incident.pages))


def _forget_collective_refusals(change: Change) -> None:
    """Slack takes pages again: those that it refused like all others are tried again before they are judged."""
    for effect in change.incident.effects:
        if isinstance(effect, SendPage) and effect.id in change.incident.troubles:
            page = change.incident.page(effect.page)
            _set_quietly(change, page.model_copy(update={"refusal": ""}))
            left = {other: why for other, why in change.incident.troubles.items() if other != effect.id}
            change.set(troubles=left)
            change.advance_face()


def _judge_refusals(change: Change) -> None:
    """Decide about refused pages: the person's escalate, ours are retried and said, the others wait for each other."""
    for effect in change.incident.effects:
        page = change.incident.page(effect.page) if isinstance(effect, SendPage) else None
        if page is None or not page.refusal or page.state is not PageState.OPEN:
            continue
        match _at_fault(change.incident, page, change.now):
            case Fault.PERSON:
                change.drop_effects(effect.id)
                paging.escalate_past(change, page, page.refusal)
            case Fault.OURS:
                why = f"Slack refuses everybody alike ({page.refusal}): see tocsin doctor, or call them"
                trouble(change, Trouble(effect=effect.id, why=why))
            case Fault.UNKNOWN:
                pass


def _at_fault(incident: Incident, page: Page, now: datetime) -> Fault:
    """Whose fault a refused page is: one reason for everybody on it is no coincidence.

    A page to one person alone is compared with the others of the incident: tiers of one must not be climbed in a
    second either, up to the CTO.
    """
    together = [p for p in incident.pages if (p.tier, p.at) == (page.tier, page.at)]
    compared = together if len(together) > 1 else [p for p in incident.pages if p.at >= incident.clock_from]
    if any(incident.in_slack(p) for p in compared if p.n != page.n):
        return Fault.PERSON
    pending = {e.page for e in incident.effects if isinstance(e, SendPage)}
    if now - page.at < JUDGED_AFTER and any(p.n in pending and not p.refusal for p in together):
        return Fault.UNKNOWN
    all_alike = all(p.refusal == page.refusal for p in together)
    people = {p.person for p in compared if p.refusal == page.refusal}
    return Fault.OURS if all_alike and len(people) > 1 else Fault.PERSON


def _note_refusals(change: Change, effect: Effect, refused: Mapping[PersonId, str]) -> None:
    """Note whom a mail or an invitation could not reach, by reason. The thread hears of mails only."""
    for why in dict.fromkeys(refused.values()):
        people = tuple(person for person, reason in refused.items() if reason == why)
        entry = change.note(EntryKind.REFUSED, people=people, why=why, fields={"via": effect.kind})
        if not isinstance(effect, Invite):
            change.say(entry)


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


def alerts_changed(change: Change, event: AlertsChanged) -> None:
    """Show what the alerts of an open incident are now, and ask whether it is over once all have ended."""
    if not change.incident.open:  # the record of a closed incident stays as it was
        return
    if event.alerts != change.incident.alerts:
        change.set(alerts=event.alerts)
        change.advance_face()
    if event.began or event.ended:
        counts = {"firing": str(event.alerts.firing), "total": str(event.alerts.total)}
        titles = {**_titles("began", event.began), **_titles("ended", event.ended)}
        change.note(EntryKind.ALERTS, by=event.by, fields=counts | titles)
    if event.over:
        change.say(change.note(EntryKind.ALERTS_ENDED, by=event.by))


def _titles(name: str, titles: tuple[str, ...]) -> dict[str, str]:
    """The first titles, and how many more there are: those of a storm would fill the incident."""
    more = {f"more_{name}": str(len(titles) - MAX_TITLES)} if len(titles) > MAX_TITLES else {}
    return {name: "\n".join(titles[:MAX_TITLES]), **more}


def resolved_there(change: Change, event: ResolvedThere) -> None:
    """Ask whether an open incident is over, now that another paging service has it as resolved."""
    if change.incident.open:
        fields = {"service": event.service, "known_as": event.known_as}
        change.say(change.note(EntryKind.RESOLVED_THERE, by=event.by, fields=fields))


def mail_received(change: Change, event: MailReceived) -> None:
    """Post what somebody wrote, also once the incident is closed: they may say that it is not over."""
    if event.key in change.incident.keys:
        return
    change.set(keys=(*change.incident.keys[-49:], event.key))
    change.say(change.note(EntryKind.MAIL, by=event.by, text=event.text))


def redacted(change: Change, event: Redacted) -> None:
    """Note that somebody was forgotten, and show every card and message anew: they are rendered from the record."""
    change.note(EntryKind.REDACTED, fields=event.digests)
    cards.show_anew(change)
    room = change.incident.room
    if room and not room.lost:
        change.add_effect(SetTopic, face=change.incident.face)


def message_gone(change: Change, event: MessageGone) -> None:
    """Forget a deleted message. In place of a card a new one is posted, and the thread goes on there."""
    incident = change.incident
    card = incident.copy_of(event.shown)
    if card is None and incident.post_of(event.shown) is None:
        return
    cards.forget(change, event.shown)
    waiting = any(isinstance(e, Say) and not e.withdrawn for e in change.incident.effects)
    kinds = (CopyKind.CHANNEL, CopyKind.ROOM)  # a page, a reminder or a list comes again by itself
    if card is None or card.redacted or card.kind not in kinds or not (incident.open or waiting):
        return
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
    return change.note(EntryKind.TROUBLE, why=why, fields={"what": what, **fields})
