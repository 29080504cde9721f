"""Declaring from the shortcuts menu, and from a message."""

import asyncio
from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.access import Access, requester
from bot.handlers.reply import Reply, answering, open_modal
from bot.moves.declare import Draft, declare_modal
from bot.parsing.command import spoken
from bot.render.form_state import FormState
from bot.slack.client import UNREACHABLE

DECLARE = "declare_incident"
DECLARE_FROM_MESSAGE = "declare_from_message"
LINK_WITHIN = 1.0  # seconds: the trigger of the form lasts three


class Shortcuts:
    """Both open the form of a declaration; so does the button on the Home tab."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def on_declare(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        await self._open(body, FormState())

    async def on_message(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """The message's words become the description; the incident keeps a link to it."""
        await ack()
        link = await self._permalink(body["channel"]["id"], body["message_ts"])
        state = FormState(response_url=body.get("response_url") or "", link=link)
        text = spoken(body["message"].get("text") or "", self._access.directory.names)
        await self._open(body, state, text)

    async def _open(self, body: dict[str, Any], state: FormState, description: str = "") -> None:
        reply = Reply.to(self._access.client, body)
        async with answering(reply):
            await self._access.admit("declare", requester(body))
            view = declare_modal(self._access.deps, state, Draft(description=description))
            await open_modal(self._access.client, body, view, reply)

    async def _permalink(self, channel: str, ts: str) -> str:
        """Empty where Slack gives none in time (a private channel without the app): the words are what matters."""
        try:
            async with asyncio.timeout(LINK_WITHIN):
                answer = await self._access.client.chat_getPermalink(channel=channel, message_ts=ts)
        except UNREACHABLE:
            return ""
        return str(answer["permalink"])
