"""What an incident is: its facts, pages, waiting checkpoints, pending effects and timeline, as one frozen value.

Times are aware UTC datetimes. People are Slack member ids (or a key of the configuration while nobody could be found).
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, ValidatorFunctionWrapHandler, WrapValidator

from escalation.config.business_time import Calendar, Wait
from escalation.config.policy import Communication, Means, OtherWays, ReviewRule, Said, Severity, SeverityPolicy
from escalation.incident.effects import Effect, PagePerson
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


MAX_ALSO = 30  # each is a change to the incident, and hundreds may come at once


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


class OwedCommunication(Frozen):
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


STATE_VERSION = 3


def _handed(policy: Any, read: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    """None stands for the policy that whoever reads a stored document knows already."""
    return info.context["policy"] if policy is None and info.context else read(policy)


class Incident(Frozen):
    """All there is to know. `face` counts the changes a reader can see; `stamp` tells one commit from another.

    `clock_from` is when the policy's clocks started, `sla_from` from when people are promised (a raised severity moves
    the first alone). `offers` are handovers that wait for an answer. `linked` are incidents at the same time, and
    `coordinated_in` is the one whose room is for all of them.
    """

    version: int = STATE_VERSION
    id: str
    stamp: str = ""
    face: int = 1
    severity: Severity
    policy: Annotated[SeverityPolicy, WrapValidator(_handed)]
    speed: float = Field(default=1.0, gt=0)
    meeting_url: str = ""
    calendar: Calendar = Calendar()
    drill: bool = False
    team: str = ""
    vendor: str = ""
    public_means: tuple[Means, ...] | None = None
    ways: OtherWays = OtherWays()
    alerted: bool = False
    facts: Facts
    reporter: PersonId
    declared_at: datetime
    clock_from: datetime
    sla_from: datetime
    round: int = 1
    status: Status = Status.INVESTIGATING
    acknowledgement: Signed | None = None
    assigned: tuple[PersonId, ...] = ()
    root_cause: Signed | None = None
    workaround: Signed | None = None
    fix: Signed | None = None
    schedule: Signed | None = None
    verified: Signed | None = None
    reviewed: Signed | None = None
    eta: str = ""
    leads: dict[Lead, PersonId] = {}
    offers: dict[Lead, PersonId] = {}
    linked: tuple[str, ...] = ()
    coordinated_in: str = ""
    communications: tuple[OwedCommunication, ...] = ()
    phase: int = -1
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

    def after(self, start: datetime, wait: Wait) -> datetime:
        """When a wait that began at `start` is over: business time first, then the distance is scaled."""
        return start + self.scaled(self.calendar.after(start, wait) - start)

    @property
    def acknowledge_by(self) -> datetime:
        return self.after(self.sla_from, self.policy.acknowledge_within)

    @property
    def resolve_by(self) -> datetime:
        return self.after(self.sla_from, self.policy.resolve_within)

    @property
    def review_by(self) -> datetime | None:
        """By when the post-incident review is due; None when the policy asks for none (or it is not resolved)."""
        rule, done = self.policy.review, self.resolution
        if rule is None or done is None or not self._asks_for_review(rule, done.at):
            return None
        return done.at + self.scaled(rule.within)

    def _asks_for_review(self, rule: ReviewRule, resolved_at: datetime) -> bool:
        lasted = rule.lasted is not None and resolved_at - self.declared_at > self.scaled(rule.lasted)
        harmed = (rule.security and self.facts.security) or (rule.data_loss and self.facts.data_loss)
        return rule.always or lasted or harmed

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

    def owed(self, n: int) -> OwedCommunication:
        """Communications are numbered from 1 without gaps."""
        return self.communications[n - 1]

    def page_to_send(self, effect: PagePerson) -> Page | None:
        """The page of an effect, while it still has to go out: unanswered, and no repeat of it was sent."""
        page = self.page(effect.page) if self.open else None
        return page if page and page.state is PageState.OPEN and effect.nth >= page.sent else None

    def open_page_of(self, person: PersonId) -> Page | None:
        return next((p for p in reversed(self.pages) if p.person == person and p.state is PageState.OPEN), None)

    def people(self) -> frozenset[PersonId]:
        """Everybody who has to do with it: paged, assigned, or its reporter."""
        return frozenset({p.person for p in self.pages} | set(self.assigned) | {self.reporter})

    def latest(self, kind: EntryKind) -> Entry | None:
        return next((e for e in reversed(self.timeline) if e.kind is kind), None)
