"""Cursors: opaque to callers, and good for nothing but the next page."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

from sandbox.records import Json
from sandbox.webapi.registry import Call, SlackError

T = TypeVar("T")
PREFIX = "next:"


def page(call: Call, rows: Sequence[T], key: Callable[[T], str], default: int, most: int) -> tuple[Sequence[T], str]:
    """The page that the call asks for and the cursor of the next one ("" on the last)."""
    limit = call.number("limit", default, "invalid_limit")
    if not 1 <= limit <= most:
        raise SlackError("invalid_limit")
    start = _start(call.text("cursor"), [key(row) for row in rows])
    following = rows[start + limit : start + limit + 1]
    return rows[start : start + limit], _cursor(key(following[0])) if following else ""


def with_cursor(cursor: str) -> Json:
    return {"response_metadata": {"next_cursor": cursor}}


def _cursor(key: str) -> str:
    return base64.b64encode(f"{PREFIX}{key}".encode()).decode()


def _start(cursor: str, keys: list[str]) -> int:
    if not cursor:
        return 0
    try:
        text = base64.b64decode(cursor, validate=True).decode()
        return keys.index(text.removeprefix(PREFIX))
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise SlackError("invalid_cursor") from None
