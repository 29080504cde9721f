"""pins.*, bookmarks.*, reactions.*: what people put on messages and channels."""

import re

from sandbox import posting, rooms, shapes
from sandbox.records import Bookmark, Channel, Json, Message, Pin
from sandbox.webapi.registry import Call, SlackError, method, writable

MOST_PINS = 100
MOST_BOOKMARKS = 100
MOST_EMOJI = 23
ADDRESS = re.compile(r"^(https?|mailto):\S+$")


def stamped(call: Call, channel: Channel) -> Message:
    """The message that `timestamp` names."""
    ts = call.text("timestamp")
    if not ts:
        raise SlackError("no_item_specified")
    if not re.fullmatch(r"\d+\.\d+", ts):
        raise SlackError("bad_timestamp")
    return call.message(channel, ts)


@method("pins.add", "tier2", "pins:write", ["channel"])
def pin(call: Call) -> Json:
    channel = writable(call.member_channel())
    row = stamped(call, channel)
    if any(old.ts == row.ts for old in channel.pins):
        raise SlackError("already_pinned")
    if len(channel.pins) >= MOST_PINS:
        raise SlackError("too_many_pins")
    new = Pin(ts=row.ts, by=call.user, at=int(call.workspace.now()))
    rooms.store(call.workspace, channel, pins=(*channel.pins, new))
    return {}


@method("pins.remove", "tier2", "pins:write", ["channel"])
def unpin(call: Call) -> Json:
    channel = writable(call.member_channel())
    row = stamped(call, channel)
    kept = tuple(old for old in channel.pins if old.ts != row.ts)
    if len(kept) == len(channel.pins):
        raise SlackError("no_pin")
    rooms.store(call.workspace, channel, pins=kept)
    return {}


@method("pins.list", "tier2", "pins:read", ["channel"])
def pins(call: Call) -> Json:
    channel = call.member_channel()
    found = ((row, call.workspace.message(channel.id, row.ts)) for row in reversed(channel.pins))
    return {
        "items": [
            {
                "type": "message",
                "channel": channel.id,
                "created": row.at,
                "created_by": row.by,
                "message": shapes.message(call.workspace, message),
            }
            for row, message in found
            if message
        ]
    }


def link_of(call: Call) -> str:
    link = call.text("link")
    if not ADDRESS.match(link):
        raise SlackError("invalid_link")
    return link


@method("bookmarks.add", "tier2", "bookmarks:write", ["channel_id", "title", "type"])
def add_bookmark(call: Call) -> Json:
    channel = writable(call.member_channel(name="channel_id"))
    if call.text("type") != "link":
        raise SlackError("invalid_bookmark_type")
    if len(channel.bookmarks) >= MOST_BOOKMARKS:
        raise SlackError("too_many_bookmarks")
    now = int(call.workspace.now())
    row = Bookmark(
        id=call.workspace.fresh_id("Bk"),
        title=call.text("title"),
        link=link_of(call),
        emoji=call.text("emoji"),
        created=now,
        updated=now,
    )
    rooms.store(call.workspace, channel, bookmarks=(*channel.bookmarks, row))
    return {"bookmark": shapes.bookmark(call.workspace, channel.id, row)}


def bookmarked(call: Call) -> tuple[Channel, Bookmark]:
    channel = writable(call.member_channel(name="channel_id"))
    row = next((mark for mark in channel.bookmarks if mark.id == call.text("bookmark_id")), None)
    if row is None:
        raise SlackError("not_found")
    return channel, row


@method("bookmarks.edit", "tier2", "bookmarks:write", ["channel_id", "bookmark_id"])
def edit_bookmark(call: Call) -> Json:
    channel, row = bookmarked(call)
    changed: Bookmark = row.changed(
        title=call.text("title", row.title),
        link=link_of(call) if call.text("link") else row.link,
        emoji=call.text("emoji", row.emoji),
        updated=int(call.workspace.now()),
    )
    marks = tuple(changed if mark.id == row.id else mark for mark in channel.bookmarks)
    rooms.store(call.workspace, channel, bookmarks=marks)
    return {"bookmark": shapes.bookmark(call.workspace, channel.id, changed)}


@method("bookmarks.remove", "tier2", "bookmarks:write", ["channel_id", "bookmark_id"])
def remove_bookmark(call: Call) -> Json:
    channel, row = bookmarked(call)
    rooms.store(call.workspace, channel, bookmarks=tuple(mark for mark in channel.bookmarks if mark != row))
    return {}


@method("bookmarks.list", "tier3", "bookmarks:read", ["channel_id"])
def bookmarks(call: Call) -> Json:
    channel = call.member_channel(name="channel_id")
    return {"bookmarks": [shapes.bookmark(call.workspace, channel.id, row) for row in channel.bookmarks]}


def emoji(call: Call) -> str:
    name = call.text("name").strip(":")
    if not re.fullmatch(r"[a-z0-9_+'-]+(::skin-tone-[2-6])?", name):
        raise SlackError("invalid_name")
    return name


@method("reactions.add", "tier3", "reactions:write", ["channel", "name", "timestamp"])
def react(call: Call) -> Json:
    channel = writable(call.member_channel())
    row, name = stamped(call, channel), emoji(call)
    users = row.reactions.get(name, ())
    if call.user in users:
        raise SlackError("already_reacted")
    if name not in row.reactions and len(row.reactions) >= MOST_EMOJI:
        raise SlackError("too_many_emoji")
    posting.edit(call.workspace, row, reactions={**row.reactions, name: (*users, call.user)})
    return {}


@method("reactions.remove", "tier2", "reactions:write", ["name"])
def unreact(call: Call) -> Json:
    channel = writable(call.member_channel())
    row, name = stamped(call, channel), emoji(call)
    users = row.reactions.get(name, ())
    if call.user not in users:
        raise SlackError("no_reaction")
    left = tuple(user for user in users if user != call.user)
    others = {other: who for other, who in row.reactions.items() if other != name}
    posting.edit(call.workspace, row, reactions={**others, name: left} if left else others)
    return {}
