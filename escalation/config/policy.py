"""Escalation policy: the rules for each severity, handovers and recurring activities. Validated once, then frozen.

Times in a policy count from the moment its clocks start (the declaration, a reopening, a raised severity).
"""

from collections.abc import Iterator
from datetime import time, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from escalation.config.business_time import Wait, WaitFor
from escalation.config.references import refuse, unknown_roles
from escalation.times import Duration, TimeOfDay, Weekday
from escalation.values import Channel, Frozen, MailAddress, as_list

Role = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$", max_length=40)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
# The moves that a checkpoint's message may offer as buttons: names of escalation.incident.events.moves.Move.
Offer = Literal["acknowledge", "workaround", "root_cause", "start_fix", "update", "severity", "schedule", "escalate"]


class Unless(StrEnum):
    """The fact that makes a checkpoint moot. An incident that is closed makes every checkpoint moot."""

    ACKNOWLEDGED = "acknowledged"
    ROOT_CAUSE = "root_cause"
    WORKAROUND = "workaround"
    SCHEDULED = "scheduled"
    RESOLVED = "resolved"


class Said(StrEnum):
    """A statement about an incident, made at its declaration or later."""

    OUTAGE = "outage"
    MAJOR_IMPACT = "major_impact"
    DATA_LOSS = "data_loss"
    SECURITY = "security"


class Moment(StrEnum):
    """Moment from which a checkpoint counts. `start` is the declaration, a reopening or a raised severity."""

    START = "start"
    ACKNOWLEDGED = "acknowledged"
    ROOT_CAUSE = "root_cause"
    FIX_APPLIED = "fix_applied"


def one_or_several(value: Any) -> Any:
    """Return a list; the file may hold its only item instead."""
    return (value,) if isinstance(value, str) else value


Facts = Annotated[tuple[Unless, ...], BeforeValidator(one_or_several)]
Sayings = Annotated[tuple[Said, ...], BeforeValidator(one_or_several)]


class PageRepeat(Frozen):
    """Repeats of an open page: the interval, how many at most, and what ends them for everybody.

    `until: acknowledged`: that somebody who was paged has acknowledged the incident; the others are told who has it.
    `until: answered`: nothing; each person is paged until they answer their own page.
    """

    every: Duration
    times: int = Field(ge=0, le=20)
    until: Literal["acknowledged", "answered"] = "acknowledged"


class Tier(Frozen):
    """A tier of the escalation policy: everybody who holds one of these roles at the moment of paging.

    `room` opens the war room when this tier is paged. `repeat_pages` and `notify` override the severity's.
    """

    name: Line
    roles: tuple[Role, ...] = Field(min_length=1)
    on_breach: tuple[Role, ...] = ()
    room: bool = False
    repeat_pages: PageRepeat | None = None
    notify: Literal["urgent", "normal"] | None = None

    def roles_for(self, security: bool) -> tuple[Role, ...]:
        """Return the roles to page, for a security incident or another one."""
        return self.roles + (self.on_breach if security else ())


class TierPage(Frozen):
    """Page a tier; `again` pages it even if it was paged before."""

    tier: int = Field(ge=1)
    again: bool = False


