"""State of an incident: facts, pages, waiting checkpoints, pending effects and timeline, as one frozen value.

Times are aware UTC datetimes. People are Slack member ids (or a key of the configuration while nobody could be found).
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_serializer,
)

from escalation.config.actions import Action
from escalation.config.business_time import Calendar, Wait
from escalation.config.notify import MeetingKind, OtherWays, Via
from escalation.config.policy import (
    Communication,
    ListName,
    Means,
    ReviewRule,
    ReviewSection,
    Said,
    Severity,
    SeverityPolicy,
)
from escalation.config.status_page import ComponentState
from escalation.config.tickets import Tickets
from escalation.incident.effects import Effect, OpenMeeting, PageBy, PagePerson, Reminded
from escalation.incident.reach import How, Reach
from escalation.incident.tracked import Issue
from escalation.records.chain import Chain
from escalation.values import Frozen, PersonId, title_of


class Status(StrEnum):
    """Status of the work. Acknowledged is a fact beside it, not a status."""

    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    FIXING = "fixing"
    MONITORING = "monitoring"
    RESOLVED = "resolved"
    CANCELLED = "cancelled"

    @property
    def closed(self) -> bool:
        """True if resolved or cancelled."""
        return self in (Status.RESOLVED, Status.CANCELLED)


class Detection(StrEnum):
    """Source of the detection, in the words of the first policy's flowchart."""

    MONITORING = "monitoring alert"
    USER_REPORT = "user report"
    HEALTH_CHECK = "health check"
    MANUAL = "manual"


class Facts(Frozen):
    """Facts of the declaration, as corrected since. None of a yes-or-no fact: nobody said; unknown is not "no"."""

    title: Annotated[str, Field(min_length=1, max_length=200)]
    impact: str = ""
    description: str = ""
    service: str = ""
    security: bool = False
    data_loss: bool | None = None
    outage: bool | None = None
    major_impact: bool | None = None
    detection: Detection = Detection.MANUAL
    public_wording: str = ""
    source_link: str = ""

    def said(self, what: Said) -> bool:
        """True if that was said of the incident; False if it was denied, or nobody said."""
        return getattr(self, what) is True


class Signed(Frozen):
    """A fact, with who stated it and when."""

    by: PersonId
    at: datetime
    text: str = ""


class PageState(StrEnum):
    """State of a page; only an open one is sent and repeated.

    `replaced`: a newer page to the same person took over. `covered`: somebody else who was paged has acknowledged.
    `declined`: its person cannot take it. `moved`: somebody else holds the role now. `withdrawn`: the severity that it
    was sent for is over.
    """

    OPEN = "open"
    ANSWERED = "answered"
    REFUSED = "refused"
    REPLACED = "replaced"
    COVERED = "covered"
    DECLINED = "declined"
    MOVED = "moved"
    WITHDRAWN = "withdrawn"


MAX_ALSO = 30  # each is a change to the incident, and hundreds may come at once


class Page(Frozen):
    """A page to one person. `tier` 0 is a page by name; `rung` is the tier's name at the time of the page.

    `sent` counts the first send and its repeats. `taken_by` are the channels beside Slack that took it. `refusal` is
    why Slack refused it, while that may be because of us. `roles` are those it was sent for, `moved_from` is who held
    them before. `to` is who has acknowledged, or is paged, in place of its person. `also` names other incidents whose
    pages to this person an outage delayed too: those are in the thread of this one. After MAX_ALSO no more are listed.
    `reached` are its sends by other channels, oldest first. `how` is how it was answered, unless in Slack.
    `silent_until`: their Slack makes no sound until then.
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
    taken_by: tuple[Via, ...] = ()
    refusal: str = ""
    also: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    moved_from: PersonId = ""
    to: tuple[PersonId, ...] = ()
    reached: tuple[Reach, ...] = ()
    how: How | None = None
    silent_until: datetime | None = None

    def reach(self, effect_id: str) -> Reach | None:
        """Return the send of that effect; None if it is none of this page's."""
        return next((r for r in self.reached if r.effect == effect_id), None)


