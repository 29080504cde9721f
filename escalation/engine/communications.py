"""Communications to people outside the response: when they are due, how people answer them, and what follows.

None is ever due about a security incident, nor about a drill.
"""

import json
from collections.abc import Mapping

from escalation.config.rules.communications import Audience, Communication, ListName, Means
from escalation.engine import cards
from escalation.engine.change import Change
from escalation.errors import Refused
from escalation.incident.communications import PENDING, automatic, available_means, pending, updates_on_page
from escalation.incident.effects import CallWebhook, MailOut, Place, Publish, Reminded, Say
from escalation.incident.events.moves import Answer, AnswerCommunication, PublishUpdate
from escalation.incident.model import Incident
from escalation.incident.responders import speaker
from escalation.incident.state.checkpoints import Checkpoint, CheckpointKind
from escalation.incident.state.communications import OwedCommunication, OwedState, Stage
from escalation.incident.state.entries import Entry, EntryKind
from escalation.incident.state.facts import Status
from escalation.incident.state.leads import Lead
from escalation.incident.state.posted import CopyKind, Reminder
from escalation.values import PersonId

BY_HAND = Communication(
    id="published-by-hand", audience=Audience.CUSTOMERS, through=(Means.STATUS_PAGE,), why="a person publishes it"
)
"""Plan of what is published from Slack where the policy has none for the status page."""
_ANSWERS = {
    Answer.APPROVED: (OwedState.WAITING, OwedState.OWED),
    Answer.PUBLISHED: (OwedState.OWED, OwedState.DONE),
}


def begin(change: Change, checkpoint: Checkpoint) -> None:
    """Begin a planned communication."""
    plan = change.incident.policy.communication(checkpoint.about)
    told = _told_through(plan, _since_its_end(change.incident, plan), change.incident)
    known = told and plan.id in {p.id for p in _open_plans(change.incident)}  # by another severity: no news to anybody
    _add_owed(change, plan, Stage.UPDATE if known else Stage.FIRST)


def follow_update(change: Change) -> None:
    """Pass a progress update on to the audiences that follow updates."""
    for plan in _open_plans(change.incident):
        if plan.updates:
            _add_owed(change, plan, Stage.UPDATE)


def restored(change: Change) -> None:
    """Announce the end where something was said before, and nowhere else; withdraw what was not published yet."""
    _announce_end(change, *(plan for plan in _open_plans(change.incident) if plan.restored))


def called_off(change: Change) -> None:
    """Call off a false alarm: whoever has read of it is told that all is well, whatever the plan says of its end."""
    _announce_end(change, *_open_plans(change.incident))


def original_over(change: Change) -> None:
    """Tell whoever has read of a duplicate that it is over, now that the incident which went on in its place is."""
    _announce_end(
        change, *_open_plans(change.incident), over={"status": Status.RESOLVED, "over": change.now.isoformat()}
    )


def _announce_end(change: Change, *plans: Communication, over: Mapping[str, str] | None = None) -> None:
    told = [(plan, _told_through(plan, _since_its_end(change.incident, plan), change.incident)) for plan in plans]
    stop(change)
    for plan, through in told:
        if through:
            _add_owed(change, plan.model_copy(update={"through": through}), Stage.RESTORED, over)
    change.set(public_components={})


def _since_its_end(incident: Incident, plan: Communication) -> list[OwedCommunication]:
    """Return a plan's communications since the last one that announced the end: a reopened incident has several."""
    since: list[OwedCommunication] = []
    for owed in (o for o in _notices(incident) if o.plan.id == plan.id):
        since = [] if owed.stage is Stage.RESTORED and owed.state is OwedState.DONE else [*since, owed]
    return since


def _told_through(plan: Communication, owed: list[OwedCommunication], incident: Incident) -> tuple[Means, ...]:
    """Return the means by which a plan's audience has read of the incident: published, or in need of nobody."""
    said = [o for o in owed if not _never_announced(o)]
    told = {m for o in said if o.state is OwedState.DONE for m in o.through} | set(
        automatic(incident, plan) if said else ()
    )
    return tuple(m for m in plan.through if m in told)


