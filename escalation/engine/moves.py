"""Handlers of the moves, called once the table allowed a move. Each is a few lines over a Change."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from escalation.config.business_time import Wait
from escalation.config.rules.checkpoints import Moment, Said
from escalation.config.rules.rooms import PhaseStart
from escalation.engine import cards, communications, lifecycle, paging, security, severity, warroom
from escalation.engine.automatic import actions, reviews
from escalation.engine.change import Change
from escalation.engine.channels import services
from escalation.engine.lifecycle import file_ticket
from escalation.errors import Refused
from escalation.incident.communications import is_overdue, pending
from escalation.incident.effects import Reminded
from escalation.incident.events import moves
from escalation.incident.events.moves import Move, MoveEvent
from escalation.incident.impact import BEGAN, ENDED, INSTANTS, impact_times
from escalation.incident.model import Incident
from escalation.incident.reach import How
from escalation.incident.responders import in_roles
from escalation.incident.state.checkpoints import CheckpointKind
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.facts import Signed, Status
from escalation.incident.state.pages import PageState
from escalation.text import Person, Time, line
from escalation.times import eta_instant, format_duration
from escalation.values import PersonId


def acknowledge(change: Change, event: moves.Acknowledge) -> None:
    """Acknowledge the incident, or one's own page once somebody else has; Refused the second time."""
    done = change.incident.acknowledgement
    page = change.incident.page_to_answer(event.by)
    if done and page is None:
        if done.by != event.by and event.by in change.incident.assigned:
            raise Refused(line("You are responding already, and so is ", Person(done.by), "."))
        who = "You" if done.by == event.by else Person(done.by)
        raise Refused(line(who, " already acknowledged it, at ", Time(done.at), "."))
    if done:
        change.say(change.note(EntryKind.JOINED, by=event.by, fields=_answered_through(event.how, event.known_as)))
    else:
        _acknowledged_by(change, event.by, _answered_through(event.how, event.known_as))
    if page:
        paging.end_page(change, page, PageState.ANSWERED, how=event.how)
    _assign(change, event.by)


def _answered_through(how: How | None, known_as: str = "") -> dict[str, str]:
    """Fields of a timeline entry: what somebody answered through, beside Slack."""
    return {"how": f"{how} (as {known_as})" if known_as else how} if how else {}


def _acknowledged_by(change: Change, person: PersonId, answered: dict[str, str] | None = None) -> None:
    ever_paged = any(p.person == person for p in change.incident.pages)
    change.set(acknowledgement=Signed(by=person, at=change.now))
    change.arm_planned(Moment.ACKNOWLEDGED, change.now)
    services.tell(change, "acknowledge")
    entry = change.note(
        EntryKind.ACKNOWLEDGED, by=person, fields={"paged": "yes" if ever_paged else "no", **(answered or {})}
    )
    change.say(entry)


def _assign(change: Change, person: PersonId) -> None:
    change.set(assigned=tuple(dict.fromkeys((*change.incident.assigned, person))))
    paging.cover_pages(change, person)
    change.advance_face()


def _acknowledge_by_acting(change: Change, person: PersonId) -> None:
    """Acknowledge for a person who found the cause or works on the fix, unless somebody acknowledged already."""
    if change.incident.acknowledgement is None:
        _acknowledged_by(change, person)
        _assign(change, person)


def root_cause(change: Change, event: moves.RootCause) -> None:
    """Record the root cause."""
    _acknowledge_by_acting(change, event.by)
    if change.incident.root_cause is None:
        change.arm_planned(Moment.ROOT_CAUSE, change.now)
    change.set(root_cause=Signed(by=event.by, at=change.now, text=event.cause))
    fields = {"category": event.category} if event.category else {}
    change.say(change.note(EntryKind.ROOT_CAUSE, by=event.by, text=event.cause, fields=fields))
    reviews.categorise(change, event.category, event.repeats)


def workaround(change: Change, event: moves.Workaround) -> None:
    """Record a workaround."""
    _acknowledge_by_acting(change, event.by)
    change.set(workaround=Signed(by=event.by, at=change.now, text=event.text))
    change.say(change.note(EntryKind.WORKAROUND, by=event.by, text=event.text))


def start_fix(change: Change, event: moves.StartFix) -> None:
    """Record that the fix was started."""
    _acknowledge_by_acting(change, event.by)
    change.say(change.note(EntryKind.FIX_STARTED, by=event.by, text=event.text))
    warroom.begin_phase(change, PhaseStart.FIXING)


