"""What an incident is: its facts, pages, waiting checkpoints, pending effects and timeline, as one frozen value.

Times are aware UTC datetimes. People are Slack member ids (or a key of the configuration while nobody could be found).
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from escalation.effects import Effect
from escalation.policy import Severity, SeverityPolicy
from escalation.values import Frozen, PersonId

STATE_VERSION = 1


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


class Page(Frozen):
    """One call for one person. `tier` 0 is a page by name; `rung` names the tier as it was called at the paging.

    `sent` counts the first sending and its repeats.
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


class CheckpointKind(StrEnum):
    """`policy`: planned by the policy; the others follow from what happens."""

    POLICY = "policy"
    REPEAT = "repeat"
    UPDATE = "update"
    SILENCE = "silence"
    MONITORING = "monitoring"


class Checkpoint(Frozen):
    """A checkpoint that still waits. `about` names the planned checkpoint (policy) or the page's number (repeat)."""

    id: str
    kind: CheckpointKind
    due: datetime
    about: str = ""


class EntryKind(StrEnum):
    """What a line of the timeline tells."""

    DECLARED = "declared"
    PAGED = "paged"
    REPEATED = "repeated"
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
    UPDATE = "update"
    UPDATE_DUE = "update_due"
    SILENCE = "silence"
    MONITORED = "monitored"
    ESCALATED = "escalated"
    SEVERITY = "severity"
    SECURITY = "security"
    EXPOSED = "exposed"
    ROOM_OPENED = "room_opened"
    ROOM_LOST = "room_lost"
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


class Incident(Frozen):
    """All there is to know. `face` counts the changes a reader can see; `stamp` tells one commit from another."""

    version: int = STATE_VERSION
    id: str
    stamp: str = ""
    face: int = 1
    severity: Severity
    policy: SeverityPolicy
    speed: float = Field(default=1.0, gt=0)
    meeting_url: str = ""
    facts: Facts
    reporter: PersonId
    declared_at: datetime
    clock_from: datetime
    round: int = 1
    status: Status = Status.INVESTIGATING
    acknowledgement: Signed | None = None
    assigned: tuple[PersonId, ...] = ()
    root_cause: Signed | None = None
    fix: Signed | None = None
    eta: str = ""
    resolution: Resolution | None = None
    closed_at: datetime | None = None
    tiers_paged: tuple[int, ...] = ()
    nobody_left: bool = False
    pages: tuple[Page, ...] = ()
    checkpoints: tuple[Checkpoint, ...] = ()
    effects: tuple[Effect, ...] = ()
    lanes: dict[str, str] = {}
    copies: tuple[Copy, ...] = ()
    room: Room | None = None
    old_rooms: tuple[Room, ...] = ()
    troubles: dict[str, str] = {}
    timeline: tuple[Entry, ...] = ()
    keys: tuple[str, ...] = ()
    made: int = 0

    @property
    def private(self) -> bool:
        """A security incident is seen by its members only."""
        return self.facts.security

    @property
    def open(self) -> bool:
        return not self.status.closed

    def scaled(self, length: timedelta) -> timedelta:
        """A distance of the policy on this incident's clock: at speed 60, fifteen minutes take fifteen seconds."""
        return length / self.speed

    def entry(self, n: int) -> Entry:
        """Timeline entries are numbered from 1 without gaps."""
        return self.timeline[n - 1]

    def page(self, n: int) -> Page:
        """Pages are numbered from 1 without gaps."""
        return self.pages[n - 1]

    def effect(self, effect_id: str) -> Effect | None:
        """A pending effect, or None when it was carried out (or never was)."""
        return next((e for e in self.effects if e.id == effect_id), None)

    def copy_of(self, copy_id: str) -> Copy | None:
        return next((c for c in self.copies if c.id == copy_id), None)

    def card(self) -> Copy | None:
        """The card whose thread tells the story: in the incidents channel, or in the private room."""
        kind = CopyKind.ROOM if self.private else CopyKind.CHANNEL
        return next((c for c in self.copies if c.kind is kind and not c.redacted), None)

    def open_page_of(self, person: PersonId) -> Page | None:
        return next((p for p in reversed(self.pages) if p.person == person and p.state is PageState.OPEN), None)

    def people(self) -> frozenset[PersonId]:
        """Everybody who has to do with it: paged, assigned, or its reporter."""
        return frozenset({p.person for p in self.pages} | set(self.assigned) | {self.reporter})

    def latest(self, kind: EntryKind) -> Entry | None:
        return next((e for e in reversed(self.timeline) if e.kind is kind), None)