def follow_up(change: Change) -> None:
    """Begin the follow-ups to the review, for those who have ever read of the incident."""
    for plan in _announced_plans(change.incident):
        owed = [o for o in _notices(change.incident) if o.plan.id == plan.id]
        through = _told_through(plan, owed, change.incident)
        if plan.follow_up and through:
            _add_owed(change, plan.model_copy(update={"through": through}), Stage.FOLLOW_UP)


def stop(change: Change) -> None:
    """Withdraw all that is due: the incident became private, or is not over after all."""
    waiting = {o.n: o.model_copy(update={"state": OwedState.REPLACED}) for o in pending(change.incident)}
    _replace(change, waiting)


def severity_lowered(change: Change, by: PersonId) -> None:
    """End first messages not published yet that the lower severity asks for later or never."""
    incident = change.incident
    ahead = {c.about for c in incident.checkpoints if c.kind is CheckpointKind.COMMUNICATION}
    due_already = {plan.id for plan in incident.policy.communications} - ahead
    unpublished = (o for o in pending(incident) if o.stage is Stage.FIRST and o.plan.id not in due_already)
    early = (o for o in unpublished if not _announced(o, incident) or o.plan.id not in ahead)
    _replace(change, {o.n: _no_longer_asked_for(o, by, incident) for o in early})


def _announced(owed: OwedCommunication, incident: Incident) -> bool:
    """True if some of its readers have it already, and only the rest of it is still to be published."""
    return owed.state is not OwedState.WAITING and any(m in automatic(incident, owed.plan) for m in owed.through)


def _no_longer_asked_for(owed: OwedCommunication, by: PersonId, incident: Incident) -> OwedCommunication:
    """Return a first message as declined; as replaced where some of its readers had it: they hear of the end, too."""
    state = OwedState.REPLACED if _announced(owed, incident) else OwedState.DECLINED
    return owed.model_copy(update={"state": state, "by": by})


def answer(change: Change, event: AnswerCommunication) -> None:
    """Approve, publish or decline a communication; Refused when that is not (any more) possible."""
    incident = change.incident
    if not 1 <= event.n <= len(incident.communications):
        raise Refused("There is no such communication.")
    owed = incident.owed(event.n)
    needed, next_state = _ANSWERS.get(event.answer, (owed.state, OwedState.DECLINED))
    if owed.state not in PENDING or owed.state is not needed:
        raise Refused(_too_late(owed))
    if event.answer is Answer.APPROVED and not _by_hand(owed.through, owed.plan, incident):
        next_state = OwedState.DONE
    _replace(change, {owed.n: owed.model_copy(update={"state": next_state, "by": event.by})})
    if event.answer is Answer.APPROVED:
        _send(change, owed.plan, incident.entry(owed.entry), owed.through)
    fields = {
        "answer": event.answer,
        "plan": owed.plan.id,
        "n": str(owed.n),
        "through": _names(_by_hand(owed.through, owed.plan, incident)),
    }
    change.note(EntryKind.COMMUNICATED, by=event.by, fields=fields)


def overdue(change: Change, checkpoint: Checkpoint) -> None:
    """Remind of a communication that is not published by its deadline."""
    owed = change.incident.owed(int(checkpoint.about))
    recipients = speaker(change.incident, change.roster)
    fields = {
        "n": str(owed.n),
        "through": _names(_by_hand(owed.through, owed.plan, change.incident)),
        "audience": owed.plan.audience,
        "due": checkpoint.due.isoformat(),
        "state": owed.state,
    }
    entry = change.note(EntryKind.OVERDUE, people=recipients, why=owed.plan.why, fields=fields)
    tell(change, entry, again=True)


