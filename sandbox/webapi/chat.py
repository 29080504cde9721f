"""chat.*: posting, updating, deleting, ephemeral messages, permalinks."""

import json
import re
from typing import Any

from sandbox import blockkit, posting, rooms, shapes, text
from sandbox.records import Channel, Json, Message
from sandbox.webapi.registry import Call, SlackError, method, refused, writable

LONGEST_UPDATE = 4_000
LARGEST_METADATA = 16_000
THREADS_ONLY, NO_THREADS = "restricted_action_thread_only_channel", "restricted_action_non_threadable_channel"


def checked_blocks(call: Call) -> list[Json] | None:
    """The blocks of this call, None where it names none; refused as Slack would."""
    blocks = call.structure("blocks", "invalid_blocks_format")
    if blocks is None:
        return None
    if not isinstance(blocks, list):
        raise SlackError("invalid_blocks_format")
    problems = blockkit.message_problems(blocks)
    if problems:
        raise refused("invalid_blocks", problems)
    return blocks


@method("blocks.validate", "tier3")
def validate(call: Call) -> Json:
    """Check blocks, a message or a view against Slack's rules, and post nothing."""
    given = [name for name in ("blocks", "message", "view") if call.args.get(name) not in (None, "")]
    if len(given) != 1:
        raise refused("invalid_arguments", ["exactly one of blocks, message and view is needed"])
    name = given[0]
    what = call.structure(name, f"invalid_{name}")
    if name == "view":
        kind = str(what.get("type", "modal")) if isinstance(what, dict) else "modal"
        problems = blockkit.view_problems(what, kind if kind in ("modal", "home") else "modal")
    elif name == "message":
        blocks = what.get("blocks", []) if isinstance(what, dict) else what
        problems = blockkit.message_problems(blocks, "/message/blocks")
    else:
        problems = blockkit.message_problems(what)
    if problems:
        raise refused(f"invalid_{name}", problems)
    return {}


def checked_metadata(call: Call) -> Json | None:
    """The metadata of this call: None where it names none, {} where it takes it away."""
    metadata = call.structure("metadata", "invalid_metadata_format")
    if metadata in (None, {}):
        return None if metadata is None else {}
    if not isinstance(metadata, dict) or not isinstance(metadata.get("event_type"), str):
        raise SlackError("invalid_metadata_format")
    if not isinstance(metadata.get("event_payload"), dict):
        raise SlackError("invalid_metadata_format")
    if len(json.dumps(metadata)) > LARGEST_METADATA:
        raise SlackError("metadata_too_large")
    return {"event_type": metadata["event_type"], "event_payload": metadata["event_payload"]}


def content(call: Call) -> dict[str, Any]:
    """Text, blocks and attachments; at least one of them."""
    attachments = call.structure("attachments", "invalid_attachments")
    if attachments is not None and not isinstance(attachments, list):
        raise SlackError("invalid_attachments")
    blocks = checked_blocks(call)
    words = text.from_app(call.text("text") or call.text("markdown_text"))
    if not words.strip() and not blocks and not attachments:
        raise SlackError("no_text")
    return {"text": words, "blocks": blocks, "attachments": attachments}


def target(call: Call) -> Channel:
    """Where to post: an id, a #name, or a person (the direct message with them)."""
    named, workspace = call.text("channel"), call.workspace
    if named in workspace.users and named != call.user:
        return call.check_messages_tab(rooms.open_direct(workspace, (named,)))
    row = workspace.channels.get(named) or workspace.channel_named(named.lstrip("#"))
    if row is None or not workspace.can_see(call.user, row):
        raise SlackError("channel_not_found")
    if call.user not in row.members and "chat:write.public" not in workspace.scopes:
        raise SlackError("not_in_channel")
    call.check_messages_tab(row)
    in_thread = bool(call.text("thread_ts"))
    allowed = {"": True, THREADS_ONLY: in_thread, NO_THREADS: not in_thread}
    if not allowed.get(row.posting, False):
        raise SlackError(row.posting)
    return writable(row)


