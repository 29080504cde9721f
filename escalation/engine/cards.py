"""Posted cards and messages of an incident: updated, stripped of buttons, redacted, dropped with a lost room.

Cards are updated at each change; reminders and the list of communications when what they show has changed. A repeated
reminder is posted anew, for an edit notifies nobody, and the former one is deleted: one stands.
"""

from collections.abc import Container
from datetime import datetime

from escalation.engine.change import Change
from escalation.incident.asks import Ask, asks, may_ask
from escalation.incident.closing.reviews import outstanding
from escalation.incident.effects import Effect, Place, Refresh, Remind, Reminded, RemindPerson, Retract, Say, Tell
from escalation.incident.events.moves import Move
from escalation.incident.events.outcomes import Delivered
from escalation.incident.model import Incident
from escalation.incident.state.checkpoints import CheckpointKind
from escalation.incident.state.communications import OwedState
from escalation.incident.state.entries import Entry, EntryKind
from escalation.incident.state.facts import Status
from escalation.incident.state.posted import DIRECT, Copy, CopyKind, Post, Reminder
from escalation.values import PersonId


def refresh(change: Change, copy_id: str) -> None:
    """Refresh one posted card."""
    change.replace_effect(Refresh(id=_refresh_id(copy_id), at=change.now, copy_id=copy_id, face=change.incident.face))


def refresh_all(change: Change) -> None:
    """Refresh every card that is not final, if readers can see a difference."""
    if change.incident.face != change.before.face:
        for copy in change.incident.copies:
            if copy.final or (copy.page and not change.pages_changed):
                continue
            if _shown(copy, change.incident) != _shown(copy, change.before):
                refresh(change, copy.id)


def show_anew(change: Change) -> None:
    """Show every card and message anew, final ones as well."""
    standing = [copy for copy in change.incident.copies if not copy.redacted]
    finalise(change, *(copy.id for copy in standing if copy.final))
    for copy in standing:
        if not copy.final:
            refresh(change, copy.id)
    for post in change.incident.posts:
        if post.ts and not post.redacted:
            refresh(change, post.id)


def arm_redraw(change: Change) -> None:
    """Set the checkpoint at which the cards change by themselves: the next time on them that passes."""
    before, incident = change.before, change.incident
    if before.timeline and _clock(before) == _clock(incident):
        return
    if any(at <= change.now and not incident.passed(at) for at in times_on_card(incident)):
        change.set(redrawn_at=change.now)  # a change of severity may bring times that are over already
        incident = change.incident
    next_ = min((at for at in times_on_card(incident) if not incident.passed(at)), default=None)
    change.disarm(CheckpointKind.REDRAW)
    if next_:
        change.arm(CheckpointKind.REDRAW, next_)


def _clock(incident: Incident) -> tuple[object, ...]:
    """Return what decides when the cards change by themselves; working days make the times costly to compute."""
    acknowledged = incident.acknowledgement is not None
    return (incident.sla_from, incident.severity, acknowledged, incident.eta_at, incident.redrawn_at, incident.open)


def times_on_card(incident: Incident) -> tuple[datetime, ...]:
    """Return the instants that an open incident's card shows as met or missed."""
    if not incident.open:
        return ()
    acknowledge_by = () if incident.acknowledgement else (incident.acknowledge_by,)
    return (*acknowledge_by, incident.resolve_by, *([incident.eta_at] if incident.eta_at else []))


def _shown(copy: Copy, incident: Incident) -> object:
    """Return what a copy shows, to be compared."""
    named = (incident.facts.title, incident.severity)
    match copy.kind:
        case CopyKind.REMINDER:
            review = incident.review_work if copy.about == Reminded.REVIEW else None
            return (*named, incident.reminders.get(Reminded(copy.about)), review, incident.gone if review else ())
        case CopyKind.COMMUNICATIONS:
            late = incident.latest(EntryKind.OVERDUE)
            reminder = incident.reminders.get(Reminded.COMMUNICATIONS)
            return (*named, reminder, incident.communications, late and late.n, incident.leads)
        case _:
            return incident.face


def posted(change: Change, copy: Copy) -> None:
    """Record a posted card; refresh it at once if it shows an older face."""
    change.set(copies=(*change.incident.copies, copy))
    if copy.face < change.incident.face:
        refresh(change, copy.id)


def finalise(change: Change, *copy_ids: str, redact: bool = False) -> None:
    """Refresh these cards once more, without buttons, and then never again.

    A refresh on its way may still have the buttons: the last one goes out after it, under an id of its own.
    """
    kept = tuple(
        c.model_copy(update={"final": True, "redacted": redact or c.redacted}) if c.id in copy_ids else c
        for c in change.incident.copies
    )
    change.set(copies=kept)
    for copy_id in copy_ids:
        last = Refresh(
            id=final_id(copy_id),
            at=change.now,
            after=_refresh_id(copy_id),
            copy_id=copy_id,
            face=change.incident.face,
        )
        change.replace_effect(last)


