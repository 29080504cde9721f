"""What an incident is: its facts, pages, waiting checkpoints, pending effects and timeline, as one frozen value.

Times are aware UTC datetimes. People are Slack member ids (or a key of the configuration while nobody could be found).
"""

from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, ValidatorFunctionWrapHandler, WrapValidator

from escalation.config.business_time import Calendar, Wait
from escalation.config.plans import Means, OtherWays, ReviewRule
from escalation.config.policy import Severity, SeverityPolicy
from escalation.incident.effects import Effect
from escalation.incident.records import (
    Checkpoint,
    Copy,
    CopyKind,
    Entry,
    EntryKind,
    Facts,
    Lead,
    Owed,
    Page,
    PageState,
    Resolution,
    Room,
    Signed,
    Status,
)
from escalation.values import Frozen, PersonId

STATE_VERSION = 3


def _handed(policy: Any, read: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    """None stands for the policy that whoever reads a stored document knows already."""
    return info.context["policy"] if policy is None and info.context else read(policy)


class Incident(Frozen):
    """All there is to know. `face` counts the changes a reader can see; `stamp` tells one commit from another.

    `clock_from` is when the policy's clocks started, `sla_from` from when people are promised (a raised severity moves
    the first alone). `offers` are handovers that wait for an answer. `linked` are incidents at the same time, and
    `coordinated_in` is the one whose room is for all of them.
    """

    version: int = STATE_VERSION
    id: str
    stamp: str = ""
    face: int = 1
    severity: Severity
    policy: Annotated[SeverityPolicy, WrapValidator(_handed)]
    speed: float = Field(default=1.0, gt=0)
    meeting_url: str = ""
    calendar: Calendar = Calendar()
    drill: bool = False
    team: str = ""
    vendor: str = ""
    public_means: tuple[Means, ...] | None = None
    ways: OtherWays = OtherWays()
    alerted: bool = False
    facts: Facts
    reporter: PersonId
    declared_at: datetime
    clock_from: datetime
    sla_from: datetime
    round: int = 1
    status: Status = Status.INVESTIGATING
    acknowledgement: Signed | None = None
    assigned: tuple[PersonId, ...] = ()
    root_cause: Signed | None = None
    workaround: Signed | None = None
    fix: Signed | None = None
    schedule: Signed | None = None
    verified: Signed | None = None
    reviewed: Signed | None = None
    eta: str = ""
    leads: dict[Lead, PersonId] = {}
    offers: dict[Lead, PersonId] = {}
    linked: tuple[str, ...] = ()
    coordinated_in: str = ""
    communications: tuple[Owed, ...] = ()
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
    room: Room | None = None
    old_rooms: tuple[Room, ...] = ()
    troubles: dict[str, str] = {}
    timeline: tuple[Entry, ...] = ()
    keys: tuple[str, ...] = ()
    made: int = 0

    @property
    def private(self) -> bool:
        """A security incident is seen by its members only."""
        return self.facts.security

    @property
    def open(self) -> bool:
        return not self.status.closed

    def scaled(self, length: timedelta) -> timedelta:
        """A distance of the policy on this incident's clock: at speed 60, fifteen minutes take fifteen seconds."""
        return length / self.speed

    def after(self, start: datetime, wait: Wait) -> datetime:
        """When a wait that began at `start` is over: business time first, then the distance is scaled."""
        return start + self.scaled(self.calendar.after(start, wait) - start)

    @property
    def acknowledge_by(self) -> datetime:
        return self.after(self.sla_from, self.policy.acknowledge_within)

    @property
    def resolve_by(self) -> datetime:
        return self.after(self.sla_from, self.policy.resolve_within)

    @property
    def review_by(self) -> datetime | None:
        """By when the post-incident review is due; None when the policy asks for none (or it is not resolved)."""
        rule, done = self.policy.review, self.resolution
        if rule is None or done is None or not self._asks_for_review(rule, done.at):
            return None
        return done.at + self.scaled(rule.within)

    def _asks_for_review(self, rule: ReviewRule, resolved_at: datetime) -> bool:
        lasted = rule.lasted is not None and resolved_at - self.declared_at > self.scaled(rule.lasted)
        harmed = (rule.security and self.facts.security) or (rule.data_loss and self.facts.data_loss)
        return rule.always or lasted or harmed

    def entry(self, n: int) -> Entry:
        """Timeline entries are numbered from 1 without gaps."""
        return self.timeline[n - 1]

    def page(self, n: int) -> Page:
        """Pages are numbered from 1 without gaps."""
        return self.pages[n - 1]

    def effect(self, effect_id: str) -> Effect | None:
        """A pending effect, or None when it was carried out (or never was)."""
        return next((e for e in self.effects if e.id == effect_id), None)

    def copy_of(self, copy_id: str) -> Copy | None:
        return next((c for c in self.copies if c.id == copy_id), None)

    def card(self) -> Copy | None:
        """The card whose thread tells the story: in the incidents channel, or in the private room."""
        kind = CopyKind.ROOM if self.private else CopyKind.CHANNEL
        return next((c for c in self.copies if c.kind is kind and not c.redacted), None)

    def owed(self, n: int) -> Owed:
        """Communications are numbered from 1 without gaps."""
        return self.communications[n - 1]

    def open_page_of(self, person: PersonId) -> Page | None:
        return next((p for p in reversed(self.pages) if p.person == person and p.state is PageState.OPEN), None)

    def people(self) -> frozenset[PersonId]:
        """Everybody who has to do with it: paged, assigned, or its reporter."""
        return frozenset({p.person for p in self.pages} | set(self.assigned) | {self.reporter})

    def latest(self, kind: EntryKind) -> Entry | None:
        return next((e for e in reversed(self.timeline) if e.kind is kind), None)
