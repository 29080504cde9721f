"""conversations.history and conversations.replies."""

import re
from collections.abc import Sequence

from sandbox import shapes
from sandbox.records import Json, Message
from sandbox.webapi.paging import page, with_cursor
from sandbox.webapi.registry import HISTORY, Call, SlackError, method

MOST = 999
DEFAULT = 100


def bound(call: Call, name: str, default: str) -> str:
    """A limit in time, as a ts: "0" and "1700000000" are fine too."""
    value = call.text(name) or default
    if not re.fullmatch(r"\d+(\.\d+)?", value):
        raise SlackError(f"invalid_ts_{name}")
    seconds, _, fraction = value.partition(".")
    return f"{int(seconds):010d}.{fraction or '0':0<6}"


def within(call: Call, rows: Sequence[Message]) -> list[Message]:
    """Those between `oldest` and `latest`, the bounds themselves only when `inclusive`."""
    oldest, latest = bound(call, "oldest", "0"), bound(call, "latest", "9999999999")
    if call.flag("inclusive"):
        return [row for row in rows if oldest <= row.ts <= latest]
    return [row for row in rows if oldest < row.ts < latest]


def shown(call: Call, rows: Sequence[Message]) -> list[Json]:
    metadata = call.flag("include_all_metadata")
    return [shapes.message(call.workspace, row, metadata) for row in rows]


@method("conversations.history", "tier3", required=["channel"])
def history(call: Call) -> Json:
    channel = call.member_channel(HISTORY)
    rows = call.workspace.messages.in_channel(channel.id)
    top = [row for row in rows if row.broadcast or row.thread_ts in (None, row.ts)]
    lasting = [row for row in within(call, top) if row.ephemeral_to is None]
    found, cursor = page(call, lasting[::-1], lambda row: row.ts, DEFAULT, MOST)
    answer = {"messages": shown(call, found), "has_more": bool(cursor), "pin_count": len(channel.pins)}
    return {**answer, **with_cursor(cursor)}


@method("conversations.replies", "tier3", required=["channel", "ts"])
def replies(call: Call) -> Json:
    """The parent first, then its replies, oldest first."""
    channel = call.member_channel(HISTORY)
    named = call.workspace.message(channel.id, call.text("ts"))
    if named is None or named.ephemeral_to is not None:
        raise SlackError("thread_not_found")
    parent = call.workspace.message(channel.id, named.thread_ts or named.ts) or named
    rows = within(call, call.workspace.messages.replies(channel.id, parent.ts))
    found, cursor = page(call, [parent, *rows], lambda row: row.ts, DEFAULT, MOST)
    return {"messages": shown(call, found), "has_more": bool(cursor), **with_cursor(cursor)}