def tell(change: Change, entry: Entry | None = None, *, again: bool = False) -> None:
    """Send the list to whoever looks after communications, once; `again`: it is posted anew, and its reader notified.

    Until somebody has acknowledged or is communications lead, the list stands on the card alone: whom the policy names
    is being paged, and gets the list when a deadline was missed (`again`).
    """
    incident = change.incident
    found = Lead.COMMUNICATIONS in incident.leads or incident.acknowledgement is not None
    if not pending(incident) or not (found or again):
        return
    people, about = speaker(incident, change.roster), Reminded.COMMUNICATIONS
    reminder = incident.reminders.get(about) or Reminder(since=change.now)
    to = tuple(p for p in people if again or p not in reminder.told)
    if not to:
        return
    change.set(reminders={**incident.reminders, about: reminder.model_copy(update={"snoozed_until": None})})
    cards.remind_people(change, about, entry or incident.entry(pending(incident)[-1].entry), *to)
    former = (c for c in incident.copies if c.kind is CopyKind.COMMUNICATIONS and c.person not in people)
    cards.finalise(change, *(c.id for c in former if not c.final))


def _too_late(owed: OwedCommunication) -> str:
    words = {
        OwedState.WAITING: "It waits for approval: approve it first.",
        OwedState.OWED: "It is approved already.",
        OwedState.DONE: "It is published already.",
        OwedState.DECLINED: "It was declined.",
        OwedState.REPLACED: "It was withdrawn, or a newer word has taken its place.",
    }
    return words[owed.state]


def _announced_plans(incident: Incident) -> tuple[Communication, ...]:
    """Return the plans announced to somebody, or about to be; not those declined or never approved."""
    plans = {o.plan.id: o.plan for o in _notices(incident) if not _never_announced(o)}
    return tuple(plans.values())


def _open_plans(incident: Incident) -> tuple[Communication, ...]:
    """Return the announced plans whose end was not announced yet."""
    latest = {o.plan.id: o.stage for o in _notices(incident) if not _never_announced(o)}
    return tuple(p for p in _announced_plans(incident) if latest[p.id] in (Stage.FIRST, Stage.UPDATE))


def _never_announced(owed: OwedCommunication) -> bool:
    """True if it was declined or not approved (also if it was replaced before)."""
    unapproved = owed.plan.approval and not owed.by
    return owed.state in (OwedState.WAITING, OwedState.DECLINED) or (owed.state is OwedState.REPLACED and unapproved)


def _notices(incident: Incident) -> tuple[OwedCommunication, ...]:
    """Return the communications that tell how things stand: a correction only mends the words of one."""
    return tuple(o for o in incident.communications if not o.corrects)


def check_page(incident: Incident) -> None:
    """Refuse to publish what is not for the public, or where there is no page."""
    if incident.private:
        raise Refused("This is a security incident: nothing of it is published.")
    if incident.drill:
        raise Refused("This is a drill: nothing of it is published.")
    if not incident.public_page:
        raise Refused("There is no status page here: `status_page` in the configuration makes one.")


def publish(change: Change, event: PublishUpdate) -> None:
    """Publish an update on the status page, or a correction of one; where the policy wants it, once approved."""
    if event.corrects:
        _correct(change, event)
        return
    incident = change.incident
    if not incident.open:
        raise Refused(f"This incident is {incident.status}: correct an update, or reopen it first.")
    change.set(facts=incident.facts.model_copy(update={"public_wording": event.wording}))
    change.set(public_components=event.components or incident.public_components)
    plan = _page_plan(incident)
    told = Means.STATUS_PAGE in _told_through(plan, _since_its_end(incident, plan), incident)
    waiting = [o for o in pending(incident) if o.plan.id == plan.id and not o.corrects]
    through = (Means.STATUS_PAGE, *(m for o in waiting for m in o.through))  # one that still waits gets these words
    stage = Stage.UPDATE if told else Stage.FIRST
    _owe(change, plan, stage, tuple(dict.fromkeys(through)), _told_now(change, plan), by=event.by)


