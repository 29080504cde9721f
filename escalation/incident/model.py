"""State of an incident, as one frozen value: what holds now, and what is asked of it.

Its parts are in escalation.incident.state. Times are aware UTC datetimes. People are Slack member ids (or a key of the
configuration while nobody could be found).
"""

from bisect import bisect_right
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, ValidatorFunctionWrapHandler, WrapValidator

from escalation.config.actions import Action
from escalation.config.business_time import Calendar, Wait
from escalation.config.notify import MeetingKind, OtherWays, Via
from escalation.config.policy import Severity, SeverityPolicy
from escalation.config.rules.checkpoints import Said
from escalation.config.rules.communications import ListName, Means
from escalation.config.rules.reviews import ReviewRule
from escalation.config.status_page import ComponentState
from escalation.config.tickets import Tickets
from escalation.incident.effects import Effect, OpenMeeting, PageBy, PagePerson, Reminded
from escalation.incident.state.alerts import AlertSummary
from escalation.incident.state.checkpoints import Checkpoint
from escalation.incident.state.communications import OwedCommunication
from escalation.incident.state.entries import Entry, EntryKind
from escalation.incident.state.facts import Facts, Ongoing, Resolution, Signed, Status
from escalation.incident.state.former import Former, Stretch
from escalation.incident.state.leads import Lead
from escalation.incident.state.pages import Page, PageState
from escalation.incident.state.posted import Copy, CopyKind, Post, Reminder
from escalation.incident.state.review_work import ReviewWork
from escalation.incident.state.rooms import Invitation, Meeting, Room
from escalation.incident.tracked import Issue
from escalation.records.chain import Chain
from escalation.values import Frozen, PersonId, title_of

STATE_VERSION = 4
_number = attrgetter("n")


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
    incident of the same service and `cause_category`. `runbook` and `links` (name -> address) are the service's,
    and `maintenance` was in progress for it at the declaration.
    `hidden` are incidents whose words stood here before they became private.
    `chain` is the hash chain over the timeline; the store extends it at each commit. `heard` counts the events about
    messages in its places (MessageNoted).
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
    maintenance: tuple[Ongoing, ...] = ()
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
    hidden: tuple[str, ...] = ()
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
    heard: int = 0

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

    @property
    def review_is_certain(self) -> bool:
        """True for an open incident that will need a review, however long it lasts yet."""
        rule = self.policy.review
        return rule is not None and self.open and not self.drill and self._asks_for_review(rule, self.declared_at)

    def _asks_for_review(self, rule: ReviewRule, resolved_at: datetime) -> bool:
        lasted = rule.lasted is not None and resolved_at - self.declared_at > self.scaled(rule.lasted)
        harmed = (rule.security and self.facts.security) or (rule.data_loss and self.facts.said(Said.DATA_LOSS))
        return rule.always or lasted or harmed or bool(rule.recurrence and self.repeats)

    def entry(self, n: int) -> Entry:
        """Return a timeline entry by its number, from 1. KeyError for one that is missing from the record."""
        here = self.timeline[n - 1 : n]
        return here[0] if here and here[0].n == n else {entry.n: entry for entry in self.timeline}[n]

    def as_of(self, entry: Entry) -> "Incident":
        """Return the incident as it stood when the decision that made this entry was done."""
        then: dict[str, Any] = {"timeline": self.timeline[: bisect_right(self.timeline, entry.n, key=_number)]}
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

    def living_at(self, channel: str, ts: str) -> Copy | None:
        """Return the card, page or reminder that stands there in Slack and is still updated; None for anything else."""
        here = (c for c in self.copies if (c.channel, c.ts) == (channel, ts))
        return next((c for c in here if not (c.final or c.redacted)), None)

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
