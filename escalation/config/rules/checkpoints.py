"""Rules for checkpoints: when each is due, what makes it moot, what it does; and the cadence of updates."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, model_validator

from escalation.config.business_time import WaitFor
from escalation.config.rules.paging import TierPage
from escalation.config.rules.words import Line, Role, Slug, one_or_several
from escalation.times import Duration
from escalation.values import Frozen

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


Facts = Annotated[tuple[Unless, ...], BeforeValidator(one_or_several)]
Sayings = Annotated[tuple[Said, ...], BeforeValidator(one_or_several)]


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