def redact_public(change: Change) -> None:
    """Redact the public cards and messages, and those to people who are not of it: they only say that it moved."""
    public = (c.id for c in change.incident.copies if is_card_public(c, change.incident) and not c.redacted)
    finalise(change, *public, redact=True)
    for post in change.incident.posts:
        if is_public(post, change.incident) and not post.redacted:
            _set_post(change, post.model_copy(update={"redacted": True, "asks": ()}))


def is_card_public(copy: Copy, incident: Incident) -> bool:
    """True if others than an incident's people may read a card or a reminder, as whoever was reminded in person."""
    return not copy.person or copy.person not in incident.people()


def is_public(post: Post, incident: Incident) -> bool:
    """True if others than an incident's people may read a message in Slack."""
    if post.place == DIRECT:
        return post.person not in incident.people()
    home = incident.room if incident.room and incident.room.private else None
    return bool(post.channel) and not (home and home.channel == post.channel)


def forget_room(change: Change) -> None:
    """Drop what stands in a lost war room, its card and its reminders, with what was still to be changed there."""
    incident = change.incident
    room = incident.room.channel if incident.room else ""
    lost = {c.id for c in incident.copies if c.channel == room}  # a former public room's is still to be redacted
    change.drop_effects(*(e.id for e in incident.effects if isinstance(e, Refresh) and e.copy_id in lost))
    change.drop_effects(*(e.id for e in incident.effects if isinstance(e, Retract) and e.channel == room))
    change.set(copies=tuple(c for c in incident.copies if c.id not in lost))
    for post in incident.posts:
        if post.channel == room and not post.redacted:
            forget(change, post.id)


# Messages --------------------------------------------------------------------------------------------------------


def message_posted(change: Change, effect: Effect, event: Delivered, useful: Container[Move]) -> None:
    """Record a message other than a card: where it stands, and what its buttons ask for.

    One that was rendered before the incident changed may show other buttons: it is updated once.
    """
    incident = change.incident
    entries = effect.entries if isinstance(effect, Say) else (effect.entry,) if isinstance(effect, Tell) else ()
    place = effect.place if isinstance(effect, Say) else DIRECT
    post = Post(
        id=effect.id,
        entries=entries,
        place=place,
        channel=event.channel,
        ts=event.ts,
        at=change.now,
        person=effect.person if isinstance(effect, Tell) else "",
    )
    post = post.model_copy(update={"asks": tuple(a.key for a in _asked(incident, post, useful))})
    change.set(posts=(*incident.posts, post))
    if event.face < incident.face and any(may_ask(incident.entry(n)) for n in entries):
        refresh(change, post.id)


def retire_buttons(change: Change, useful: Container[Move]) -> None:
    """Take the buttons off messages that no longer ask for anything, or for what a newer message there asks too."""
    incident = change.incident
    newer: set[tuple[str, str, str]] = set()
    for post in reversed(incident.posts):
        if not post.asks:
            continue
        now = {ask.key for ask in _asked(incident, post, useful)}
        left = tuple(key for key in post.asks if key in now and (post.channel, post.place, key) not in newer)
        newer |= {(post.channel, post.place, key) for key in left}
        if left != post.asks:
            _set_post(change, post.model_copy(update={"asks": left}))


def forget(change: Change, shown_id: str) -> None:
    """Drop a card or a message that was deleted by hand, with its updates."""
    drop_updates(change, shown_id)
    change.set(
        copies=tuple(c for c in change.incident.copies if c.id != shown_id),
        posts=tuple(p for p in change.incident.posts if p.id != shown_id),
    )


def drop_updates(change: Change, shown_id: str) -> None:
    """Drop what was still to be changed on a card or a message."""
    updates = (e.id for e in change.incident.effects if isinstance(e, Refresh) and e.copy_id == shown_id)
    change.drop_effects(*updates)


def _asked(incident: Incident, post: Post, useful: Container[Move]) -> tuple[Ask, ...]:
    """Return what a message asks for now, by its entries; each thing once."""
    wanted = (ask for n in post.entries for ask in asks(incident, incident.entry(n)))
    return tuple(dict.fromkeys(ask for ask in wanted if ask.move in useful))


def _set_post(change: Change, post: Post) -> None:
    """Change what a message shows, and update it."""
    change.set(posts=tuple(post if p.id == post.id else p for p in change.incident.posts))
    refresh(change, post.id)


def final_id(copy_id: str) -> str:
    """Return the id of the last update of a card."""
    return f"{copy_id}-final"


def _refresh_id(copy_id: str) -> str:
    return f"{copy_id}-refresh"


# Reminders -------------------------------------------------------------------------------------------------------


def remind(change: Change, about: Reminded, entry: Entry, since: datetime) -> None:
    """Raise a reminder, or repeat it: one post where the work is done, in the war room if there is one."""
    standing = change.incident.reminders.get(about)
    fresh = {"entry": entry.n, "snoozed_until": None, "snoozed_by": ""}
    _keep(change, about, standing.model_copy(update=fresh) if standing else Reminder(since=since, entry=entry.n))
    _post_reminder(change, about, entry.n)