class CheckpointKind(StrEnum):
    """Kind of a checkpoint. `policy` and `communication`: planned by the policy; the others follow from events.

    `redraw` says nothing: a time on the card passes, and the card is to show it. `archive`: of a cancelled one's room.
    `review`: of a resolved one's, until it is held.
    """

    POLICY = "policy"
    COMMUNICATION = "communication"
    FALLBACK = "fallback"
    STEP = "step"
    REPEAT = "repeat"
    OWED = "owed"
    UPDATE = "update"
    SILENCE = "silence"
    MONITORING = "monitoring"
    PHASE = "phase"
    REDRAW = "redraw"
    ARCHIVE = "archive"
    REVIEW = "review"


class Checkpoint(Frozen):
    """A waiting checkpoint.

    `about` names the planned checkpoint (policy) or communication, or holds a number: the page's (repeat, fallback, and
    step, followed by its channels), the due communication's (owed), the phase's (phase), the update's that promised
    this one (update), or the stage of a review.
    """

    id: str
    kind: CheckpointKind
    due: datetime
    about: str = ""


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
    REVIEWED = "reviewed"
    REVIEW_PLANNED = "review_planned"
    REVIEW_DUE = "review_due"
    RECURRED = "recurred"
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


class SeenAlert(Frozen):
    """An alert as its incident's card shows it; `severity` is the source's own word."""

    title: str
    source: str
    firing: bool
    since: datetime
    severity: str = ""
    url: str = ""


class AlertSummary(Frozen):
    """Alerts of an incident: the worst of them, and counts. `assumed`: none of them named a severity that is known.

    `reports`: all of them are people's, who do not say when it is over.
    """

    shown: tuple[SeenAlert, ...] = ()
    firing: int = 0
    total: int = 0
    assumed: bool = False
    reports: bool = False


class CopyKind(StrEnum):
    """Kind of a posted message that is edited: a card in the incidents channel, the war room or somebody's messages.

    The others show a part of the incident: a reminder, or the list of communications.
    """

    CHANNEL = "channel"
    ROOM = "room"
    DIRECT = "direct"
    REMINDER = "reminder"
    COMMUNICATIONS = "communications"


class Copy(Frozen):
    """A posted message that is edited: where, and which face of the incident it shows.

    A `final` one is not updated any more. `about` is a reminder's subject.
    """

    id: str
    kind: CopyKind
    channel: str
    ts: str
    face: int
    person: PersonId = ""
    page: int = 0
    redacted: bool = False
    final: bool = False
    about: str = ""


class Reminder(Frozen):
    """A standing reminder: since when something is due, who was told directly, and until when it is snoozed.

    `entry` is the timeline entry that raised it last. It is `overdue` once somebody was told.
    """

    since: datetime
    entry: int = 0
    told: tuple[PersonId, ...] = ()
    overdue: bool = False
    snoozed_until: datetime | None = None
    snoozed_by: PersonId = ""


DIRECT = "direct"  # place of a message to one person; those of the timeline are escalation.incident.effects.Place


class Post(Frozen):
    """A message about the incident other than its cards: where it stands, and the timeline entries that it shows.

    `place` is an effects.Place, DIRECT, or the channel beside Slack that carried it (then `channel` is empty). `asks`
    are the keys of what its buttons ask for (incident.asks): they only ever become fewer.
    """

    id: str
    entries: tuple[int, ...] = ()
    place: str
    channel: str = ""
    ts: str = ""
    at: datetime
    person: PersonId = ""
    asks: tuple[str, ...] = ()
    redacted: bool = False


class Room(Frozen):
    """The war room. `lost` once somebody archived or deleted it: archived rooms are final."""

    channel: str
    name: str
    private: bool
    lost: bool = False