class PlannedCheckpoint(Frozen):
    """A checkpoint: `after` so long, `unless` a fact is known, and `only_if` something was said, it pages or notifies.

    `notify` tells people without paging them, `team` the channel of the team that owns the service; `room` opens the
    war room. `say` is what the message asks for, `offer` its buttons. One that is past its time and waits for `only_if`
    fires as soon as that is said. It may rest while a fix is watched.
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
                f"checkpoint {self.id} can never fire: it rests while the fix that it counts from is monitored"
            )
        return self


class Audience(StrEnum):
    """Audience of a communication. Stakeholders are colleagues; the others are outside the company."""

    STAKEHOLDERS = "stakeholders"
    CUSTOMERS = "customers"
    SOCIAL = "social"

    @property
    def outside(self) -> bool:
        """True for customers and the public."""
        return self is not Audience.STAKEHOLDERS


class Means(StrEnum):
    """Means of a communication. Tocsin posts to Slack itself; people see to the others until a channel carries them."""

    SLACK = "slack"
    MAIL = "mail"
    STATUS_PAGE = "status_page"
    SUPPORT_PORTAL = "support_portal"
    CUSTOMER_MAIL = "customer_mail"
    SOCIAL_MEDIA = "social_media"


class ListName(StrEnum):
    """Lists of people outside the response whom a company may keep, each by mail addresses or a channel."""

    STAKEHOLDERS = "stakeholders"
    EXECUTIVES = "executives"
    SUPPORT = "support"
    CUSTOMERS = "customers"


_LISTS = {
    Audience.STAKEHOLDERS: (ListName.STAKEHOLDERS, ListName.SUPPORT),
    Audience.CUSTOMERS: (ListName.CUSTOMERS,),
}


class Communication(Frozen):
    """A communication to people outside the response: through what, and by when; never of a security incident.

    It goes to the lists in `to`; unless said colleagues' to those of stakeholders and support, customers' to theirs.

    It begins `after` so long (and `only_if` something was said), and has to be out `within` that time of its beginning.
    With `approval` a person approves it first. With `updates` each progress update follows, with `restored` the end,
    with `follow_up` a message after the review.
    """

    id: Slug
    audience: Audience
    through: Annotated[tuple[Means, ...], BeforeValidator(one_or_several)] = Field(min_length=1)
    to: Annotated[tuple[ListName, ...], BeforeValidator(one_or_several)] = ()
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
        if self.audience.outside is not (ListName.CUSTOMERS in self.lists) and self.lists:
            raise ValueError(f"communication {self.id}: {', '.join(self.lists)} are no lists of {self.audience}")
        return self

    @property
    def lists(self) -> tuple[ListName, ...]:
        """Lists that it goes to, where the company keeps them."""
        return self.to or _LISTS.get(self.audience, ())


class UpdateCadence(Frozen):
    """Cadence of progress updates: the interval, and the silence after a reminder until the commander is told."""

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
    """Start of a phase of the war room. `after`: the end of the time box before it."""

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


class ReviewSection(StrEnum):
    """Section of a review."""

    SUMMARY = "summary"
    TIMELINE = "timeline"
    ROOT_CAUSE = "root_cause"
    IMPACT = "impact"
    RESOLUTION = "resolution"
    WENT_WELL = "went_well"
    IMPROVE = "improve"
    PREVENTIVE = "preventive"
    PROCESS = "process"
    ACTIONS = "actions"
    LESSONS = "lessons"
    PUBLIC = "public"

    @property
    def asks(self) -> bool:
        """True if it asks people something that the record does not have."""
        return self is not ReviewSection.TIMELINE


# Those of the first policy's template.
REVIEW_SECTIONS = (
    ReviewSection.SUMMARY,
    ReviewSection.TIMELINE,
    ReviewSection.ROOT_CAUSE,
    ReviewSection.IMPACT,
    ReviewSection.WENT_WELL,
    ReviewSection.IMPROVE,
    ReviewSection.ACTIONS,
    ReviewSection.LESSONS,
)


def _inside(lists: tuple[ListName, ...]) -> tuple[ListName, ...]:
    """Return lists of people who may read a review; ValueError for customers, who are told in public words."""
    if ListName.CUSTOMERS in lists:
        raise ValueError("a review has words of the team: customers are told by a communication")
    return lists


class ReviewRule(Frozen):
    """Rule for post-incident reviews: which need one, by when after the resolution, what is in it, who takes part.

    Whoever was involved is invited anyway, and the holders of the roles in `invite` as well. The finished
    review is mailed to the lists in `mail`, and with `ticket` put into the incident's ticket. It belongs to the holder
    of `owner`, else to whoever resolved the incident. Overdue, it goes up `escalate_to`, a role each `escalate_every`.
    """

    within: Duration
    sections: tuple[ReviewSection, ...] = Field(default=REVIEW_SECTIONS, min_length=1)
    invite: Annotated[tuple[Role, ...], BeforeValidator(one_or_several)] = ()
    always: bool = False
    lasted: Duration | None = None
    security: bool = True
    data_loss: bool = True
    mail: Annotated[tuple[ListName, ...], BeforeValidator(one_or_several), AfterValidator(_inside)] = ()
    ticket: bool = False
    recurrence: Duration | None = None
    owner: Role | None = None
    meeting: Literal["required", "optional", "none"] = "optional"
    remind_before: Duration = timedelta(hours=18)  # the afternoon before one that is due in the morning
    escalate_to: Annotated[tuple[Role, ...], BeforeValidator(one_or_several)] = ()
    escalate_every: WaitFor = Wait(days=1)

    def roles(self) -> set[str]:
        """Every role that it names."""
        return {*self.invite, *self.escalate_to, *((self.owner,) if self.owner else ())}


CauseCategory = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]
# Those of the second policy's source document.
CAUSE_CATEGORIES = (
    "Database issues",
    "Application bugs",
    "Infrastructure problems",
    "External service failures",
    "Configuration errors",
)


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"'{twice}' stands there twice")
    return names


CauseCategories = Annotated[tuple[CauseCategory, ...], Field(min_length=1, max_length=50), AfterValidator(_each_once)]
LEAD, TEAM = "service_lead", "service_team"  # roles that follow the affected service: nobody needs to configure them


class Severity(StrEnum):
    """Severity; P0 is the worst."""

    P0 = "P0"
    P1 = "P1"
    P2 = "P2"
    P3 = "P3"


class SeverityPolicy(Frozen):
    """Rules for one severity. A copy is frozen into each incident.

    `ticket` puts it into the backlog of the team that owns the service (`backlog`: without urgency).
    `room` opens a war room at the declaration, `room_when_several` as soon as another such incident is open.
    `commander` is who leads until somebody takes it (the first role of the first tier). `public_text` is what goes
    outside while nobody worded it. `role_names`, `phases` and `cause_categories` are the policy's.
    """

    severity: Severity
    name: Line
    definition: Line
    examples: tuple[Line, ...] = ()
    acknowledge_within: WaitFor
    resolve_within: WaitFor
    urgent: bool = False
    ticket: Literal["team", "backlog"] | None = None
    tiers: tuple[Tier, ...] = Field(min_length=1)
    at_once: tuple[int, ...] = (1,)
    commander: Role | None = None
    checkpoints: tuple[PlannedCheckpoint, ...] = ()
    on_fix_failed: tuple[int, ...] = ()
    repeat_pages: PageRepeat | None = None
    updates: UpdateCadence | None = None
    communications: tuple[Communication, ...] = ()
    public_text: Line = "Some of our services have a problem. We are working on it."
    monitor_for: Duration
    room: bool = False
    room_when_several: bool = False
    room_invites: tuple[Role, ...] = ()
    review: ReviewRule | None = None
    role_names: dict[Role, Line] = {}
    phases: tuple[Phase, ...] = ()
    cause_categories: CauseCategories = CAUSE_CATEGORIES

    @model_validator(mode="after")
    def _tiers_exist(self) -> "SeverityPolicy":
        known = len(self.tiers)
        for where, tier in self._tier_references():
            if not 1 <= tier <= known:
                raise ValueError(f"{where} pages tier {tier}, but there are tiers 1 to {known}")
        for what, ids in (("checkpoints", self.checkpoints), ("communications", self.communications)):
            names = [plan.id for plan in ids]
            if duplicates := {i for i in names if names.count(i) > 1}:
                raise ValueError(f"two {what} are called {', '.join(sorted(duplicates))}")
        return self

    @model_validator(mode="after")
    def _can_fire(self) -> "SeverityPolicy":
        """Refuse a checkpoint that has nothing left to do when its time comes, and a severity that pages nobody."""
        for plan in self.checkpoints:
            if self._always_too_late(plan):
                tiers = ", ".join(str(p.tier) for p in plan.page)
                raise ValueError(
                    f"checkpoint {plan.id} can never fire: tier {tiers} is paged at once already; add `again: true`"
                )
        if not self.at_once and not self.ticket and not any(p.page or p.team for p in self.checkpoints):
            raise ValueError(
                f"{self.severity} pages nobody, ever; give it at_once, a checkpoint that pages, or a ticket"
            )
        return self

    def _always_too_late(self, plan: PlannedCheckpoint) -> bool:
        nothing_else = not (plan.notify or plan.team or plan.room or plan.say)
        return nothing_else and all(p.tier in self.at_once and not p.again for p in plan.page)

    def _tier_references(self) -> Iterator[tuple[str, int]]:
        yield from (("at_once", t) for t in self.at_once)
        yield from (("on_fix_failed", t) for t in self.on_fix_failed)
        yield from ((f"checkpoint {c.id}", p.tier) for c in self.checkpoints for p in c.page)

    def checkpoint(self, plan_id: str) -> PlannedCheckpoint:
        """Return the planned checkpoint of that id; KeyError if the policy has none."""
        for planned in self.checkpoints:
            if planned.id == plan_id:
                return planned
        raise KeyError(plan_id)

    def communication(self, plan_id: str) -> Communication:
        """The communication of that id; KeyError if the policy has none."""
        for planned in self.communications:
            if planned.id == plan_id:
                return planned
        raise KeyError(plan_id)

    def repeats_of(self, tier: int) -> PageRepeat | None:
        """Repeats of the pages to a tier: its own rule, else the severity's. 0: pages by name."""
        own = self.tiers[tier - 1].repeat_pages if tier else None
        return own or self.repeat_pages

    def is_urgent(self, tier: int) -> bool:
        """True if pages to a tier are urgent: by its own word, else the severity's. 0: pages by name."""
        own = self.tiers[tier - 1].notify if tier else None
        return own == "urgent" if own else self.urgent

    def role_name(self, role: str) -> str:
        """`on_call` as people say it: the policy's own word, else the identifier with spaces."""
        return self.role_names.get(role, role.replace("_", " "))

    def commanding_role(self) -> str:
        """Role that leads until somebody takes command."""
        return self.commander or self.tiers[0].roles[0]

    def roles(self) -> set[str]:
        """Every role this severity needs somebody for."""
        tiers = {r for t in self.tiers for r in t.roles_for(security=True)}
        notified = {r for c in self.checkpoints for r in c.notify}
        invited = {*self.room_invites, *(self.review.roles() if self.review else ())}
        return tiers | notified | invited | {self.commanding_role()}


