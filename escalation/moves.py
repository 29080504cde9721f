"""What each move of a person does, once the table allowed it. Each handler is a few lines over a Change."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from escalation import communications, paging, security, warroom
from escalation.calendar import Wait
from escalation.change import Change
from escalation.checkpoints import in_roles, plan_of, unsaid
from escalation.effects import ArchiveRoom, LinkOther, Place, PostCard
from escalation.events import (
    Acknowledge,
    Cancel,
    ChangeSeverity,
    Declare,
    Edit,
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
    Reviewed,
    RootCause,
    Schedule,
    StartFix,
    Verify,
    Workaround,
)
from escalation.incident import (
    Checkpoint,
    CheckpointKind,
    Entry,
    EntryKind,
    Incident,
    Page,
    PageState,
    Resolution,
    Signed,
    Status,
)
from escalation.plans import Moment, PhaseStart, Said
from escalation.policy import SeverityPolicy
from escalation.refused import Refused
from escalation.values import PersonId, format_duration
from escalation.words import Person, Time, line

# Declaration -----------------------------------------------------------------------------------------------------


def newborn(incident_id: str, event: Declare, now: datetime) -> Incident:
    """The incident before anything was done about it."""
    terms = event.terms
    return Incident(
        id=incident_id,
        face=0,
        severity=terms.policy.severity,
        policy=terms.policy,
        speed=terms.speed,
        meeting_url=terms.meeting_url,
        calendar=terms.calendar,
        drill=terms.drill,
        team=terms.team,
        vendor=terms.vendor,
        public_means=terms.public_means,
        ways=terms.ways,
        facts=event.facts,
        reporter=event.by,
        declared_at=now,
        clock_from=now,
        sla_from=now,
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
        warroom.open_room(change)
    change.say_everywhere(entry)
    _file_ticket(change)
    if event.terms.others:
        _link(change, event)
    paging.page_tiers(change, incident.policy.at_once, f"a {incident.severity} was declared")
    _page_security(change, event.by)


def _page_security(change: Change, by: PersonId) -> None:
    """A breach is for the security team at once, also where the policy pages nobody at once."""
    policy = change.incident.policy
    if change.incident.private and not any(policy.tiers[tier - 1].on_breach for tier in policy.at_once):
        security.page_team(change, by, "it is a security incident")


def _file_ticket(change: Change) -> None:
    """A ticket is told to the team that owns the service."""
    kind = change.incident.policy.ticket
    if kind:
        entry = change.note(EntryKind.TICKET, fields={"ticket": kind, "team": change.incident.team})
        change.say(entry, Place.THREAD, Place.TEAM)


def _tell_team(change: Change, entry: Entry) -> None:
    """The team that has the ticket hears what became of it."""
    if change.incident.policy.ticket:
        change.say(entry, Place.TEAM)


def _link(change: Change, event: Declare) -> None:
    """The room of the first of several is the one where all are coordinated."""
    others = event.terms.others
    known = next((o.coordinated_in for o in others if o.coordinated_in), "")
    warroom.link(change, tuple(o.id for o in others), known or min(o.id for o in others))
    for other in others:
        change.cause(LinkOther, other=other.id)


def start_clocks(change: Change) -> None:
    """Set the policy's checkpoints, counted from `clock_from`, and the update cadence, counted from now."""
    incident = change.incident
    change.disarm(CheckpointKind.POLICY, CheckpointKind.COMMUNICATION, CheckpointKind.UPDATE, CheckpointKind.SILENCE)
    change.arm_planned(Moment.START, incident.clock_from)
    for moment, known in _known_since(incident):
        change.arm_planned(moment, max(incident.clock_from, known.at))
    if incident.policy.updates:
        change.arm(CheckpointKind.UPDATE, incident.after(change.now, incident.policy.updates.every))


def _known_since(incident: Incident) -> Iterator[tuple[Moment, Signed]]:
    facts = {
        Moment.ACKNOWLEDGED: incident.acknowledgement,
        Moment.ROOT_CAUSE: incident.root_cause,
        Moment.FIX_APPLIED: incident.fix,
    }
    yield from ((moment, fact) for moment, fact in facts.items() if fact)


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
    change.arm_planned(Moment.ACKNOWLEDGED, change.now)
    paging.tell_service(change, "acknowledge")
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
    if change.incident.root_cause is None:
        change.arm_planned(Moment.ROOT_CAUSE, change.now)
    change.set(root_cause=Signed(by=event.by, at=change.now, text=event.cause))
    change.say_everywhere(change.note(EntryKind.ROOT_CAUSE, by=event.by, text=event.cause))


