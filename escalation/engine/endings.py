"""How an incident ends: resolved, reviewed or cancelled; and how it begins anew."""

from escalation.config.plans import PhaseStart
from escalation.engine import communications, paging, warroom
from escalation.engine.beginning import page_security_team, start_clocks, tell_team
from escalation.engine.change import Change
from escalation.incident.effects import ArchiveRoom
from escalation.incident.events import (
    Cancel,
    Reopen,
    Resolve,
    Reviewed,
)
from escalation.incident.records import EntryKind, PageState, Resolution, Signed


def resolve(change: Change, event: Resolve) -> None:
    facts = event.model_dump(exclude={"kind", "key", "by"})
    change.set(resolution=Resolution(by=event.by, at=change.now, **facts), eta="")
    if event.data_loss:
        change.set(facts=change.incident.facts.model_copy(update={"data_loss": True}))
    entry = change.note(EntryKind.RESOLVED, by=event.by, text=event.summary)
    change.say_everywhere(entry, broadcast=True)
    tell_team(change, entry)
    communications.restored(change)
    paging.tell_service(change, "resolve")
    warroom.begin_phase(change, PhaseStart.RESOLVED)
    _report_drill(change)


def _report_drill(change: Change) -> None:
    if change.incident.drill:
        change.say_everywhere(change.note(EntryKind.DRILL_REPORT))


def reviewed(change: Change, event: Reviewed) -> None:
    """The review was held: the room has served its purpose, and those outside may hear what was learned."""
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
        eta="",
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
    tell_team(change, entry)
    tiers = change.incident.policy.at_once
    paging.page_tiers(change, tiers, "the incident was reopened", by=event.by, skip=frozenset({event.by}))
    page_security_team(change, event.by)


def cancel(change: Change, event: Cancel) -> None:
    fields = {"duplicate_of": event.duplicate_of}
    entry = change.note(EntryKind.CANCELLED, by=event.by, why=event.why, fields=fields)
    change.say_everywhere(entry)
    tell_team(change, entry)
    if event.duplicate_of:  # the trouble is real, and goes on under the other's name
        communications.stop(change)
    else:
        communications.called_off(change)
    paging.tell_service(change, "resolve")
    _report_drill(change)
