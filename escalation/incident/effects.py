"""Effects: messages and changes to make outside once an event is committed. They carry ids; delivery makes the words.

`after` names the effect that must have been sent before (the order of a thread); `at` is when it was decided or became
ready, so that lateness can be measured. Ids are deterministic, so a job that runs twice finds the same effect or none.
The id of a page says so: ticker and sweep put pages first without reading the incident; so does that of an action.

The traits of an effect stand on its class, as keywords of the class statement:

    class SendPage(PagePerson, public=False, calls=True): ...

`public` has no default: each effect has to say whether others than an incident's members may read it, or the class
cannot be created. A private incident withdraws whatever is public.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from escalation.config.actions import ACTIONS
from escalation.config.lists import WEBHOOKS
from escalation.config.notify import Via
from escalation.config.rules.communications import ListName, Means
from escalation.config.status_page import STATUS_PAGE
from escalation.config.tickets import TICKETS, Vendor
from escalation.values import Frozen, PersonId

SLACK = "slack"
MEETINGS = "meetings"
"""Name of the channel that makes meetings."""


class Place(StrEnum):
    """Place of a message. `thread`: under the card. `room`: the war room. `team`: the owning team's channel.

    `stakeholders`: their channel, in the words meant for them.
    """

    THREAD = "thread"
    ROOM = "room"
    TEAM = "team"
    STAKEHOLDERS = "stakeholders"


class Reminded(StrEnum):
    """Subject of a reminder: an update that is due, a fix to be confirmed, the list of communications, the review."""

    UPDATE = "update"
    STABLE = "stable"
    COMMUNICATIONS = "communications"
    REVIEW = "review"


class _Effect(Frozen):
    """Base of all effects: their common fields, and the traits of each class.

    `public`: others than the members of an incident may read it. `calls`: it pages somebody, and goes first.
    `message`: somebody reads it, so the ledger counts it. `optional`: the incident goes on without it.
    `aside`: it calls systems that may hang, and no message waits for them: the name of its own threads.
    """

    public: ClassVar[bool]
    calls: ClassVar[bool]
    message: ClassVar[bool]
    optional: ClassVar[bool]
    aside: ClassVar[str]

    kind: str
    id: str
    at: datetime
    after: str = ""

    def __init_subclass__(
        cls,
        *,
        public: bool,
        calls: bool = False,
        message: bool = False,
        optional: bool = False,
        aside: str = "",
        **config: Any,
    ) -> None:
        super().__init_subclass__(**config)
        cls.public, cls.calls, cls.message = public, calls, message or calls
        cls.optional, cls.aside = optional, aside

    @property
    def carried_by(self) -> str:
        """Channel that carries it: Slack, or one of escalation.config.notify.Via. Empty: Tocsin itself does it."""
        return SLACK


class PagePerson(_Effect, public=False, calls=True):
    """One page to one person, by whatever channel. `nth` counts repeats."""

    page: int
    nth: int = 1


class SendPage(PagePerson, public=False, calls=True):
    """Page by direct message in Slack: why you, the card, its buttons."""

    kind: Literal["page"] = "page"


class PageBy(PagePerson, public=False, calls=True):
    """Page by another channel than Slack."""

    kind: Literal["page_by"] = "page_by"
    via: Via = Via.MAIL

    @property
    def carried_by(self) -> str:
        return self.via


class StopPage(_Effect, public=False, optional=True):
    """Stop the alarm of a page that repeats by itself: `sent` is the effect that sent it."""

    kind: Literal["stop_page"] = "stop_page"
    sent: str
    via: Via = Via.PUSHOVER

    @property
    def carried_by(self) -> str:
        return self.via


class Alert(_Effect, public=False, calls=True):
    """Alert in another paging service, under the incident's id: triggered, acknowledged or resolved there."""

    kind: Literal["alert"] = "alert"
    via: Via = Via.PAGERDUTY
    action: Literal["trigger", "acknowledge", "resolve"]

    @property
    def carried_by(self) -> str:
        return self.via