def workaround(change: Change, event: Workaround) -> None:
    _at_work(change, event.by)
    change.set(workaround=Signed(by=event.by, at=change.now, text=event.text))
    change.say_everywhere(change.note(EntryKind.WORKAROUND, by=event.by, text=event.text))


def start_fix(change: Change, event: StartFix) -> None:
    _at_work(change, event.by)
    change.say_everywhere(change.note(EntryKind.FIX_STARTED, by=event.by, text=event.text))
    warroom.begin_phase(change, PhaseStart.FIXING)


def fix_applied(change: Change, event: FixApplied) -> None:
    _at_work(change, event.by)
    change.set(fix=Signed(by=event.by, at=change.now, text=event.text), verified=None)
    change.arm_planned(Moment.FIX_APPLIED, change.now)
    until = change.now + change.incident.scaled(change.incident.policy.monitor_for)
    change.disarm(CheckpointKind.MONITORING)
    change.arm(CheckpointKind.MONITORING, until)
    entry = change.note(EntryKind.FIX_APPLIED, by=event.by, text=event.text, fields={"until": until.isoformat()})
    change.say_everywhere(entry)
    warroom.begin_phase(change, PhaseStart.MONITORING)


def fix_failed(change: Change, event: FixFailed) -> None:
    change.set(fix=None, verified=None)
    change.say_everywhere(change.note(EntryKind.FIX_FAILED, by=event.by, text=event.text))
    warroom.begin_phase(change, PhaseStart.AFTER)
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
    said = {"impact": event.impact, "public_wording": event.public_wording}
    change.set(facts=change.incident.facts.model_copy(update={name: text for name, text in said.items() if text}))
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
    communications.follow_update(change)


def _next_update(change: Change, promised: timedelta | None) -> datetime | None:
    """When the next one is due. One that was promised by name says so when it is broken."""
    incident, cadence = change.incident, change.incident.policy.updates
    change.disarm(CheckpointKind.UPDATE, CheckpointKind.SILENCE)
    if promised is None and cadence is None:
        return None
    wait = Wait(length=promised) if promised else cadence.every if cadence else Wait()
    due = incident.after(change.now, wait)
    change.arm(CheckpointKind.UPDATE, due, about=str(len(incident.timeline) + 1))
    return due


def schedule(change: Change, event: Schedule) -> None:
    incident = change.incident
    if incident.policy.ticket is None:
        raise Refused(f"A {incident.severity} is handled now, not scheduled: lower its severity first.")
    _at_work(change, event.by)
    change.set(schedule=Signed(by=event.by, at=change.now, text=event.when))
    change.say(change.note(EntryKind.SCHEDULED, by=event.by, text=event.when), Place.THREAD, Place.TEAM)


def verify(change: Change, event: Verify) -> None:
    change.set(verified=Signed(by=event.by, at=change.now, text=event.text))
    change.say_everywhere(change.note(EntryKind.VERIFIED, by=event.by, text=event.text))


EDITABLE = ("title", "impact", "description", "service", "public_wording", "detection", *Said)


def edit(change: Change, event: Edit) -> None:
    """Correct what was said; what waited for a fact that is said now fires at once."""
    facts = change.incident.facts
    wanted = {name: getattr(event, name) for name in EDITABLE if getattr(event, name, None) is not None}
    changed = {name: value for name, value in wanted.items() if value != getattr(facts, name)}
    if not changed:
        raise Refused("That is how it stands already: nothing was changed.")
    change.set(facts=facts.model_copy(update=changed))
    if "service" in changed:
        change.set(team=event.team or "", vendor=event.vendor or "")
    fields = {name: str(value) for name, value in changed.items()}
    change.say_everywhere(change.note(EntryKind.EDITED, by=event.by, fields=fields))
    if "service" in changed:
        _file_ticket(change)


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
        ahead = tuple(c for c in waiting if c.due > change.now or not _has_passed(c, change.incident))
        change.set(checkpoints=ahead, tiers_paged=change.incident.policy.at_once)
        communications.lowered(change, event.by)
    if change.incident.policy.room:
        warroom.open_room(change)
    change.say_everywhere(entry)
    if before.policy.ticket != event.policy.ticket:
        _file_ticket(change)
    if raised:
        _page_newcomers(change, f"it was raised to {event.severity}: {event.why}", event.by)


