"""Moves: what people do to an incident."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from escalation.config.policy import Severity, SeverityPolicy
from escalation.config.status_page import ComponentState
from escalation.incident.effects import Reminded
from escalation.incident.reach import How
from escalation.incident.state.facts import Detection, Ongoing, Status
from escalation.incident.state.leads import Lead
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
    TIMES = "times"
    RESOLVE = "resolve"
    PLAN_REVIEW = "plan_review"
    REVIEWED = "reviewed"
    REOPEN = "reopen"
    CANCEL = "cancel"


class _Move(Frozen):
    """Base of the moves: `by` is the person's member id."""

    by: PersonId
    key: str = ""


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
    maintenance: tuple[Ongoing, ...] = ()
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


class StateTimes(_Move):
    """State when the impact began, was detected and ended; what is not given stays as it is known."""

    kind: Literal[Move.TIMES] = Move.TIMES
    began: datetime | None = None
    detected: datetime | None = None
    ended: datetime | None = None


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
    """Mark the incident as a security incident: it becomes private. `item_tickets`: its action items have tickets.

    `named_in` are the channels of reports and handovers that name it, `named_to` the people to whom a reminder did.
    """

    kind: Literal[Move.SECURITY] = Move.SECURITY
    why: Words = ""
    item_tickets: bool = False
    named_in: tuple[str, ...] = ()
    named_to: tuple[PersonId, ...] = ()


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


MoveEvent = (
    Acknowledge | Decline | RootCause | Workaround | StartFix | FixApplied | FixFailed | PostUpdate | Schedule | Verify
    | ChangeSeverity | Escalate | PagePeople | Run | Edit | TakeLead | AnswerCommunication | PublishUpdate | Snooze
    | MarkSecurity | StateTimes | Resolve | PlanReview | Reviewed | Reopen | Cancel
)  # fmt: skip