class MailOut(_Effect, public=True, message=True):
    """Mail a communication to lists, and to the holders of the stakeholders' role."""

    kind: Literal["mail_out"] = "mail_out"
    entry: int
    lists: tuple[ListName, ...] = ()
    to_role: bool = True

    @property
    def carried_by(self) -> str:
        return Via.MAIL


class MailReview(_Effect, public=False, message=True, optional=True):
    """Mail the finished review to lists, as it stands when it is sent."""

    kind: Literal["mail_review"] = "mail_review"
    lists: tuple[ListName, ...]

    @property
    def carried_by(self) -> str:
        return Via.MAIL


class SendInvitation(_Effect, public=False, message=True, optional=True):
    """Mail an invitation to people, or that it is off. `n` is its number on the incident."""

    kind: Literal["invitation"] = "invitation"
    n: int
    sequence: int
    starts: datetime
    cancelled: bool = False
    people: tuple[PersonId, ...]

    @property
    def carried_by(self) -> str:
        return Via.MAIL


class CallWebhook(_Effect, public=True, message=True):
    """Send a communication to the system that publishes it: the support portal, or social media."""

    kind: Literal["call_webhook"] = "call_webhook"
    entry: int
    means: Means

    @property
    def carried_by(self) -> str:
        return WEBHOOKS


class Publish(_Effect, public=True, message=True):
    """Publish a communication on our own status page."""

    kind: Literal["publish"] = "publish"
    entry: int

    @property
    def carried_by(self) -> str:
        return STATUS_PAGE


class Withdraw(_Effect, public=False):
    """Take everything about the incident off our own status page, and let nothing more of it go there."""

    kind: Literal["withdraw"] = "withdraw"

    @property
    def carried_by(self) -> str:
        return STATUS_PAGE


class RunAction(_Effect, public=False, optional=True, aside="action"):
    """Run an action of the company's: its webhook is called. `by` is who pressed its button."""

    kind: Literal["run_action"] = "run_action"
    name: str
    when: str = ""
    by: PersonId = ""

    @property
    def carried_by(self) -> str:
        return ACTIONS


class UpdateIssue(_Effect, public=True, aside="ticket"):
    """Update the incident's ticket in a tracker. `entry` is what a comment is about; `review`: it gets the review."""

    kind: Literal["issue"] = "issue"
    vendor: Vendor
    action: Literal["open", "comment", "assign", "rename", "close", "reopen", "review"]
    entry: int = 0

    @property
    def carried_by(self) -> str:
        return TICKETS


class Withdrawable(_Effect, public=True):
    """Effect that may be public before its outcome is recorded. `withdrawn`: the incident became private meanwhile.

    If it was made and the outcome got lost, it is found and redacted.
    """

    withdrawn: bool = False


class PostCard(Withdrawable, public=True, message=True):
    """Post the card, in the incidents channel or in the war room."""

    kind: Literal["card"] = "card"
    place: Literal["channel", "room"]


class OpenRoom(Withdrawable, public=True):
    """Create the war room; delivery appends a number to `name` when it is taken."""

    kind: Literal["open_room"] = "open_room"
    name: str
    private: bool


class Invite(_Effect, public=True, optional=True):
    """Invite people to the war room."""

    kind: Literal["invite"] = "invite"
    people: tuple[PersonId, ...]


