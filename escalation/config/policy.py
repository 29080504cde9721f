"""Escalation policy: the rules for each severity, handovers and recurring activities. Validated once, then frozen.

Times in a policy count from the moment its clocks start (the declaration, a reopening, a raised severity).
"""

from collections.abc import Iterator
from datetime import time
from enum import StrEnum
from typing import Literal

from pydantic import Field, model_validator

from escalation.config.business_time import WaitFor
from escalation.config.references import refuse, unknown_roles
from escalation.config.rules.checkpoints import PlannedCheckpoint, UpdateCadence
from escalation.config.rules.communications import Communication
from escalation.config.rules.paging import PageRepeat, Tier
from escalation.config.rules.reports import Reports
from escalation.config.rules.reviews import CAUSE_CATEGORIES, CauseCategories, ReviewRule
from escalation.config.rules.rooms import Phase
from escalation.config.rules.words import Line, Role, Slug
from escalation.times import Duration, TimeOfDay, Weekday
from escalation.values import Frozen

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
