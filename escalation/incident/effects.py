"""What is to be done outside once an event was committed. An effect carries ids; its words are made at delivery.

`after` names the effect that must have gone out before (the order of a thread); `at` is when it was decided or its turn
came, so that lateness can be measured. Ids are deterministic, so a doubled job finds the same effect or none; that of a
page says so, for whoever has to put pages first without reading the incident.

What an effect is stands on its class, as keywords of the class statement:

    class SendPage(PagePerson, public=False, calls=True): ...

`public` has no default: whether others than an incident's members may read it is to be said of each, or the class
cannot be made. A private incident withdraws whatever is public.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from escalation.config.policy import Via
from escalation.values import Frozen, PersonId

SLACK = "slack"


class Place(StrEnum):
    """`thread`: under the card. `room`: the war room itself. `team`: the channel of the team that owns the service.

    `stakeholders`: their channel, in the words that are meant for them.
    """

    THREAD = "thread"
    ROOM = "room"
    TEAM = "team"
    STAKEHOLDERS = "stakeholders"


class _Effect(Frozen):
    """What all effects have, and what each class says of itself.

    `public`: others than the members of an incident may read it. `calls`: it calls somebody, and goes first.
    `message`: somebody reads it, so the ledger counts it. `optional`: the incident goes on without it.
    """

    public: ClassVar[bool]
    calls: ClassVar[bool]
    message: ClassVar[bool]
    optional: ClassVar[bool]

    kind: str
    id: str
    at: datetime
    after: str = ""

    def __init_subclass__(
        cls, *, public: bool, calls: bool = False, message: bool = False, optional: bool = False, **config: Any
    ) -> None:
        super().__init_subclass__(**config)
        cls.public, cls.calls, cls.message, cls.optional = public, calls, message or calls, optional

    @property
    def carried_by(self) -> str:
        """The channel that carries it: Slack, or one of escalation.config.policy.Via. Empty: it is done here."""
        return SLACK


class PagePerson(_Effect, public=False, calls=True):
    """One call of one person, by whatever channel. `nth` counts repeats."""

    page: int
    nth: int = 1


class SendPage(PagePerson, public=False, calls=True):
    """A direct message to the paged person: the card, its buttons and why you."""

    kind: Literal["page"] = "page"


class PageBy(PagePerson, public=False, calls=True):
    """The same page by another channel than Slack."""

    kind: Literal["page_by"] = "page_by"
    via: Via = Via.MAIL

    @property
    def carried_by(self) -> str:
        return self.via


class Alert(_Effect, public=False, calls=True):
    """The incident in another paging service, under its own id: triggered, acknowledged or resolved there."""

    kind: Literal["alert"] = "alert"
    via: Via = Via.PAGERDUTY
    action: Literal["trigger", "acknowledge", "resolve"]

    @property
    def carried_by(self) -> str:
        return self.via


class MailOut(_Effect, public=True, message=True):
    """A communication's words, by mail to the stakeholders."""

    kind: Literal["mail_out"] = "mail_out"
    entry: int

    @property
    def carried_by(self) -> str:
        return Via.MAIL


class Withdrawable(_Effect, public=True):
    """What may stand in public although nobody recorded it. `withdrawn`: the incident became private meanwhile.

    If it was made and nobody heard of that, it is found and redacted.
    """

    withdrawn: bool = False


class PostCard(Withdrawable, public=True, message=True):
    """The card, in the incidents channel or in the war room."""

    kind: Literal["card"] = "card"
    place: Literal["channel", "room"]


class OpenRoom(Withdrawable, public=True):
    """Create the war room; `name` is the wish, delivery appends a number when it is taken."""

    kind: Literal["open_room"] = "open_room"
    name: str
    private: bool


class Invite(_Effect, public=True, optional=True):
    """Invite people to the war room."""

    kind: Literal["invite"] = "invite"
    people: tuple[PersonId, ...]


class SetTopic(_Effect, public=True, optional=True):
    """Bring the topic of a room up to date. `face` is the one to show.

    `neutral`, with the `channel` of a former room, hides an incident that moved: in its name too.
    """

    kind: Literal["topic"] = "topic"
    channel: str = ""
    face: int = 0
    neutral: bool = False


class PinCard(_Effect, public=True, optional=True):
    """Pin the room's card."""

    kind: Literal["pin"] = "pin"


class BookmarkLink(_Effect, public=True, optional=True):
    """Bookmark the meeting link in the room."""

    kind: Literal["bookmark"] = "bookmark"
    title: str
    url: str


class Say(_Effect, public=True, message=True):
    """Tell a timeline entry in the thread or in the room; `broadcast` shows a thread message in the channel too."""

    kind: Literal["say"] = "say"
    entry: int
    place: Place
    channel: str = ""
    broadcast: bool = False


class Tell(_Effect, public=False, message=True):
    """Tell a timeline entry to one person directly, without paging."""

    kind: Literal["tell"] = "tell"
    entry: int
    person: PersonId


class LinkOther(_Effect, public=True):
    """Tell another open incident of this one."""

    kind: Literal["link"] = "link"
    other: str

    @property
    def carried_by(self) -> str:
        return ""


class ArchiveRoom(_Effect, public=False, optional=True):
    """Archive the war room: after the review, never before."""

    kind: Literal["archive"] = "archive"


class Refresh(_Effect, public=False):
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
_CALLS = "-page"


def effect_id(incident_id: str, number: int, kind: type[_Effect]) -> str:
    """`INC-20241218-001-7`, and `INC-20241218-001-7-page` for one that calls somebody."""
    return f"{incident_id}-{number}{_CALLS if kind.calls else ''}"


def is_page(effect_id: str) -> bool:
    """Whether the effect of that id calls somebody, by whatever channel."""
    return effect_id.endswith(_CALLS)
