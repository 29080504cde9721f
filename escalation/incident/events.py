"""Events of an incident: moves of people, due checkpoints, and outcomes of effects.

Every event carries its reason in its own fields; `key` makes a repeated submit of one modal harmless.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from escalation.config.actions import Action
from escalation.config.business_time import Calendar
from escalation.config.notify import MeetingKind, OtherWays
from escalation.config.policy import ListName, Means, ReviewSection, Severity, SeverityPolicy
from escalation.config.status_page import ComponentState
from escalation.config.tickets import Tickets
from escalation.incident.effects import Reminded
from escalation.incident.noted import Noting
from escalation.incident.reach import How, ReachState
from escalation.incident.state.alerts import AlertSummary
from escalation.incident.state.facts import Detection, Facts, Status
from escalation.incident.state.leads import Lead
from escalation.incident.state.rooms import Meeting, Room
from escalation.incident.tracked import Issue
from escalation.times import Zone
from escalation.values import Frozen, PersonId

Words = Annotated[str, StringConstraints(strip_whitespace=True, max_length=3000)]
Category = Annotated[str, StringConstraints(strip_whitespace=True, max_length=60)]
Needed = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=3000)]


class Move(StrEnum):
    """A person's move on an incident. The transition table has a column for each."""

    ACKNOWLEDGE = "acknowledge"
    DECLINE = "decline"
    ROOT_CAUSE = "root_cause"
    WORKAROUND = "workaround"
    START_FIX = "start_fix"
    FIX_APPLIED = "fix_applied"
    FIX_FAILED = "fix_failed"
    UPDATE = "update"
    SCHEDULE = "schedule"
    VERIFY = "verify"
    SEVERITY = "severity"
    ESCALATE = "escalate"
    PAGE = "page"
    RUN = "run"
    EDIT = "edit"
    LEAD = "lead"
    COMMUNICATE = "communicate"
    PUBLISH = "publish"
    SNOOZE = "snooze"
    SECURITY = "security"
    RESOLVE = "resolve"
    PLAN_REVIEW = "plan_review"
    REVIEWED = "reviewed"
    REOPEN = "reopen"
    CANCEL = "cancel"


class _Move(Frozen):
    """Base of the moves: `by` is the person's member id."""

    by: PersonId
    key: str = ""


class Other(Frozen):
    """Another incident that is open at a declaration; `coordinated_in` as in its own state."""

    id: str
    coordinated_in: str = ""
    room: Room | None = None


class Terms(Frozen):
    """Terms of a declaration, from the configuration and the moment: frozen into the incident.

    `team` owns the affected service; `vendor` is the contact for it, in words, `runbook` and `links` (name -> address)
    are its own; `hotline` is the company's; `public_means` are the public channels
    that the company has (None: all); `public_page`: it has a status page of ours. `own_meetings`: a meeting is made for
    each war room, and `meeting_url` is for where that fails. `invitations` are the meetings to invite to by mail.
    `others` are the open incidents that a war room would be shared with.
    """

    policy: SeverityPolicy
    speed: float = 1.0
    meeting_url: str = ""
    own_meetings: bool = False
    invitations: tuple[MeetingKind, ...] = ()
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
    others: tuple[Other, ...] = ()


class Declare(Frozen):
    """Declare an incident."""

    kind: Literal["declare"] = "declare"
    by: PersonId
    key: str = ""
    facts: Facts
    terms: Terms
    alerts: AlertSummary = AlertSummary()


class Acknowledge(_Move):
    """Acknowledge the incident and one's own page. `how`, unless in Slack.

    `known_as`: what another service calls who answered there, where that is nobody of the configuration.
    """

    kind: Literal[Move.ACKNOWLEDGE] = Move.ACKNOWLEDGE
    how: How | None = None
    known_as: Annotated[str, StringConstraints(max_length=100)] = ""


class Decline(_Move):
    """Decline one's own page: the next is paged. `how`, unless in Slack."""

    kind: Literal[Move.DECLINE] = Move.DECLINE
    why: Words = ""
    how: How | None = None


class RootCause(_Move):
    """State the root cause. `category` is one of the policy's; `repeats` an earlier incident of it, as looked up."""

    kind: Literal[Move.ROOT_CAUSE] = Move.ROOT_CAUSE
    cause: Needed
    category: Category = ""
    repeats: str = ""


class Workaround(_Move):
    """Report a workaround or rollback: people can work again, the cause is still to be found."""

    kind: Literal[Move.WORKAROUND] = Move.WORKAROUND
    text: Needed


