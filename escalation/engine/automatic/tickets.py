"""The ticket in a tracker follows its incident: opened, commented, assigned, closed, reopened, in that order there."""

from escalation.config.tickets import TICKETS
from escalation.engine.change import Change
from escalation.incident.effects import UpdateIssue
from escalation.incident.events.news import IssueSeen
from escalation.incident.events.outcomes import IssueUpdated
from escalation.incident.model import Incident
from escalation.incident.state.entries import Entry, EntryKind
from escalation.incident.state.posted import Post
from escalation.incident.tickets import tracker_of
from escalation.incident.tracked import Issue

LANE = "issue"


def follow(change: Change) -> None:
    """Add what has to be said or changed in the tracker after this decision. A ticket that is opened says it all."""
    before, after = change.before, change.incident
    if after.tickets is None or after.drill or (after.private and after.tickets.private is None):
        return
    if not _is_begun(after):
        if after.open and tracker_of(after):
            _add(change, "open")
        return
    if not before.open and after.open:
        _add(change, "reopen")
    for entry in _worth_a_comment(after.timeline[len(before.timeline) :]):
        _add(change, "comment", entry.n)
    if after.facts.title != before.facts.title:
        _add(change, "rename")
    if set(after.assigned) - set(before.assigned):
        _add(change, "assign")
    if _takes_review(before, after):
        _add(change, "review")
    if before.open and not after.open:
        _add(change, "close")


def _takes_review(before: Incident, after: Incident) -> bool:
    """True once the review is held, where the policy puts it into the ticket; that of a private one goes nowhere."""
    rule = after.policy.review
    return bool(rule and rule.ticket and not after.private and after.reviewed and not before.reviewed)


def _is_begun(incident: Incident) -> bool:
    """True once a ticket was asked for where the incident may have one; one that became private begins anew."""
    there = incident.issue is not None and incident.issue.private == incident.private
    return there or LANE in incident.lanes or any(isinstance(e, UpdateIssue) for e in incident.effects)


def _worth_a_comment(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """Escalations, severity, and the end or return of the trouble; a page that belongs to one of them says nothing."""
    kinds = {entry.kind for entry in entries}
    paged = () if kinds & {EntryKind.SEVERITY, EntryKind.REOPENED} else (EntryKind.PAGED,)
    wanted = (*paged, *_COMMENTED)
    return tuple(e for e in entries if e.kind in wanted and e.fields.get("tier") != "0")


_COMMENTED = (
    EntryKind.NOBODY_LEFT,
    EntryKind.SEVERITY,
    EntryKind.VERIFIED,
    EntryKind.RESOLVED,
    EntryKind.REOPENED,
    EntryKind.CANCELLED,
)


def _add(change: Change, action: str, entry: int = 0) -> None:
    incident = change.incident
    there = incident.issue if incident.issue and incident.issue.private == incident.private else tracker_of(incident)
    if there:
        change.add_effect(UpdateIssue, LANE, vendor=there.vendor, action=action, entry=entry)


# What came of it -------------------------------------------------------------------------------------------------


def updated(change: Change, event: IssueUpdated) -> None:
    """Record a change that we made there, and what the tracker left out of it."""
    effect = change.incident.effect(event.effect)
    if effect is None:
        _found_late(change, event.issue)
        return
    action = effect.action if isinstance(effect, UpdateIssue) else ""
    news = (
        action not in ("comment", "review") or event.issue.gone
    )  # a comment says nothing of how the ticket stands now
    if news and event.issue != change.incident.issue:
        change.set(issue=event.issue)
        change.advance_face()
    if action == "open":
        change.set(posts=(*change.incident.posts, Post(id=effect.id, place=TICKETS, at=change.now)))
        change.say(_note(change, event.issue, "opened", lost="\n".join(event.lost)))
    elif event.issue.gone:
        change.say(_note(change, event.issue, "deleted"))
    elif action not in ("comment", "review"):
        _note(change, event.issue, action, lost="\n".join(event.lost))
    change.drop_effects(effect.id)


def _found_late(change: Change, issue: Issue) -> None:
    """Say that a ticket was opened while the incident became private: what it says there is public."""
    if change.incident.private and not issue.private and change.incident.issue != issue:
        change.say(_note(change, issue, "exposed"))


def seen(change: Change, event: IssueSeen) -> None:
    """Follow what others changed there: closing and opening ask, an assignment is noted."""
    known, there = change.incident.issue, event.issue
    if known is None or (known.vendor, known.key) != (there.vendor, there.key) or known.gone:
        return
    if known.updated and there.updated and there.updated < known.updated:
        return
    now = there.model_copy(update={"private": known.private, "url": known.url})
    if now == known:
        return
    change.set(issue=now)
    if (now.open, now.gone, now.assignees) != (known.open, known.gone, known.assignees):
        change.advance_face()
        _tell(change, known, event)


def _tell(change: Change, known: Issue, event: IssueSeen) -> None:
    incident, there = change.incident, event.issue
    ours = any(isinstance(e, UpdateIssue) and e.action in ("close", "reopen") for e in incident.effects)
    said = {"key": there.key, "url": known.url, "vendor": there.vendor, "known_as": event.known_as}
    if there.gone:
        change.say(_note(change, known, "deleted", known_as=event.known_as))
    elif known.open and not there.open and incident.open and not ours:
        change.say(change.note(EntryKind.ISSUE_CLOSED, by=event.by, fields=said))
    elif not known.open and there.open and not incident.open and not ours:
        change.say(change.note(EntryKind.ISSUE_REOPENED, by=event.by, fields=said))
    elif set(there.assignees) != set(known.assignees):
        names = ", ".join(there.assignees)
        entry = change.note(EntryKind.ISSUE, by=event.by, text=names, fields={**said, "what": "assigned"})
        change.say(entry)


def _note(change: Change, issue: Issue, what: str, **fields: str) -> Entry:
    told = {"what": what, "key": issue.key, "url": issue.url, "vendor": str(issue.vendor)}
    return change.note(EntryKind.ISSUE, fields={**told, **{name: value for name, value in fields.items() if value}})
