"""Begin and end of an incident: declare, resolve, review, cancel, reopen."""

from collections.abc import Iterator
from datetime import datetime

from escalation.config.actions import DECLARED
from escalation.config.rules.checkpoints import Moment
from escalation.config.rules.rooms import PhaseStart
from escalation.engine import communications, paging, security, warroom
from escalation.engine.automatic import actions, likeness, reviews
from escalation.engine.change import Change
from escalation.engine.channels import services
from escalation.errors import Refused
from escalation.incident.effects import LinkOther, MailReview, Place, PostCard
from escalation.incident.events.declaration import Declare
from escalation.incident.events.moves import Cancel, Reopen, Resolve, Reviewed
from escalation.incident.impact import DETECTED
from escalation.incident.model import Incident
from escalation.incident.state.checkpoints import Checkpoint, CheckpointKind
from escalation.incident.state.entries import Entry, EntryKind
from escalation.incident.state.facts import Resolution, Signed, Status
from escalation.incident.state.former import Stretch
from escalation.incident.state.pages import PageState
from escalation.values import PersonId


def new_incident(incident_id: str, event: Declare, now: datetime) -> Incident:
    """Build a declared incident, before its checkpoints, pages and card."""
    terms = event.terms
    return Incident(
        id=incident_id,
        face=0,
        severity=terms.policy.severity,
        policy=terms.policy,
        speed=terms.speed,
        meeting_url=terms.meeting_url,
        own_meetings=terms.own_meetings,
        invitations=terms.invitations,
        calendar=terms.calendar,
        drill=terms.drill,
        team=terms.team,
        vendor=terms.vendor,
        hotline=terms.hotline,
        runbook=terms.runbook,
        links=terms.links,
        maintenance=terms.maintenance,
        public_means=terms.public_means,
        ways=terms.ways,
        public_page=terms.public_page,
        mail_lists=terms.mail_lists,
        list_channels=terms.list_channels,
        webhooks=terms.webhooks,
        actions=terms.actions,
        tickets=terms.tickets,
        facts=event.facts,
        alerts=event.alerts,
        reporter=event.by,
        declared_at=now,
        clock_from=now,
        sla_from=now,
        keys=(event.key,) if event.key else (),
    )


def begin(change: Change, event: Declare) -> None:
    """Start a declared incident: checkpoints, card, room, pages. Pages wait for none of the others: no lane."""
    incident = change.incident
    detected = {DETECTED: event.detected.isoformat()} if event.detected else {}
    entry = change.note(EntryKind.DECLARED, by=event.by, text=event.facts.description, fields=detected)
    start_clocks(change)
    if not incident.private:
        card = change.add_effect(PostCard, place="channel")
        change.set(lanes={**change.incident.lanes, "thread": card.id})
    if incident.policy.room or incident.private:
        warroom.open_room(change)
    change.say(entry)
    file_ticket(change)
    if event.terms.others:
        _link(change, event)
    paging.page_tiers(change, incident.policy.at_once, f"a {incident.severity} was declared")
    page_security_team(change, event.by)
    actions.run(change, DECLARED)


def page_security_team(change: Change, by: PersonId) -> None:
    """Page the security team for a security incident at once, also where the policy pages nobody at once."""
    policy = change.incident.policy
    if change.incident.private and not any(policy.tiers[tier - 1].on_breach for tier in policy.at_once):
        security.page_team(change, by, "it is a security incident")


def file_ticket(change: Change) -> None:
    """File the ticket with the team that owns the service."""
    kind = change.incident.policy.ticket
    if kind:
        entry = change.note(EntryKind.TICKET, fields={"ticket": kind, "team": change.incident.team})
        change.say(entry)


def notify_team(change: Change, entry: Entry) -> None:
    """Post an entry to the team that has the ticket."""
    if change.incident.policy.ticket:
        change.say(entry, Place.TEAM)


def _link(change: Change, event: Declare) -> None:
    """Link open incidents: all are coordinated in the room of the first, for as long as that one is open.

    Only that one is told of each new one: if all were, ten incidents would make a hundred lines.
    """
    others = event.terms.others
    ids = tuple(o.id for o in others)
    known = next((o.coordinated_in for o in others if o.coordinated_in in ids), "")
    home = known or min(ids)
    warroom.link(change, ids, home, next(o.room for o in others if o.id == home))
    change.add_effect(LinkOther, other=home)


def start_clocks(change: Change) -> None:
    """Set the policy's checkpoints, counted from `clock_from`, and the update cadence, counted from now."""
    incident, promise = change.incident, _promise(change.incident)
    change.disarm(CheckpointKind.POLICY, CheckpointKind.COMMUNICATION, CheckpointKind.UPDATE, CheckpointKind.SILENCE)
    change.arm_planned(Moment.START, incident.clock_from)
    for moment, known in _known_since(incident):
        change.arm_planned(moment, max(incident.clock_from, known.at))
    cadence = incident.policy.updates
    due = incident.after(change.now, cadence.every) if cadence else None
    if promise and (due is None or promise.due < due):
        change.arm(CheckpointKind.UPDATE, promise.due, promise.about)
    elif due:
        change.arm(CheckpointKind.UPDATE, due)