class StartFix(_Move):
    """Start work on the fix."""

    kind: Literal[Move.START_FIX] = Move.START_FIX
    text: Words = ""


class FixApplied(_Move):
    """Report the fix as applied: it is watched from now on."""

    kind: Literal[Move.FIX_APPLIED] = Move.FIX_APPLIED
    text: Words = ""


class FixFailed(_Move):
    """Report that the fix failed."""

    kind: Literal[Move.FIX_FAILED] = Move.FIX_FAILED
    text: Words = ""


class PostUpdate(_Move):
    """Post a progress update. `status` is the new one, if any; `next_in` promises the next one (None: the cadence).

    `zone` is the zone that a time of day in `eta` is meant in.
    """

    kind: Literal[Move.UPDATE] = Move.UPDATE
    progress: Needed
    next_steps: Words = ""
    eta: Words = ""
    zone: Zone = "UTC"
    impact: Words = ""
    status: Status | None = None
    next_in: timedelta | None = None
    public_wording: Words = ""


class Schedule(_Move):
    """Schedule the work: `when` in people's words (a sprint, the next deployment, a day)."""

    kind: Literal[Move.SCHEDULE] = Move.SCHEDULE
    when: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class Verify(_Move):
    """Verify the fix; `text` says what was checked."""

    kind: Literal[Move.VERIFY] = Move.VERIFY
    text: Words = ""


class Edit(_Move):
    """Correct the facts of the declaration; fields that are not set stay. None of a yes-or-no fact: not known."""

    kind: Literal[Move.EDIT] = Move.EDIT
    title: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)] | None = None
    impact: Words | None = None
    description: Words | None = None
    service: Words | None = None
    public_wording: Words | None = None
    detection: Detection | None = None
    data_loss: bool | None = None
    outage: bool | None = None
    major_impact: bool | None = None
    team: str | None = None
    vendor: str | None = None
    runbook: str = ""
    links: dict[str, str] = {}
    repeats: str = ""


class TakeLead(_Move):
    """Take a role of the response, offer it to somebody (`to`), or take or decline an offer that was made to `by`."""

    kind: Literal[Move.LEAD] = Move.LEAD
    lead: Lead
    to: PersonId = ""
    declined: bool = False


class Answer(StrEnum):
    """Answer to a communication."""

    APPROVED = "approved"
    PUBLISHED = "published"
    DECLINED = "declined"


class AnswerCommunication(_Move):
    """Answer a communication: approved, published by hand, or not needed. `n` is its number on the incident."""

    kind: Literal[Move.COMMUNICATE] = Move.COMMUNICATE
    n: int
    answer: Answer


class PublishUpdate(_Move):
    """Publish on the status page: a new update, or with `corrects` a correction of the one of that timeline entry.

    `components` are the states of components, by name; none: as they were, and at first by the severity.
    """

    kind: Literal[Move.PUBLISH] = Move.PUBLISH
    wording: Needed
    components: dict[str, ComponentState] = {}
    corrects: int = 0


class Snooze(_Move):
    """Snooze standing reminders, one subject or all (None). Pages and escalations are never snoozed.

    `length` is in the policy's time: an incident with fast clocks shortens it.
    """

    kind: Literal[Move.SNOOZE] = Move.SNOOZE
    length: Annotated[timedelta, Field(ge=timedelta(minutes=1), le=timedelta(hours=4))]
    about: Reminded | None = None


class PlanReview(_Move):
    """Plan the post-incident review; what is not set stays. None of its fields is needed.

    `starts` moves its meeting, `later` to the next hour that suits most. `no_meeting` and `no_follow_ups` say why none
    is needed. `category` is that of the cause; `repeats` an earlier incident of it, as looked up.
    """

    kind: Literal[Move.PLAN_REVIEW] = Move.PLAN_REVIEW
    owner: PersonId = ""
    starts: datetime | None = None
    later: bool = False
    no_meeting: Words = ""
    no_follow_ups: Words = ""
    category: Category = ""
    repeats: str = ""


class Reviewed(_Move):
    """Report the post-incident review as held: the customers' follow-up is due, and the room may be archived."""

    kind: Literal[Move.REVIEWED] = Move.REVIEWED
    text: Words = ""


class ChangeSeverity(_Move):
    """Change the severity; `policy` holds the rules of the new one."""

    kind: Literal[Move.SEVERITY] = Move.SEVERITY
    policy: SeverityPolicy
    why: Needed

    @property
    def severity(self) -> Severity:
        """Severity to change to."""
        return self.policy.severity


