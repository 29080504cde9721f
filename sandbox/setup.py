"""What a workspace is told at start: the app, its tokens, its commands and shortcuts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

SCOPES = (
    "bookmarks:read", "bookmarks:write", "canvases:read", "canvases:write", "channels:history", "channels:join",
    "channels:manage", "channels:read", "chat:write", "chat:write.public", "commands", "dnd:read", "files:read",
    "files:write", "groups:history", "groups:read", "groups:write", "im:history", "im:read", "im:write",
    "lists:read", "lists:write", "mpim:history", "mpim:read", "mpim:write", "pins:read", "pins:write",
    "reactions:read", "reactions:write", "team:read", "usergroups:read", "usergroups:write", "users:read",
    "users:read.email",
)  # fmt: skip


@dataclass(frozen=True)
class Command:
    """A slash command; `should_escape` turns @names and #channels in its text into <@U…> and <#C…>."""

    command: str
    description: str
    usage_hint: str = ""
    should_escape: bool = True


@dataclass(frozen=True)
class Shortcut:
    """An entry of the shortcuts menu, or of a message's own menu."""

    name: str
    callback_id: str
    type: Literal["global", "message"]


@dataclass(frozen=True)
class SampleBody:
    """A body as a monitoring tool sends it, with the headers that let it in."""

    raw: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SampleAlert:
    """An alert of a tool, and its end if it has one. `name` says where to; people read `title`."""

    name: str
    title: str
    firing: SampleBody
    ended: SampleBody | None = None


@dataclass(frozen=True)
class Monitoring:
    """Sample alerts that the page can send, and where the app takes them: `POST {url}/{name}`."""

    url: str
    samples: tuple[SampleAlert, ...]


@dataclass(frozen=True)
class Setup:
    """The app this workspace has installed. It has `ack_seconds` to acknowledge what it is sent, and a trigger_id lasts
    `trigger_seconds`.
    """

    app_name: str = "Tocsin"
    bot_token: str = "xoxb-tocsin-sandbox"  # noqa: S105 - a token for the local workspace only, known to all
    app_token: str = "xapp-tocsin-sandbox"  # noqa: S105 - the same
    signing_secret: str = "tocsin-sandbox-signing-secret"  # noqa: S105 - the same
    scopes: tuple[str, ...] = SCOPES
    events: tuple[str, ...] = (
        *("app_home_opened", "message.channels", "message.groups", "message.im"),
        *("pin_added", "pin_removed", "reaction_added", "reaction_removed"),
    )
    ack_seconds: float = 3.0
    trigger_seconds: float = 3.0
    commands: tuple[Command, ...] = (
        Command("/incident", "Declare and run incidents", "declare [title] | list | show | help"),
    )
    shortcuts: tuple[Shortcut, ...] = (
        Shortcut("Declare incident", "declare_incident", "global"),
        Shortcut("Declare from this message", "declare_from_message", "message"),
        Shortcut("Make a follow-up", "action_item_from_message", "message"),
    )
    monitoring: Monitoring | None = None
