"""A send that is ready to go, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from escalation.incident.effects import Effect
from escalation.incident.events import Dropped, OutcomeEvent
from escalation.values import PersonId
from workers.delivery.rate_limits import Budget


@dataclass(frozen=True)
class SendResult:
    """What came of a send; `adopted` when an earlier one turned out to have arrived."""

    outcome: OutcomeEvent
    adopted: bool = False


@dataclass(frozen=True)
class Plan:
    """A send that is ready to go. `go` takes whether it may have gone before, and is called at most once."""

    budget: Budget
    go: Callable[[bool], SendResult]
    person: PersonId = ""


@dataclass(frozen=True)
class RetryAt:
    """What it depends on is not there yet: plan it again at an instant."""

    at: datetime


def withdrawn(effect: Effect) -> Dropped:
    """The outcome of something public that was called off before it was done."""
    return Dropped(effect=effect.id, why="it became private")
