"""Channels and direct messages: making them, who is in them, what they are called."""

import re
from typing import Any

from sandbox import posting
from sandbox.records import Channel
from sandbox.state import Workspace

LONGEST_NAME = 80
LONGEST_TOPIC = 250


def name_problem(workspace: Workspace, name: str) -> str | None:
    """Slack's error for a channel name that it would refuse."""
    if not name:
        return "invalid_name_required"
    if len(name) > LONGEST_NAME:
        return "invalid_name_maxlength"
    if not re.fullmatch(r"[a-z0-9_-]+", name):
        return "invalid_name_specials"
    if not re.search(r"[a-z0-9]", name):
        return "invalid_name_punctuation"
    return "name_taken" if workspace.channel_named(name) else None


def create(workspace: Workspace, name: str, private: bool, creator: str) -> Channel:
    room = Channel(
        id=workspace.fresh_id("C"),
        name=name,
        kind="private" if private else "public",
        creator=creator,
        created=int(workspace.now()),
    )
    store(workspace, room)
    workspace.emit("channel_created", {"type": "channel_created", "channel": {"id": room.id, "name": name}})
    return join(workspace, room, creator)


def store(workspace: Workspace, channel: Channel, **fields: Any) -> Channel:
    """Keep the channel with these fields replaced, and tell the pages."""
    changed: Channel = channel.changed(**fields)
    workspace.channels[channel.id] = changed
    workspace.hint("channels")
    return changed


def join(workspace: Workspace, channel: Channel, user: str, inviter: str | None = None) -> Channel:
    """Add a member. What was said before counts as read."""
    joined = store(workspace, channel, members=(*channel.members, user))
    workspace.reads[f"{user}/{channel.id}"] = workspace.fresh_ts()
    _note(workspace, joined, user, "channel_join", f"<@{user}> has joined the channel")
    event = {"type": "member_joined_channel", "user": user, "channel": channel.id, "team": workspace.team_id}
    workspace.emit("member_joined_channel", {**event, **({"inviter": inviter} if inviter else {})})
    return joined


def leave(workspace: Workspace, channel: Channel, user: str) -> Channel:
    """Take a member out."""
    _note(workspace, channel, user, "channel_leave", f"<@{user}> has left the channel")
    left = store(workspace, channel, members=tuple(member for member in channel.members if member != user))
    event = {"type": "member_left_channel", "user": user, "channel": channel.id, "team": workspace.team_id}
    workspace.emit("member_left_channel", event)
    return left


def archive(workspace: Workspace, channel: Channel, user: str) -> Channel:
    """Make it read-only."""
    _note(workspace, channel, user, "channel_archive", f"<@{user}> archived the channel")
    workspace.emit("channel_archive", {"type": "channel_archive", "channel": channel.id, "user": user})
    return store(workspace, channel, archived=True)


def unarchive(workspace: Workspace, channel: Channel, user: str) -> Channel:
    workspace.emit("channel_unarchive", {"type": "channel_unarchive", "channel": channel.id, "user": user})
    return store(workspace, channel, archived=False)


def rename(workspace: Workspace, channel: Channel, name: str, user: str) -> Channel:
    previous = (*channel.previous_names, channel.name)
    _note(workspace, channel, user, "channel_name", f"<@{user}> has renamed the channel to {name}")
    workspace.emit("channel_rename", {"type": "channel_rename", "channel": {"id": channel.id, "name": name}})
    return store(workspace, channel, name=name, previous_names=previous)


def set_topic(workspace: Workspace, channel: Channel, topic: str, user: str) -> Channel:
    _note(workspace, channel, user, "channel_topic", f"<@{user}> set the channel topic: {topic}")
    return store(workspace, channel, topic=topic, topic_by=user, topic_at=int(workspace.now()))


def set_purpose(workspace: Workspace, channel: Channel, purpose: str, user: str) -> Channel:
    _note(workspace, channel, user, "channel_purpose", f"<@{user}> set the channel description: {purpose}")
    return store(workspace, channel, purpose=purpose, purpose_by=user, purpose_at=int(workspace.now()))


def direct(workspace: Workspace, users: tuple[str, ...]) -> Channel | None:
    """The direct message between the app and exactly these people, if there is one."""
    wanted = {workspace.bot_user, *users}
    rooms = (row for row in workspace.channels.values() if row.kind in ("im", "mpim"))
    return next((row for row in rooms if set(row.members) == wanted), None)


def open_direct(workspace: Workspace, users: tuple[str, ...]) -> Channel:
    """The direct message between the app and these people, made when there is none yet."""
    found = direct(workspace, users)
    if found is not None:
        return found
    names = "--".join(workspace.users[user].name for user in (workspace.bot_user, *users))
    alone = len(users) == 1
    room = Channel(
        id=workspace.fresh_id("D" if alone else "C"),
        name="directmessage" if alone else f"mpdm-{names}-1",
        kind="im" if alone else "mpim",
        creator=workspace.bot_user,
        created=int(workspace.now()),
        members=(workspace.bot_user, *users),
    )
    return store(workspace, room)


def _note(workspace: Workspace, channel: Channel, user: str, subtype: str, words: str) -> None:
    posting.post(workspace, channel, user, text=words, subtype=subtype)
