"""What a company does about an incident of each severity: tiers, checkpoints, cadence. Validated once, then frozen.

Times in a policy are distances from the moment its clocks start (the declaration, a reopening, a raised severity).
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from escalation.values import Duration, Frozen

Role = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$", max_length=40)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]


class Severity(StrEnum):
    """P0 is the worst."""

    P0 = "P0"
    P1 = "P1"
    P2 = "P2"
    P3 = "P3"


class Unless(StrEnum):
    """The fact that makes a checkpoint moot. An incident that is closed makes every checkpoint moot."""

    ACKNOWLEDGED = "acknowledged"
    ROOT_CAUSE = "root_cause"
    RESOLVED = "resolved"


class Tier(Frozen):
    """One rung of the ladder: everybody who holds one of these roles at the moment of paging."""

    name: Line
    roles: tuple[Role, ...] = Field(min_length=1)
    on_breach: tuple[Role, ...] = ()

    def roles_for(self, security: bool) -> tuple[Role, ...]:
        return self.roles + (self.on_breach if security else ())


class TierPage(Frozen):
    """Page a tier; `again` pages it even if it was paged before."""

    tier: int = Field(ge=1)
    again: bool = False


class PlannedCheckpoint(Frozen):
    """After this long, unless that fact is known, page these tiers. It may rest while a fix is watched."""

    id: Slug
    after: Duration
    unless: Unless
    page: tuple[TierPage, ...] = Field(min_length=1)
    rests_while_monitoring: bool = False
    why: Line


class PageRepeat(Frozen):
    """A page that its person did not answer is sent again every so often, so many times at most."""

    every: Duration
    times: int = Field(ge=0, le=20)


class UpdateCadence(Frozen):
    """A progress update is due every so often; after a reminder and this much silence the commander is told."""

    every: Duration
    silence: Duration

    @model_validator(mode="after")
    def _silence_ends(self) -> "UpdateCadence":
        if self.silence >= self.every:
            raise ValueError("silence is not shorter than every: each reminder would begin it anew, and nobody be told")
        return self


class SeverityPolicy(Frozen):
    """Everything that one severity asks for. A copy of it is frozen into each incident."""

    severity: Severity
    name: Line
    definition: Line
    examples: tuple[Line, ...] = ()
    acknowledge_within: Duration
    resolve_within: Duration
    urgent: bool = False
    tiers: tuple[Tier, ...] = Field(min_length=1)
    at_once: tuple[int, ...] = (1,)
    checkpoints: tuple[PlannedCheckpoint, ...] = ()
    on_fix_failed: tuple[int, ...] = ()
    repeat_pages: PageRepeat | None = None
    updates: UpdateCadence | None = None
    monitor_for: Duration
    room: bool = False
    room_invites: tuple[Role, ...] = ()
    review_within: Duration | None = None
    role_names: dict[Role, Line] = {}

    @model_validator(mode="after")
    def _tiers_exist(self) -> "SeverityPolicy":
        known = len(self.tiers)
        for where, tier in self._tier_references():
            if not 1 <= tier <= known:
                raise ValueError(f"{where} pages tier {tier}, but there are tiers 1 to {known}")
        ids = [c.id for c in self.checkpoints]
        if doubled := {i for i in ids if ids.count(i) > 1}:
            raise ValueError(f"two checkpoints are called {', '.join(sorted(doubled))}")
        return self

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

    def role_name(self, role: str) -> str:
        """`on_call` as people say it: the policy's own word, else the identifier with spaces."""
        return self.role_names.get(role, role.replace("_", " "))

    def roles(self) -> set[str]:
        """Every role this severity needs somebody for."""
        return {r for t in self.tiers for r in t.roles_for(security=True)} | set(self.room_invites)


class Policy(Frozen):
    """A company's escalation policy. `roles` maps each role to what people call it."""

    name: Slug
    title: Line
    roles: dict[Role, Line]
    severities: dict[Severity, SeverityPolicy]

    @model_validator(mode="before")
    @classmethod
    def _hand_down(cls, data: object) -> object:
        """Each severity learns its own key and the role names, so that a frozen copy of it stands alone."""
        if not isinstance(data, dict) or not isinstance(data.get("severities"), dict):
            return data
        roles = data.get("roles") or {}
        handed = {
            key: {"severity": key, "role_names": roles, **body} if isinstance(body, dict) else body
            for key, body in data["severities"].items()
        }
        return {**data, "severities": handed}

    @model_validator(mode="after")
    def _roles_are_named(self) -> "Policy":
        for severity, policy in self.severities.items():
            if missing := sorted(policy.roles() - set(self.roles)):
                raise ValueError(f"{severity} pages {', '.join(missing)}, which `roles` does not list")
        return self
