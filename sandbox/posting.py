"""Saying, editing and deleting messages, whoever does it."""

from typing import Any

from sandbox import blockkit, shapes, text
from sandbox.records import TOMBSTONE, Channel, Deletion, Message
from sandbox.state import Workspace

SUBSCRIPTIONS = {
    "public": "message.channels",
    "private": "message.groups",
    "im": "message.im",
    "mpim": "message.mpim",
}
# A deleted message that has replies: https://github.com/hackclub/toriel/pull/238 shows one.
SLACKBOT, DELETED = "USLACKBOT", "This message was deleted."
CHANNEL_TYPES = {"public": "channel", "private": "group", "im": "im", "mpim": "mpim"}


def post(workspace: Workspace, channel: Channel, user: str, **fields: Any) -> Message:
    """A new message in a channel: stored, shown, told to the app when it listens."""
    blocks = blockkit.with_ids(fields.pop("blocks", []), lambda: workspace.fresh_id("b"))
    by_bot = user == workspace.bot_user
    ts = workspace.fresh_ts()
    row = Message(channel=channel.id, ts=ts, user=user, blocks=blocks, by_bot=by_bot, **fields)
    workspace.put_message(row)
    _show(workspace, channel, row)
    if row.ephemeral_to is None and not by_bot:
        workspace.reads[f"{user}/{channel.id}"] = ts
    if row.ephemeral_to is None:
        _tell_app(workspace, channel, row)
    return row


def edit(workspace: Workspace, row: Message, **fields: Any) -> Message:
    """The same message with some fields replaced; `edited` is set by the caller where people should see it."""
    if "blocks" in fields:
        fields["blocks"] = blockkit.with_ids(fields["blocks"], lambda: workspace.fresh_id("b"))
    changed: Message = workspace.put_message(row.changed(**fields))
    _show(workspace, workspace.channels[row.channel], changed)
    return changed


def remove(workspace: Workspace, row: Message, by: str = "") -> None:
    """Delete a message and its pin. One with replies leaves a tombstone, below which they stay."""
    channel = workspace.channels[row.channel]
    if row.ephemeral_to is None:
        workspace.deleted[f"{row.channel}/{row.ts}"] = Deletion(message=row, by=by, at=workspace.now())
    if workspace.messages.replies(row.channel, row.ts):
        grave = Message(channel=row.channel, ts=row.ts, user=SLACKBOT, text=DELETED, subtype=TOMBSTONE)
        workspace.put_message(grave)
    else:
        del workspace.messages[f"{row.channel}/{row.ts}"]
        _bury_thread(workspace, row)
    pins = tuple(pin for pin in channel.pins if pin.ts != row.ts)
    workspace.channels[channel.id] = channel.changed(pins=pins)
    _show(workspace, channel, row)
    if row.ephemeral_to is None and workspace.bot_user in channel.members:
        place = {"channel": channel.id, "channel_type": CHANNEL_TYPES[channel.kind], "hidden": True}
        now = {"ts": workspace.fresh_ts(), "previous_message": shapes.message(workspace, row)}
        workspace.emit(SUBSCRIPTIONS[channel.kind], {"type": "message", **_what_became(workspace, row), **place, **now})


def _what_became(workspace: Workspace, row: Message) -> dict[str, Any]:
    """A deletion as the app is told of it; a tombstone is a change (https://github.com/42wim/matterbridge/issues/600)."""
    grave = workspace.message(row.channel, row.ts)
    if grave is None:
        return {"subtype": "message_deleted", "deleted_ts": row.ts}
    return {"subtype": "message_changed", "message": shapes.message(workspace, grave)}


def _bury_thread(workspace: Workspace, row: Message) -> None:
    """Delete the tombstone of a thread whose last reply was deleted."""
    parent = workspace.message(row.channel, row.thread_ts or "")
    last = parent is not None and not workspace.messages.replies(row.channel, parent.ts)
    if parent is not None and parent.subtype == TOMBSTONE and last:
        del workspace.messages[f"{parent.channel}/{parent.ts}"]


def _show(workspace: Workspace, channel: Channel, row: Message) -> None:
    audience = [row.ephemeral_to] if row.ephemeral_to else workspace.audience(channel)
    thread = {"thread_ts": row.thread_ts} if row.thread_ts else {}
    workspace.hint("message", audience, channel=channel.id, ts=row.ts, user=row.user, **thread)


def _tell_app(workspace: Workspace, channel: Channel, row: Message) -> None:
    if workspace.bot_user not in channel.members:
        return
    place = {"channel": channel.id, "channel_type": CHANNEL_TYPES[channel.kind]}
    event = {**shapes.message(workspace, row), **place}
    workspace.emit(SUBSCRIPTIONS[channel.kind], event)
    called = f"<@{workspace.bot_user}" in row.text
    if called and row.user != workspace.bot_user and row.subtype is None:
        workspace.emit("app_mention", {**event, "type": "app_mention"})


def unread(workspace: Workspace, user: str, channel: Channel) -> tuple[int, int]:
    """(messages this person has not read, those among them that call them); in a direct message every one does."""
    if user not in channel.members:
        return 0, 0
    read = workspace.reads.get(f"{user}/{channel.id}", "")
    rows = [row for row in workspace.messages.in_channel(channel.id) if row.ts > read and _counts(row, user)]
    plain = [row for row in rows if row.thread_ts in (None, row.ts) or row.broadcast]
    if channel.kind == "im":
        return len(plain), len(plain)
    return len(plain), sum(text.is_mentioned(workspace, user, _words(row)) for row in rows)


def _counts(row: Message, user: str) -> bool:
    return row.user != user and row.ephemeral_to is None and row.subtype in (None, "file_share")


def _words(row: Message) -> str:
    return row.text + " ".join(blockkit.texts(row.blocks))
