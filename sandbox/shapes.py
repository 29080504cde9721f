"""Slack's JSON shapes of people, channels, messages, views, groups and files."""

from sandbox.records import TOMBSTONE, Bookmark, Channel, Json, Message, Person, Upload, Usergroup, View
from sandbox.state import Workspace


def person(workspace: Workspace, row: Person) -> Json:
    profile = {
        "title": row.title,
        "real_name": row.real_name,
        "real_name_normalized": row.real_name,
        "display_name": "",  # nobody chose one: their real names are shown
        "display_name_normalized": "",
        "team": workspace.team_id,
        "status_text": "",
        "status_emoji": "",
    }
    email = {"email": row.email} if row.email and "users:read.email" in workspace.scopes else {}
    bot = {"api_app_id": workspace.app_id, "bot_id": workspace.bot_id} if row.is_bot else {}
    return {
        "id": row.id,
        "team_id": workspace.team_id,
        "name": row.name,
        "deleted": row.deleted,
        "color": row.avatar_color.lstrip("#"),
        "real_name": row.real_name,
        "tz": row.tz,
        "tz_label": row.tz,
        "tz_offset": 0,
        "profile": {**profile, **email, **bot},
        "is_admin": False,
        "is_owner": False,
        "is_primary_owner": False,
        "is_restricted": row.is_guest,
        "is_ultra_restricted": False,
        "is_bot": row.is_bot,
        "is_app_user": False,
        "updated": 0,
    }


def channel(workspace: Workspace, row: Channel) -> Json:
    if row.kind == "im":
        return _direct(workspace, row)
    return {
        "id": row.id,
        "name": row.name,
        "name_normalized": row.name,
        "is_channel": row.kind == "public",
        "is_group": row.kind == "private",
        "is_im": False,
        "is_mpim": row.kind == "mpim",
        "is_private": row.kind != "public",
        "created": row.created,
        "updated": row.created * 1000,
        "creator": row.creator,
        "is_archived": row.archived,
        "is_general": row.name == "general",
        "is_shared": False,
        "is_ext_shared": False,
        "is_org_shared": False,
        "shared_team_ids": [workspace.team_id],
        "context_team_id": workspace.team_id,
        "is_member": workspace.bot_user in row.members,
        "topic": {"value": row.topic, "creator": row.topic_by, "last_set": row.topic_at},
        "purpose": {"value": row.purpose, "creator": row.purpose_by, "last_set": row.purpose_at},
        "previous_names": list(row.previous_names),
    }


def other_member(workspace: Workspace, row: Channel) -> str:
    """Who the app talks to in a direct message."""
    return next((user for user in row.members if user != workspace.bot_user), workspace.bot_user)


def _direct(workspace: Workspace, row: Channel) -> Json:
    user = other_member(workspace, row)
    return {
        "id": row.id,
        "created": row.created,
        "is_im": True,
        "is_archived": row.archived,
        "is_org_shared": False,
        "context_team_id": workspace.team_id,
        "user": user,
        "is_user_deleted": workspace.users[user].deleted,
        "is_open": True,
        "priority": 0,
    }


def bot_profile(workspace: Workspace) -> Json:
    return {
        "id": workspace.bot_id,
        "deleted": False,
        "name": workspace.setup.app_name,
        "updated": 0,
        "app_id": workspace.app_id,
        "user_id": workspace.bot_user,
        "icons": {},
        "team_id": workspace.team_id,
    }


