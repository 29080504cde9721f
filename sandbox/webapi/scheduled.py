"""chat.scheduleMessage and its kin: messages that Slack posts by itself, later.

Limits: https://docs.slack.dev/reference/methods/chat.scheduleMessage and .../chat.deleteScheduledMessage
"""

from sandbox import posting, shapes
from sandbox.records import Json, Message, Scheduled
from sandbox.state import Workspace
from sandbox.webapi.chat import checked_metadata, content, target, thread, without_nothing
from sandbox.webapi.paging import page, with_cursor
from sandbox.webapi.registry import Call, SlackError, method

FURTHEST = 120 * 86_400  # seconds
MOST, WINDOW = 30, 300  # messages of one conversation in that many seconds
UNDELETABLE = 60  # seconds before it is posted


@method("chat.scheduleMessage", "tier3", "chat:write", ["channel", "post_at"])
def schedule(call: Call) -> Json:
    workspace, now = call.workspace, call.workspace.now()
    channel, post_at = target(call), call.number("post_at", 0, "invalid_time")
    if post_at <= now:
        raise SlackError("time_in_past")
    if post_at > now + FURTHEST:
        raise SlackError("time_too_far")
    near = [row for row in workspace.scheduled.values() if row.channel == channel.id]
    if sum(abs(row.post_at - post_at) < WINDOW for row in near) >= MOST:
        raise SlackError("restricted_too_many")
    row = Scheduled(
        id=workspace.fresh_id("Q"),
        channel=channel.id,
        user=call.user,
        post_at=post_at,
        created=int(now),
        thread_ts=thread(call, channel),
        broadcast=call.flag("reply_broadcast"),
        content=without_nothing(content(call)),
        metadata=checked_metadata(call) or None,
    )
    workspace.scheduled[row.id] = row
    shown = Message(channel=channel.id, ts="", user=call.user, by_bot=True, **row.content)
    message = {name: value for name, value in shapes.message(workspace, shown).items() if name != "ts"}
    return {"channel": channel.id, "scheduled_message_id": row.id, "post_at": post_at, "message": message}


@method("chat.deleteScheduledMessage", "tier3", "chat:write", ["channel", "scheduled_message_id"])
def delete(call: Call) -> Json:
    """Refused in the last minute too, in the same words as for one that is not there."""
    row = call.workspace.scheduled.get(call.text("scheduled_message_id"))
    if row is None or row.channel != call.text("channel") or row.post_at - call.workspace.now() <= UNDELETABLE:
        raise SlackError("invalid_scheduled_message_id")
    del call.workspace.scheduled[row.id]
    return {}


@method("chat.scheduledMessages.list", "tier3")
def list_(call: Call) -> Json:
    wanted, oldest, latest = call.text("channel"), call.number("oldest", 0), call.number("latest", 0)
    rows = [
        row
        for row in call.workspace.scheduled.values()
        if wanted in ("", row.channel) and row.post_at >= oldest and (not latest or row.post_at <= latest)
    ]
    shown, cursor = page(call, rows, lambda row: row.id, 100, 1000)
    return {"scheduled_messages": [_shape(row) for row in shown], **with_cursor(cursor)}


def _shape(row: Scheduled) -> Json:
    return {
        "id": row.id,
        "channel_id": row.channel,
        "post_at": row.post_at,
        "date_created": row.created,
        "text": row.content.get("text", ""),
    }


def post_due(workspace: Workspace) -> bool:
    """Post what is due; True if something was. One with metadata is lost, as Slack says of itself."""
    due = [row for row in workspace.scheduled.values() if row.post_at <= workspace.now()]
    for row in sorted(due, key=lambda row: row.post_at):
        del workspace.scheduled[row.id]
        channel = workspace.channels.get(row.channel)
        if channel and not channel.archived and not row.metadata:
            in_thread = {"thread_ts": row.thread_ts, "broadcast": row.broadcast} if row.thread_ts else {}
            posting.post(workspace, channel, row.user, **in_thread, **row.content)
    return bool(due)