class SetTopic(_Effect, public=True, optional=True):
    """Update the topic of a room. `face` is the one to show.

    `neutral`, with the `channel` of a former room, hides an incident that moved, in the room's name too.
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


class OpenMeeting(Withdrawable, public=True, optional=True):
    """Create a meeting of its own for the war room. `topic` is its name there; a neutral one tells nothing."""

    kind: Literal["open_meeting"] = "open_meeting"
    topic: str
    neutral: bool = False

    @property
    def carried_by(self) -> str:
        return MEETINGS


class DeleteMeeting(_Effect, public=False, optional=True):
    """Delete a meeting that is not to be used: its topic tells what became private, or nobody asked for it any more."""

    kind: Literal["delete_meeting"] = "delete_meeting"
    meeting: str

    @property
    def carried_by(self) -> str:
        return MEETINGS


class Say(Withdrawable, public=True, message=True):
    """Post a timeline entry in the thread or in the room, and below it `more` of the same event.

    `broadcast` shows a thread message in the channel too.
    """

    kind: Literal["say"] = "say"
    entry: int
    more: tuple[int, ...] = ()
    place: Place
    channel: str = ""
    broadcast: bool = False

    @property
    def entries(self) -> tuple[int, ...]:
        """Numbers of all timeline entries that it holds."""
        return (self.entry, *self.more)


class Tell(_Effect, public=False, message=True):
    """Send a timeline entry to one person directly, without paging."""

    kind: Literal["tell"] = "tell"
    entry: int
    person: PersonId


class Remind(_Effect, public=True, message=True):
    """Post a reminder where the work is done. It is edited as things change; `entry` is what it is about."""

    kind: Literal["remind"] = "remind"
    about: Reminded
    entry: int
    place: Place


class RemindPerson(_Effect, public=False, message=True):
    """Send somebody a reminder, or their list of communications. It is edited as things change."""

    kind: Literal["remind_person"] = "remind_person"
    about: Reminded
    entry: int
    person: PersonId


class Retract(_Effect, public=False):
    """Delete one of our messages: a newer one has taken its place. It is not optional, since it still has buttons."""

    kind: Literal["retract"] = "retract"
    channel: str
    ts: str


class LinkOther(_Effect, public=True):
    """Link this incident to another open one."""

    kind: Literal["link"] = "link"
    other: str

    @property
    def carried_by(self) -> str:
        return ""


class TellOriginal(_Effect, public=False):
    """Tell another incident that this one was cancelled as its duplicate."""

    kind: Literal["tell_original"] = "tell_original"
    other: str

    @property
    def carried_by(self) -> str:
        return ""


class TellDuplicate(_Effect, public=False):
    """Tell an incident that was cancelled as a duplicate of this one that this one is over."""

    kind: Literal["tell_duplicate"] = "tell_duplicate"
    other: str

    @property
    def carried_by(self) -> str:
        return ""


class ArchiveRoom(_Effect, public=False, optional=True):
    """Archive the war room: after the review, or when the incident was cancelled. It goes after all else in Slack."""

    kind: Literal["archive"] = "archive"


class HideCanvas(_Effect, public=False):
    """Take the review's canvas from the members of the channel that it was shared with: the incident is private now."""

    kind: Literal["hide_canvas"] = "hide_canvas"


class Refresh(_Effect, public=False):
    """Update one posted card, at least to `face`."""

    kind: Literal["refresh"] = "refresh"
    copy_id: str
    face: int


Effect = Annotated[
    SendPage
    | PageBy
    | StopPage
    | Alert
    | MailOut
    | MailReview
    | CallWebhook
    | SendInvitation
    | Publish
    | Withdraw
    | RunAction
    | UpdateIssue
    | PostCard
    | OpenRoom
    | Invite
    | SetTopic
    | PinCard
    | BookmarkLink
    | OpenMeeting
    | DeleteMeeting
    | Say
    | Tell
    | Remind
    | RemindPerson
    | Retract
    | LinkOther
    | TellOriginal
    | TellDuplicate
    | ArchiveRoom
    | HideCanvas
    | Refresh,
    Field(discriminator="kind"),
]
_CALLS = "-page"
ASIDE = ("action", "ticket")
"""Names of the threads for systems that may hang, one for each: one kind of system delays no other."""


def effect_id(incident_id: str, number: int, kind: type[_Effect]) -> str:
    """Build an effect's id: `INC-20241218-001-7`, `…-7-page` for one that pages somebody, `…-7-action` aside."""
    return f"{incident_id}-{number}{_CALLS if kind.calls else f'-{kind.aside}' if kind.aside else ''}"


def is_page(effect_id: str) -> bool:
    """True if the effect of that id pages somebody, by whatever channel."""
    return effect_id.endswith(_CALLS)


def aside_of(effect_id: str) -> str:
    """Return the threads that the effect of that id has for itself, of ASIDE; empty for those of all messages."""
    suffix = effect_id.rpartition("-")[2]
    return suffix if suffix in ASIDE else ""
