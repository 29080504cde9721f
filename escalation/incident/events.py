"""What can happen to an incident, and the moves that people may make.

Every event says why in its own fields; `key` makes a doubled submit of one modal harmless.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import StringConstraints

from escalation.config.business_time import Calendar
from escalation.config.policy import Means, OtherWays, Severity, SeverityPolicy
from escalation.incident.model import Detection, Facts, Lead, Room, Status
from escalation.values import Frozen, PersonId

Words = Annotated[str, StringConstraints(strip_whitespace=True, max_length=3000)]
Needed = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=3000)]


class Move(StrEnum):
    """What a person may do to an incident. The transition table has a column for each."""

    ACKNOWLEDGE = "acknowledge"
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
    EDIT = "edit"
    LEAD = "lead"
    COMMUNICATE = "communicate"
    SECURITY = "security"
    RESOLVE = "resolve"
    REVIEWED = "reviewed"
    REOPEN = "reopen"
    CANCEL = "cancel"


class _Move(Frozen):
    """Something a person did: `by` is their member id."""

    by: PersonId
    key: str = ""


class Other(Frozen):
    """Another open incident, at the moment of a declaration; `coordinated_in` as in its own record."""

    id: str
    coordinated_in: str = ""


class Terms(Frozen):
    """What the configuration and the moment add to a declaration: frozen into the incident.

    `team` owns the affected service; `vendor` is whom to call about it, in words; `public_means` are the public
    channels that the company has (None: all). `others` are the open incidents that a war room would be shared with.
    """

    policy: SeverityPolicy
    speed: float = 1.0
    meeting_url: str = ""
    calendar: Calendar = Calendar()
    drill: bool = False
    team: str = ""
    vendor: str = ""
    public_means: tuple[Means, ...] | None = None
    ways: OtherWays = OtherWays()
    others: tuple[Other, ...] = ()


class Declare(Frozen):
    """An incident is born."""

    kind: Literal["declare"] = "declare"
    by: PersonId
    key: str = ""
    facts: Facts
    terms: Terms


class Acknowledge(_Move):
    kind: Literal[Move.ACKNOWLEDGE] = Move.ACKNOWLEDGE


class RootCause(_Move):
    kind: Literal[Move.ROOT_CAUSE] = Move.ROOT_CAUSE
    cause: Needed


class Workaround(_Move):
    """A workaround or rollback is in place: people can work again, the cause is still to be found."""

    kind: Literal[Move.WORKAROUND] = Move.WORKAROUND
    text: Needed


class StartFix(_Move):
    kind: Literal[Move.START_FIX] = Move.START_FIX
    text: Words = ""


class FixApplied(_Move):
    kind: Literal[Move.FIX_APPLIED] = Move.FIX_APPLIED
    text: Words = ""


class FixFailed(_Move):
    kind: Literal[Move.FIX_FAILED] = Move.FIX_FAILED
    text: Words = ""


class PostUpdate(_Move):
    """A progress update. `status` may move the incident along; `next_in` promises the next one (None: the cadence)."""

    kind: Literal[Move.UPDATE] = Move.UPDATE
    progress: Needed
    next_steps: Words = ""
    eta: Words = ""
    impact: Words = ""
    status: Status | None = None
    next_in: timedelta | None = None
    public_wording: Words = ""


class Schedule(_Move):
    """The work is planned: `when` in people's words (a sprint, the next deployment, a day)."""

    kind: Literal[Move.SCHEDULE] = Move.SCHEDULE
    when: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class Verify(_Move):
    """The fix was verified: what was looked at."""

    kind: Literal[Move.VERIFY] = Move.VERIFY
    text: Words = ""


class Edit(_Move):
    """Correct what was said at the declaration; None leaves a field as it is."""

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


class TakeLead(_Move):
    """Take a role of the response, offer it to somebody (`to`), or take an offer (`by` is the one it was made to)."""

    kind: Literal[Move.LEAD] = Move.LEAD
    lead: Lead
    to: PersonId = ""


class Answer(StrEnum):
    """What a person says of a communication."""

    APPROVED = "approved"
    PUBLISHED = "published"
    DECLINED = "declined"