def _has_passed(checkpoint: Checkpoint, incident: Incident) -> bool:
    """Whether its time is over, and not only waiting for what nobody said yet."""
    plan = plan_of(checkpoint, incident)
    return plan is not None and not unsaid(plan, incident)


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
    if tier is None and change.incident.tiers_paged != incident.tiers_paged:
        tier = max(change.incident.tiers_paged)  # that is who pressed the button: they are in now
        change.say_everywhere(change.note(EntryKind.ESCALATED, by=event.by, why=event.why, fields={"tier": str(tier)}))
        return
    if tier is None:
        raise Refused("Every tier was paged already. Page someone by name with Page someone.")
    change.note(EntryKind.ESCALATED, by=event.by, why=event.why, fields={"tier": str(tier)})
    why = f"the incident was escalated by hand: {event.why}" if event.why else "the incident was escalated by hand"
    paging.page_tier(change, tier, why, by=event.by, skip=frozenset({event.by}))


def page_people(change: Change, event: PagePeople) -> None:
    people = event.people + (in_roles(change.incident, change.roster, (event.role,)) if event.role else ())
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
    entry = change.note(EntryKind.RESOLVED, by=event.by, text=event.summary)
    change.say_everywhere(entry, broadcast=True)
    _tell_team(change, entry)
    communications.restored(change)
    paging.tell_service(change, "resolve")
    warroom.begin_phase(change, PhaseStart.RESOLVED)
    _report_drill(change)


def _report_drill(change: Change) -> None:
    if change.incident.drill:
        change.say_everywhere(change.note(EntryKind.DRILL_REPORT))


def reviewed(change: Change, event: Reviewed) -> None:
    """The review was held: the room has served its purpose, and those outside may hear what was learned."""
    if change.incident.reviewed:
        raise Refused(line("The review was held already, at ", Time(change.incident.reviewed.at), "."))
    change.set(reviewed=Signed(by=event.by, at=change.now, text=event.text))
    change.say_everywhere(change.note(EntryKind.REVIEWED, by=event.by, text=event.text))
    communications.follow_up(change)
    if change.incident.room and not change.incident.room.lost:
        change.cause(ArchiveRoom, "thread" if change.incident.private else "room")


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
        workaround=None,
        fix=None,
        schedule=None,
        verified=None,
        reviewed=None,
        resolution=None,
        tiers_paged=(),
        nobody_left=False,
        clock_from=change.now,
        sla_from=change.now,
        round=change.incident.round + 1,
    )
    communications.stop(change)
    entry = change.note(EntryKind.REOPENED, by=event.by, why=event.why)
    start_clocks(change)
    warroom.reopen(change)
    change.say_everywhere(entry)
    _tell_team(change, entry)
    tiers = change.incident.policy.at_once
    paging.page_tiers(change, tiers, "the incident was reopened", by=event.by, skip=frozenset({event.by}))
    _page_security(change, event.by)


def cancel(change: Change, event: Cancel) -> None:
    fields = {"duplicate_of": event.duplicate_of}
    entry = change.note(EntryKind.CANCELLED, by=event.by, why=event.why, fields=fields)
    change.say_everywhere(entry)
    _tell_team(change, entry)
    communications.called_off(change)
    paging.tell_service(change, "resolve")
    _report_drill(change)


HANDLERS: dict[Move, Callable[[Change, Any], None]] = {
    Move.ACKNOWLEDGE: acknowledge,
    Move.ROOT_CAUSE: root_cause,
    Move.WORKAROUND: workaround,
    Move.START_FIX: start_fix,
    Move.FIX_APPLIED: fix_applied,
    Move.FIX_FAILED: fix_failed,
    Move.UPDATE: post_update,
    Move.SCHEDULE: schedule,
    Move.VERIFY: verify,
    Move.SEVERITY: change_severity,
    Move.ESCALATE: escalate,
    Move.PAGE: page_people,
    Move.EDIT: edit,
    Move.LEAD: warroom.take_lead,
    Move.COMMUNICATE: communications.answer,
    Move.SECURITY: mark_security,
    Move.RESOLVE: resolve,
    Move.REVIEWED: reviewed,
    Move.REOPEN: reopen,
    Move.CANCEL: cancel,
}
