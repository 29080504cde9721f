"""The values a workspace is made of. Times are Unix seconds; `ts` are Slack's "1700000000.000100" strings."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Json = dict[str, Any]
TOMBSTONE = "tombstone"  # subtype of what is left of a deleted message that has replies
ChannelKind = Literal["public", "private", "im", "mpim"]
# Who may write in a channel; each but the first is the error with which Slack refuses the others.
Posting = Literal[
    "",
    "ekm_access_denied",
    "restricted_action",
    "restricted_action_non_threadable_channel",
    "restricted_action_read_only_channel",
    "restricted_action_thread_only_channel",
]


class Record(BaseModel):
    """A frozen value; `changed(...)` gives a copy with some fields replaced."""

    model_config = ConfigDict(frozen=True)

    def changed(self, **fields: Any) -> "Any":
        return self.model_copy(update=fields)


class Person(Record):
    """A member of the workspace, the bot user included; between `silent_from` and `silent_until` nothing rings."""

    id: str
    name: str
    real_name: str
    title: str = ""
    email: str = ""
    is_bot: bool = False
    is_guest: bool = False
    deleted: bool = False
    avatar_color: str = "#4a154b"
    tz: str = "UTC"
    silent_from: float = 0.0
    silent_until: float = 0.0


class Bookmark(Record):
    """A link in a channel's bar."""

    id: str
    title: str
    link: str
    emoji: str = ""
    created: int
    updated: int


class Pin(Record):
    """A message pinned to its channel."""

    ts: str
    by: str
    at: int


class Channel(Record):
    """A conversation of any kind; archived ones are read-only."""

    id: str
    name: str
    kind: ChannelKind
    creator: str
    created: int
    members: tuple[str, ...] = ()
    archived: bool = False
    topic: str = ""
    topic_by: str = ""
    topic_at: int = 0
    purpose: str = ""
    purpose_by: str = ""
    purpose_at: int = 0
    previous_names: tuple[str, ...] = ()
    bookmarks: tuple[Bookmark, ...] = ()
    pins: tuple[Pin, ...] = ()
    posting: Posting = ""


class Message(Record):
    """A message; `ephemeral_to` names the only person who sees it."""

    channel: str
    ts: str
    user: str
    text: str = ""
    blocks: list[Json] = []
    attachments: list[Json] = []
    files: tuple[str, ...] = ()
    by_bot: bool = False
    username: str | None = None
    thread_ts: str | None = None
    broadcast: bool = False
    subtype: str | None = None
    edited: Json | None = None
    metadata: Json | None = None
    reactions: dict[str, tuple[str, ...]] = {}
    ephemeral_to: str | None = None


class Scheduled(Record):
    """A message of the app that is posted at an instant. One with metadata is taken, and never posted."""

    id: str
    channel: str
    user: str
    post_at: int
    created: int
    thread_ts: str | None = None
    broadcast: bool = False
    content: Json = {}
    metadata: Json | None = None


class Canvas(Record):
    """A canvas: its blocks of Markdown by section id, in order, and who may write in it. `tab`: a channel's own."""

    id: str
    title: str
    sections: dict[str, str] = {}
    channels: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    tab: str = ""
    created: int = 0


class SlackList(Record):
    """A List: columns, rows (id -> column -> cell), when each was made, and the access of channels and people."""

    id: str
    title: str
    columns: list[Json]
    rows: dict[str, dict[str, Json]] = {}
    made: dict[str, int] = {}
    access: dict[str, str] = {}


class Deletion(Record):
    """A message as it was before it was deleted. `by` is empty when that was done by hand."""

    message: Message
    by: str
    at: float


class View(Record):
    """A modal that is open for `user`, or their Home tab. `body` is what the app sent, ids filled in."""

    id: str
    user: str
    body: Json
    hash: str
    values: Json = {}
    root: str
    previous: str | None = None


class Usergroup(Record):
    """A user group such as @security; `deleted` is when it was disabled, 0 while it is in use."""

    id: str
    name: str
    handle: str
    description: str = ""
    users: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    created: int
    updated: int
    deleted: int = 0


class Upload(Record):
    """A file: its address was handed out (`uploaded` False), its bytes came, it was shared."""

    id: str
    name: str
    length: int
    title: str = ""
    content: str = ""
    uploaded: bool = False
    shared: bool = False
    created: int


class Trigger(Record):
    """A trigger_id: good once, until it expires."""

    id: str
    user: str
    expires: float
    used: bool = False
    from_modal: bool = False


class ResponseHook(Record):
    """A response_url: five uses in thirty minutes. `ts` is the message it came from, if any."""

    id: str
    user: str
    channel: str
    expires: float
    uses_left: int = 5
    ts: str | None = None
    thread_ts: str | None = None


class AppSettings(Record):
    """How the app is reached and what it may do; None where nobody changed what the setup says.

    `messages_tab`: people and the app can write to each other. `restricted`: methods that a preference forbids.
    `ack_seconds`, `trigger_seconds`: the app's time to acknowledge, and that of a trigger_id; Slack's are three.
    """

    request_url: str | None = None
    signing_secret: str | None = None
    scopes: tuple[str, ...] | None = None
    events: tuple[str, ...] | None = None
    messages_tab: bool = True
    restricted: tuple[str, ...] = ()
    ack_seconds: float | None = None
    trigger_seconds: float | None = None
