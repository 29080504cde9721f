"""Telling those outside the response: what is owed to whom by when, what people said of it, and what follows.

Nothing is ever owed about a security incident. Of a drill only Slack hears.
"""

from escalation.config.policy import Communication, Means
from escalation.engine.change import Change
from escalation.engine.checkpoints import PENDING
from escalation.engine.responders import speaker
from escalation.errors import Refused
from escalation.incident.effects import MailOut, Place
from escalation.incident.events import Answer, AnswerCommunication
from escalation.incident.model import (
    Checkpoint,
    CheckpointKind,
    Entry,
    EntryKind,
    Incident,
    OwedCommunication,
    OwedState,
    Stage,
)
from escalation.values import PersonId

_ANSWERS = {
    Answer.APPROVED: (OwedState.WAITING, OwedState.OWED),
    Answer.PUBLISHED: (OwedState.OWED, OwedState.DONE),
}


def begin(change: Change, checkpoint: Checkpoint) -> None:
    """The time of a planned communication has come: what was not said until now begins now."""
    plan = change.incident.policy.communication(checkpoint.about)
    know = plan.id in {p.id for p in _listening(change.incident)}  # a severity was changed: this is news to nobody
    _owe(change, plan, Stage.UPDATE if know else Stage.FIRST)


def follow_update(change: Change) -> None:
    """A progress update was posted: those who are told of each hear of it."""
    for plan in _listening(change.incident):
        if plan.updates:
            _owe(change, plan, Stage.UPDATE)


def restored(change: Change) -> None:
    """It is over: whoever was told, or should have been by now, is told that too; what nobody approved is withdrawn."""
    unapproved = (o for o in pending(change.incident) if o.state is OwedState.WAITING)
    _replace(change, {o.n: o.model_copy(update={"state": OwedState.REPLACED}) for o in unapproved})
    for plan in _listening(change.incident):
        if plan.restored:
            _owe(change, plan, Stage.RESTORED)


def called_off(change: Change) -> None:
    """A false alarm: whoever has read of it hears that all is well; the rest never hears of it."""
    stop(change)
    for plan in _listening(change.incident):
        if any(o.plan.id == plan.id and o.state is OwedState.DONE for o in change.incident.communications):
            _owe(change, plan, Stage.RESTORED)
        elif Means.SLACK in plan.through:  # read there at once, while the rest was still owed
            _owe(change, plan.model_copy(update={"through": (Means.SLACK,)}), Stage.RESTORED)


def follow_up(change: Change) -> None:
    """The review was held."""
    for plan in _told(change.incident):
        if plan.follow_up:
            _owe(change, plan, Stage.FOLLOW_UP)


def stop(change: Change) -> None:
    """Nothing more is owed: a matter became private, or is not over after all."""
    waiting = {o.n: o.model_copy(update={"state": OwedState.REPLACED}) for o in pending(change.incident)}
    _replace(change, waiting)


def lowered(change: Change, by: PersonId) -> None:
    """A first word that nobody published yet, and that the lower severity asks for later or never, is not owed now."""
    incident = change.incident
    ahead = {c.about for c in incident.checkpoints if c.kind is CheckpointKind.COMMUNICATION}
    asked = {plan.id for plan in incident.policy.communications} - ahead
    unsaid = (o for o in pending(incident) if o.stage is Stage.FIRST and Means.SLACK not in o.through)
    early = (o for o in unsaid if o.plan.id not in asked)
    _replace(change, {o.n: o.model_copy(update={"state": OwedState.DECLINED, "by": by}) for o in early})


def pending(incident: Incident) -> tuple[OwedCommunication, ...]:
    """What waits for a person: for their approval, or to be published."""
    return tuple(o for o in incident.communications if o.state in PENDING)


def answer(change: Change, event: AnswerCommunication) -> None:
    """Approve, publish or decline; refused when it is not (any more) to be answered so."""
    incident = change.incident
    if not 1 <= event.n <= len(incident.communications):
        raise Refused("There is no such communication.")
    owed = incident.owed(event.n)
    needed, then = _ANSWERS.get(event.answer, (owed.state, OwedState.DECLINED))
    if owed.state not in PENDING or owed.state is not needed:
        raise Refused(_too_late(owed))
    if event.answer is Answer.APPROVED and not _by_hand(owed.through, incident):
        then = OwedState.DONE
    _replace(change, {owed.n: owed.model_copy(update={"state": then, "by": event.by})})
    if event.answer is Answer.APPROVED:
        _send(change, incident.entry(owed.entry), owed.through)
    fields = {
        "answer": event.answer,
        "plan": owed.plan.id,
        "n": str(owed.n),
        "through": _names(_by_hand(owed.through, incident)),
    }
    change.say(change.note(EntryKind.COMMUNICATED, by=event.by, fields=fields))