class Meeting(Frozen):
    """A meeting that was made for the war room: its id there, the link to join it, and whose it is."""

    id: str
    url: str
    host: str = ""


class Invitation(Frozen):
    """An invitation by mail to a meeting: who has it, when it begins, where it leads.

    `sequence` counts its changes. `round` is the incident's at the time; `private`: it says the id and severity alone.
    """

    n: int
    about: MeetingKind
    sequence: int = 0
    people: tuple[PersonId, ...] = ()
    starts: datetime
    url: str = ""
    round: int = 1
    private: bool = False
    cancelled: bool = False


class Resolution(Frozen):
    """Facts of the resolution notice. `data_loss` is None while nobody knows."""

    by: PersonId
    at: datetime
    summary: str
    resolution: str
    verification: str = ""
    final_impact: str = ""
    data_loss: bool | None = None
    next_steps: str = ""


class ReviewWork(Frozen):
    """Work on a post-incident review from the resolution until it is held: whose it is, and what there is of it.

    `meeting` is when it is proposed for. `written` are the sections in which people wrote; `commitments` are action
    items with an owner and a day. `no_meeting` and `no_follow_ups` say why none is needed.
    """

    owner: PersonId = ""
    meeting: datetime | None = None
    no_meeting: Signed | None = None
    written: tuple[ReviewSection, ...] = ()
    commitments: int = 0
    no_follow_ups: Signed | None = None


class Stretch(Frozen):
    """A stretch of an incident that was reopened: from its declaration or reopening until it was closed."""

    started: datetime
    closed_at: datetime
    assigned: tuple[PersonId, ...] = ()
    acknowledgement: Signed | None = None
    root_cause: Signed | None = None
    workaround: Signed | None = None
    fix: Signed | None = None
    resolution: Resolution | None = None


class Stage(StrEnum):
    """Stage of a communication."""

    FIRST = "first"
    UPDATE = "update"
    RESTORED = "restored"
    FOLLOW_UP = "follow_up"


class OwedState(StrEnum):
    """State of a due communication. `waiting`: for approval. `replaced`: a later stage took its place."""

    WAITING = "waiting"
    OWED = "owed"
    DONE = "done"
    DECLINED = "declined"
    REPLACED = "replaced"


class OwedCommunication(Frozen):
    """A communication due to people outside the response: by which plan, through what, by when.

    The plan is kept whole: a severity that was changed since may not have it. `entry` is the timeline entry that holds
    the words. One that goes through Slack alone is done as soon as it is decided: delivery sees to it. `corrects` is
    the entry of the update on the status page that it corrects.
    """

    n: int
    plan: Communication
    stage: Stage
    through: tuple[Means, ...]
    entry: int
    due: datetime | None = None
    state: OwedState = OwedState.OWED
    by: PersonId = ""
    corrects: int = 0


class Lead(StrEnum):
    """Roles of the response that one person at a time holds."""

    COMMANDER = "commander"
    COMMUNICATIONS = "communications"
    SCRIBE = "scribe"


class Former(Frozen):
    """Values that one decision replaced: they hold for the timeline entries up to `until`. Others are not set.

    `paged` is how many pages there were.
    So an entry says for ever what was true when it was made, for the price of what changed.
    """

    until: int
    paged: int = 0
    severity: Severity | None = None
    policy: SeverityPolicy | None = None
    facts: Facts | None = None
    team: str = ""
    status: Status | None = None
    assigned: tuple[PersonId, ...] = ()
    acknowledgement: Signed | None = None
    resolution: Resolution | None = None
    closed_at: datetime | None = None
    sla_from: datetime | None = None
    room: Room | None = None
    old_rooms: tuple[Room, ...] = ()
    shared_room: Room | None = None
    stretches: tuple[Stretch, ...] = ()

    @model_serializer(mode="wrap")
    def _only_what_is_set(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if name in self.model_fields_set}

    def values(self) -> dict[str, Any]:
        """Return the values that were replaced, by field of the incident."""
        return {name: getattr(self, name) for name in self.model_fields_set.intersection(REMEMBERED)}