class Escalate(_Move):
    """Page the next tier. `seen` lists the tiers that the clicked card showed as paged; None from a typed command."""

    kind: Literal[Move.ESCALATE] = Move.ESCALATE
    seen: tuple[int, ...] | None = None
    why: Words = ""


class PagePeople(_Move):
    """Page people by name, and the holders of roles."""

    kind: Literal[Move.PAGE] = Move.PAGE
    people: tuple[PersonId, ...] = ()
    roles: tuple[str, ...] = ()
    why: Words = ""


class Run(_Move):
    """Run an action. `seen` is how many runs of it the requester was shown; None from a typed command."""

    kind: Literal[Move.RUN] = Move.RUN
    action: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
    seen: int | None = None


class MarkSecurity(_Move):
    """Mark the incident as a security incident: it becomes private."""

    kind: Literal[Move.SECURITY] = Move.SECURITY
    why: Words = ""


class Resolve(_Move):
    """Resolve the incident, with the facts of the resolution notice. `category` and `repeats` as for the root cause."""

    kind: Literal[Move.RESOLVE] = Move.RESOLVE
    summary: Needed
    resolution: Needed
    verification: Words = ""
    final_impact: Words = ""
    data_loss: bool | None = None
    next_steps: Words = ""
    category: Category = ""
    repeats: str = ""
    review_owner: PersonId = ""


class Reopen(_Move):
    """Reopen a closed incident: its clocks start again."""

    kind: Literal[Move.REOPEN] = Move.REOPEN
    why: Words = ""


class Cancel(_Move):
    """Cancel the incident: a false alarm, or a duplicate of another one."""

    kind: Literal[Move.CANCEL] = Move.CANCEL
    why: Words = ""
    duplicate_of: str = ""


class CheckpointDue(Frozen):
    """A due checkpoint. Which one is for the log only: whatever is due now fires, in order.

    `away` is start and end of the outage, if that is why it comes late.
    """

    kind: Literal["checkpoint_due"] = "checkpoint_due"
    checkpoint: str
    away: tuple[datetime, datetime] | None = None


class SignOfLife(Frozen):
    """Somebody pressed a button of an incident, or typed a command about it, that changes nothing."""

    kind: Literal["sign_of_life"] = "sign_of_life"
    by: PersonId


class RolesChanged(Frozen):
    """Somebody else may hold a role now. `by` changed who is on call; empty for a handover by the schedule."""

    kind: Literal["roles_changed"] = "roles_changed"
    by: PersonId = ""


class Delivered(Frozen):
    """An effect was delivered. `channel` and `ts` identify the message; `face` is the one that a card shows.

    `refused`: of a send to several, whom it could not reach, and why; `reached`: how many it did. `status`: what an
    action's system answered.
    `by_slack_at`: when Slack sent it by itself.
    """

    kind: Literal["delivered"] = "delivered"
    effect: str
    channel: str = ""
    ts: str = ""
    face: int = 0
    person: PersonId = ""
    refused: dict[PersonId, str] = {}
    reached: int = 0
    status: int = 0
    by_slack_at: datetime | None = None


class RoomOpened(Frozen):
    """The war room was opened."""

    kind: Literal["room_opened"] = "room_opened"
    effect: str
    room: Room


class MeetingOpened(Frozen):
    """The war room's meeting was made."""

    kind: Literal["meeting_opened"] = "meeting_opened"
    effect: str
    meeting: Meeting


class IssueUpdated(Frozen):
    """The ticket in the tracker was opened or changed. `lost`: what the tracker left out without a word."""

    kind: Literal["issue_updated"] = "issue_updated"
    effect: str
    issue: Issue
    lost: tuple[str, ...] = ()


class IssueSeen(Frozen):
    """The state of the ticket in the tracker, from a webhook or a poll; nothing follows from what is known already.

    `by` is who changed it there, if that is a member; `known_as` their name there.
    """

    kind: Literal["issue_seen"] = "issue_seen"
    issue: Issue
    by: PersonId = ""
    known_as: Annotated[str, StringConstraints(max_length=100)] = ""


class PersonRefused(Frozen):
    """A page cannot reach its person (left, deactivated, cannot be messaged): escalate at once."""

    kind: Literal["person_refused"] = "person_refused"
    effect: str
    why: str


class PageStatus(Frozen):
    """News of a page from a channel that carries it (`effect`): accepted, delivered, or failed, and why.

    It may come before the outcome of the send, late, twice, or out of order: no state is taken back. A failed one is
    replaced by its person's next method at once, a busy line as well as a number that does not exist.
    """

    kind: Literal["page_status"] = "page_status"
    effect: str
    status: ReachState
    why: Annotated[str, StringConstraints(max_length=300)] = ""


