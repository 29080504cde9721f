"""Canvases over Slack's Web API: made, shared, read, searched and edited, one change at a time.

What is refused for good raises NoCanvas: the workspace's plan has none, they are switched off, or a scope is missing.
https://docs.slack.dev/surfaces/canvases
"""

import asyncio
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.client import slack_error

GONE = ("canvas_not_found", "canvas_deleted")
LOCKED = "canvas_editing_locked"  # somebody's edit is being stored just now
TRIES, BETWEEN = 4, 0.5  # seconds
REFUSED = frozenset(
    {
        *(
            "canvas_disabled_user_team",
            "restricted_action",
            "missing_scope",
            "unknown_method",
            "not_allowed_token_type",
        ),
        *("free_teams_cannot_create_standalone_canvases", "free_teams_cannot_create_non_tabbed_canvases"),
        *("free_teams_cannot_edit_standalone_canvases", "team_tier_cannot_create_channel_canvases"),
        *("free_team_canvas_tab_already_exists", "channel_canvas_already_exists", "not_allowed_token_type"),
    }
)
FREE_PLAN = ("free_teams_cannot_create_standalone_canvases", "free_teams_cannot_create_non_tabbed_canvases")


class NoCanvas(Exception):
    """Slack takes no canvas here; its text is Slack's error."""


class CanvasGone(Exception):
    """The canvas was deleted."""


class CanvasClient:
    """Canvases of one workspace. Besides NoCanvas and CanvasGone, its methods raise the errors of any call."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client

    async def create(self, title: str, markdown: str, room: str = "") -> tuple[str, bool]:
        """Make a canvas, by itself; on a free plan as the tab of a room. Returns its id, and whether it is a tab."""
        content = {"type": "markdown", "markdown": markdown}
        try:
            made = await self._client.canvases_create(title=title, document_content=content)
            return _id_of(made), False
        except SlackApiError as error:
            if slack_error(error) not in FREE_PLAN or not room:
                raise _meaning(error) from error
        try:
            made = await self._client.conversations_canvases_create(
                channel_id=room, document_content=content, title=title
            )
        except SlackApiError as error:
            raise _meaning(error) from error
        return _id_of(made), True

    async def share(self, canvas: str, channel: str = "", person: str = "") -> None:
        """Let the members of a channel write in a canvas, or one person."""
        whom: dict[str, Any] = {"channel_ids": [channel]} if channel else {"user_ids": [person]}
        await self._call("canvases.access.set", canvas_id=canvas, access_level="write", **whom)

    async def withdraw(self, canvas: str, channel: str) -> None:
        """Take a canvas away from the members of a channel."""
        await self._call("canvases.access.delete", canvas_id=canvas, channel_ids=[channel])

    async def delete(self, canvas: str) -> None:
        """Delete a canvas."""
        await self._call("canvases.delete", canvas_id=canvas)

    async def content(self, canvas: str) -> str:
        """Read a whole canvas, as Markdown."""
        found = await self._call("canvases.getContent", canvas_id=canvas, content_type="markdown")
        if not isinstance(found.get("content"), str):
            raise NoCanvas("canvases.getContent answered without content")
        return str(found["content"])

    async def insert(self, canvas: str, markdown: str, before: str = "") -> bool:
        """Put Markdown in front of a heading, or at the end; False if there is no such heading."""
        content = {"type": "markdown", "markdown": markdown}
        if not before:
            await self._edit(canvas, {"operation": "insert_at_end", "document_content": content})
            return True
        sections = await self._find(canvas, section_types=["any_header"], contains_text=before)
        if sections:
            change = {"operation": "insert_before", "section_id": sections[0], "document_content": content}
            await self._edit(canvas, change)
        return bool(sections)

    async def remove(self, canvas: str, text: str) -> bool:
        """Take away the one section with this text; False if there is none, or more than one."""
        sections = await self._find(canvas, contains_text=text)
        if len(sections) == 1:
            await self._edit(canvas, {"operation": "delete", "section_id": sections[0]})
        return len(sections) == 1

    async def _find(self, canvas: str, **criteria: Any) -> list[str]:
        """Ids of sections: they hold until the next edit."""
        found = await self._call("canvases.sections.lookup", canvas_id=canvas, criteria=criteria)
        return [str(section["id"]) for section in found.get("sections") or [] if section.get("id")]

    async def _edit(self, canvas: str, change: dict[str, Any]) -> None:
        await self._call("canvases.edit", canvas_id=canvas, changes=[change])

    async def _call(self, method: str, **arguments: Any) -> dict[str, Any]:
        for left in reversed(range(TRIES)):
            try:
                return dict((await self._client.api_call(method, json=arguments)).data)  # type: ignore[arg-type]  # bytes: files
            except SlackApiError as error:
                if slack_error(error) != LOCKED or not left:
                    raise _meaning(error) from error
            await asyncio.sleep(BETWEEN)
        raise AssertionError("the last try returns or raises")


def _id_of(made: Any) -> str:
    if not made.get("canvas_id"):
        raise NoCanvas("no_field_canvas_id")
    return str(made["canvas_id"])


def _meaning(error: SlackApiError) -> Exception:
    code = slack_error(error)
    if code in GONE:
        return CanvasGone(code)
    return NoCanvas(code) if code in REFUSED else error