def _post_reminder(change: Change, about: Reminded, entry: int) -> None:
    waiting = next((e for e in change.incident.effects if isinstance(e, Remind) and e.about is about), None)
    if waiting:  # Slack is away: it will say how things stand then
        change.replace_effect(waiting.model_copy(update={"entry": entry}))
    else:
        place = Place.ROOM if change.has_room() else Place.THREAD
        change.add_effect(Remind, place, about=about, entry=entry, place=place)


def remind_people(change: Change, about: Reminded, entry: Entry, *people: PersonId) -> None:
    """Send a standing reminder to people directly; it is overdue from now on, or a list that they look after."""
    reminder = change.incident.reminders[about]
    told = tuple(dict.fromkeys((*reminder.told, *people)))
    _keep(change, about, reminder.model_copy(update={"told": told, "overdue": True}))
    for person in people:
        _send_reminder(change, about, entry.n, person)


def _send_reminder(change: Change, about: Reminded, entry: int, person: PersonId) -> None:
    sent = (e for e in change.incident.effects if isinstance(e, RemindPerson) and e.about is about)
    waiting = next((e for e in sent if e.person == person), None)
    if waiting:
        change.replace_effect(waiting.model_copy(update={"entry": entry}))
    else:
        change.add_effect(RemindPerson, about=about, entry=entry, person=person)
        change.let_in(person)


def remind_anew(change: Change, gone: Copy) -> None:
    """Post a standing reminder, or a list with something due on it, once more: its message was deleted."""
    incident, about = change.incident, Reminded(gone.about)
    reminder = incident.reminders.get(about)
    due = any(c.state in (OwedState.WAITING, OwedState.OWED) for c in incident.communications)
    if reminder is None or (about is Reminded.COMMUNICATIONS and not (incident.open or due)):
        return
    if gone.person:
        _send_reminder(change, about, reminder.entry, gone.person)
    else:
        _post_reminder(change, about, reminder.entry)


def snooze(change: Change, about: Reminded, until: datetime, by: PersonId) -> None:
    """Mark a standing reminder as snoozed."""
    reminder = change.incident.reminders.get(about)
    if reminder:
        _keep(change, about, reminder.model_copy(update={"snoozed_until": until, "snoozed_by": by}))


def settle(change: Change) -> None:
    """End the reminders that are answered or moot: their messages say so, and have no buttons any more."""
    for about, reminder in change.incident.reminders.items():
        if _over(about, reminder, change.incident):
            end_reminder(change, about)


def end_reminder(change: Change, about: Reminded) -> None:
    """End a reminder. One that is on its way is moot when it is sent, or loses its buttons once it stands."""
    change.set(reminders={a: r for a, r in change.incident.reminders.items() if a is not about})
    finalise(change, *(c.id for c in change.incident.copies if c.about == about and not c.final and _reminds(c)))


def reminder_posted(change: Change, effect: Remind | RemindPerson, event: Delivered) -> None:
    """Record a posted reminder, and delete the one that it repeats."""
    person = effect.person if isinstance(effect, RemindPerson) else ""
    kind = CopyKind.COMMUNICATIONS if effect.about is Reminded.COMMUNICATIONS else CopyKind.REMINDER
    older = [c for c in change.incident.copies if (c.kind, c.about, c.person) == (kind, effect.about, person)]
    _retract(change, *(c for c in older if not c.final))
    made = {"channel": event.channel, "ts": event.ts, "face": event.face, "person": person, "about": effect.about}
    posted(change, Copy(id=effect.id, kind=kind, **made))
    if effect.about not in change.incident.reminders:  # answered while it was on its way
        finalise(change, effect.id)


def _retract(change: Change, *copies: Copy) -> None:
    gone = {c.id for c in copies}
    change.drop_effects(*(_refresh_id(c) for c in gone))
    change.set(copies=tuple(c for c in change.incident.copies if c.id not in gone))
    for copy in copies:
        change.add_effect(Retract, channel=copy.channel, ts=copy.ts)


def _over(about: Reminded, reminder: Reminder, incident: Incident) -> bool:
    match about:
        case Reminded.UPDATE:
            answers = (incident.latest(EntryKind.UPDATE), incident.latest(EntryKind.SEVERITY))
            return not incident.open or any(e and e.n > reminder.entry for e in answers)
        case Reminded.STABLE:
            return incident.status is not Status.MONITORING
        case Reminded.REVIEW:
            return not outstanding(incident)
        case Reminded.COMMUNICATIONS:
            return False  # it is a list: what is done stays on it


def _reminds(copy: Copy) -> bool:
    return copy.kind in (CopyKind.REMINDER, CopyKind.COMMUNICATIONS)


def _keep(change: Change, about: Reminded, reminder: Reminder) -> None:
    change.set(reminders={**change.incident.reminders, about: reminder})
    change.advance_face()


def rewrite(change: Change, post: Post, entry: Entry) -> None:
    """Let a posted message show another entry."""
    _set_post(change, post.model_copy(update={"entries": (entry.n,)}))
