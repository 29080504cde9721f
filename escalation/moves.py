"""What each move of a person does, once the table allowed it. Each handler is a few lines over a Change."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from escalation import checkpoints, paging, security
from escalation.change import Change
from escalation.effects import PostCard
from escalation.events import (
    Acknowledge,
    Cancel,
    ChangeSeverity,
    Declare,
    Escalate,
    FixApplied,
    FixFailed,
    MarkSecurity,
    Move,
    MoveEvent,
    PagePeople,
    PostUpdate,
    Reopen,
    Resolve,
    RootCause,
    StartFix,
)
from escalation.incident import CheckpointKind, EntryKind, Incident, Page, PageState, Resolution, Signed, Status
from escalation.policy import SeverityPolicy
from escalation.values import PersonId, format_duration
from escalation.words import Line, Person, Time, line


class Refused(Exception):
    """A move that is not legal (any more). `words` go to the one who tried."""

    def __init__(self, words: str | Line) -> None:
        self.words: Line = (words,) if isinstance(words, str) else words
        super().__init__("".join(s if isinstance(s, str) else "…" for s in self.words))


# Declaration -----------------------------------------------------------------------------------------------------


def newborn(incident_id: str, event: Declare, now: datetime) -> Incident:
    """The incident before anything was done about it."""
    return Incident(
        id=incident_id,
        face=0,
        severity=event.terms.policy.severity,
        policy=event.terms.policy,
        speed=event.terms.speed,
        meeting_url=event.terms.meeting_url,
        facts=event.facts,
        reporter=event.by,
        declared_at=now,
        clock_from=now,
        keys=(event.key,) if event.key else (),
    )


def begin(change: Change, event: Declare) -> None:
    """Card, room, pages and clocks. Pages wait for neither card nor room: they are in no lane."""
    incident = change.incident
    entry = change.note(EntryKind.DECLARED, by=event.by, text=event.facts.description)
    start_clocks(change)
    if not incident.private:
        card = change.cause(PostCard, place="channel")
        change.set(lanes={**change.incident.lanes, "thread": card.id})
    if incident.policy.room or incident.private:
        change.open_room(_first_invited(change))
    change.say_everywhere(entry)
    paging.page_tiers(change, incident.policy.at_once, f"a {incident.severity} was declared")


def _first_invited(change: Change) -> tuple[PersonId, ...]:
    roles = change.incident.policy.room_invites
    return (change.incident.reporter, *(p for r in roles for p in change.roster.of(r)))


def start_clocks(change: Change) -> None:
    """Set the policy's checkpoints, counted from `clock_from`, and the update cadence, counted from now."""
    incident = change.incident
    planned = checkpoints.planned(incident.policy, incident.clock_from, incident.speed, incident.round)
    kept = tuple(c for c in incident.checkpoints if c.kind is not CheckpointKind.POLICY)
    change.set(checkpoints=(*kept, *planned))
    change.disarm(CheckpointKind.UPDATE, CheckpointKind.SILENCE)
    if incident.policy.updates:
        change.arm(CheckpointKind.UPDATE, change.now + incident.scaled(incident.policy.updates.every))


# Moves -----------------------------------------------------------------------------------------------------------


def acknowledge(change: Change, event: Acknowledge) -> None:
    done = change.incident.acknowledgement
    paged = change.incident.open_page_of(event.by) is not None
    if done and not paged:
        who = "You" if done.by == event.by else Person(done.by)
        raise Refused(line(who, " acknowledged it already, at ", Time(done.at), "."))
    if done:
        change.say(change.note(EntryKind.JOINED, by=event.by))
    else:
        _acknowledged_by(change, event.by)
    _assign(change, event.by)


def _acknowledged_by(change: Change, person: PersonId) -> None:
    ever_paged = any(p.person == person for p in change.incident.pages)
    change.set(acknowledgement=Signed(by=person, at=change.now))
    entry = change.note(EntryKind.ACKNOWLEDGED, by=person, fields={"paged": "yes" if ever_paged else "no"})
    change.say_everywhere(entry)


def _assign(change: Change, person: PersonId) -> None:
    change.set(assigned=tuple(dict.fromkeys((*change.incident.assigned, person))))
    change.seen()


def _at_work(change: Change, person: PersonId) -> None:
    """Whoever finds the cause or fixes it has evidently taken it: that acknowledges what nobody acknowledged."""
    if change.incident.acknowledgement is None:
        _acknowledged_by(change, person)
        _assign(change, person)


