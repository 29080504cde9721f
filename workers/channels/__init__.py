"""Clients of the channels that reach people, one module each, and the bundle that holds them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from escalation.config.documents.reviews import ReviewVendor
from escalation.config.tickets import Vendor
from escalation.service import IncidentService

if TYPE_CHECKING:  # they import this module
    from workers.channels.documents.client import DocumentClient
    from workers.channels.public.statuspage import StatuspageClient
    from workers.channels.slack import SlackClient
    from workers.channels.smtp import MailClient
    from workers.channels.trackers.tracker import TrackerClient


@dataclass(frozen=True)
class Tag:
    """Metadata of a message, to find it again after a lost reply: its delivery's id and the face it shows."""

    delivery: str
    face: int


@dataclass(frozen=True)
class Sent:
    """A message that was sent: its channel, its timestamp, and which face of the incident it shows."""

    channel: str
    ts: str
    face: int


@dataclass(frozen=True)
class Channels:
    """The configured channels.

    `others`: the name of a channel beside Slack (escalation.config.notify.Via) -> the function that builds its planner
    around its client (delivery.plan.Planner, which is above this package). `subscribers` mails those of the status
    page, `mail` everybody else what is no effect of an incident. `documents`: where finished reviews are published.
    """

    slack: "SlackClient"
    others: Mapping[str, Callable[[IncidentService], Any]] = field(default_factory=dict)
    statuspage: "StatuspageClient | None" = None
    subscribers: "MailClient | None" = None
    trackers: "Mapping[Vendor, TrackerClient]" = field(default_factory=dict)
    mail: "MailClient | None" = None
    documents: "Mapping[ReviewVendor, DocumentClient]" = field(default_factory=dict)
