"""The review's clock: from the resolution until the review was held, with its owner, meeting, text and follow-ups.

Quiet until the next working morning. Then its owner is asked, reminded before it is due, and once it is overdue the
roles of `review.escalate_to` are told, one after the other. All of it in working hours, and moot once it was held.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from escalation.config.business_time import Calendar, Wait
from escalation.config.rules.reviews import ReviewRule
from escalation.engine import cards
from escalation.engine.change import Change
from escalation.errors import Refused
from escalation.incident.closing.reviews import asked, missing, outstanding, owner_of, participants
from escalation.incident.effects import Reminded
from escalation.incident.events.moves import PlanReview
from escalation.incident.events.news import ReviewSeen
from escalation.incident.responders import commander, in_roles
from escalation.incident.state.checkpoints import Checkpoint, CheckpointKind
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.facts import Signed
from escalation.incident.state.review_work import ReviewWork
from escalation.oncall.meeting_times import LENGTH, meeting_time
from escalation.values import PersonId, machine_title

ASK, REMIND, OVERDUE = "ask", "remind", "overdue"
AFTER_OPENING = timedelta(hours=1)  # so that everybody has read what happened
_SEARCHED = 14  # days for a working day to hold a review on
_WHY = {
    ASK: "the policy requires one",
    REMIND: "it is due soon",
    OVERDUE: "it is overdue",
}


def begin(change: Change, chosen: PersonId = "") -> None:
    """Begin the work on a review that is required: its owner, a proposed meeting, and the morning to ask about it."""
    incident, rule = change.incident, change.incident.policy.review
    if rule is None or incident.review_by is None or incident.reviewed or incident.review_work:
        return
    change.set(review_work=ReviewWork(owner=chosen or _owner(change, rule)))
    if rule.meeting != "none":
        _propose(change, _next_day(change))
        _note_plan(change, meeting=_meeting(change))
    calendar = _calendar(change)
    morning = calendar.next_morning(change.now)
    change.arm(CheckpointKind.REVIEW, change.now + change.incident.scaled(morning - change.now), ASK)


def _owner(change: Change, rule: ReviewRule) -> PersonId:
    """Return whose review it becomes: the policy's role's, else of who resolved the incident, else the commander's."""
    incident = change.incident
    done = incident.resolution
    candidates = (
        *(in_roles(incident, change.roster, (rule.owner,)) if rule.owner else ()),
        done.by if done and not machine_title(done.by) else "",
        *commander(incident, change.roster),
    )
    return next((person for person in candidates if person and person not in incident.gone), "")


# The meeting -------------------------------------------------------------------------------------------------------


def _calendar(change: Change, person: PersonId = "") -> Calendar:
    """Return somebody's working hours, unless said the owner's; the company's where theirs are not known."""
    who = person or owner_of(change.incident)
    return change.roster.calendars.get(who) or change.incident.calendar


def _next_day(change: Change) -> datetime:
    """Return when a review can be held at the earliest: on the next working day, an hour after the opening."""
    calendar = _calendar(change)
    today = change.now.astimezone(ZoneInfo(calendar.timezone)).date()
    sessions = (calendar.opening(today + timedelta(days=n)) for n in range(1, _SEARCHED))
    return next((opens + AFTER_OPENING for opens, _ in filter(None, sessions)), change.now)


def _propose(change: Change, since: datetime) -> None:
    """Propose the next hour that suits its owner and most of the others."""
    incident = change.incident
    due = incident.review_by or change.now
    others = [_calendar(change, person) for person in participants(incident, change.roster)]
    _set(change, meeting=meeting_time(_calendar(change), others, since, due), no_meeting=None)


def _meeting(change: Change) -> str:
    work = change.incident.review_work
    return work.meeting.isoformat() if work and work.meeting else ""


# The plan ----------------------------------------------------------------------------------------------------------


def plan(change: Change, event: PlanReview) -> None:
    """Set owner, meeting and category, or say what is not needed. Refused when nothing changes, or must not."""
    categorised = categorise(change, event.category, event.repeats)
    begin(change)
    work = change.incident.review_work
    wants_work = event.owner or event.starts or event.later or event.no_meeting or event.no_follow_ups
    if wants_work and (work is None or not outstanding(change.incident)):
        raise Refused("The policy requires no review of this incident.")
    said = {**_plan_owner(change, event), **_plan_meeting(change, event)}
    if event.no_follow_ups:
        _set(change, no_follow_ups=Signed(by=event.by, at=change.now, text=event.no_follow_ups))
        said["no_follow_ups"] = event.no_follow_ups
    if not said and not categorised:
        raise Refused("Already set – nothing changed.")
    if categorised:
        said["category"] = event.category
    _note_plan(change, event.by, **said)


def _plan_owner(change: Change, event: PlanReview) -> dict[str, str]:
    work = change.incident.review_work
    if not event.owner or work is None or event.owner == owner_of(change.incident):
        return {}
    change.set(gone=tuple(person for person in change.incident.gone if person != event.owner))
    _set(change, owner=event.owner)
    standing = change.incident.reminders.get(Reminded.REVIEW)
    if standing and event.owner not in standing.told:
        entry = change.incident.entry(standing.entry)
        cards.remind_people(change, Reminded.REVIEW, entry, event.owner)
    return {"owner": event.owner}