def root_cause(change: Change, event: RootCause) -> None:
    _at_work(change, event.by)
    change.set(root_cause=Signed(by=event.by, at=change.now, text=event.cause))
    change.say_everywhere(change.note(EntryKind.ROOT_CAUSE, by=event.by, text=event.cause))


def start_fix(change: Change, event: StartFix) -> None:
    _at_work(change, event.by)
    change.say_everywhere(change.note(EntryKind.FIX_STARTED, by=event.by, text=event.text))


def fix_applied(change: Change, event: FixApplied) -> None:
    _at_work(change, event.by)
    change.set(fix=Signed(by=event.by, at=change.now, text=event.text))
    until = change.now + change.incident.scaled(change.incident.policy.monitor_for)
    change.disarm(CheckpointKind.MONITORING)
    change.arm(CheckpointKind.MONITORING, until)
    entry = change.note(EntryKind.FIX_APPLIED, by=event.by, text=event.text, fields={"until": until.isoformat()})
    change.say_everywhere(entry)


def fix_failed(change: Change, event: FixFailed) -> None:
    change.set(fix=None)
    change.say_everywhere(change.note(EntryKind.FIX_FAILED, by=event.by, text=event.text))
    tiers = change.incident.policy.on_fix_failed
    paging.page_tiers(change, tiers, "the fix did not hold", by=event.by, skip=frozenset({event.by}))


def implied_move(update: PostUpdate) -> MoveEvent | None:
    """The move that an update makes when it says that the incident is in another status now; None: no update can."""
    match update.status:
        case Status.IDENTIFIED:
            return RootCause(by=update.by, cause=update.progress)
        case Status.FIXING:
            return StartFix(by=update.by)
        case Status.MONITORING:
            return FixApplied(by=update.by)
        case Status.INVESTIGATING:
            return FixFailed(by=update.by)
        case _:
            return None


def post_update(change: Change, event: PostUpdate) -> None:
    """Record the update and promise the next. The policy's cadence counts from this one."""
    if event.impact:
        change.set(facts=change.incident.facts.model_copy(update={"impact": event.impact}))
    change.set(eta=event.eta)
    due = _next_update(change, event.next_in)
    fields = {
        "status": change.incident.status,
        "next_steps": event.next_steps,
        "eta": event.eta,
        "impact": change.incident.facts.impact,
        "next_update": due.isoformat() if due else "",
        "promised": format_duration(event.next_in) if event.next_in else "",
    }
    change.say_everywhere(change.note(EntryKind.UPDATE, by=event.by, text=event.progress, fields=fields))


def _next_update(change: Change, promised: timedelta | None) -> datetime | None:
    cadence = change.incident.policy.updates
    every = promised or (cadence.every if cadence else None)
    change.disarm(CheckpointKind.UPDATE, CheckpointKind.SILENCE)
    if every is None:
        return None
    due = change.now + change.incident.scaled(every)
    change.arm(CheckpointKind.UPDATE, due)
    return due


def change_severity(change: Change, event: ChangeSeverity) -> None:
    """Raised: the clocks start now, and whoever is in is not paged twice. Lowered: passed checkpoints are moot."""
    before = change.incident
    if event.severity is before.severity:
        raise Refused(f"It is {before.severity} already.")
    raised = event.severity < before.severity
    change.set(severity=event.severity, policy=event.policy, round=before.round + 1)
    fields = {"from": before.severity, "to": event.severity}
    entry = change.note(EntryKind.SEVERITY, by=event.by, why=event.why, fields=fields)
    change.set(tiers_paged=(), nobody_left=False, clock_from=change.now if raised else before.clock_from)
    change.set(pages=tuple(_on_the_new_ladder(p, event.policy) for p in before.pages))
    start_clocks(change)
    if not raised:
        waiting = change.incident.checkpoints
        ahead = tuple(c for c in waiting if c.due > change.now or c.kind is not CheckpointKind.POLICY)
        change.set(checkpoints=ahead, tiers_paged=change.incident.policy.at_once)
    if change.incident.policy.room and not change.has_room():
        change.open_room(tuple(dict.fromkeys((*_first_invited(change), *sorted(before.people())))))
    change.say_everywhere(entry)
    if raised:
        _page_newcomers(change, f"it was raised to {event.severity}: {event.why}", event.by)


