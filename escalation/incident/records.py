"""What an incident is made of: statuses, facts, pages, waiting checkpoints, timeline entries, copies of its card.

Times are aware UTC datetimes. People are Slack member ids (or a key of the configuration while nobody could be found).
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from escalation.config.plans import Communication, Means, Said
from escalation.values import Frozen, PersonId


class Status(StrEnum):
    """Where the work stands. Acknowledged is a fact beside it, not a status."""

    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    FIXING = "fixing"
    MONITORING = "monitoring"
    RESOLVED = "resolved"
    CANCELLED = "cancelled"

    @property
    def closed(self) -> bool:
        return self in (Status.RESOLVED, Status.CANCELLED)


class Detection(StrEnum):
    """How it was noticed, in the words of the first policy's flowchart."""

    MONITORING = "monitoring alert"
    USER_REPORT = "user report"
    HEALTH_CHECK = "health check"
    MANUAL = "manual"


class Facts(Frozen):
    """What was said about the incident when it was declared (or corrected since)."""

    title: Annotated[str, Field(min_length=1, max_length=200)]
    impact: str = ""
    description: str = ""
    service: str = ""
    security: bool = False
    data_loss: bool = False
    outage: bool = False
    major_impact: bool = False
    detection: Detection = Detection.MANUAL
    public_wording: str = ""
    source_link: str = ""

    def said(self, what: Said) -> bool:
        return bool(getattr(self, what))


class Signed(Frozen):
    """A fact with who stated it and when."""

    by: PersonId
    at: datetime
    text: str = ""


class PageState(StrEnum):
    """`replaced`: a newer page to the same person took over."""

    OPEN = "open"
    ANSWERED = "answered"
    REFUSED = "refused"
    REPLACED = "replaced"


MOST_ALSO = 30  # each is a change to the incident, and hundreds may come at once


class Page(Frozen):
    """One call for one person. `tier` 0 is a page by name; `rung` names the tier as it was called at the paging.

    `sent` counts the first sending and its repeats. `also` names other incidents whose pages to this person an outage
    held up too: those stand in the thread of this one. After MOST_ALSO no more are listed.
    """

    n: int
    tier: int
    rung: str = ""
    person: PersonId
    role: str = ""
    why: str
    at: datetime
    sent: int = 1
    state: PageState = PageState.OPEN
    also: tuple[str, ...] = ()


class CheckpointKind(StrEnum):
    """`policy` and `communication`: planned by the policy; the others follow from what happens."""

    POLICY = "policy"
    COMMUNICATION = "communication"
    FALLBACK = "fallback"
    REPEAT = "repeat"
    OWED = "owed"
    UPDATE = "update"
    SILENCE = "silence"
    MONITORING = "monitoring"
    PHASE = "phase"


class Checkpoint(Frozen):
    """A checkpoint that still waits.

    `about` names the planned checkpoint (policy) or communication, or holds a number: the page's (repeat, fallback),
    the owed communication's (owed), the phase's (phase), the update's that promised this one (update).
    """

    id: str
    kind: CheckpointKind
    due: datetime
    about: str = ""


class EntryKind(StrEnum):
    """What a line of the timeline tells."""

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
    ESCALATED = "escalated"
    SEVERITY = "severity"
    SECURITY = "security"
    EXPOSED = "exposed"
    ROOM_OPENED = "room_opened"
    ROOM_LOST = "room_lost"
    PHASE = "phase"
    LEADING = "leading"
    LINKED = "linked"
    REVIEWED = "reviewed"
    DRILL_REPORT = "drill_report"
    RECOVERED = "recovered"
    TROUBLE = "trouble"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    CANCELLED = "cancelled"


class Entry(Frozen):
    """One line of the timeline. `by` is empty when Tocsin acted; `why` is the reason that goes into the message."""

    n: int
    at: datetime
    kind: EntryKind
    by: PersonId = ""
    why: str = ""
    text: str = ""
    people: tuple[PersonId, ...] = ()
    fields: dict[str, str] = {}


class CopyKind(StrEnum):
    """Where a card stands: incidents channel, war room, somebody's direct messages."""

    CHANNEL = "channel"
    ROOM = "room"
    DIRECT = "direct"


class Copy(Frozen):
    """A card that was posted: where, and which face of the incident it shows. A `final` one is refreshed no more."""

    id: str
    kind: CopyKind
    channel: str
    ts: str
    face: int
    person: PersonId = ""
    page: int = 0
    redacted: bool = False
    final: bool = False


class Room(Frozen):
    """The war room. `lost` once it was archived or deleted under us: archived rooms are final."""

    channel: str
    name: str
    private: bool
    lost: bool = False


class Resolution(Frozen):
    """The resolution notice's facts."""

    by: PersonId
    at: datetime
    summary: str
    resolution: str
    verification: str = ""
    final_impact: str = ""
    data_loss: bool = False
    next_steps: str = ""


class Stage(StrEnum):
    """Which word of a communication this is."""

    FIRST = "first"
    UPDATE = "update"
    RESTORED = "restored"
    FOLLOW_UP = "follow_up"


class OwedState(StrEnum):
    """`waiting`: for a person's approval. `replaced`: a newer word of the same communication took its place."""

    WAITING = "waiting"
    OWED = "owed"
    DONE = "done"
    DECLINED = "declined"
    REPLACED = "replaced"


class Owed(Frozen):
    """A word that somebody outside the response is owed: by which plan, through what, by when.

    The plan is kept whole: a severity that was changed since may not have it. `entry` is the line of the timeline that
    holds what is to be said. What goes through Slack alone is done as soon as it is decided: delivery sees to it.
    """

    n: int
    plan: Communication
    stage: Stage
    through: tuple[Means, ...]
    entry: int
    due: datetime | None = None
    state: OwedState = OwedState.OWED
    by: PersonId = ""


class Lead(StrEnum):
    """The roles of the response that one person at a time holds."""

    COMMANDER = "commander"
    COMMUNICATIONS = "communications"
    SCRIBE = "scribe"