def _plan_meeting(change: Change, event: PlanReview) -> dict[str, str]:
    work, rule = change.incident.review_work, change.incident.policy.review
    if work is None or rule is None:
        return {}
    if event.no_meeting:
        if rule.meeting == "required":
            raise Refused("The policy requires a meeting for this review.")
        _set(change, meeting=None, no_meeting=Signed(by=event.by, at=change.now, text=event.no_meeting))
        return {"no_meeting": event.no_meeting}
    if event.later:
        _propose(change, max(work.meeting + LENGTH, change.now) if work.meeting else _next_day(change))
    elif event.starts and event.starts != work.meeting:
        if event.starts <= change.now:
            raise Refused("That time has passed. Choose a later one for the meeting.")
        _set(change, meeting=event.starts, no_meeting=None)
    else:
        return {}
    return {"meeting": _meeting(change)}


def _note_plan(change: Change, by: PersonId = "", **said: str) -> None:
    change.say(change.note(EntryKind.REVIEW_PLANNED, by=by, fields=said))


def _set(change: Change, **fields: object) -> None:
    work = change.incident.review_work or ReviewWork()
    change.set(review_work=work.model_copy(update=fields))
    change.advance_face()


def seen(change: Change, event: ReviewSeen) -> None:
    """Take over what there is of the review's text and follow-ups."""
    work = change.incident.review_work
    if work and (work.written, work.commitments) != (event.written, event.commitments):
        _set(change, written=event.written, commitments=event.commitments)


def categorise(change: Change, category: str, repeats: str) -> bool:
    """Set the category of the cause, and say which incident it repeats; False when that is known already.

    Raises Refused for a category that the policy does not have.
    """
    incident = change.incident
    if not category or category == incident.cause_category:
        return False
    known = {name.casefold(): name for name in incident.policy.cause_categories}
    if category.casefold() not in known:
        raise Refused(f"There is no cause category '{category}'. Choose one of: {', '.join(known.values())}.")
    change.set(cause_category=known[category.casefold()])
    change.advance_face()
    note_recurrence(change, repeats)
    return True


def note_recurrence(change: Change, repeats: str) -> None:
    """Note which earlier incident this one repeats: the same service, and the same category of cause."""
    if repeats == change.incident.repeats:
        return
    change.set(repeats=repeats)
    if repeats:
        fields = {"repeats": repeats, "category": change.incident.cause_category}
        rule = change.incident.policy.review
        why = "a recurring incident needs a review" if rule and rule.recurrence else ""
        change.say(change.note(EntryKind.RECURRED, why=why, fields=fields))


# The clock ---------------------------------------------------------------------------------------------------------


def due(change: Change, checkpoint: Checkpoint) -> None:
    """Ask or remind the owner, or tell the next role that the review is overdue."""
    stage, _, number = checkpoint.about.partition(":")
    if stage == ASK:
        _tell(change, stage, ())
        _arm_rest(change)
    elif stage == REMIND and not _overdue_now(change):
        _tell(change, stage, ())
    elif stage == OVERDUE:
        _escalate(change, int(number))


def _arm_rest(change: Change) -> None:
    """Arm what follows the question: overdue in working hours, a working day after it at the earliest; a reminder."""
    incident, rule, done = change.incident, change.incident.policy.review, change.incident.resolution
    if rule is None or done is None:
        return
    moved = _after(change, done.at, Wait(length=rule.within, opening=True))
    overdue = max(moved, _after(change, change.now, Wait(days=1)))
    change.arm(CheckpointKind.REVIEW, overdue, f"{OVERDUE}:0")
    before = (overdue - change.now) * incident.speed - rule.remind_before
    if before > timedelta():
        reminder = _after(change, change.now, Wait(length=before, opening=True))
        if reminder < overdue:
            change.arm(CheckpointKind.REVIEW, reminder, REMIND)


def _after(change: Change, start: datetime, wait: Wait) -> datetime:
    """Return the end of a wait by the owner's calendar: business time first, then scaled."""
    return start + change.incident.scaled(_calendar(change).after(start, wait) - start)


def _overdue_now(change: Change) -> bool:
    """True if it is overdue by now, after an outage: one message says it."""
    waiting = (c for c in change.incident.checkpoints if c.kind is CheckpointKind.REVIEW)
    return any(c.about.startswith(OVERDUE) and c.due <= change.now for c in waiting)


def _escalate(change: Change, number: int) -> None:
    """Tell the owner, and of a review that lacks something the next role; the one after it has its turn later."""
    rule = change.incident.policy.review
    if rule is None:
        return
    _tell(change, OVERDUE, rule.escalate_to[number : number + 1] if missing(change.incident) else ())
    if number + 1 < len(rule.escalate_to):
        change.arm(CheckpointKind.REVIEW, _after(change, change.now, rule.escalate_every), f"{OVERDUE}:{number + 1}")


def _tell(change: Change, stage: str, roles: tuple[str, ...]) -> None:
    """Tell the owner and these roles what is missing, and the thread as well.

    Of a private incident nobody hears who was not involved in it.
    """
    incident = change.incident
    told = in_roles(incident, change.roster, roles)
    if incident.private:
        told = tuple(person for person in told if person in incident.people())
    people = tuple(dict.fromkeys((*asked(incident, change.roster), *told)))
    fields = {"stage": stage, "missing": " ".join(missing(incident)), "roles": " ".join(roles)}
    entry = change.note(EntryKind.REVIEW_DUE, people=people, why=_WHY[stage], fields=fields)
    cards.remind(change, Reminded.REVIEW, entry, incident.review_by or change.now)
    cards.remind_people(change, Reminded.REVIEW, entry, *people)
