"""A send that is ready to go, what came of it, and what a channel's planner is."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog

from escalation.config.company import Company
from escalation.incident.effects import Effect
from escalation.incident.events import Delivered, Dropped, OutcomeEvent
from escalation.incident.model import Incident
from escalation.messages.template import Wording
from escalation.values import PersonId
from workers.delivery.rate_limits import Budget

log = structlog.get_logger()


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


Planned = Plan | RetryAt | SendResult | OutcomeEvent  # the last two: nothing is (left) to send, and this came of it


class Planner(Protocol):
    """Plans the sends of one channel: the effects whose `carried_by` is its name."""

    def plan(self, incident: Incident, effect: Effect, now: datetime) -> Planned:
        """The send of a pending effect. May ask the other side for addresses; raises Failed."""


def sending(effect: Effect, send: Callable[[], None]) -> Callable[[bool], SendResult]:
    """The `go` of a channel that recognises a doubled send by itself, or cannot be asked whether there was one."""

    def go(again: bool) -> SendResult:
        send()
        return SendResult(Delivered(effect=effect.id))

    return go


def company_wording(company: Company) -> Wording:
    """The company's own words; a template that cannot be used is logged, and the shipped words go out instead."""

    def broken(name: str, why: str) -> None:
        log.error("a template of the configuration is broken: the shipped one is used", template=name, why=why)

    return Wording(company.templates, broken)


def withdrawn(effect: Effect) -> Dropped:
    """The outcome of something public that was called off before it was done."""
    return Dropped(effect=effect.id, why="it became private")