class Dropped(Frozen):
    """An effect was dropped for good (an optional feature that the workspace lacks, an archived room).

    `gone` is the channel, if it no longer exists. `lasting`: because of us, or given up: people are told.
    """

    kind: Literal["dropped"] = "dropped"
    effect: str
    why: str
    gone: str = ""
    lasting: bool = False


class Linked(Frozen):
    """Another incident was declared while this one is open; `coordinated_in` has the room for both."""

    kind: Literal["linked"] = "linked"
    effect: str = ""
    other: str
    coordinated_in: str


class PageGathered(Frozen):
    """Another incident's page to this person was delayed too: it was posted in the thread of this one (`effect`)."""

    kind: Literal["page_gathered"] = "page_gathered"
    effect: str
    other: str


class MessageGone(Frozen):
    """The card or message `shown`, which an effect updates or answers to, was deleted by hand."""

    kind: Literal["message_gone"] = "message_gone"
    effect: str
    shown: str


class Trouble(Frozen):
    """An effect was refused because of us (token, scope, archived channel): it is retried, and people see it.

    `passing`: it is not refused, but the other side has not taken it for a while.
    `ask`: the people of the response can mend it themselves, so whoever leads is asked directly.
    """

    kind: Literal["trouble"] = "trouble"
    effect: str
    why: str
    passing: bool = False
    ask: bool = False


MAX_TITLES = 10  # of alerts in one entry of the timeline


class AlertsChanged(Frozen):
    """Alerts of the incident began to fire or ended; `alerts` are all of them as they stand.

    `by` is the source, as a machine. `began` and `ended` are titles, for the timeline. With `over` all have ended, and
    people are asked whether the incident has.
    """

    kind: Literal["alerts_changed"] = "alerts_changed"
    by: PersonId
    alerts: AlertSummary
    began: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()
    over: bool = False


class ResolvedThere(Frozen):
    """Somebody resolved the incident in another paging service: people are asked whether it is over.

    `by` is a member, or the service as a machine; `known_as` is what a person whom we do not know is called there.
    """

    kind: Literal["resolved_there"] = "resolved_there"
    by: PersonId
    service: str
    known_as: str = ""


class MailReceived(Frozen):
    """Somebody wrote about the incident by mail, what is no answer to a page. The same `key` twice is one mail."""

    kind: Literal["mail_received"] = "mail_received"
    by: PersonId
    text: str
    key: str


MAX_NOTED_TEXT = 2000  # characters of a message on the timeline


class MessageNoted(Frozen):
    """A message in one of the incident's places joined its timeline, was edited, or left it.

    `by` did that; `author` wrote it at `sent_at`. `files` are names and links, with a tab between. `how` it joined: by
    a pin, a reaction, or as a notice of a deployment.
    """

    kind: Literal["message_noted"] = "message_noted"
    by: PersonId
    what: Noting
    channel: str
    ts: str
    author: PersonId = ""
    text: Annotated[str, AfterValidator(lambda text: text[:MAX_NOTED_TEXT])] = ""
    sent_at: datetime | None = None
    url: str = ""
    files: tuple[str, ...] = ()
    how: Literal["", "pin", "reaction", "deploy"] = ""


class Redacted(Frozen):
    """Somebody was forgotten: `digests` are those of what stands now in place of what was removed (records.chain)."""

    kind: Literal["redacted"] = "redacted"
    digests: dict[str, str]


class ReviewSeen(Frozen):
    """What there is of the review: sections with people's words, and action items with owner and day.

    Nothing follows from what is known already.
    """

    kind: Literal["review_seen"] = "review_seen"
    written: tuple[ReviewSection, ...] = ()
    commitments: int = 0


MoveEvent = (
    Acknowledge | Decline | RootCause | Workaround | StartFix | FixApplied | FixFailed | PostUpdate | Schedule | Verify
    | ChangeSeverity | Escalate | PagePeople | Run | Edit | TakeLead | AnswerCommunication | PublishUpdate | Snooze
    | MarkSecurity | Resolve | PlanReview | Reviewed | Reopen | Cancel
)  # fmt: skip
OutcomeEvent = (
    Delivered
    | RoomOpened
    | MeetingOpened
    | PersonRefused
    | PageStatus
    | Dropped
    | Linked
    | PageGathered
    | MessageGone
    | Trouble
    | AlertsChanged
    | ResolvedThere
    | MailReceived
    | MessageNoted
    | IssueUpdated
    | IssueSeen
    | Redacted
    | ReviewSeen
)