def _correct(change: Change, event: PublishUpdate) -> None:
    """Publish other words for an update that stands on the page; Refused for one that does not."""
    incident = change.incident
    entry = next((e for e in updates_on_page(incident) if e.n == event.corrects), None)
    if entry is None:
        raise Refused("There is no such update on the status page.")
    owed = next(o for o in incident.communications if o.entry == entry.n)
    states = {"components": json.dumps(event.components)} if event.components else {"components": ""}
    fields = entry.fields | states | {"corrects": str(entry.n)}
    if event.components and entry.n == updates_on_page(incident)[-1].n and incident.open:
        change.set(public_components=event.components)  # what comes next says the same
    _owe(change, owed.plan, owed.stage, (Means.STATUS_PAGE,), fields, by=event.by, wording=event.wording)


def _page_plan(incident: Incident) -> Communication:
    """Return the plan by which the public reads of it on the status page: one under way, the policy's, else our own."""
    plans = (*(o.plan for o in reversed(_notices(incident))), *incident.policy.communications)
    return next((p for p in plans if Means.STATUS_PAGE in p.through and p.audience.outside), BY_HAND)


def _add_owed(change: Change, plan: Communication, stage: Stage, said: Mapping[str, str] | None = None) -> None:
    """Add a communication of how things stand; what is `said` of that counts before what the incident says."""
    incident = change.incident
    through = available_means(incident, plan)
    if not incident.private and through:
        _owe(change, plan, stage, through, _told_now(change, plan) | dict(said or {}))


def _told_now(change: Change, plan: Communication) -> dict[str, str]:
    """Return what a communication says of the incident as it stands."""
    incident = change.incident
    return {
        "status": incident.status,
        "eta": incident.eta,
        "eta_at": incident.eta_at.isoformat() if incident.eta_at else "",
        "next_update": _next_update(change) if plan.updates else "",
        **({"components": json.dumps(incident.public_components)} if incident.public_components else {}),
    }


def _owe(
    change: Change,
    plan: Communication,
    stage: Stage,
    through: tuple[Means, ...],
    told: Mapping[str, str],
    *,
    by: PersonId = "",
    wording: str = "",
) -> None:
    """Add a communication, send what needs nobody, and ask people for the rest. `by` published it from Slack."""
    incident, corrects = change.incident, int(told.get("corrects") or 0)
    by_hand = _by_hand(through, plan, incident)
    state = OwedState.WAITING if plan.approval else OwedState.OWED if by_hand else OwedState.DONE
    due = change.now + incident.scaled(plan.within) if plan.within and state in PENDING else None
    former = _superseded(incident, plan, corrects)
    if by and due:  # new words in a form move no deadline
        due = min([due, *(o.due for o in former.values() if o.due and o.due > change.now)])
    n = len(incident.communications) + 1
    fields = {
        **told,
        "n": str(n),
        "plan": plan.id,
        "stage": stage,
        "audience": plan.audience,
        "through": _names(by_hand),
        "due": due.isoformat() if due else "",
        "state": state,
        "deadline": (change.now + incident.scaled(plan.within)).isoformat() if plan.within else "",
    }
    words = wording or incident.facts.public_wording or incident.policy.public_text
    entry = change.note(EntryKind.COMMUNICATION, by=by, why=plan.why, text=words, fields=fields)
    _replace(change, former)
    owed = OwedCommunication(
        n=n, plan=plan, stage=stage, through=through, entry=entry.n, due=due, state=state, corrects=corrects
    )
    change.set(communications=(*change.incident.communications, owed))
    if state is not OwedState.WAITING:
        _send(change, plan, entry, through)
    if state in PENDING and (due is None or stage in (Stage.RESTORED, Stage.FOLLOW_UP)):
        tell(change, entry, again=True)
    if due:
        change.arm(CheckpointKind.OWED, due, str(n))