class Activity(Frozen):
    """A recurring activity and its owner.

    Each business day, or on the first such weekday of each week, month or quarter, at that local time. `lists` adds the
    open incidents of those severities to the reminder.
    """

    id: Slug
    title: Line
    owner: Role
    every: Literal["day", "week", "month", "quarter"]
    weekday: Weekday = 0
    at: TimeOfDay = time(10, 0)
    what: Line
    lists: tuple[Severity, ...] = ()


class ScheduledReport(Frozen):
    """A report that is sent by itself, on the first business day after each day, week, month or quarter.

    To a `channel`, to mail addresses, and to the company's lists named in `to`; unless any is said, to the incidents
    channel. `mean` shows means beside p50, p90 and max.
    """

    every: Literal["day", "week", "month", "quarter"]
    at: TimeOfDay = time(9)
    channel: Channel | None = None
    mail: Annotated[tuple[MailAddress, ...], BeforeValidator(as_list)] = ()
    to: Annotated[tuple[ListName, ...], BeforeValidator(one_or_several)] = ()
    mean: bool = False

    def overlaps(self, other: "ScheduledReport") -> bool:
        """True if another report is the same for one of its destinations; for the incidents channel if none is said."""
        return self.every == other.every and not self._destinations.isdisjoint(other._destinations)

    @property
    def _destinations(self) -> frozenset[str]:
        said = {
            *([self.channel] if self.channel else []),
            *(a.lower() for a in self.mail),
            *(f"{n} list" for n in self.to),
        }
        return frozenset(said or {""})


