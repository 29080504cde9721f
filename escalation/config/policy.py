"""What a company does about an incident of each severity, and its standing rules. Validated once, then frozen.

Times in a policy are distances from the moment its clocks start (the declaration, a reopening, a raised severity).
"""

from collections.abc import Iterator
from datetime import time
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator

from escalation.config.business_time import WaitFor
from escalation.config.plans import (
    Communication,
    Line,
    PageRepeat,
    Phase,
    PlannedCheckpoint,
    ReviewRule,
    Role,
    Slug,
    Tier,
    UpdateCadence,
)
from escalation.config.rotations import DAYS
from escalation.values import Duration, Frozen

LEAD, TEAM = "service_lead", "service_team"  # roles that follow the affected service: nobody needs to configure them


class Severity(StrEnum):
    """P0 is the worst."""

    P0 = "P0"
    P1 = "P1"
    P2 = "P2"
    P3 = "P3"


class SeverityPolicy(Frozen):
    """Everything that one severity asks for. A copy of it is frozen into each incident.

    `ticket` puts it into the backlog of the team that owns the service (`backlog`: nobody is hurried).
    `room` opens a war room at the declaration, `room_when_several` as soon as another such incident is open.
    `commander` is who leads until somebody takes it (the first role of the first tier). `public_text` is what goes
    outside while nobody worded it. `role_names` and `phases` are the policy's.
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

    @model_validator(mode="after")
    def _tiers_exist(self) -> "SeverityPolicy":
        known = len(self.tiers)
        for where, tier in self._tier_references():
            if not 1 <= tier <= known:
                raise ValueError(f"{where} pages tier {tier}, but there are tiers 1 to {known}")
        for what, ids in (("checkpoints", self.checkpoints), ("communications", self.communications)):
            names = [plan.id for plan in ids]
            if doubled := {i for i in names if names.count(i) > 1}:
                raise ValueError(f"two {what} are called {', '.join(sorted(doubled))}")
        return self

    @model_validator(mode="after")
    def _can_fire(self) -> "SeverityPolicy":
        """A checkpoint that has nothing left to do when its time comes is a promise that nobody keeps."""
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
        """The planned checkpoint of that id; KeyError if the policy has none."""
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

    def role_name(self, role: str) -> str:
        """`on_call` as people say it: the policy's own word, else the identifier with spaces."""
        return self.role_names.get(role, role.replace("_", " "))

    def commanding_role(self) -> str:
        """Who leads until somebody takes it."""
        return self.commander or self.tiers[0].roles[0]

    def roles(self) -> set[str]:
        """Every role this severity needs somebody for."""
        tiers = {r for t in self.tiers for r in t.roles_for(security=True)}
        notified = {r for c in self.checkpoints for r in c.notify}
        return tiers | notified | set(self.room_invites) | {self.commanding_role()}


def _time_of_day(text: Any) -> Any:
    """`10:00`; ValueError says so."""
    if isinstance(text, time):
        return text
    try:
        return time.fromisoformat(str(text).strip().rjust(5, "0"))
    except ValueError:
        raise ValueError(f"'{text}' is not a time of day; write one like 09:30") from None


def _weekday(text: Any) -> Any:
    if isinstance(text, int):
        return text
    names = [n for n, d in enumerate(DAYS) if len(str(text)) >= 3 and d.lower().startswith(str(text).lower())]
    if len(names) != 1:
        raise ValueError(f"'{text}' is not a weekday; write one like Monday")
    return names[0]


TimeOfDay = Annotated[
    time,
    BeforeValidator(_time_of_day),
    PlainSerializer(lambda t: f"{t:%H:%M}", return_type=str),
    WithJsonSchema({"type": "string", "examples": ["09:30"]}),
]
Weekday = Annotated[
    int,
    BeforeValidator(_weekday),
    PlainSerializer(lambda d: DAYS[d], return_type=str),
    WithJsonSchema({"type": "string", "enum": list(DAYS)}),
]


class Activity(Frozen):
    """Something that is to be done again and again, and who owns it.

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
    """What happens at a handover: a call of that length, what it goes through, boxes to tick, and a test page.

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
    handover: HandoverRules | None = None
    activities: tuple[Activity, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _hand_down(cls, data: object) -> object:
        """Each severity learns its own key, the role names and the phases, so that a frozen copy of it stands alone."""
        if not isinstance(data, dict) or not isinstance(data.get("severities"), dict):
            return data
        roles, phases = data.get("roles") or {}, data.get("phases") or ()
        handed = {
            key: {"severity": key, "role_names": roles, "phases": phases, **body} if isinstance(body, dict) else body
            for key, body in data["severities"].items()
        }
        return {**data, "severities": handed}

    @model_validator(mode="after")
    def _roles_are_named(self) -> "Policy":
        for severity, policy in self.severities.items():
            if missing := sorted(policy.roles() - set(self.roles)):
                raise ValueError(f"{severity} pages {', '.join(missing)}, which `roles` does not list")
        for activity in self.activities:
            if activity.owner not in self.roles:
                raise ValueError(f"activity {activity.id} is owned by {activity.owner}, which `roles` does not list")
        return self