class AnswerCommunication(_Move):
    """A communication was approved, published by hand, or is not needed. `n` is its number on the incident."""

    kind: Literal[Move.COMMUNICATE] = Move.COMMUNICATE
    n: int
    answer: Answer


class Reviewed(_Move):
    """The post-incident review was held: the customers' follow-up is due, and the room may be archived."""

    kind: Literal[Move.REVIEWED] = Move.REVIEWED
    text: Words = ""


class ChangeSeverity(_Move):
    kind: Literal[Move.SEVERITY] = Move.SEVERITY
    policy: SeverityPolicy
    why: Needed

    @property
    def severity(self) -> Severity:
        return self.policy.severity


class Escalate(_Move):
    """Page the next tier. `seen` lists the tiers that the clicked card showed as paged; None from a typed command."""

    kind: Literal[Move.ESCALATE] = Move.ESCALATE
    seen: tuple[int, ...] | None = None
    why: Words = ""


class PagePeople(_Move):
    """Page people by name, or the holders of a role."""

    kind: Literal[Move.PAGE] = Move.PAGE
    people: tuple[PersonId, ...] = ()
    role: str = ""
    why: Words = ""


class MarkSecurity(_Move):
    kind: Literal[Move.SECURITY] = Move.SECURITY
    why: Words = ""


class Resolve(_Move):
    kind: Literal[Move.RESOLVE] = Move.RESOLVE
    summary: Needed
    resolution: Needed
    verification: Words = ""
    final_impact: Words = ""
    data_loss: bool = False
    next_steps: Words = ""


class Reopen(_Move):
    kind: Literal[Move.REOPEN] = Move.REOPEN
    why: Words = ""


class Cancel(_Move):
    """A false alarm, or a duplicate of another incident."""

    kind: Literal[Move.CANCEL] = Move.CANCEL
    why: Words = ""
    duplicate_of: str = ""


class CheckpointDue(Frozen):
    """The alarm clock rang. Which checkpoint rang is for the log: whatever is due now fires, in order.

    `away` is from when until when no clock was watched, if that is why it comes late.
    """

    kind: Literal["checkpoint_due"] = "checkpoint_due"
    checkpoint: str
    away: tuple[datetime, datetime] | None = None


class Delivered(Frozen):
    """An effect went out. `channel` and `ts` say where the message stands; `face` is what a card shows."""

    kind: Literal["delivered"] = "delivered"
    effect: str
    channel: str = ""
    ts: str = ""
    face: int = 0
    person: PersonId = ""


class RoomOpened(Frozen):
    kind: Literal["room_opened"] = "room_opened"
    effect: str
    room: Room


class PersonRefused(Frozen):
    """A page cannot reach its person (left, deactivated, cannot be messaged): climb at once."""

    kind: Literal["person_refused"] = "person_refused"
    effect: str
    why: str


class Dropped(Frozen):
    """An effect will not happen, for good (an optional feature that the workspace lacks, an archived room).

    `gone` is the channel, when that is what is no longer there.
    """

    kind: Literal["dropped"] = "dropped"
    effect: str
    why: str
    gone: str = ""


class Linked(Frozen):
    """Another incident was declared while this one is open; `coordinated_in` has the room for both."""

    kind: Literal["linked"] = "linked"
    effect: str = ""
    other: str
    coordinated_in: str


class PageGathered(Frozen):
    """Another incident's page to this person was held up too: it stands in the thread of this one (`effect`)."""

    kind: Literal["page_gathered"] = "page_gathered"
    effect: str
    other: str


class Trouble(Frozen):
    """An effect is refused because of us (token, scope, archived channel): it is retried, and people see it."""

    kind: Literal["trouble"] = "trouble"
    effect: str
    why: str


MoveEvent = (
    Acknowledge | RootCause | Workaround | StartFix | FixApplied | FixFailed | PostUpdate | Schedule | Verify
    | ChangeSeverity | Escalate | PagePeople | Edit | TakeLead | AnswerCommunication | MarkSecurity | Resolve | Reviewed
    | Reopen | Cancel
)  # fmt: skip
OutcomeEvent = Delivered | RoomOpened | PersonRefused | Dropped | Linked | PageGathered | Trouble
