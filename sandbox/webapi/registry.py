"""What a Web API method is, and what its function is handed."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sandbox.records import TOMBSTONE, Channel, ChannelKind, Json, Message, Person
from sandbox.state import Workspace

Token = Literal["bot", "app", "none"]
KINDS: tuple[ChannelKind, ...] = ("public", "private", "im", "mpim")

# The scope that each kind of conversation wants, by the word the method table uses.
READ = {"public": "channels:read", "private": "groups:read", "im": "im:read", "mpim": "mpim:read"}
HISTORY = {kind: scope.replace(":read", ":history") for kind, scope in READ.items()}
MANAGE = {"public": "channels:manage", "private": "groups:write", "im": "im:write", "mpim": "mpim:write"}


class SlackError(Exception):
    """An answer with "ok": false; `more` goes into it as it is."""

    def __init__(self, error: str, **more: Any) -> None:
        super().__init__(error)
        self.answer: Json = {"ok": False, "error": error, **more}


def refused(error: str, problems: Sequence[str]) -> SlackError:
    """An error with the messages that say what is wrong where."""
    messages = [f"[ERROR] {problem}" for problem in problems]
    extra = {"errors": list(problems)} if error == "invalid_blocks" else {}
    return SlackError(error, **extra, response_metadata={"messages": messages})


@dataclass(frozen=True)
class Call:
    """One call: its arguments as they came, and the workspace. `user` is the bot."""

    workspace: Workspace
    method: str
    args: Json
    links: dict[str, Callable[[], str]] = field(default_factory=dict)

    @property
    def user(self) -> str:
        return self.workspace.bot_user

    def text(self, name: str, default: str = "") -> str:
        value = self.args.get(name)
        return default if value is None else str(value)

    def flag(self, name: str) -> bool:
        return str(self.args.get(name, "")).lower() in ("true", "1")

    def number(self, name: str, default: int, error: str = "invalid_arguments") -> int:
        try:
            return int(self.args.get(name) or default)
        except ValueError:
            raise SlackError(error) from None

    def words(self, name: str) -> list[str]:
        """A comma separated list, or a real one."""
        value = self.args.get(name) or []
        rows = value.split(",") if isinstance(value, str) else value
        return [str(row).strip() for row in rows if str(row).strip()]

    def structure(self, name: str, error: str) -> Any:
        """A JSON value, which forms and query strings carry as text."""
        value = self.args.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value) if value else None
        except json.JSONDecodeError:
            raise SlackError(error) from None

    def need_scope(self, *scopes: str) -> None:
        """Refuse unless the token has one of these."""
        provided = self.workspace.scopes
        if not set(scopes) & set(provided):
            raise SlackError("missing_scope", needed=",".join(scopes), provided=",".join(provided))

    def channel(self, scopes: dict[str, str] | None = None, name: str = "channel") -> Channel:
        """The conversation this call names, when the app may know of it."""
        row = self.workspace.channels.get(self.text(name))
        if row is None or not self.workspace.can_see(self.user, row):
            raise SlackError("channel_not_found")
        if scopes is not None:
            self.need_scope(scopes[row.kind])
        return row

    def member_channel(self, scopes: dict[str, str] | None = None, name: str = "channel") -> Channel:
        """The same, and the app is a member of it."""
        row = self.channel(scopes, name)
        if self.user not in row.members:
            raise SlackError("not_in_channel")
        return row

    def check_messages_tab(self, channel: Channel) -> Channel:
        """Refuse a direct message while the app's Messages tab is off."""
        if channel.kind == "im" and not self.workspace.app.messages_tab:
            raise SlackError("messages_tab_disabled")
        return channel

    def person(self, user: str, error: str = "user_not_found") -> Person:
        row = self.workspace.users.get(user)
        if row is None:
            raise SlackError(error)
        return row

    def message(self, channel: Channel, ts: str, error: str = "message_not_found") -> Message:
        row = self.workspace.message(channel.id, ts)
        if row is None or row.ephemeral_to is not None or row.subtype == TOMBSTONE:
            raise SlackError(error)
        return row


def writable(channel: Channel, *kinds: ChannelKind) -> Channel:
    """Refuse an archived conversation, and kinds that the method is not for."""
    if kinds and channel.kind not in kinds:
        raise SlackError("method_not_supported_for_channel_type")
    if channel.archived:
        raise SlackError("is_archived")
    return channel


@dataclass(frozen=True)
class Method:
    """A method's name, rate tier (calls a minute, see limits.py), token, scopes and required arguments."""

    name: str
    run: Callable[[Call], Json]
    tier: str
    token: Token = "bot"  # noqa: S105 - a kind of token, not one
    scope: str | None = None
    required: tuple[str, ...] = ()


METHODS: dict[str, Method] = {}
Run = Callable[[Call], Json]


def method(
    name: str,
    tier: str,
    scope: str | None = None,
    required: Iterable[str] = (),
    token: Token = "bot",  # noqa: S107
) -> Callable[[Run], Run]:
    """Register the function that answers this method; it returns what goes beside "ok": true."""

    def register(run: Run) -> Run:
        METHODS[name] = Method(name, run, tier, token, scope, tuple(required))
        return run

    return register
