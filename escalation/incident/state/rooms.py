"""War room of an incident, its meeting, and the invitations to one."""

from datetime import datetime

from escalation.config.notify import MeetingKind
from escalation.values import Frozen, PersonId


class Room(Frozen):
    """The war room. `lost` once somebody archived or deleted it: archived rooms are final."""

    channel: str
    name: str
    private: bool
    lost: bool = False


class Meeting(Frozen):
    """A meeting that was made for the war room: its id there, the link to join it, and whose it is."""

    id: str
    url: str
    host: str = ""


class Invitation(Frozen):
    """An invitation by mail to a meeting: who has it, when it begins, where it leads.

    `sequence` counts its changes. `round` is the incident's at the time; `private`: it says the id and severity alone.
    """

    n: int
    about: MeetingKind
    sequence: int = 0
    people: tuple[PersonId, ...] = ()
    starts: datetime
    url: str = ""
    round: int = 1
    private: bool = False
    cancelled: bool = False