def fix_applied(change: Change, event: moves.FixApplied) -> None:
    """Record the fix, and start monitoring it."""
    _acknowledge_by_acting(change, event.by)
    change.set(fix=Signed(by=event.by, at=change.now, text=event.text), verified=None)
    change.arm_planned(Moment.FIX_APPLIED, change.now)
    until = change.now + change.incident.scaled(change.incident.policy.monitor_for)
    change.disarm(CheckpointKind.MONITORING)
    change.arm(CheckpointKind.MONITORING, until)
    entry = change.note(EntryKind.FIX_APPLIED, by=event.by, text=event.text, fields={"until": until.isoformat()})
    change.say(entry)
    warroom.begin_phase(change, PhaseStart.MONITORING)


def fix_failed(change: Change, event: moves.FixFailed) -> None:
    """Record that the fix failed, and page the tiers that the policy names for that."""
    change.set(fix=None, verified=None)
    change.disarm_planned(Moment.FIX_APPLIED)
    change.say(change.note(EntryKind.FIX_FAILED, by=event.by, text=event.text))
    warroom.begin_phase(change, PhaseStart.AFTER)
    tiers = change.incident.policy.on_fix_failed
    paging.page_tiers(change, tiers, "the fix failed", by=event.by, skip=frozenset({event.by}))


def implied_move(update: moves.PostUpdate) -> MoveEvent | None:
    """Return the move that an update implies by naming another status; None when no update can lead there."""
    match update.status:
        case Status.IDENTIFIED:
            return moves.RootCause(by=update.by, cause=update.progress)
        case Status.FIXING:
            return moves.StartFix(by=update.by)
        case Status.MONITORING:
            return moves.FixApplied(by=update.by)
        case Status.INVESTIGATING:
            return moves.FixFailed(by=update.by)
        case _:
            return None


def post_update(change: Change, event: moves.PostUpdate) -> None:
    """Record the update and promise the next. The policy's cadence counts from this one."""
    wording = {"impact": event.impact, "public_wording": event.public_wording}
    change.set(facts=change.incident.facts.model_copy(update={name: text for name, text in wording.items() if text}))
    eta_at = eta_instant(event.eta, event.zone, change.now, change.incident.speed)
    change.set(eta=event.eta, eta_at=eta_at)
    due = _next_update(change, event.next_in)
    fields = {
        "status": change.incident.status,
        "next_steps": event.next_steps,
        "eta": event.eta,
        "eta_at": eta_at.isoformat() if eta_at else "",
        "impact": change.incident.facts.impact,
        "next_update": due.isoformat() if due else "",
        "promised": format_duration(event.next_in) if event.next_in else "",
    }
    change.say(change.note(EntryKind.UPDATE, by=event.by, text=event.progress, fields=fields))
    communications.follow_update(change)


def _next_update(change: Change, promised: timedelta | None) -> datetime | None:
    """Set the next update's checkpoint; return its due time. It names this update, to say whose promise was broken."""
    incident, cadence = change.incident, change.incident.policy.updates
    change.disarm(CheckpointKind.UPDATE, CheckpointKind.SILENCE)
    if promised is None and cadence is None:
        return None
    wait = Wait(length=promised) if promised else cadence.every if cadence else Wait()
    due = incident.after(change.now, wait)
    change.arm(CheckpointKind.UPDATE, due, about=str(len(incident.timeline) + 1))
    return due


def schedule(change: Change, event: moves.Schedule) -> None:
    """Record when the work is planned."""
    _acknowledge_by_acting(change, event.by)
    change.set(schedule=Signed(by=event.by, at=change.now, text=event.when))
    change.say(change.note(EntryKind.SCHEDULED, by=event.by, text=event.when))


def verify(change: Change, event: moves.Verify) -> None:
    """Record that the fix was verified."""
    change.set(verified=Signed(by=event.by, at=change.now, text=event.text))
    change.say(change.note(EntryKind.VERIFIED, by=event.by, text=event.text))


EDITABLE = ("title", "impact", "description", "service", "public_wording", "detection", *Said)


def edit(change: Change, event: moves.Edit) -> None:
    """Correct the facts. A checkpoint past its time that waited for one fires at once."""
    facts = change.incident.facts
    stated = ((name, getattr(event, name)) for name in EDITABLE if name in event.model_fields_set)
    wanted = {name: value for name, value in stated if value is not None or name in set(Said)}
    changed = {name: value for name, value in wanted.items() if value != getattr(facts, name)}
    if not changed:
        raise Refused("Already set – nothing changed.")
    change.set(facts=facts.model_copy(update=changed))
    if "service" in changed:
        change.set(team=event.team or "", vendor=event.vendor or "", runbook=event.runbook, links=event.links)
        change.set(maintenance=event.maintenance)
    fields = {name: str(value) for name, value in changed.items()}
    change.say(change.note(EntryKind.EDITED, by=event.by, fields=fields))
    if "service" in changed:
        reviews.note_recurrence(change, event.repeats)
        file_ticket(change)


