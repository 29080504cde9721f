"""How an incident begins: the newborn, its clocks, its card, its ticket, and whom it pages at once."""

from collections.abc import Iterator
from datetime import datetime

from escalation.config.plans import Moment
from escalation.engine import paging, security, warroom
from escalation.engine.change import Change
from escalation.incident.effects import LinkOther, Place, PostCard
from escalation.incident.events import (
    Declare,
)
from escalation.incident.model import Incident
from escalation.incident.records import Checkpoint, CheckpointKind, Entry, EntryKind, Signed
from escalation.values import PersonId


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
    file_ticket(change)
    if event.terms.others:
        _link(change, event)
    paging.page_tiers(change, incident.policy.at_once, f"a {incident.severity} was declared")
    page_security_team(change, event.by)


def page_security_team(change: Change, by: PersonId) -> None:
    """A breach is for the security team at once, also where the policy pages nobody at once."""
    policy = change.incident.policy
    if change.incident.private and not any(policy.tiers[tier - 1].on_breach for tier in policy.at_once):
        security.page_team(change, by, "it is a security incident")


def file_ticket(change: Change) -> None:
    """A ticket is told to the team that owns the service."""
    kind = change.incident.policy.ticket
    if kind:
        entry = change.note(EntryKind.TICKET, fields={"ticket": kind, "team": change.incident.team})
        change.say(entry, Place.THREAD, Place.TEAM)


def tell_team(change: Change, entry: Entry) -> None:
    """The team that has the ticket hears what became of it."""
    if change.incident.policy.ticket:
        change.say(entry, Place.TEAM)


def _link(change: Change, event: Declare) -> None:
    """The room of the first of several is the one where all are coordinated, for as long as that one is open.

    Only there each newcomer is told of: in all the others, too, ten incidents would make a hundred lines.
    """
    others = event.terms.others
    ids = tuple(o.id for o in others)
    known = next((o.coordinated_in for o in others if o.coordinated_in in ids), "")
    home = known or min(ids)
    warroom.link(change, ids, home)
    change.cause(LinkOther, other=home)


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
    """The update that somebody promised by name: what people were told stands, unless the policy asks for it sooner."""
    waiting = (c for c in incident.checkpoints if c.kind is CheckpointKind.UPDATE and c.about)
    return next((c for c in waiting if incident.entry(int(c.about)).fields.get("promised")), None)


def _known_since(incident: Incident) -> Iterator[tuple[Moment, Signed]]:
    facts = {
        Moment.ACKNOWLEDGED: incident.acknowledgement,
        Moment.ROOT_CAUSE: incident.root_cause,
        Moment.FIX_APPLIED: incident.fix,
    }
    yield from ((moment, fact) for moment, fact in facts.items() if fact)