def thread(call: Call, channel: Channel) -> str | None:
    """The parent this call replies to.

    None when it was deleted without replies: Slack says no word of it and posts into the channel instead
    (https://github.com/slackapi/python-slack-events-api/issues/87, https://github.com/langchain-ai/open-swe/pull/2753).
    The answer's message has no `thread_ts` then. Below a tombstone the thread goes on.
    """
    ts = call.text("thread_ts")
    if not ts:
        return None
    if not re.fullmatch(r"\d+\.\d+", ts):
        raise refused("invalid_thread_ts", [f"{ts} is not a valid thread_ts"])
    parent = call.workspace.message(channel.id, ts)
    if parent is None or parent.ephemeral_to is not None:
        return None
    if parent.thread_ts not in (None, parent.ts):
        raise SlackError("cannot_reply_to_message")
    return ts


def without_nothing(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


@method("chat.postMessage", "posting", "chat:write", ["channel"])
def post_message(call: Call) -> Json:
    channel = target(call)
    thread_ts, metadata = thread(call, channel), checked_metadata(call)
    fields = without_nothing(content(call))
    row = posting.post(
        call.workspace,
        channel,
        call.user,
        thread_ts=thread_ts,
        broadcast=bool(thread_ts) and call.flag("reply_broadcast"),
        metadata=metadata or None,
        username=call.text("username") or None,
        **fields,
    )
    return {"channel": channel.id, "ts": row.ts, "message": shapes.message(call.workspace, row)}


def own_message(call: Call, error: str) -> tuple[Channel, Message]:
    """A message of the app itself, in a conversation it may know of."""
    channel = call.channel()
    row = call.message(channel, call.text("ts"))
    if row.user != call.user:
        raise SlackError(error)
    return channel, row


@method("chat.update", "tier3", "chat:write", ["channel", "ts"])
def update(call: Call) -> Json:
    channel, row = own_message(call, "cant_update_message")
    if channel.archived:
        raise SlackError("is_inactive")
    if len(call.text("text")) > LONGEST_UPDATE:
        raise SlackError("msg_too_long")
    fields, metadata = without_nothing(content(call)), checked_metadata(call)
    if metadata is not None:
        fields["metadata"] = metadata or None
    if not call.text("text"):
        fields.pop("text")
    edited = {"user": call.user, "ts": call.workspace.fresh_ts()}
    changed = posting.edit(call.workspace, row, **fields, edited=edited)
    shape = shapes.message(call.workspace, changed)
    return {"channel": channel.id, "ts": row.ts, "text": changed.text, "message": shape}


@method("chat.delete", "tier3", "chat:write", ["channel", "ts"])
def delete(call: Call) -> Json:
    channel, row = own_message(call, "cant_delete_message")
    writable(channel)
    posting.remove(call.workspace, row, call.user)
    return {"channel": channel.id, "ts": row.ts}


@method("chat.postEphemeral", "tier4", "chat:write", ["channel", "user"])
def post_ephemeral(call: Call) -> Json:
    channel = target(call)
    if call.text("user") not in channel.members:
        raise SlackError("user_not_in_channel")
    if len(call.text("text")) > text.LONGEST:
        raise SlackError("msg_too_long")
    fields = without_nothing(content(call))
    row = posting.post(
        call.workspace,
        channel,
        call.user,
        thread_ts=thread(call, channel),
        ephemeral_to=call.text("user"),
        **fields,
    )
    return {"message_ts": row.ts}


@method("chat.getPermalink", "special", required=["channel", "message_ts"])
def permalink(call: Call) -> Json:
    channel = call.channel()
    row = call.message(channel, call.text("message_ts"))
    link = f"{call.workspace.base_url}/archives/{channel.id}/p{row.ts.replace('.', '')}"
    reply = row.thread_ts not in (None, row.ts)
    return {
        "channel": channel.id,
        "permalink": f"{link}?thread_ts={row.thread_ts}&cid={channel.id}" if reply else link,
    }
