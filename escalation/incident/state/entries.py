"""Timeline entries of an incident."""

from datetime import datetime
from enum import StrEnum

from escalation.values import Frozen, PersonId


class EntryKind(StrEnum):
    """Kind of a timeline entry."""

    DECLARED = "declared"
    PAGED = "paged"
    REPEATED = "repeated"
    OTHERWISE = "otherwise"
    CHECKPOINT = "checkpoint"
    SKIPPED = "skipped"
    REFUSED = "refused"
    NOBODY_LEFT = "nobody_left"
    ACKNOWLEDGED = "acknowledged"
    JOINED = "joined"
    DECLINED = "declined"
    MOVED = "moved"
    ROOT_CAUSE = "root_cause"
    FIX_STARTED = "fix_started"
    FIX_APPLIED = "fix_applied"
    FIX_FAILED = "fix_failed"
    WORKAROUND = "workaround"
    TICKET = "ticket"
    SCHEDULED = "scheduled"
    VERIFIED = "verified"
    UPDATE = "update"
    UPDATE_DUE = "update_due"
    SILENCE = "silence"
    MONITORED = "monitored"
    NOTIFIED = "notified"
    EDITED = "edited"
    COMMUNICATION = "communication"
    COMMUNICATED = "communicated"
    OVERDUE = "overdue"
    SNOOZED = "snoozed"
    ESCALATED = "escalated"
    SEVERITY = "severity"
    SECURITY = "security"
    EXPOSED = "exposed"
    ROOM_OPENED = "room_opened"
    SENT = "sent"
    INVITED = "invited"
    ROOM_LOST = "room_lost"
    CARD_LOST = "card_lost"
    PHASE = "phase"
    LEADING = "leading"
    LINKED = "linked"
    TIMES = "times"
    REVIEWED = "reviewed"
    REVIEW_PLANNED = "review_planned"
    REVIEW_DUE = "review_due"
    RECURRED = "recurred"
    ALIKE = "alike"
    SAME_PROBLEM = "same_problem"
    PREVENTION = "prevention"
    DRILL_REPORT = "drill_report"
    RECOVERED = "recovered"
    STOOD_IN = "stood_in"
    TROUBLE = "trouble"
    ALERTS = "alerts"
    ACTION = "action"
    ISSUE = "issue"
    ISSUE_CLOSED = "issue_closed"
    ISSUE_REOPENED = "issue_reopened"
    ALERTS_ENDED = "alerts_ended"
    RESOLVED_THERE = "resolved_there"
    MAIL = "mail"
    NOTED = "noted"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    CANCELLED = "cancelled"
    REDACTED = "redacted"


class Entry(Frozen):
    """A timeline entry. `by` is empty when Tocsin acted; `why` is the reason that goes into the message."""

    n: int
    at: datetime
    kind: EntryKind
    by: PersonId = ""
    why: str = ""
    text: str = ""
    people: tuple[PersonId, ...] = ()
    fields: dict[str, str] = {}
