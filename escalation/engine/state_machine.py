"""State machine: one total table of statuses and moves, and decide(), the only place where a status changes."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from escalation.config.actions import BUTTON
from escalation.engine import cards, communications, firing, lifecycle, moves, news, warroom
from escalation.engine.automatic import invitations, likeness, noted, preventions, reviews, tickets
from escalation.engine.change import Change
from escalation.engine.channels import reaching, services
from escalation.engine.outcomes import delivery, failures, refusals
from escalation.engine.paging import answer_page, follow_roles, next_tier
from escalation.errors import Refused
from escalation.incident.actions import actions_at
from escalation.incident.closing.reviews import outstanding
from escalation.incident.communications import pending, updates_on_page
from escalation.incident.events.declaration import Declare
from escalation.incident.events.moves import Move, MoveEvent, PostUpdate
from escalation.incident.events.news import (
    AlertsChanged,
    AlikeFound,
    AlikeHidden,
    CheckpointDue,
    IssueSeen,
    Linked,
    MailReceived,
    MessageNoted,
    OriginalOver,
    PreventionsFound,
    Redacted,
    ResolvedThere,
    ReviewSeen,
    RolesChanged,
    SameProblem,
    SignOfLife,
)
from escalation.incident.events.outcomes import (
    Delivered,
    Dropped,
    IssueUpdated,
    MeetingOpened,
    MessageGone,
    OutcomeEvent,
    PageGathered,
    PageStatus,
    PersonRefused,
    RoomOpened,
    Trouble,
)
from escalation.incident.model import Incident
from escalation.incident.state.facts import Status
from escalation.oncall.roster import Roster
from escalation.values import PersonId

S, M = Status, Move
Event = MoveEvent | CheckpointDue | SignOfLife | RolesChanged | OutcomeEvent
_SAME = (
    *(M.ACKNOWLEDGE, M.DECLINE, M.WORKAROUND, M.UPDATE, M.SCHEDULE, M.SEVERITY, M.ESCALATE),
    *(M.PAGE, M.RUN, M.EDIT, M.LEAD, M.COMMUNICATE, M.PUBLISH, M.SNOOZE, M.SECURITY, M.TIMES),
)
_CLOSED = "This incident is {status}. Reopen it first."
_NOT_CLOSED = "This incident is still open."
_NO_FIX = "No fix has been started yet. Mark it with *Start fix* first."
_UNFIXED = "No fix has been applied yet. Mark it with *Fix applied* first."
_UNREVIEWED = "This incident is still open. The review comes after it is resolved."
_WATCHED = "A fix is being monitored. If it failed, mark it with *Fix failed* first."


def _open(status: Status, **cells: Status | str) -> dict[Move, Status | str]:
    """Build the row of an open status: what every open status allows, and the cells that differ."""
    row: dict[Move, Status | str] = dict.fromkeys(_SAME, status)
    row |= {M.RESOLVE: S.RESOLVED, M.CANCEL: S.CANCELLED, M.REOPEN: _NOT_CLOSED}
    row |= {M.VERIFY: _UNFIXED, M.PLAN_REVIEW: _UNREVIEWED, M.REVIEWED: _UNREVIEWED}
    return row | {Move(name): cell for name, cell in cells.items()}


def _closed(status: Status, reviewed: Status | str) -> dict[Move, Status | str]:
    """Build the row of a closed status: what is due, corrections, the review and a breach outlast the incident."""
    return dict.fromkeys(M, _CLOSED) | {
        M.REOPEN: S.INVESTIGATING,
        M.COMMUNICATE: status,
        M.PUBLISH: status,
        M.SNOOZE: status,
        M.TIMES: status,
        M.SECURITY: status,
        M.PLAN_REVIEW: reviewed,
        M.REVIEWED: reviewed,
    }


# A status where the move leads, or the words of its refusal. docs/states.md draws it.
TABLE: dict[Status, dict[Move, Status | str]] = {
    S.INVESTIGATING: _open(
        S.INVESTIGATING, root_cause=S.IDENTIFIED, start_fix=S.FIXING, fix_applied=S.MONITORING, fix_failed=_NO_FIX
    ),
    S.IDENTIFIED: _open(
        S.IDENTIFIED, root_cause=S.IDENTIFIED, start_fix=S.FIXING, fix_applied=S.MONITORING, fix_failed=_NO_FIX
    ),
    S.FIXING: _open(
        S.FIXING,
        root_cause=S.FIXING,
        start_fix="A fix is under way already.",
        fix_applied=S.MONITORING,
        fix_failed=S.INVESTIGATING,
    ),
    S.MONITORING: _open(
        S.MONITORING,
        root_cause=S.MONITORING,
        start_fix=_WATCHED,
        fix_applied="The fix is already applied and being monitored.",
        fix_failed=S.INVESTIGATING,
        verify=S.MONITORING,
    ),
    S.RESOLVED: _closed(S.RESOLVED, S.RESOLVED),
    S.CANCELLED: _closed(S.CANCELLED, "It was cancelled: there is nothing to review.")
    | {M.CANCEL: S.CANCELLED, M.TIMES: _CLOSED},
}


def legal_moves(incident: Incident) -> tuple[Move, ...]:
    """Return the moves that the table allows now, in its order. Permissions are checked elsewhere."""
    return tuple(m for m in Move if isinstance(TABLE[incident.status][m], Status))


def useful_moves(incident: Incident) -> frozenset[Move]:
    """Return the legal moves that would not be refused and would change something."""
    return frozenset(m for m in legal_moves(incident) if not is_redundant(m, incident))


def is_redundant(move: Move, incident: Incident, person: PersonId = "") -> bool:
    """True if a legal move would be refused or change nothing; a page of `person` can still be acknowledged."""
    ticket, monitoring = incident.policy.ticket is not None, incident.status is Status.MONITORING
    match move:
        case Move.ACKNOWLEDGE:
            return incident.acknowledgement is not None and incident.page_to_answer(person) is None
        case Move.SECURITY:
            return incident.private
        case Move.COMMUNICATE:
            return not pending(incident)
        case Move.PUBLISH:
            hidden = incident.private or incident.drill or not incident.public_page
            return hidden or not (incident.open or updates_on_page(incident))
        case Move.ESCALATE:
            return next_tier(incident) is None
        case Move.RUN:
            return not actions_at(incident, BUTTON)
        case Move.WORKAROUND:
            return monitoring
        case Move.SCHEDULE:
            return monitoring or not ticket
        case Move.VERIFY:
            return not ticket or incident.verified is not None
        case Move.REVIEWED:
            return incident.review_by is None or incident.reviewed is not None
        case Move.PLAN_REVIEW:
            return not outstanding(incident)
        case _:
            return False


def status_after(incident: Incident, move: Move) -> Status:
    """Return the status after a move; Refused, with words, when it is not legal (any more), whatever its details."""
    cell = TABLE[incident.status][move]
    if not isinstance(cell, Status):
        raise Refused(cell.format(status=incident.status))
    moves.check(move, incident)
    return cell


def decide(before: Incident, event: Event, now: datetime, roster: Roster) -> Incident:
    """Decide what follows from an event: the next incident, with its pending effects. Pure.

    Returns `before` itself when nothing follows (stale work, a repeated submit). Raises Refused with words for the
    requester when the move is not legal (any more).
    """
    change = Change(before, now, roster)
    if isinstance(event, MoveEvent | SignOfLife) and event.by in before.gone:  # reachable again
        change.set(gone=tuple(p for p in before.gone if p != event.by))
    if isinstance(event, MoveEvent):
        if event.key and event.key in before.keys:
            return before
        _make_move(change, event)
    else:
        _OTHERS[type(event)](change, event)
    if isinstance(event, MoveEvent | CheckpointDue):  # an outcome is no reason to ask who is on call
        follow_roles(change)
    if change.incident is before and not isinstance(event, CheckpointDue):
        return before
    if isinstance(event, OutcomeEvent):  # the first to come after an outage: its checkpoint may be behind it
        firing.note_outage(change, CheckpointDue(checkpoint=""))
    firing.fire_due(change)
    return before if change.incident is before else _finish(change)


def declare(incident_id: str, event: Declare, now: datetime, roster: Roster) -> Incident:
    """Declare an incident: the first event, with its checkpoints, pages, card and room."""
    change = Change(lifecycle.new_incident(incident_id, event, now), now, roster)
    lifecycle.begin(change, event)
    firing.fire_due(change)
    return _finish(change)


def _finish(change: Change) -> Incident:
    """Finish any change: drop moot checkpoints, remember what was true before, and refresh cards and topic."""
    cards.arm_redraw(change)
    change.prune()
    invitations.settle(change)
    communications.tell(change)
    cards.settle(change)
    reaching.stop_alarms(change)
    change.remember()
    services.follow(change)
    tickets.follow(change)
    cards.refresh_all(change)
    cards.retire_buttons(change, useful_moves(change.incident))
    warroom.refresh_topic(change)
    return change.incident


def _make_move(change: Change, event: MoveEvent) -> None:
    before = change.incident
    after = status_after(before, event.kind)
    if event.key:
        change.set(keys=(*before.keys[-49:], event.key))
    if isinstance(event, PostUpdate) and event.status not in (None, before.status):
        _make_implied_move(change, event)
    elif after is not before.status:
        change.set(status=after, closed_at=change.now if after.closed else None)
    moves.HANDLERS[event.kind](change, event)
    if before.open or change.incident.open:  # the record of a closed incident stays as it was
        answer_page(change, event.by)


def _make_implied_move(change: Change, update: PostUpdate) -> None:
    """Make the move that an update implies by naming another status; Refused if the table has none."""
    move = moves.implied_move(update)
    if move is None or TABLE[change.incident.status][move.kind] is not update.status:
        words = f"An update cannot move it from {change.incident.status} to {update.status}: use that button."
        raise Refused(words)
    _make_move(change, move)


def reachable_statuses(status: Status) -> tuple[Status, ...]:
    """Return the statuses that a progress update may state: the present one, and those that a single move leads to."""
    row = TABLE[status]
    steps = (M.ROOT_CAUSE, M.START_FIX, M.FIX_APPLIED, M.FIX_FAILED)
    return tuple(dict.fromkeys((status, *(cell for m in steps if isinstance(cell := row[m], Status)))))


_OTHERS: dict[type[Any], Callable[[Change, Any], None]] = {
    CheckpointDue: firing.note_outage,  # all that is due fires anyway, in order
    SignOfLife: lambda change, event: answer_page(change, event.by),
    RolesChanged: lambda change, event: follow_roles(change, event.by),
    Delivered: lambda change, event: delivery.delivered(change, event, useful_moves(change.incident)),
    RoomOpened: delivery.room_opened,
    MeetingOpened: delivery.meeting_opened,
    PersonRefused: refusals.person_refused,
    PageStatus: reaching.status,
    Dropped: failures.dropped,
    Linked: warroom.linked,
    AlikeFound: likeness.alike,
    AlikeHidden: likeness.hidden,
    SameProblem: likeness.same_problem,
    OriginalOver: likeness.original_over,
    PageGathered: delivery.page_gathered,
    MessageGone: failures.message_gone,
    Trouble: failures.trouble,
    AlertsChanged: news.alerts_changed,
    ResolvedThere: news.resolved_there,
    MailReceived: news.mail_received,
    MessageNoted: noted.noted,
    IssueUpdated: tickets.updated,
    IssueSeen: tickets.seen,
    Redacted: news.redacted,
    ReviewSeen: reviews.seen,
    PreventionsFound: preventions.found,
}


def mermaid() -> str:
    """Draw the table as a Mermaid state diagram: one arrow for each pair of statuses, with its moves."""
    arrows: dict[tuple[Status, Status], list[str]] = {}
    for status, row in TABLE.items():
        for move, cell in row.items():
            if isinstance(cell, Status) and cell is not status:
                arrows.setdefault((status, cell), []).append(move.replace("_", " "))
    lines = ["stateDiagram-v2", "    [*] --> investigating: declare"]
    lines += [f"    {a} --> {b}: {' / '.join(names)}" for (a, b), names in arrows.items()]
    return "\n".join(lines) + "\n"