def page_people(change: Change, event: moves.PagePeople) -> None:
    """Page people by name, and the holders of roles; Refused when there is nobody."""
    people = event.people + in_roles(change.incident, change.roster, event.roles)
    if not people:
        role = ", ".join(map(change.incident.policy.role_name, event.roles))
        raise Refused(f"Nobody holds the role {role} now." if event.roles else "Who should be paged?")
    why = f"paged directly: {event.why}" if event.why else "paged directly"
    paging.page_people(change, tuple(dict.fromkeys(people)), why, event.by, event.roles)


def snooze(change: Change, event: moves.Snooze) -> None:
    """Snooze the standing reminders of a subject, or all: they come again then. Refused when none stands."""
    incident = change.incident
    late = tuple(o for o in pending(incident) if is_overdue(o, incident))
    never = {Reminded.COMMUNICATIONS, Reminded.REVIEW}  # a list is no reminder, and a review's are days apart
    standing = set(incident.reminders) - never | {Reminded.COMMUNICATIONS for _ in late[:1]}
    subjects = tuple(a for a in Reminded if a in standing and event.about in (None, a))
    if not subjects:
        raise Refused("No reminder is due, so there is nothing to snooze.")
    until = change.now + incident.scaled(event.length)
    for about in subjects:
        cards.snooze(change, about, until, event.by)
    if Reminded.UPDATE in subjects:
        change.disarm(CheckpointKind.UPDATE, CheckpointKind.SILENCE)
        change.arm(CheckpointKind.UPDATE, until)
    if Reminded.STABLE in subjects:
        change.disarm(CheckpointKind.MONITORING)
        change.arm(CheckpointKind.MONITORING, until)
    if Reminded.COMMUNICATIONS in subjects:
        change.disarm_about(CheckpointKind.OWED, *(str(o.n) for o in late))
        for owed in late:
            change.arm(CheckpointKind.OWED, until, str(owed.n))
    fields = {"what": ",".join(subjects), "until": until.isoformat()}
    change.note(EntryKind.SNOOZED, by=event.by, fields=fields)


def mark_security(change: Change, event: moves.MarkSecurity) -> None:
    """Mark the incident as a security incident."""
    security.make_private(change, event)


def state_times(change: Change, event: moves.StateTimes) -> None:
    """State when the impact began, was detected and ended. Refused for what cannot be, or is known already."""
    known = impact_times(change.incident)
    stated = {name: at for name in INSTANTS if (at := getattr(event, name)) is not None}
    if any(at > change.now for at in stated.values()):
        raise Refused("That time is still to come.")
    said = {name: at for name, at in stated.items() if at != known.get(name)}
    if not said:
        raise Refused("Already set – nothing changed.")
    after = {**known, **said}
    if BEGAN in after and ENDED in after and after[ENDED] < after[BEGAN]:
        raise Refused("The impact cannot end before it begins.")
    change.say(change.note(EntryKind.TIMES, by=event.by, fields={name: at.isoformat() for name, at in said.items()}))


def check(move: Move, incident: Incident) -> None:
    """Check a move that the table allows; raises Refused if this incident does not, whatever its details."""
    if move is Move.SCHEDULE and incident.policy.ticket is None:
        raise Refused(f"A {incident.severity} is handled now, not scheduled. Lower its severity first.")
    if move is Move.SECURITY and incident.private:
        raise Refused("This is already a security incident.")
    if move is Move.RUN:
        actions.check(incident)
    if move is Move.PUBLISH:
        communications.check_page(incident)
    if move in (Move.REVIEWED, Move.PLAN_REVIEW) and incident.reviewed:
        raise Refused(line("The review was already marked as done, at ", Time(incident.reviewed.at), "."))


HANDLERS: dict[Move, Callable[[Change, Any], None]] = {
    Move.ACKNOWLEDGE: acknowledge,
    Move.DECLINE: paging.decline,
    Move.ROOT_CAUSE: root_cause,
    Move.WORKAROUND: workaround,
    Move.START_FIX: start_fix,
    Move.FIX_APPLIED: fix_applied,
    Move.FIX_FAILED: fix_failed,
    Move.UPDATE: post_update,
    Move.SCHEDULE: schedule,
    Move.VERIFY: verify,
    Move.SEVERITY: severity.change_severity,
    Move.ESCALATE: paging.escalate,
    Move.PAGE: page_people,
    Move.RUN: actions.run_by_hand,
    Move.EDIT: edit,
    Move.LEAD: warroom.take_lead,
    Move.COMMUNICATE: communications.answer,
    Move.PUBLISH: communications.publish,
    Move.SNOOZE: snooze,
    Move.SECURITY: mark_security,
    Move.TIMES: state_times,
    Move.RESOLVE: lifecycle.resolve,
    Move.PLAN_REVIEW: reviews.plan,
    Move.REVIEWED: lifecycle.reviewed,
    Move.REOPEN: lifecycle.reopen,
    Move.CANCEL: lifecycle.cancel,
}