REMEMBERED = tuple(name for name in Former.model_fields if name not in ("until", "paged"))
STATE_VERSION = 4


def _known_policy(policy: Any, read: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    """Validate the policy; None stands for the one in the context: `migrations.read` parses it apart."""
    return info.context["policy"] if policy is None and info.context else read(policy)


class Incident(Frozen):
    """An incident. `face` counts the changes that readers can see; `stamp` tells one commit from another.

    `clock_from` is when the policy's clocks started, `sla_from` when the promised times started (a raised severity
    moves the first alone). `offers` are roles offered and not accepted yet. `gone` are people whom a message could not
    reach (deactivated, left), until they act again. `linked` are incidents at the same time, and `coordinated_in` is
    the one whose room, `shared_room`, is for all of them. `meeting_url` is the company's fixed link; with
    `own_meetings` each war room gets a `meeting` in its place. `invitations` are the meetings that people are invited
    to by mail, and `invited` those invitations. `mail_lists` and `list_channels` are the lists that the company keeps,
    `webhooks` the means that a system of its own publishes. `public_components` are states chosen for the status page.
    `stretches` ended with a reopening; `past` is what decisions replaced, oldest first. `lost_cards` were deleted by
    hand: what was sent into their threads may still stand there. `alerted_by` are the paging services that know the
    incident (once `alerted`; empty of an older one: PagerDuty), `alert_face` is what they were told last.
    `redrawn_at`: a time on the card had passed then. `issue` is its ticket in a tracker. `repeats` is the earlier
    incident of the same service and `cause_category`. `runbook` and `links` (name -> address) are the service's.
    `chain` is the hash chain over the timeline; the store extends it at each commit.
    """

    version: int = STATE_VERSION
    id: str
    stamp: str = ""
    face: int = 1
    severity: Severity
    policy: Annotated[SeverityPolicy, WrapValidator(_known_policy)]
    speed: float = Field(default=1.0, gt=0)
    meeting_url: str = ""
    own_meetings: bool = False
    meeting: Meeting | None = None
    invitations: tuple[MeetingKind, ...] = ()
    invited: tuple[Invitation, ...] = ()
    calendar: Calendar = Calendar()
    drill: bool = False
    team: str = ""
    vendor: str = ""
    hotline: str = ""
    runbook: str = ""
    links: dict[str, str] = {}
    public_means: tuple[Means, ...] | None = None
    ways: OtherWays = OtherWays()
    public_page: bool = False
    mail_lists: tuple[ListName, ...] = ()
    list_channels: dict[ListName, str] = {}
    webhooks: tuple[Means, ...] = ()
    actions: tuple[Action, ...] = ()
    tickets: Tickets | None = None
    issue: Issue | None = None
    public_components: dict[str, ComponentState] = {}
    alerted: bool = False
    alerted_by: tuple[Via, ...] = ()
    alert_face: str = ""
    facts: Facts
    alerts: AlertSummary = AlertSummary()
    reporter: PersonId
    declared_at: datetime
    clock_from: datetime
    sla_from: datetime
    round: int = 1
    status: Status = Status.INVESTIGATING
    acknowledgement: Signed | None = None
    assigned: tuple[PersonId, ...] = ()
    root_cause: Signed | None = None
    cause_category: str = ""
    repeats: str = ""
    workaround: Signed | None = None
    fix: Signed | None = None
    schedule: Signed | None = None
    verified: Signed | None = None
    reviewed: Signed | None = None
    review_work: ReviewWork | None = None
    eta: str = ""
    eta_at: datetime | None = None
    redrawn_at: datetime | None = None
    leads: dict[Lead, PersonId] = {}
    offers: dict[Lead, PersonId] = {}
    gone: tuple[PersonId, ...] = ()
    linked: tuple[str, ...] = ()
    coordinated_in: str = ""
    shared_room: Room | None = None
    communications: tuple[OwedCommunication, ...] = ()
    reminders: dict[Reminded, Reminder] = {}
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
    lost_cards: tuple[Copy, ...] = ()
    posts: tuple[Post, ...] = ()
    room: Room | None = None
    old_rooms: tuple[Room, ...] = ()
    troubles: dict[str, str] = {}
    stretches: tuple[Stretch, ...] = ()
    timeline: tuple[Entry, ...] = ()
    chain: Chain = Chain()
    past: tuple[Former, ...] = ()
    keys: tuple[str, ...] = ()
    made: int = 0

    @property
    def private(self) -> bool:
        """True for a security incident: only its members see it."""
        return self.facts.security

    @property
    def open(self) -> bool:
        """True until it is resolved or cancelled."""
        return not self.status.closed

    def scaled(self, length: timedelta) -> timedelta:
        """Scale a duration of the policy to this incident's speed: at 60, fifteen minutes take fifteen seconds."""
        return length / self.speed

    def after(self, start: datetime, wait: Wait) -> datetime:
        """Return the end of a wait that began at `start`: business time first, then scaled."""
        return start + self.scaled(self.calendar.after(start, wait) - start)

    @property
    def war_room(self) -> Room | None:
        """The one war room to go to: the one that several incidents share, else its own; archived ones stay known."""
        shared = (self.shared_room,) if self.coordinated_in != self.id else ()
        known = (*shared, self.room, *reversed(self.old_rooms))
        return next((room for room in known if room and room.private is self.private), None)

    @property
    def service_links(self) -> tuple[tuple[str, str], ...]:
        """Links that its service has, by name and address: the runbook first."""
        runbook = (("Runbook", self.runbook),) if self.runbook else ()
        return (*runbook, *self.links.items())

    @property
    def call_url(self) -> str:
        """Link to the call of its war room: its own meeting's, else the fixed one.

        Empty while its own is being made, and where the call is in another incident's room.
        """
        if self.meeting:
            return self.meeting.url
        elsewhere = self.own_meetings and self.room is None and self.shared_room is not None
        return "" if elsewhere or self.opening_meeting() else self.meeting_url

    def opening_meeting(self) -> OpenMeeting | None:
        """Return the pending effect that makes its meeting; None when none is being made."""
        return next((e for e in self.effects if isinstance(e, OpenMeeting) and not e.withdrawn), None)

    def passed(self, at: datetime) -> bool:
        """True once a time on the card has passed: a decision after it says so."""
        return self.redrawn_at is not None and self.redrawn_at >= at

    @property
    def acknowledge_by(self) -> datetime:
        """Time by which it should be acknowledged."""
        return self.after(self.sla_from, self.policy.acknowledge_within)

    @property
    def resolve_by(self) -> datetime:
        """Time by which it should be resolved."""
        return self.after(self.sla_from, self.policy.resolve_within)

    @property
    def review_by(self) -> datetime | None:
        """Due time of the post-incident review; None when none is asked for, of a drill, and until it is resolved."""
        rule, done = self.policy.review, self.resolution
        if rule is None or done is None or self.drill or not self._asks_for_review(rule, done.at):
            return None
        return done.at + self.scaled(rule.within)

    def _asks_for_review(self, rule: ReviewRule, resolved_at: datetime) -> bool:
        lasted = rule.lasted is not None and resolved_at - self.declared_at > self.scaled(rule.lasted)
        harmed = (rule.security and self.facts.security) or (rule.data_loss and self.facts.said(Said.DATA_LOSS))
        return rule.always or lasted or harmed or bool(rule.recurrence and self.repeats)

    def entry(self, n: int) -> Entry:
        """Return a timeline entry; they are numbered from 1 without gaps."""
        return self.timeline[n - 1]

    def as_of(self, entry: Entry) -> "Incident":
        """Return the incident as it stood when the decision that made this entry was done."""
        then: dict[str, Any] = {"timeline": self.timeline[: entry.n]}
        for former in reversed(self.past):
            if former.until >= entry.n:
                paged = {"pages": self.pages[: former.paged]} if "paged" in former.model_fields_set else {}
                then |= former.values() | paged
        return self.model_copy(update=then)

    def known(self, fact: Literal["acknowledgement", "root_cause", "workaround"]) -> Signed | None:
        """Return a fact; of a reopened incident what an earlier stretch had, until it is stated again."""
        stretches: tuple[Incident | Stretch, ...] = (self, *reversed(self.stretches))
        return next((found for stretch in stretches if (found := getattr(stretch, fact))), None)

    def page(self, n: int) -> Page:
        """Return a page; they are numbered from 1 without gaps."""
        return self.pages[n - 1]

    def effect(self, effect_id: str) -> Effect | None:
        """Return a pending effect; None when it was carried out (or is unknown)."""
        return next((e for e in self.effects if e.id == effect_id), None)

    def copy_of(self, copy_id: str) -> Copy | None:
        """Return a posted card by its id; None when it is unknown."""
        return next((c for c in self.copies if c.id == copy_id), None)

    def post_of(self, post_id: str) -> Post | None:
        """Return a posted message by its id; None when it is unknown."""
        return next((p for p in self.posts if p.id == post_id), None)

    def card(self) -> Copy | None:
        """Return the card with the incident's thread: in the incidents channel, or in the private room."""
        kind = CopyKind.ROOM if self.private else CopyKind.CHANNEL
        return next((c for c in self.copies if c.kind is kind and not c.redacted), None)

    def owed(self, n: int) -> OwedCommunication:
        """Return a due communication; they are numbered from 1 without gaps."""
        return self.communications[n - 1]

    def page_to_send(self, effect: PagePerson) -> Page | None:
        """Return the page of an effect if it still has to be sent: unanswered, and no repeat of it was sent."""
        page = self.page(effect.page) if self.open else None
        latest = page and (effect.nth >= page.sent or (isinstance(effect, PageBy) and effect.via.once))
        return page if page and latest and page.state is PageState.OPEN else None

    def in_slack(self, page: Page) -> bool:
        """True if Slack took a page."""
        return any(copy.page == page.n for copy in self.copies)

    def open_page_of(self, person: PersonId) -> Page | None:
        """Return somebody's latest unanswered page, or None."""
        return next((p for p in reversed(self.pages) if p.person == person and p.state is PageState.OPEN), None)

    def declined(self) -> tuple[Page, ...]:
        """Return the pages since its clocks started whose people cannot take it, and have not thought better of it."""
        latest = {p.person: p for p in self.pages if p.at >= self.clock_from and p.person not in self.assigned}
        return tuple(p for p in latest.values() if p.state is PageState.DECLINED)

    def page_to_answer(self, person: PersonId) -> Page | None:
        """Return somebody's page that they can still acknowledge: open, or ended by another's acknowledgement."""
        latest = next((p for p in reversed(self.pages) if p.person == person), None)
        return latest if latest and latest.state in (PageState.OPEN, PageState.COVERED, PageState.DECLINED) else None

    def people(self) -> frozenset[PersonId]:
        """Return everybody involved: paged, assigned, or its reporter, unless that is a machine."""
        involved = {p.person for p in self.pages} | set(self.assigned) | {self.reporter}
        return frozenset(person for person in involved if not title_of(person))

    def latest(self, kind: EntryKind) -> Entry | None:
        """Return the latest timeline entry of a kind, or None."""
        return next((e for e in reversed(self.timeline) if e.kind is kind), None)