def overdue(change: Change, checkpoint: Checkpoint) -> None:
    """Its deadline has passed, and nobody said that it is out."""
    owed = change.incident.owed(int(checkpoint.about))
    told = speaker(change.incident, change.roster)
    fields = {
        "n": str(owed.n),
        "through": _names(_by_hand(owed.through, change.incident)),
        "audience": owed.plan.audience,
        "due": checkpoint.due.isoformat(),
        "state": owed.state,
    }
    entry = change.note(EntryKind.OVERDUE, people=told, why=owed.plan.why, fields=fields)
    change.say(entry)
    change.tell(entry, *told)


def _too_late(owed: OwedCommunication) -> str:
    words = {
        OwedState.WAITING: "It waits for approval: approve it first.",
        OwedState.OWED: "It is approved already.",
        OwedState.DONE: "It is published already.",
        OwedState.DECLINED: "It was declined.",
        OwedState.REPLACED: "It was withdrawn, or a newer word has taken its place.",
    }
    return words[owed.state]


def _told(incident: Incident) -> tuple[Communication, ...]:
    """The plans that somebody was told of, or is about to be; not what was declined or never approved."""
    plans = {o.plan.id: o.plan for o in incident.communications if not _silent(o)}
    return tuple(plans.values())


def _listening(incident: Incident) -> tuple[Communication, ...]:
    """Those of them who have not heard yet that it is over."""
    latest = {o.plan.id: o.stage for o in incident.communications if not _silent(o)}
    return tuple(p for p in _told(incident) if latest[p.id] in (Stage.FIRST, Stage.UPDATE))


def _silent(owed: OwedCommunication) -> bool:
    """Declined, or not approved (when it was replaced, either)."""
    unapproved = owed.plan.approval and not owed.by
    return owed.state in (OwedState.WAITING, OwedState.DECLINED) or (owed.state is OwedState.REPLACED and unapproved)


def _owe(change: Change, plan: Communication, stage: Stage) -> None:
    incident = change.incident
    through = _through(incident, plan)
    if incident.private or not through:
        return
    by_hand = _by_hand(through, incident)
    state = OwedState.WAITING if plan.approval else OwedState.OWED if by_hand else OwedState.DONE
    due = change.now + incident.scaled(plan.within) if plan.within and state in PENDING else None
    n = len(incident.communications) + 1
    fields = {
        "n": str(n),
        "plan": plan.id,
        "stage": stage,
        "audience": plan.audience,
        "through": _names(by_hand),
        "due": due.isoformat() if due else "",
        "state": state,
        "status": incident.status,
        "eta": incident.eta,
        "next_update": _next_update(incident) if plan.updates else "",
    }
    wording = incident.facts.public_wording or incident.policy.public_text
    entry = change.note(EntryKind.COMMUNICATION, why=plan.why, text=wording, fields=fields)
    _replace(change, _outdated(change.incident, plan))
    owed = OwedCommunication(n=n, plan=plan, stage=stage, through=through, entry=entry.n, due=due, state=state)
    change.set(communications=(*change.incident.communications, owed))
    if state is not OwedState.WAITING:
        _send(change, entry, through)
    if state in PENDING:
        change.say(entry)
    if due:
        change.arm(CheckpointKind.OWED, due, str(n))


def _send(change: Change, entry: Entry, through: tuple[Means, ...]) -> None:
    """What needs nobody to publish it goes out."""
    if Means.SLACK in through:
        change.say(entry, Place.STAKEHOLDERS)
    if Means.MAIL in through and Means.MAIL not in _by_hand(through, change.incident):
        change.cause(MailOut, "mail", entry=entry.n)


def _next_update(incident: Incident) -> str:
    """When the next progress update is due: each word of ours says when the next one comes."""
    return next((c.due.isoformat() for c in incident.checkpoints if c.kind is CheckpointKind.UPDATE), "")


def _outdated(incident: Incident, plan: Communication) -> dict[int, OwedCommunication]:
    """What still waits of the same plan: a newer word takes its place."""
    older = (o for o in pending(incident) if o.plan.id == plan.id)
    return {o.n: o.model_copy(update={"state": OwedState.REPLACED}) for o in older}


def _through(incident: Incident, plan: Communication) -> tuple[Means, ...]:
    """The means that this company has; of a drill, Slack alone."""
    if incident.drill:
        return tuple(m for m in plan.through if m is Means.SLACK)
    if not plan.audience.outside or incident.public_means is None:
        return plan.through
    return tuple(m for m in plan.through if m in incident.public_means)


def _by_hand(through: tuple[Means, ...], incident: Incident) -> tuple[Means, ...]:
    """What people publish until a channel takes it: all but Slack, and mail where that is set up."""
    ours = (Means.SLACK, Means.MAIL) if incident.ways.stakeholders else (Means.SLACK,)
    return tuple(m for m in through if m not in ours)


def _names(means: tuple[Means, ...]) -> str:
    return ", ".join(m.replace("_", " ") for m in means)


def _replace(change: Change, changed: dict[int, OwedCommunication]) -> None:
    if changed:
        change.set(communications=tuple(changed.get(o.n, o) for o in change.incident.communications))
