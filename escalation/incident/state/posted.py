"""Messages posted about an incident: cards, reminders and words."""

from datetime import datetime
from enum import StrEnum

from escalation.values import Frozen, PersonId


class CopyKind(StrEnum):
    """Kind of a posted message that is edited: a card in the incidents channel, the war room or somebody's messages.

    The others show a part of the incident: a reminder, or the list of communications.
    """

    CHANNEL = "channel"
    ROOM = "room"
    DIRECT = "direct"
    REMINDER = "reminder"
    COMMUNICATIONS = "communications"


class Copy(Frozen):
    """A posted message that is edited: where, and which face of the incident it shows.

    A `final` one is not updated any more. `about` is a reminder's subject.
    """

    id: str
    kind: CopyKind
    channel: str
    ts: str
    face: int
    person: PersonId = ""
    page: int = 0
    redacted: bool = False
    final: bool = False
    about: str = ""


class Reminder(Frozen):
    """A standing reminder: since when something is due, who was told directly, and until when it is snoozed.

    `entry` is the timeline entry that raised it last. It is `overdue` once somebody was told.
    """

    since: datetime
    entry: int = 0
    told: tuple[PersonId, ...] = ()
    overdue: bool = False
    snoozed_until: datetime | None = None
    snoozed_by: PersonId = ""


DIRECT = "direct"  # place of a message to one person; those of the timeline are escalation.incident.effects.Place


class Post(Frozen):
    """A message about the incident other than its cards: where it stands, and the timeline entries that it shows.

    `place` is an effects.Place, DIRECT, or the channel beside Slack that carried it (then `channel` is empty). `asks`
    are the keys of what its buttons ask for (incident.asks): they only ever become fewer.
    """

    id: str
    entries: tuple[int, ...] = ()
    place: str
    channel: str = ""
    ts: str = ""
    at: datetime
    person: PersonId = ""
    asks: tuple[str, ...] = ()
    redacted: bool = False
