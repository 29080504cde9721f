"""Declaration of an incident, and the terms that it is made on."""

from datetime import datetime
from typing import Literal

from escalation.config.actions import Action
from escalation.config.business_time import Calendar
from escalation.config.notify import MeetingKind, OtherWays
from escalation.config.policy import SeverityPolicy
from escalation.config.rules.communications import ListName, Means
from escalation.config.tickets import Tickets
from escalation.incident.state.alerts import AlertSummary
from escalation.incident.state.facts import Facts, Ongoing
from escalation.incident.state.rooms import Room
from escalation.values import Frozen, PersonId


class Other(Frozen):
    """Another incident that is open at a declaration; `coordinated_in` as in its own state."""

    id: str
    coordinated_in: str = ""
    room: Room | None = None


class Terms(Frozen):
    """Terms of a declaration, from the configuration and the moment: frozen into the incident.

    `team` owns the affected service; `vendor` is the contact for it, in words, `runbook` and `links` (name -> address)
    are its own, and so is `maintenance` in progress; `hotline` is the company's; `public_means` are the public channels
    that the company has (None: all); `public_page`: it has a status page of ours. `own_meetings`: a meeting is made for
    each war room, and `meeting_url` is for where that fails. `invitations` are the meetings to invite to by mail.
    `others` are the open incidents that a war room would be shared with.
    """

    policy: SeverityPolicy
    speed: float = 1.0
    meeting_url: str = ""
    own_meetings: bool = False
    invitations: tuple[MeetingKind, ...] = ()
    calendar: Calendar = Calendar()
    drill: bool = False
    team: str = ""
    vendor: str = ""
    hotline: str = ""
    runbook: str = ""
    links: dict[str, str] = {}
    maintenance: tuple[Ongoing, ...] = ()
    public_means: tuple[Means, ...] | None = None
    ways: OtherWays = OtherWays()
    public_page: bool = False
    mail_lists: tuple[ListName, ...] = ()
    list_channels: dict[ListName, str] = {}
    webhooks: tuple[Means, ...] = ()
    actions: tuple[Action, ...] = ()
    tickets: Tickets | None = None
    others: tuple[Other, ...] = ()


class Declare(Frozen):
    """Declare an incident. `detected`: when the alerts that declare it began to fire."""

    kind: Literal["declare"] = "declare"
    by: PersonId
    key: str = ""
    facts: Facts
    terms: Terms
    alerts: AlertSummary = AlertSummary()
    detected: datetime | None = None
