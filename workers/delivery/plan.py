"""Types of planning: `Plan` (a send that is ready), `SendResult`, `RetryAt`, and the `Planner` of a channel."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

import structlog

from escalation.config.company import Company
from escalation.config.notify import Via
from escalation.incident.effects import Effect
from escalation.incident.events.outcomes import Delivered, Dropped, OutcomeEvent
from escalation.incident.model import Incident
from escalation.messages.template import Wording
from escalation.storage.problems import Problems
from escalation.values import PersonId
from workers.delivery.rate_limits import Budget

log = structlog.get_logger()


@dataclass(frozen=True)
class SendResult:
    """The outcome of a send; `adopted` if an earlier try turned out to have arrived. `about`: as in Failed."""

    outcome: OutcomeEvent
    adopted: bool = False
    about: str = ""


@dataclass(frozen=True)
class Plan:
    """A send that is ready to go. `go(retrying)` is called at most once; `retrying`: it may have been sent before.

    `budget` None: nothing is sent, or rarely.
    """

    budget: Budget | None
    go: Callable[[bool], SendResult]
    person: PersonId = ""


@dataclass(frozen=True)
class RetryAt:
    """A send that has to be planned again at an instant: what it depends on is not there yet."""

    at: datetime


Planned = Plan | RetryAt | SendResult | OutcomeEvent  # the last two: nothing is (left) to send, and this is the outcome


class Planner(Protocol):
    """Plans the sends of one channel: the effects whose `carried_by` is its name."""

    def plan(self, incident: Incident, effect: Effect, now: datetime) -> Planned:
        """Plan the send of a pending effect. May ask the other side for addresses; raises Failed."""


@runtime_checkable
class Testable(Protocol):
    """A planner whose channel a person can test with a real message."""

    def test(self, via: Via, to: str, delivery: str) -> None:
        """Send a marked test message to an address, now. Raises Failed."""


def sending(effect: Effect, send: Callable[[], None]) -> Callable[[bool], SendResult]:
    """The `go` of a channel that drops duplicates by itself, or cannot be asked whether there was an earlier send."""

    def go(retrying: bool) -> SendResult:
        send()
        return SendResult(Delivered(effect=effect.id))

    return go


def company_wording(company: Company, problems: Problems | None = None) -> Wording:
    """The company's message templates; a broken one is replaced by the shipped one, and is a problem for a day."""

    def on_broken_template(name: str, why: str) -> None:
        log.error("broken template, using the shipped one", template=name, why=why)
        if problems:
            text = f"the template {name} failed, and the shipped one was used: {why}"
            problems.report(f"template:{name}", text, f"correct templates.{name}")

    return Wording(company.templates, on_broken_template)


def withdrawn(effect: Effect) -> Dropped:
    """The outcome of a public send that was called off because its incident became private."""
    return Dropped(effect=effect.id, why="it became private")
