"""`/incident me`: how the requester is reached, what they set of it, and a test of each of their methods."""

from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.access import Access, Requester, requester_of
from bot.handlers.reply import Reply, explain_errors
from bot.parsing.me import own_settings, testable
from bot.render.blockkit import Message
from bot.render.oncall import TRY, lines_message, test_buttons


class Me:
    """Handler of a person's own settings and of the buttons that test their methods."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def answer(self, requester: Requester, text: str = "") -> Message:
        """Answer `/incident me TEXT`. Raises Refused for what cannot be set, or tested now."""
        lines = await self._access.run(own_settings, self._access.deps, requester.id, text)
        methods = await self._access.run(testable, self._access.deps, requester.id)
        message = lines_message(lines, "me")
        return Message(text=message.text, blocks=[*message.blocks, *test_buttons(methods)])

    async def on_test(self, ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Handle a click on the button that tests a method; what became of it follows as a message."""
        await ack()
        requester, reply = requester_of(body), Reply.to(self._access.client, body)
        async with explain_errors(reply):
            await self._access.admit("see", requester)
            await reply(await self.answer(requester, f"test {action['action_id'].removeprefix(TRY)}"))