def _on_the_new_ladder(page: Page, policy: SeverityPolicy) -> Page:
    """Tier numbers are a policy's own: whoever was paged before stands on the rung that the new one pages at once."""
    return page.model_copy(update={"tier": max(policy.at_once, default=0)}) if page.tier else page


def _page_newcomers(change: Change, why: str, by: PersonId) -> None:
    already = {p.person for p in change.incident.pages if p.state in (PageState.OPEN, PageState.ANSWERED)}
    paging.page_tiers(change, change.incident.policy.at_once, why, by, skip=frozenset(already | {by}))


def escalate(change: Change, event: Escalate) -> None:
    """Page the next tier. A card that shows fewer tiers than were paged since is an old card: one press, one tier."""
    incident = change.incident
    if event.seen is not None and not set(incident.tiers_paged) <= set(event.seen):
        latest = incident.latest(EntryKind.PAGED)
        at = latest.at if latest else incident.declared_at
        raise Refused(line("It was escalated already, at ", Time(at), ": see the card."))
    tier = paging.next_tier_for(change, event.by)
    if tier is None:
        raise Refused("Every tier was paged already. Page someone by name with Page someone.")
    change.note(EntryKind.ESCALATED, by=event.by, why=event.why, fields={"tier": str(tier)})
    why = f"the incident was escalated by hand: {event.why}" if event.why else "the incident was escalated by hand"
    paging.page_tier(change, tier, why, by=event.by, skip=frozenset({event.by}))


def page_people(change: Change, event: PagePeople) -> None:
    people = event.people + (change.roster.of(event.role) if event.role else ())
    role = change.incident.policy.role_name(event.role) if event.role else ""
    if not people:
        raise Refused(f"Nobody holds the role {role or 'named'} now." if event.role else "Name somebody to page.")
    why = f"asked for by hand: {event.why}" if event.why else "asked for by hand"
    paging.page_people(change, tuple(dict.fromkeys(people)), why, event.by, role)


def mark_security(change: Change, event: MarkSecurity) -> None:
    if change.incident.private:
        raise Refused("It is a security incident already.")
    security.close_doors(change, event.by, event.why)


def resolve(change: Change, event: Resolve) -> None:
    facts = event.model_dump(exclude={"kind", "key", "by"})
    change.set(resolution=Resolution(by=event.by, at=change.now, **facts), eta="")
    if event.data_loss:
        change.set(facts=change.incident.facts.model_copy(update={"data_loss": True}))
    change.say_everywhere(change.note(EntryKind.RESOLVED, by=event.by, text=event.summary), broadcast=True)


def reopen(change: Change, event: Reopen) -> None:
    """Everything starts again from now: the clocks, the tiers, the acknowledgement. The record stays."""
    pages = tuple(
        p.model_copy(update={"state": PageState.REPLACED}) if p.state is PageState.OPEN else p
        for p in change.incident.pages
    )
    change.set(
        pages=pages,
        acknowledgement=None,
        assigned=(),
        root_cause=None,
        fix=None,
        resolution=None,
        tiers_paged=(),
        nobody_left=False,
        clock_from=change.now,
        round=change.incident.round + 1,
    )
    entry = change.note(EntryKind.REOPENED, by=event.by, why=event.why)
    start_clocks(change)
    change.say_everywhere(entry)
    tiers = change.incident.policy.at_once
    paging.page_tiers(change, tiers, "the incident was reopened", by=event.by, skip=frozenset({event.by}))


def cancel(change: Change, event: Cancel) -> None:
    fields = {"duplicate_of": event.duplicate_of}
    change.say_everywhere(change.note(EntryKind.CANCELLED, by=event.by, why=event.why, fields=fields))


HANDLERS: dict[Move, Callable[[Change, Any], None]] = {
    Move.ACKNOWLEDGE: acknowledge,
    Move.ROOT_CAUSE: root_cause,
    Move.START_FIX: start_fix,
    Move.FIX_APPLIED: fix_applied,
    Move.FIX_FAILED: fix_failed,
    Move.UPDATE: post_update,
    Move.SEVERITY: change_severity,
    Move.ESCALATE: escalate,
    Move.PAGE: page_people,
    Move.SECURITY: mark_security,
    Move.RESOLVE: resolve,
    Move.REOPEN: reopen,
    Move.CANCEL: cancel,
}
