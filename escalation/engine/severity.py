"""Change of severity of a running incident."""

from datetime import datetime

from escalation.engine import communications, paging, warroom
from escalation.engine.change import Change
from escalation.engine.channels import reaching
from escalation.engine.checkpoints import plan_of, unsaid
from escalation.engine.lifecycle import file_ticket, start_clocks
from escalation.errors import Refused
from escalation.incident.events.moves import ChangeSeverity
from escalation.incident.model import Incident
from escalation.incident.responders import holders
from escalation.incident.state.checkpoints import Checkpoint, CheckpointKind
from escalation.incident.state.entries import Entry, EntryKind
from escalation.incident.state.pages import Page, PageState
from escalation.values import PersonId


def change_severity(change: Change, event: ChangeSeverity) -> None:
    """Change the severity: what the old one had armed is moot, and the new one's rules hold from here on.

    Raised: the clocks start now, and engaged people are not paged again. Lowered: passed checkpoints are dropped.
    """
    before = change.incident
    if event.severity is before.severity:
        raise Refused(f"It is {before.severity} already.")
    raised = event.severity < before.severity
    change.set(severity=event.severity, policy=event.policy, round=before.round + 1)
    withdrawn = _move_pages_to_new_policy(change, before, raised)
    fields = {"from": before.severity, "to": event.severity}
    entry = change.note(EntryKind.SEVERITY, by=event.by, why=event.why, people=withdrawn, fields=fields)
    change.set(tiers_paged=(), nobody_left=False, clock_from=_at_least_as_severe_since(change.incident))
    start_clocks(change)
    if not raised:
        waiting = change.incident.checkpoints
        ahead = tuple(c for c in waiting if c.due > change.now or not _has_passed(c, change.incident))
        change.set(checkpoints=ahead, tiers_paged=change.incident.policy.at_once)
        communications.severity_lowered(change, event.by)
    if change.incident.policy.room:
        warroom.open_room(change)
    change.say(entry)
    if before.policy.ticket != event.policy.ticket:
        file_ticket(change)
    if raised:
        _page_new_people(change, before, entry, f"it was raised to {event.severity}: {event.why}")


def _move_pages_to_new_policy(change: Change, before: Incident, raised: bool) -> tuple[PersonId, ...]:
    """Move the pages to the tier that the new policy pages at once: tier numbers are each policy's own.

    An open page of somebody whom a lower severity would not page is withdrawn; returns those people. A page by name
    stays: a person asked for it. Repeats go on by the new severity's rule.
    """
    tier = max(change.incident.policy.at_once, default=0)
    wanted = {p for t in change.incident.policy.at_once for p in holders(change.incident, change.roster, t)}
    withdrawn: list[PersonId] = []
    pages: list[Page] = []
    for page in before.pages:
        is_open = page.state is PageState.OPEN
        update: dict[str, object] = {"tier": tier} if page.tier else {}
        if page.tier and is_open and not raised and page.person not in wanted:
            withdrawn.append(page.person)
            update["state"] = PageState.WITHDRAWN
        elif page.tier and is_open:
            update["rung"] = paging.tier_name(change.incident.policy, tier)
            update["why"] = f"{page.why} (now {change.incident.severity})"
        pages.append(page.model_copy(update=update) if update else page)
    change.set(pages=tuple(pages))
    _rearm_repeats(change, before)
    reaching.begin_anew(change)
    return tuple(dict.fromkeys(withdrawn))


def _rearm_repeats(change: Change, before: Incident) -> None:
    """Set the repeats of the open pages anew, by the new severity's rule: an interval from now, or sooner."""
    due = {c.about: c.due for c in before.checkpoints if c.kind is CheckpointKind.REPEAT}
    change.disarm(CheckpointKind.REPEAT)
    for page in change.incident.pages:
        if page.state is PageState.OPEN:
            paging.arm_repeat(change, page, due.get(str(page.n)))


def _has_passed(checkpoint: Checkpoint, incident: Incident) -> bool:
    """True if its time is past, and it does not wait for what nobody said yet."""
    plan = plan_of(checkpoint, incident)
    return plan is not None and not unsaid(plan, incident)


def _at_least_as_severe_since(incident: Incident) -> datetime:
    """Return since when it has been at least as severe as now: a mistake that is corrected delays nothing."""
    since = incident.sla_from
    for entry in incident.timeline:
        if entry.kind is EntryKind.SEVERITY and entry.at >= since:
            since = entry.at if entry.fields["from"] > incident.severity >= entry.fields["to"] else since
    return since


def _page_new_people(change: Change, before: Incident, entry: Entry, why: str) -> None:
    """Page those not engaged yet; tell the others directly, for what they took on was less severe."""
    incident, by = change.incident, entry.by
    known = {p.person for p in before.pages if _is_engaged(p, before)} | {by}
    wanted = dict.fromkeys(p for tier in incident.policy.at_once for p in holders(incident, change.roster, tier))
    paging.page_tiers(change, incident.policy.at_once, why, by, skip=frozenset(known))
    change.notify(entry, *(p for p in wanted if p in known and p != by))


def _is_engaged(page: Page, incident: Incident) -> bool:
    """True if a page was answered or is still repeated. One unanswered after its last repeat reached nobody."""
    repeats = any(c.kind is CheckpointKind.REPEAT and c.about == str(page.n) for c in incident.checkpoints)
    return page.state is PageState.ANSWERED or (page.state is PageState.OPEN and repeats)
