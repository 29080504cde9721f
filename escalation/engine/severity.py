"""A severity that changes while the incident runs."""

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
    """Raised: the clocks start now, and whoever is in is not paged twice. Lowered: passed checkpoints are moot."""
    before = change.incident
    if event.severity is before.severity:
        raise Refused(f"It is {before.severity} already.")
    raised = event.severity < before.severity
    change.set(severity=event.severity, policy=event.policy, round=before.round + 1)
    fields = {"from": before.severity, "to": event.severity}
    entry = change.note(EntryKind.SEVERITY, by=event.by, why=event.why, fields=fields)
    change.set(tiers_paged=(), nobody_left=False, clock_from=_as_bad_since(change.incident))
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
        file_ticket(change)
    if raised:
        _page_newcomers(change, entry, f"it was raised to {event.severity}: {event.why}")


def _has_passed(checkpoint: Checkpoint, incident: Incident) -> bool:
    """Whether its time is over, and not only waiting for what nobody said yet."""
    plan = plan_of(checkpoint, incident)
    return plan is not None and not unsaid(plan, incident)


def _on_the_new_ladder(page: Page, policy: SeverityPolicy) -> Page:
    """Tier numbers are a policy's own: whoever was paged before stands on the rung that the new one pages at once."""
    return page.model_copy(update={"tier": max(policy.at_once, default=0)}) if page.tier else page


def _as_bad_since(incident: Incident) -> datetime:
    """Since when it has been at least as bad as it is now: a mistake that is put right delays nothing."""
    since = incident.sla_from
    for entry in incident.timeline:
        if entry.kind is EntryKind.SEVERITY and entry.at >= since:
            since = entry.at if entry.fields["from"] > incident.severity >= entry.fields["to"] else since
    return since


def _page_newcomers(change: Change, entry: Entry, why: str) -> None:
    """Whoever is in is not paged twice, but told directly: what they took on was less than this."""
    incident, by = change.incident, entry.by
    known = {p.person for p in incident.pages if _is_in(p, incident)} | {by}
    wanted = dict.fromkeys(p for tier in incident.policy.at_once for p in holders(incident, change.roster, tier))
    paging.page_tiers(change, incident.policy.at_once, why, by, skip=frozenset(known))
    change.tell(entry, *(p for p in wanted if p in known and p != by))


def _is_in(page: Page, incident: Incident) -> bool:
    """They answered, or their page still comes again. One that has fallen silent unanswered reached nobody."""
    repeats = any(c.kind is CheckpointKind.REPEAT and c.about == str(page.n) for c in incident.checkpoints)
    return page.state is PageState.ANSWERED or (page.state is PageState.OPEN and repeats)
