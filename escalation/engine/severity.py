"""Change of severity of a running incident."""

from datetime import datetime

from escalation.config.policy import SeverityPolicy
from escalation.engine import communications, paging, warroom
from escalation.engine.change import Change
from escalation.engine.checkpoints import plan_of, unsaid
from escalation.engine.lifecycle import file_ticket, start_clocks
from escalation.engine.responders import holders
from escalation.errors import Refused
from escalation.incident.events import ChangeSeverity
from escalation.incident.model import Checkpoint, CheckpointKind, Entry, EntryKind, Incident, Page, PageState


def change_severity(change: Change, event: ChangeSeverity) -> None:
    """Change the severity.

    Raised: the clocks start now, and engaged people are not paged again. Lowered: passed checkpoints are dropped.
    """
    before = change.incident
    if event.severity is before.severity:
        raise Refused(f"It is {before.severity} already.")
    raised = event.severity < before.severity
    change.set(severity=event.severity, policy=event.policy, round=before.round + 1)
    fields = {"from": before.severity, "to": event.severity}
    entry = change.note(EntryKind.SEVERITY, by=event.by, why=event.why, fields=fields)
    change.set(tiers_paged=(), nobody_left=False, clock_from=_at_least_as_severe_since(change.incident))
    change.set(pages=tuple(_move_to_new_policy(p, event.policy) for p in before.pages))
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
        _page_new_people(change, entry, f"it was raised to {event.severity}: {event.why}")


def _has_passed(checkpoint: Checkpoint, incident: Incident) -> bool:
    """True if its time is past, and it does not wait for what nobody said yet."""
    plan = plan_of(checkpoint, incident)
    return plan is not None and not unsaid(plan, incident)


def _move_to_new_policy(page: Page, policy: SeverityPolicy) -> Page:
    """Move a page to the tier that the new policy pages at once: tier numbers are each policy's own."""
    return page.model_copy(update={"tier": max(policy.at_once, default=0)}) if page.tier else page


def _at_least_as_severe_since(incident: Incident) -> datetime:
    """Return since when it has been at least as severe as now: a mistake that is corrected delays nothing."""
    since = incident.sla_from
    for entry in incident.timeline:
        if entry.kind is EntryKind.SEVERITY and entry.at >= since:
            since = entry.at if entry.fields["from"] > incident.severity >= entry.fields["to"] else since
    return since


def _page_new_people(change: Change, entry: Entry, why: str) -> None:
    """Page those not engaged yet; tell the others directly, for what they took on was less severe."""
    incident, by = change.incident, entry.by
    known = {p.person for p in incident.pages if _is_engaged(p, incident)} | {by}
    wanted = dict.fromkeys(p for tier in incident.policy.at_once for p in holders(incident, change.roster, tier))
    paging.page_tiers(change, incident.policy.at_once, why, by, skip=frozenset(known))
    change.notify(entry, *(p for p in wanted if p in known and p != by))


def _is_engaged(page: Page, incident: Incident) -> bool:
    """True if a page was answered or is still repeated. One unanswered after its last repeat reached nobody."""
    repeats = any(c.kind is CheckpointKind.REPEAT and c.about == str(page.n) for c in incident.checkpoints)
    return page.state is PageState.ANSWERED or (page.state is PageState.OPEN and repeats)
