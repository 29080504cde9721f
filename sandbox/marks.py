"""What people do to messages: pin, react, edit, delete; and what the app is told of it (https://docs.slack.dev/reference/events)."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox import posting, rooms, shapes
from sandbox.people import doing, done
from sandbox.records import TOMBSTONE, Channel, Json, Message, Person, Pin
from sandbox.requests import BadRequest
from sandbox.state import Workspace


def marked(workspace: Workspace, user: Person, body: Json) -> tuple[Channel, Message]:
    """The message that {channel, ts} names, if this person may see it."""
    channel = workspace.channels.get(str(body.get("channel")))
    row = workspace.message(channel.id, str(body.get("ts"))) if channel else None
    if channel is None or row is None or row.subtype == TOMBSTONE or not workspace.can_see(user.id, channel):
        raise BadRequest("message_not_found", 404)
    return channel, row


async def pin(request: Request) -> Response:
    """Pin a message, or with {remove} take its pin away."""
    runtime, user, body = await doing(request)
    workspace, remove = runtime.workspace, bool(body.get("remove"))
    channel, row = marked(workspace, user, body)
    pins = tuple(old for old in channel.pins if old.ts != row.ts)
    if remove == (len(pins) == len(channel.pins)):
        raise BadRequest("no_pin" if remove else "already_pinned")
    new = () if remove else (Pin(ts=row.ts, by=user.id, at=int(workspace.now())),)
    rooms.store(workspace, channel, pins=(*pins, *new))
    item = {"type": "message", "channel": channel.id, "message": shapes.message(workspace, row)}
    event = {"type": "pin_removed" if remove else "pin_added", "user": user.id, "channel_id": channel.id, "item": item}
    return done(runtime, _told(workspace, channel, event))


async def react(request: Request) -> Response:
    """Put a reaction {name} on a message, or with {remove} take it away."""
    runtime, user, body = await doing(request)
    workspace, remove, name = runtime.workspace, bool(body.get("remove")), str(body.get("name", "")).strip(":")
    channel, row = marked(workspace, user, body)
    users = row.reactions.get(name, ())
    if remove == (user.id not in users):
        raise BadRequest("no_reaction" if remove else "already_reacted")
    left = tuple(each for each in users if each != user.id) if remove else (*users, user.id)
    others = {other: who for other, who in row.reactions.items() if other != name}
    posting.edit(workspace, row, reactions={**others, name: left} if left else others)
    event = {
        "type": "reaction_removed" if remove else "reaction_added",
        "user": user.id,
        "reaction": name,
        "item_user": row.user,
        "item": {"type": "message", "channel": channel.id, "ts": row.ts},
    }
    return done(runtime, _told(workspace, channel, event))


async def edit(request: Request) -> Response:
    """Change the words of one's own message."""
    runtime, user, body = await doing(request)
    workspace = runtime.workspace
    channel, row = marked(workspace, user, body)
    if row.user != user.id:
        raise BadRequest("cant_update_message", 403)
    before, at = shapes.message(workspace, row), workspace.fresh_ts()
    changed = posting.edit(workspace, row, text=str(body.get("text", "")), edited={"user": user.id, "ts": at})
    event = {
        "type": "message",
        "subtype": "message_changed",
        "hidden": True,
        "channel": channel.id,
        "channel_type": posting.CHANNEL_TYPES[channel.kind],
        "message": shapes.message(workspace, changed),
        "previous_message": before,
    }
    return done(runtime, _told(workspace, channel, event, posting.SUBSCRIPTIONS[channel.kind]))


async def delete(request: Request) -> Response:
    """Delete one's own message."""
    runtime, user, body = await doing(request)
    _, row = marked(runtime.workspace, user, body)
    if row.user != user.id:
        raise BadRequest("cant_delete_message", 403)
    posting.remove(runtime.workspace, row, user.id)
    return done(runtime, {"ok": True})


def _told(workspace: Workspace, channel: Channel, event: dict[str, Any], subscription: str = "") -> Json:
    """Tell the app, if it is a member."""
    if workspace.bot_user in channel.members:
        workspace.emit(subscription or event["type"], event)
    return {"ok": True}


ROUTES = [
    Route("/ui/pin", pin, methods=["POST"]),
    Route("/ui/react", react, methods=["POST"]),
    Route("/ui/edit", edit, methods=["POST"]),
    Route("/ui/delete", delete, methods=["POST"]),
]