def _send(change: Change, plan: Communication, entry: Entry, through: tuple[Means, ...]) -> None:
    """Send what needs nobody to publish it."""
    incident = change.incident
    ready = [m for m in through if m in automatic(incident, plan)]
    mailed = tuple(name for name in plan.lists if name in incident.mail_lists)
    if Means.SLACK in ready and not _edited_in_place(change, entry):
        if ListName.STAKEHOLDERS in plan.lists:
            change.say(entry, Place.STAKEHOLDERS)
        _say_to_lists(change, plan, entry)
    if Means.MAIL in ready:
        to_role = ListName.STAKEHOLDERS in plan.lists and incident.ways.stakeholders
        change.add_effect(MailOut, "mail", entry=entry.n, lists=mailed, to_role=bool(to_role))
    if Means.CUSTOMER_MAIL in ready:
        if mailed:
            change.add_effect(MailOut, "customer_mail", entry=entry.n, lists=mailed, to_role=False)
        if not _edited_in_place(change, entry):
            _say_to_lists(change, plan, entry)
    if Means.STATUS_PAGE in ready:
        change.add_effect(Publish, "status_page", entry=entry.n)
    for means in incident.webhooks:
        if means in ready:
            change.add_effect(CallWebhook, means, entry=entry.n, means=means)


def _say_to_lists(change: Change, plan: Communication, entry: Entry) -> None:
    """Post in the channels of the lists."""
    channels = (change.incident.list_channels.get(name) for name in plan.lists)
    for channel in dict.fromkeys(filter(None, channels)):
        change.add_effect(Say, f"list-{channel}", entry=entry.n, place=Place.STAKEHOLDERS, channel=channel)


def _edited_in_place(change: Change, entry: Entry) -> bool:
    """Edit what stakeholders read, if an update comes early: a post notifies them at the pace that they were promised.

    An update in the first half of the interval since their last post edits that post; a later one is a post of its own.
    """
    incident, cadence = change.incident, change.incident.policy.updates
    if entry.fields["stage"] != Stage.UPDATE or cadence is None:
        return False
    plan = entry.fields["plan"]
    waiting = [
        e
        for e in incident.effects
        if isinstance(e, Say) and e.place is Place.STAKEHOLDERS and _plan(incident, e.entry) == plan
    ]
    for effect in waiting:  # not posted yet: it says the latest when it is
        change.replace_effect(effect.model_copy(update={"entry": entry.n}))
    if waiting:
        return True
    posts = [p for p in incident.posts if p.place == Place.STAKEHOLDERS and _plan(incident, p.entries[0]) == plan]
    latest = {post.channel: post for post in posts}  # one in each channel
    if not latest:
        return False
    last = max(post.at for post in latest.values())
    interval = incident.after(last, cadence.every) - last
    if change.now - last >= interval / 2:
        return False
    for post in latest.values():
        cards.rewrite(change, post, entry)
    return True


def _plan(incident: Incident, entry: int) -> str:
    return incident.entry(entry).fields.get("plan", "")


def _next_update(change: Change) -> str:
    """Return when the next progress update is due: each communication says when the next one comes.

    Where the last one is overdue, or due in this instant, that is the one after it: no promise is broken as it is made.
    """
    incident, cadence = change.incident, change.incident.policy.updates
    due = next((c.due for c in incident.checkpoints if c.kind is CheckpointKind.UPDATE), None)
    if due and due <= change.now and cadence:
        due = incident.after(change.now, cadence.every)
    return due.isoformat() if due else ""


def _superseded(incident: Incident, plan: Communication, corrects: int) -> dict[int, OwedCommunication]:
    """Return what still waits of the same plan, as replaced: a newer message takes its place."""
    older = (o for o in pending(incident) if o.plan.id == plan.id and o.corrects == corrects)
    return {o.n: o.model_copy(update={"state": OwedState.REPLACED}) for o in older}


def _by_hand(through: tuple[Means, ...], plan: Communication, incident: Incident) -> tuple[Means, ...]:
    """Return the means that people see to."""
    return tuple(m for m in through if m not in automatic(incident, plan))


def _names(means: tuple[Means, ...]) -> str:
    return ", ".join(m.replace("_", " ") for m in means)


def _replace(change: Change, changed: dict[int, OwedCommunication]) -> None:
    if changed:
        change.set(communications=tuple(changed.get(o.n, o) for o in change.incident.communications))