def message(workspace: Workspace, row: Message, metadata: bool = True) -> Json:
    """A message as history, payloads and pages have it; `metadata` only where it was asked for."""
    shape: Json = {"type": "message", "user": row.user, "text": row.text, "ts": row.ts, "team": workspace.team_id}
    if row.by_bot:
        shape |= {"bot_id": workspace.bot_id, "app_id": workspace.app_id, "bot_profile": bot_profile(workspace)}
    optional = {
        "subtype": "thread_broadcast" if row.broadcast else row.subtype,
        "username": row.username,
        "blocks": row.blocks,
        "attachments": row.attachments,
        "edited": row.edited,
        "metadata": row.metadata if metadata else None,
        "files": [file(workspace, workspace.uploads[key]) for key in row.files if key in workspace.uploads],
        "reactions": _reactions(row),
        "pinned_to": _pinned_to(workspace, row),
        "ephemeral": row.ephemeral_to is not None,
        "hidden": row.subtype == TOMBSTONE,
    }
    return {**shape, **{key: value for key, value in optional.items() if value}, **_thread(workspace, row)}


def _reactions(row: Message) -> list[Json]:
    return [{"name": name, "users": list(users), "count": len(users)} for name, users in row.reactions.items()]


def _pinned_to(workspace: Workspace, row: Message) -> list[str]:
    pins = workspace.channels[row.channel].pins
    return [row.channel] if any(pin.ts == row.ts for pin in pins) else []


def _thread(workspace: Workspace, row: Message) -> Json:
    if row.thread_ts and row.thread_ts != row.ts:
        parent = workspace.message(row.channel, row.thread_ts)
        return {"thread_ts": row.thread_ts, "parent_user_id": parent.user if parent else ""}
    replies = workspace.messages.replies(row.channel, row.ts)
    if not replies:
        return {}
    users = list(dict.fromkeys(reply.user for reply in replies))
    return {
        "thread_ts": row.ts,
        "reply_count": len(replies),
        "reply_users": users,
        "reply_users_count": len(users),
        "latest_reply": replies[-1].ts,
    }


def view(workspace: Workspace, row: View) -> Json:
    """A view as Slack hands it to apps and pages, with the state it has."""
    defaults = {"private_metadata": "", "callback_id": "", "external_id": "", "close": None, "submit": None}
    flags = {"clear_on_close": False, "notify_on_close": False}
    return {
        **defaults,
        **flags,
        **row.body,
        "id": row.id,
        "team_id": workspace.team_id,
        "state": {"values": row.values},
        "hash": row.hash,
        "root_view_id": row.root,
        "previous_view_id": row.previous,
        "app_id": workspace.app_id,
        "app_installed_team_id": workspace.team_id,
        "bot_id": workspace.bot_id,
    }


def usergroup(workspace: Workspace, row: Usergroup, users: bool = False, count: bool = False) -> Json:
    """Its members and their number are shown only to those who ask."""
    return {
        "id": row.id,
        "team_id": workspace.team_id,
        "is_usergroup": True,
        "name": row.name,
        "handle": row.handle,
        "description": row.description,
        "is_external": False,
        "date_create": row.created,
        "date_update": row.updated,
        "date_delete": row.deleted,
        "created_by": workspace.bot_user,
        "updated_by": workspace.bot_user,
        "prefs": {"channels": list(row.channels), "groups": []},
        **({"deleted_by": workspace.bot_user} if row.deleted else {}),
        **({"users": list(row.users)} if users else {}),
        **({"user_count": len(row.users)} if count else {}),
    }


def bookmark(workspace: Workspace, channel_id: str, row: Bookmark) -> Json:
    return {
        "id": row.id,
        "channel_id": channel_id,
        "title": row.title,
        "link": row.link,
        "emoji": row.emoji,
        "type": "link",
        "date_created": row.created,
        "date_updated": row.updated,
        "last_updated_by_user_id": workspace.bot_user,
        "app_id": workspace.app_id,
    }


def file(workspace: Workspace, row: Upload) -> Json:
    address = f"{workspace.base_url}/files/{row.id}"
    return {
        "id": row.id,
        "created": row.created,
        "timestamp": row.created,
        "name": row.name,
        "title": row.title or row.name,
        "filetype": row.name.rpartition(".")[2],
        "user": workspace.bot_user,
        "size": row.length,
        "mode": "hosted",
        "url_private": address,
        "url_private_download": address,
        "permalink": address,
    }
