"""Clients of the channels that reach people: one module each, and the bundle in which they are handed through."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from escalation.service import IncidentService

if TYPE_CHECKING:  # it imports this module
    from workers.channels.slack import SlackClient


@dataclass(frozen=True)
class Tag:
    """What a message carries so that it is recognised after a lost reply: the delivery's id, and the face it shows."""

    delivery: str
    face: int


@dataclass(frozen=True)
class Sent:
    """Where a message stands, and which face of the incident it shows."""

    channel: str
    ts: str
    face: int


@dataclass(frozen=True)
class Channels:
    """The channels that are set up.

    `others`: the name of a channel beside Slack (escalation.config.policy.Via) -> what makes its planner around its
    client (delivery.plan.Planner, which is above this package).
    """

    slack: "SlackClient"
    others: Mapping[str, Callable[[IncidentService], Any]] = field(default_factory=dict)
