"""The parts that a severity's policy is made of: tiers, checkpoints, communications, war-room phases, review rules."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from escalation.config.business_time import Wait, WaitFor
from escalation.values import Duration, Frozen

Role = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$", max_length=40)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
# The moves that a checkpoint's message may offer as buttons: names of escalation.events.Move.
Offer = Literal["acknowledge", "workaround", "root_cause", "start_fix", "update", "severity", "schedule", "escalate"]


class Unless(StrEnum):
    """The fact that makes a checkpoint moot. An incident that is closed makes every checkpoint moot."""

    ACKNOWLEDGED = "acknowledged"
    ROOT_CAUSE = "root_cause"
    WORKAROUND = "workaround"
    SCHEDULED = "scheduled"
    RESOLVED = "resolved"


class Said(StrEnum):
    """What people may say of an incident, at its declaration or later."""

    OUTAGE = "outage"
    MAJOR_IMPACT = "major_impact"
    DATA_LOSS = "data_loss"
    SECURITY = "security"


class Moment(StrEnum):
    """From when a checkpoint counts. `start` is the declaration, a reopening or a raised severity."""

    START = "start"
    ACKNOWLEDGED = "acknowledged"
    ROOT_CAUSE = "root_cause"
    FIX_APPLIED = "fix_applied"


def one_or_several(value: Any) -> Any:
    """A list in the file may be written as its only item."""
    return (value,) if isinstance(value, str) else value


Facts = Annotated[tuple[Unless, ...], BeforeValidator(one_or_several)]
Sayings = Annotated[tuple[Said, ...], BeforeValidator(one_or_several)]


class Tier(Frozen):
    """One rung of the ladder: everybody who holds one of these roles at the moment of paging.

    `room` opens the war room when this tier is paged.
    """

    name: Line
    roles: tuple[Role, ...] = Field(min_length=1)
    on_breach: tuple[Role, ...] = ()
    room: bool = False

    def roles_for(self, security: bool) -> tuple[Role, ...]:
        return self.roles + (self.on_breach if security else ())


class TierPage(Frozen):
    """Page a tier; `again` pages it even if it was paged before."""

    tier: int = Field(ge=1)
    again: bool = False


class PlannedCheckpoint(Frozen):
    """After this long, unless one of those facts is known, and only if that was said: page, notify, ask, open a room.

    `notify` tells people without paging them, `team` the channel of the team that owns the service. `say` is what the
    message asks for, `offer` its buttons. One that has waited for what was not said yet fires as soon as it is said.
    It may rest while a fix is watched.
    """

    id: Slug
    after: WaitFor
    since: Moment = Moment.START
    unless: Facts = ()
    only_if: Sayings = ()
    page: tuple[TierPage, ...] = ()
    notify: tuple[Role, ...] = ()
    team: bool = False
    room: bool = False
    say: Line | None = None
    offer: tuple[Offer, ...] = ()
    rests_while_monitoring: bool = False
    why: Line

    @model_validator(mode="after")
    def _does_something(self) -> "PlannedCheckpoint":
        if not (self.page or self.notify or self.team or self.room or self.say):
            raise ValueError(
                f"checkpoint {self.id} does nothing; give it something to page, notify, say, or a team or a room"
            )
        if self.since is Moment.ACKNOWLEDGED and Unless.ACKNOWLEDGED in self.unless:
            raise ValueError(f"checkpoint {self.id} can never fire: it counts from what makes it moot")
        if self.since is Moment.ROOT_CAUSE and Unless.ROOT_CAUSE in self.unless:
            raise ValueError(f"checkpoint {self.id} can never fire: it counts from what makes it moot")
        if self.since is Moment.FIX_APPLIED and self.rests_while_monitoring:
            raise ValueError(
                f"checkpoint {self.id} can never fire: it rests while the fix that it counts from is watched"
            )
        return self


class Audience(StrEnum):
    """Whom a communication is for. Stakeholders are colleagues; the others are outside."""

    STAKEHOLDERS = "stakeholders"
    CUSTOMERS = "customers"
    SOCIAL = "social"

    @property
    def outside(self) -> bool:
        return self is not Audience.STAKEHOLDERS


class Means(StrEnum):
    """What a communication goes through. Slack is ours; the others are owed to people until a channel takes them."""

    SLACK = "slack"
    MAIL = "mail"
    STATUS_PAGE = "status_page"
    SUPPORT_PORTAL = "support_portal"
    CUSTOMER_MAIL = "customer_mail"
    SOCIAL_MEDIA = "social_media"


class Communication(Frozen):
    """Who outside the response is told, through what, and by when; never of a security incident.

    It begins `after` so long (and only if that was said), and has to be out `within` that time of its beginning.
    With `approval` a person says yes first. With `updates` each progress update follows, with `restored` the end, with
    `follow_up` a word after the review.
    """

    id: Slug
    audience: Audience
    through: Annotated[tuple[Means, ...], BeforeValidator(one_or_several)] = Field(min_length=1)
    after: WaitFor = Wait()
    within: Duration | None = None
    unless: Facts = ()
    only_if: Sayings = ()
    approval: bool = False
    updates: bool = False
    restored: bool = True
    follow_up: bool = False
    why: Line

    @model_validator(mode="after")
    def _slack_is_inside(self) -> "Communication":
        if self.audience.outside and Means.SLACK in self.through:
            raise ValueError(f"communication {self.id}: slack reaches colleagues, not {self.audience}")
        return self


class Via(StrEnum):
    """Ways beside Slack to reach the people who are paged."""

    MAIL = "mail"
    PAGERDUTY = "pagerduty"


class OtherWays(Frozen):
    """Which ways beside Slack a company uses, and when.

    `page`: with every page. `slack_down`: when Slack has not taken a page `after` that time (real time, not scaled).
    `stakeholders`: what carries the mail that they are owed.
    """

    page: Annotated[tuple[Via, ...], BeforeValidator(one_or_several)] = ()
    slack_down: Annotated[tuple[Via, ...], BeforeValidator(one_or_several)] = ()
    after: Duration = timedelta(seconds=30)
    stakeholders: Annotated[tuple[Literal[Via.MAIL], ...], BeforeValidator(one_or_several)] = ()

    def all(self) -> frozenset[Via]:
        """Every way that has to be set up."""
        return frozenset((*self.page, *self.slack_down, *self.stakeholders))


class PageRepeat(Frozen):
    """A page that its person did not answer is sent again every so often, so many times at most."""

    every: Duration
    times: int = Field(ge=0, le=20)


class UpdateCadence(Frozen):
    """A progress update is due every so often; after a reminder and this much silence the commander is told."""

    every: WaitFor
    silence: Duration

    @model_validator(mode="after")
    def _silence_ends(self) -> "UpdateCadence":
        every = self.every.length or timedelta(days=self.every.days)
        if not every:
            raise ValueError(f"every is '{self.every}', which has no length; write 30m or 1 business day")
        if self.silence >= every:
            raise ValueError("silence is not shorter than every: each reminder would begin it anew, and nobody be told")
        return self


class PhaseStart(StrEnum):
    """What begins a phase of the war room. `after`: the end of the time box before it."""

    OPENED = "opened"
    AFTER = "after"
    FIXING = "fixing"
    MONITORING = "monitoring"
    RESOLVED = "resolved"


class Phase(Frozen):
    """A phase of the war room: when it begins, what it asks, and its time box."""

    name: Line
    begins: PhaseStart
    lasts: Duration | None = None
    ask: tuple[Line, ...] = ()


class ReviewRule(Frozen):
    """Which incidents of a severity need a post-incident review, and by when after the resolution."""

    within: Duration
    always: bool = False
    lasted: Duration | None = None
    security: bool = True
    data_loss: bool = True