def _promise(incident: Incident) -> Checkpoint | None:
    """Return the update that somebody promised: the promise stands, unless the policy asks for an update sooner."""
    waiting = (c for c in incident.checkpoints if c.kind is CheckpointKind.UPDATE and c.about)
    return next((c for c in waiting if incident.entry(int(c.about)).fields.get("promised")), None)


def _known_since(incident: Incident) -> Iterator[tuple[Moment, Signed]]:
    facts = {
        Moment.ACKNOWLEDGED: incident.acknowledgement,
        Moment.ROOT_CAUSE: incident.root_cause,
        Moment.FIX_APPLIED: incident.fix,
    }
    yield from ((moment, fact) for moment, fact in facts.items() if fact)


def resolve(change: Change, event: Resolve) -> None:
    """Resolve the incident and announce it."""
    facts = event.model_dump(include=set(Resolution.model_fields) - {"by"})
    change.set(resolution=Resolution(by=event.by, at=change.now, **facts), eta="", eta_at=None)
    if event.data_loss is not None:
        change.set(facts=change.incident.facts.model_copy(update={"data_loss": event.data_loss}))
    fields = {"category": event.category} if event.category else {}
    entry = change.note(EntryKind.RESOLVED, by=event.by, text=event.summary, fields=fields)
    change.say(entry, broadcast=not change.incident.policy.ticket)
    notify_team(change, entry)
    communications.restored(change)
    likeness.tell_duplicates(change)
    services.tell(change, "resolve")
    warroom.begin_phase(change, PhaseStart.RESOLVED)
    reviews.categorise(change, event.category, event.repeats)
    reviews.begin(change, event.review_owner)
    _report_drill(change)


def _report_drill(change: Change) -> None:
    if change.incident.drill:
        change.say(change.note(EntryKind.DRILL_REPORT))


def reviewed(change: Change, event: Reviewed) -> None:
    """Record the review: archive the room, and begin the customers' follow-up."""
    change.set(reviewed=Signed(by=event.by, at=change.now, text=event.text))
    change.say(change.note(EntryKind.REVIEWED, by=event.by, text=event.text))
    _mail_review(change)
    communications.follow_up(change)
    warroom.archive(change)


def _mail_review(change: Change) -> None:
    """Mail the finished review to the policy's lists that the company has; a private one, or a drill's, to nobody."""
    incident = change.incident
    rule = incident.policy.review
    lists = tuple(name for name in (rule.mail if rule else ()) if name in incident.mail_lists)
    if lists and not incident.private and not incident.drill:
        change.add_effect(MailReview, "mail_review", lists=lists)


def reopen(change: Change, event: Reopen) -> None:
    """Reopen the incident: clocks, tiers and acknowledgement start again; the timeline stays."""
    pages = tuple(
        p.model_copy(update={"state": PageState.REPLACED}) if p.state is PageState.OPEN else p
        for p in change.incident.pages
    )
    change.set(
        pages=pages,
        stretches=(*change.incident.stretches, _ended_stretch(change)),
        acknowledgement=None,
        assigned=(),
        root_cause=None,
        cause_category="",
        repeats="",
        workaround=None,
        fix=None,
        schedule=None,
        verified=None,
        reviewed=None,
        review_work=None,
        resolution=None,
        eta="",
        eta_at=None,
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
    change.say(entry)
    notify_team(change, entry)
    tiers = change.incident.policy.at_once
    paging.page_tiers(change, tiers, "the incident was reopened", by=event.by, skip=frozenset({event.by}))
    page_security_team(change, event.by)


def _ended_stretch(change: Change) -> Stretch:
    """Return what the stretch that ended had found: the card keeps it, and its figures are its own."""
    incident = change.incident
    return Stretch(
        started=incident.sla_from,
        closed_at=change.before.closed_at or change.now,
        assigned=incident.assigned,
        acknowledgement=incident.acknowledgement,
        root_cause=incident.root_cause,
        workaround=incident.workaround,
        fix=incident.fix,
        resolution=incident.resolution,
    )


def cancel(change: Change, event: Cancel) -> None:
    """Cancel a false alarm or a duplicate. Of one that is cancelled already, correct why; Refused without words."""
    fields = {"duplicate_of": event.duplicate_of}
    if change.before.status is Status.CANCELLED:
        if not (event.why or event.duplicate_of):
            raise Refused("This incident is cancelled already. Say why to correct the reason.")
        change.note(EntryKind.CANCELLED, by=event.by, why=event.why, fields=fields | {"corrects": "yes"})
        if event.duplicate_of:
            likeness.tell_original(change, event.duplicate_of)
        return
    entry = change.note(EntryKind.CANCELLED, by=event.by, why=event.why, fields=fields)
    change.say(entry)
    notify_team(change, entry)
    if event.duplicate_of:  # the trouble is real, and goes on under the other's name
        communications.stop(change)
        likeness.tell_original(change, event.duplicate_of)
    else:
        communications.called_off(change)
        likeness.tell_duplicates(change)
    services.tell(change, "resolve")
    warroom.archive_later(change)
    _report_drill(change)
