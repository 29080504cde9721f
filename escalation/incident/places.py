"""Places of each timeline entry: one event, one post for each audience. docs/noise.md says who reads what, and why.

The card, which is edited, holds the state; a post is for what people have to notice, and the thread under the card is
the log. An entry of no place stands on the card, in a reminder or in the list of communications.
"""

from collections.abc import Mapping
from typing import Literal

from escalation.incident.effects import Place
from escalation.incident.state.entries import EntryKind

# `work`: where the work is done, the war room if there is one, else the thread.
Where = Place | Literal["work"]

_LOG = (Place.THREAD,)
_BOTH = (Place.THREAD, Place.ROOM)
PLACES: Mapping[EntryKind, tuple[Where, ...]] = {
    EntryKind.DECLARED: _LOG,
    EntryKind.TICKET: (Place.THREAD, Place.TEAM),
    EntryKind.PAGED: _BOTH,
    EntryKind.REPEATED: (),
    EntryKind.OTHERWISE: _LOG,
    EntryKind.CHECKPOINT: ("work",),
    EntryKind.SKIPPED: _BOTH,
    EntryKind.REFUSED: _BOTH,
    EntryKind.NOBODY_LEFT: _BOTH,
    EntryKind.ACKNOWLEDGED: _LOG,
    EntryKind.JOINED: (),
    EntryKind.DECLINED: _BOTH,
    EntryKind.MOVED: _BOTH,
    EntryKind.ROOT_CAUSE: _BOTH,
    EntryKind.WORKAROUND: _BOTH,
    EntryKind.FIX_STARTED: _BOTH,
    EntryKind.FIX_APPLIED: _BOTH,
    EntryKind.FIX_FAILED: _BOTH,
    EntryKind.VERIFIED: _BOTH,
    EntryKind.SCHEDULED: (Place.THREAD, Place.TEAM),
    EntryKind.UPDATE: _BOTH,
    EntryKind.UPDATE_DUE: (),
    EntryKind.SILENCE: (),
    EntryKind.MONITORED: (),
    EntryKind.NOTIFIED: _LOG,
    EntryKind.EDITED: _LOG,
    EntryKind.COMMUNICATION: (),
    EntryKind.COMMUNICATED: (),
    EntryKind.OVERDUE: (),
    EntryKind.SNOOZED: (),
    EntryKind.ESCALATED: _LOG,
    EntryKind.SEVERITY: _BOTH,
    EntryKind.SECURITY: _LOG,
    EntryKind.EXPOSED: _LOG,
    EntryKind.ROOM_OPENED: (),
    EntryKind.INVITED: (),
    EntryKind.SENT: (),
    EntryKind.ROOM_LOST: _LOG,
    EntryKind.CARD_LOST: _LOG,
    EntryKind.PHASE: (Place.ROOM,),
    EntryKind.LEADING: ("work",),
    EntryKind.LINKED: _BOTH,
    EntryKind.TIMES: _BOTH,
    EntryKind.REVIEWED: _BOTH,
    EntryKind.REVIEW_PLANNED: _BOTH,
    EntryKind.REVIEW_DUE: (),
    EntryKind.RECURRED: _BOTH,
    EntryKind.ALIKE: _LOG,
    EntryKind.SAME_PROBLEM: _BOTH,
    EntryKind.PREVENTION: _BOTH,
    EntryKind.DRILL_REPORT: _BOTH,
    EntryKind.RECOVERED: _LOG,
    EntryKind.STOOD_IN: _LOG,
    EntryKind.TROUBLE: (),
    EntryKind.ALERTS: (),
    EntryKind.ACTION: _BOTH,
    EntryKind.ISSUE: _BOTH,
    EntryKind.ISSUE_CLOSED: _BOTH,
    EntryKind.ISSUE_REOPENED: _BOTH,
    EntryKind.ALERTS_ENDED: _BOTH,
    EntryKind.RESOLVED_THERE: _BOTH,
    EntryKind.MAIL: _BOTH,
    EntryKind.NOTED: (),
    EntryKind.RESOLVED: _BOTH,
    EntryKind.REOPENED: _BOTH,
    EntryKind.CANCELLED: _BOTH,
    EntryKind.REDACTED: (),
}
