"""What is to be done outside once an event was committed. An effect carries ids; its words are made at delivery.

`after` names the effect that must have gone out before (the order of a thread); `at` is when it was decided or its turn
came, so that lateness can be measured. Ids are deterministic, so a doubled job finds the same effect or none; that of a
page says so, for whoever has to put pages first without reading the incident.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from escalation.config.policy import Via
from escalation.values import Frozen, PersonId


class Place(StrEnum):
    """`thread`: under the card. `room`: the war room itself. `team`: the channel of the team that owns the service.

    `stakeholders`: their channel, in the words that are meant for them.
    """

    THREAD = "thread"
    ROOM = "room"
    TEAM = "team"
    STAKEHOLDERS = "stakeholders"


class _Effect(Frozen):
    id: str
    at: datetime
    after: str = ""


class SendPage(_Effect):
    """A direct message to the paged person: the card, its buttons and why you. `nth` counts repeats."""

    kind: Literal["page"] = "page"
    page: int
    nth: int = 1


class PageBy(_Effect):
    """The same call by another way than Slack."""

    kind: Literal["page_by"] = "page_by"
    page: int
    nth: int = 1
    via: Literal[Via.MAIL] = Via.MAIL


class Alert(_Effect):
    """The incident in another paging service, under its own id: triggered, acknowledged or resolved there."""

    kind: Literal["alert"] = "alert"
    via: Literal[Via.PAGERDUTY] = Via.PAGERDUTY
    action: Literal["trigger", "acknowledge", "resolve"]


class MailOut(_Effect):
    """A communication's words, by mail to the stakeholders."""

    kind: Literal["mail_out"] = "mail_out"
    entry: int


class PostCard(_Effect):
    """The card, in the incidents channel or in the war room.

    `withdrawn`: the incident became private meanwhile. If it was posted and nobody heard of that, it is found.
    """

    kind: Literal["card"] = "card"
    place: Literal["channel", "room"]
    withdrawn: bool = False


class OpenRoom(_Effect):
    """Create the war room; `name` is the wish, delivery appends a number when it is taken. `withdrawn`: as a card."""

    kind: Literal["open_room"] = "open_room"
    name: str
    private: bool
    withdrawn: bool = False


class Invite(_Effect):
    """Invite people to the war room."""

    kind: Literal["invite"] = "invite"
    people: tuple[PersonId, ...]


class SetTopic(_Effect):
    """Bring the topic of a room up to date. `face` is the one to show.

    `neutral`, with the `channel` of a former room, hides an incident that moved: in its name too.
    """

    kind: Literal["topic"] = "topic"
    channel: str = ""
    face: int = 0
    neutral: bool = False


class PinCard(_Effect):
    """Pin the room's card."""

    kind: Literal["pin"] = "pin"


class BookmarkLink(_Effect):
    """Bookmark the meeting link in the room."""

    kind: Literal["bookmark"] = "bookmark"
    title: str
    url: str


class Say(_Effect):
    """Tell a timeline entry in the thread or in the room; `broadcast` shows a thread message in the channel too."""

    kind: Literal["say"] = "say"
    entry: int
    place: Place
    channel: str = ""
    broadcast: bool = False


class Tell(_Effect):
    """Tell a timeline entry to one person directly, without paging."""

    kind: Literal["tell"] = "tell"
    entry: int
    person: PersonId


class LinkOther(_Effect):
    """Tell another open incident of this one."""

    kind: Literal["link"] = "link"
    other: str


class ArchiveRoom(_Effect):
    """Archive the war room: after the review, never before."""

    kind: Literal["archive"] = "archive"


class Refresh(_Effect):
    """Bring one posted card up to date: at least to `face`."""

    kind: Literal["refresh"] = "refresh"
    copy_id: str
    face: int


Effect = Annotated[
    SendPage
    | PageBy
    | Alert
    | MailOut
    | PostCard
    | OpenRoom
    | Invite
    | SetTopic
    | PinCard
    | BookmarkLink
    | Say
    | Tell
    | LinkOther
    | ArchiveRoom
    | Refresh,
    Field(discriminator="kind"),
]
PAGES = (SendPage, PageBy, Alert)
OPTIONAL = (SetTopic, PinCard, BookmarkLink, Invite, ArchiveRoom)
_PAGE = "-page"


def effect_id(incident_id: str, number: int, kind: type[_Effect]) -> str:
    """`INC-20241218-001-7`, and `INC-20241218-001-7-page` for one that calls somebody."""
    return f"{incident_id}-{number}{_PAGE if issubclass(kind, PAGES) else ''}"


def is_page(effect_id: str) -> bool:
    """Whether the effect of that id calls somebody, by whatever way."""
    return effect_id.endswith(_PAGE)
