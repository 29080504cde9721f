"""Shortcuts that open the declaration form: from the menu, and from a message."""

import asyncio
from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.access import Access, requester_of
from bot.handlers.reply import Reply, explain_errors, open_modal
from bot.moves.declare import TITLE_LIMIT, Draft, declare_modal
from bot.moves.form_state import FormState
from bot.parsing.message import headline, readable_text
from bot.render.mrkdwn import cut
from bot.slack.client import UNREACHABLE
from escalation.incident.state.facts import Detection

DECLARE_FROM_MESSAGE = "declare_from_message"
LINK_TIMEOUT = 1.0  # seconds: the trigger of the form lasts three


class Shortcuts:
    """Listeners of both shortcuts, and of the button on the Home tab."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def on_declare(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Open an empty declaration form."""
        await ack()
        await self._open(body, FormState(), Draft())

    async def on_message(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Open a declaration form: the message as its description, its first line as the title, a link to it."""
        await ack()
        link = await self._permalink(body["channel"]["id"], body["message_ts"])
        state = FormState(response_url=body.get("response_url") or "", link=link)
        names = self._access.directory.names
        text = readable_text(body["message"], names)
        by_bot = body["message"].get("bot_id") or body["message"].get("subtype") == "bot_message"
        detection = Detection.MONITORING if by_bot else Detection.MANUAL
        title = cut(headline(body["message"], names), TITLE_LIMIT)
        await self._open(body, state, Draft(title, description=text, detection=detection))

    async def _open(self, body: dict[str, Any], state: FormState, draft: Draft) -> None:
        reply = Reply.to(self._access.client, body)
        async with explain_errors(reply):
            await self._access.admit("declare", requester_of(body))
            view = declare_modal(self._access.deps, state, draft)
            await open_modal(self._access.client, body, view, reply)

    async def _permalink(self, channel: str, ts: str) -> str:
        """Look up a message's link; empty if Slack has none in time, as in a private channel without the app."""
        try:
            async with asyncio.timeout(LINK_TIMEOUT):
                response = await self._access.client.chat_getPermalink(channel=channel, message_ts=ts)
        except UNREACHABLE:
            return ""
        return str(response["permalink"])
