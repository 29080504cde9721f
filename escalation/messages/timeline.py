"""Words of each timeline entry, as lines of spans; no Block Kit, no escaping."""

from collections.abc import Callable
from dataclasses import replace

from escalation.incident.model import Incident
from escalation.incident.state.entries import Entry, EntryKind
from escalation.messages import communications, noted, reviews, tickets
from escalation.messages.entries import drills, likeness, notices, paging, privacy, response, rooms, systems
from escalation.messages.template import WORDING, Wording
from escalation.text import Lines, Time


def entry_lines(incident: Incident, entry: Entry, wording: Wording = WORDING) -> Lines:
    """Render one timeline entry, as things stood when it was made: the first line is the headline.

    `wording` has the company's own templates.
    """
    # Of a message on the timeline its present state is shown: what was taken out of it is not repeated.
    # The end of all alerts says until when it held: whoever reads it later is not asked any more.
    then = incident if entry.kind in (EntryKind.NOTED, EntryKind.ALERTS_ENDED) else incident.as_of(entry)
    templated = _TEMPLATED.get(entry.kind)
    lines = templated(then, entry, wording) if templated else _LINES[entry.kind](then, entry)
    if incident.speed == 1:
        return lines
    return tuple(tuple(replace(s, seconds=True) if isinstance(s, Time) else s for s in spans) for spans in lines)


_LINES: dict[EntryKind, Callable[[Incident, Entry], Lines]] = {
    EntryKind.PAGED: paging.paged,
    EntryKind.REPEATED: paging.repeated,
    EntryKind.CHECKPOINT: response.checkpoint,
    EntryKind.SKIPPED: paging.skipped,
    EntryKind.REFUSED: lambda incident, entry: paging.refused(entry),
    EntryKind.NOBODY_LEFT: paging.nobody_left,
    EntryKind.ACKNOWLEDGED: paging.acknowledged,
    EntryKind.JOINED: paging.joined,
    EntryKind.DECLINED: paging.declined,
    EntryKind.MOVED: paging.moved,
    EntryKind.ROOT_CAUSE: response.root_cause,
    EntryKind.FIX_STARTED: response.with_text("🔧", "Fix started"),
    EntryKind.FIX_APPLIED: response.fix_applied,
    EntryKind.FIX_FAILED: response.with_text("❌", "Fix reported as failed"),
    EntryKind.OTHERWISE: paging.otherwise,
    EntryKind.RECOVERED: systems.recovered,
    EntryKind.STOOD_IN: paging.stood_in,
    EntryKind.WORKAROUND: response.with_text("🩹", "Workaround in place"),
    EntryKind.TICKET: response.ticket,
    EntryKind.SCHEDULED: response.scheduled,
    EntryKind.VERIFIED: response.with_text("🔬", "Fix verified"),
    EntryKind.NOTIFIED: paging.notified,
    EntryKind.EDITED: response.edited,
    EntryKind.COMMUNICATED: communications.communicated,
    EntryKind.OVERDUE: communications.overdue,
    EntryKind.PHASE: rooms.phase,
    EntryKind.LEADING: rooms.leading,
    EntryKind.LINKED: rooms.linked,
    EntryKind.TIMES: response.times,
    EntryKind.REVIEWED: response.reviewed,
    EntryKind.REVIEW_PLANNED: reviews.planned,
    EntryKind.REVIEW_DUE: reviews.reminded,
    EntryKind.RECURRED: reviews.recurred,
    EntryKind.ALIKE: likeness.alike,
    EntryKind.SAME_PROBLEM: likeness.same_problem,
    EntryKind.PREVENTION: reviews.prevention,
    EntryKind.DRILL_REPORT: drills.drill_report,
    EntryKind.UPDATE_DUE: response.update_due,
    EntryKind.SILENCE: response.silence,
    EntryKind.MONITORED: response.monitored,
    EntryKind.SNOOZED: response.snoozed,
    EntryKind.ESCALATED: paging.escalated,
    EntryKind.SEVERITY: response.severity,
    EntryKind.SECURITY: privacy.security,
    EntryKind.EXPOSED: privacy.exposed,
    EntryKind.ROOM_OPENED: rooms.room_opened,
    EntryKind.INVITED: rooms.invited,
    EntryKind.SENT: communications.sent,
    EntryKind.ROOM_LOST: rooms.room_lost,
    EntryKind.CARD_LOST: rooms.card_lost,
    EntryKind.TROUBLE: systems.trouble,
    EntryKind.ALERTS: systems.alerts,
    EntryKind.ACTION: systems.action,
    EntryKind.ISSUE: tickets.issue,
    EntryKind.ISSUE_CLOSED: tickets.closed_there,
    EntryKind.ISSUE_REOPENED: tickets.reopened_there,
    EntryKind.ALERTS_ENDED: systems.alerts_ended,
    EntryKind.RESOLVED_THERE: systems.resolved_there,
    EntryKind.MAIL: systems.mail,
    EntryKind.NOTED: noted.noted,
    EntryKind.REOPENED: response.with_text("🔁", "Reopened"),
    EntryKind.CANCELLED: response.cancelled,
    EntryKind.REDACTED: privacy.redacted,
}
_TEMPLATED: dict[EntryKind, Callable[[Incident, Entry, Wording], Lines]] = {
    EntryKind.DECLARED: notices.initial_alert,
    EntryKind.UPDATE: notices.progress_update,
    EntryKind.RESOLVED: notices.resolution_notice,
    EntryKind.COMMUNICATION: communications.communication,
}
