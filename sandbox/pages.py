"""What the page shows to one person."""

from sandbox import company, posting, shapes
from sandbox.records import Channel, Json, Message, Person
from sandbox.setup import SampleAlert
from sandbox.state import Workspace

TYPES = {"public": "channel", "private": "private", "mpim": "private", "im": "dm"}


def state(workspace: Workspace, user: str) -> Json:
    """Everything around the messages: team, people, the channels this person may see, commands, shortcuts."""
    rooms = [row for row in workspace.channels.values() if workspace.can_see(user, row)]
    return {
        "team": {"id": workspace.team_id, "name": company.TEAM_NAME, "domain": company.TEAM_DOMAIN},
        "users": [_person(row, workspace.now()) for row in workspace.users.values()],
        "app": {
            "name": workspace.setup.app_name,
            "bot_user_id": workspace.bot_user,
            "messages_tab": workspace.app.messages_tab,
            "has_written": _has_written(workspace),
        },
        "channels": [_channel(workspace, user, row) for row in rooms],
        "commands": [
            {"command": row.command, "description": row.description, "usage_hint": row.usage_hint}
            for row in workspace.setup.commands
        ],
        "shortcuts": [
            {"name": row.name, "callback_id": row.callback_id, "type": row.type} for row in workspace.setup.shortcuts
        ],
        "alerts": [{"name": a.name, "title": a.title, "ends": a.ended is not None} for a in _samples(workspace)],
        "usergroups": [
            {"id": row.id, "handle": row.handle, "name": row.name, "users": list(row.users)}
            for row in workspace.usergroups.values()
            if not row.deleted
        ],
    }


def _samples(workspace: Workspace) -> tuple[SampleAlert, ...]:
    return workspace.setup.monitoring.samples if workspace.setup.monitoring else ()


def _person(row: Person, now: float) -> Json:
    shown = {"id", "name", "real_name", "title", "email", "is_bot", "is_guest", "deleted", "avatar_color"}
    return {**row.model_dump(include=shown), "silent": row.silent_from <= now < row.silent_until}


def _channel(workspace: Workspace, user: str, row: Channel) -> Json:
    unread, mentions = posting.unread(workspace, user, row)
    other = next((member for member in row.members if member != user), user)
    return {
        "id": row.id,
        "name": row.name,
        "type": TYPES[row.kind],
        **({"user": other} if row.kind == "im" else {}),
        "topic": row.topic,
        "purpose": row.purpose,
        "is_archived": row.archived,
        "is_member": user in row.members,
        "unread": unread,
        "mentions": mentions,
        "members": list(row.members),
        "bookmarks": [{"title": mark.title, "link": mark.link} for mark in row.bookmarks],
        "pins": [pin.ts for pin in row.pins],
    }


def _has_written(workspace: Workspace) -> bool:
    """True once the app has posted something that stays."""
    lasting = (row for row in workspace.messages.values() if row.subtype is None and row.ephemeral_to is None)
    return any(row.by_bot for row in lasting)


def messages(workspace: Workspace, user: str, channel: Channel) -> list[Json]:
    """The channel itself: no replies but broadcast ones, ephemeral messages for this person only."""
    rows = workspace.messages.in_channel(channel.id)
    shown = (row for row in rows if row.broadcast or row.thread_ts in (None, row.ts))
    return [shapes.message(workspace, row) for row in shown if row.ephemeral_to in (None, user)]


def thread(workspace: Workspace, user: str, parent: Message) -> list[Json]:
    """A message and its replies, this person's ephemeral ones included."""
    rows = workspace.messages.in_channel(parent.channel)
    replies = [row for row in rows if row.thread_ts == parent.ts and row.ts != parent.ts]
    shown = [row for row in replies if row.ephemeral_to in (None, user)]
    return [shapes.message(workspace, row) for row in [parent, *shown]]