def distinct_reports(reports: tuple[ScheduledReport, ...] | None) -> tuple[ScheduledReport, ...] | None:
    """Return the reports; ValueError for two of which one would never be sent."""
    for n, report in enumerate(reports or ()):
        if any(report.overlaps(other) for other in (reports or ())[:n]):
            raise ValueError(f"two reports of each {report.every} go to the same place; only one would be sent")
    return reports


Reports = Annotated[tuple[ScheduledReport, ...], AfterValidator(distinct_reports)]


class HandoverRules(Frozen):
    """Rules for handovers: length of the call, agenda, checklist, and test page.

    The test page goes to the incoming person in working hours before the handover; `answer_within` that time.
    """

    call: Duration
    agenda: tuple[Line, ...] = ()
    checklist: tuple[Line, ...] = ()
    test_page: bool = False
    answer_within: Duration


class Policy(Frozen):
    """A company's escalation policy. `roles` maps each role to what people call it."""

    name: Slug
    title: Line
    roles: dict[Role, Line]
    severities: dict[Severity, SeverityPolicy]
    phases: tuple[Phase, ...] = ()
    cause_categories: CauseCategories = CAUSE_CATEGORIES
    handover: HandoverRules | None = None
    activities: tuple[Activity, ...] = ()
    reports: Reports = ()

    @model_validator(mode="before")
    @classmethod
    def _hand_down(cls, data: object) -> object:
        """Copy what is common into each severity, so that a frozen copy of it stands alone."""
        if not isinstance(data, dict) or not isinstance(data.get("severities"), dict):
            return data
        common = {"role_names": data.get("roles") or {}, "phases": data.get("phases") or ()}
        if "cause_categories" in data:
            common["cause_categories"] = data["cause_categories"]
        extended = {
            key: {"severity": key, **common, **body} if isinstance(body, dict) else body
            for key, body in data["severities"].items()
        }
        return {**data, "severities": extended}

    @model_validator(mode="after")
    def _roles_are_named(self) -> "Policy":
        refuse(unknown_roles(self.model_dump(mode="json", exclude_none=True)))
        return self
