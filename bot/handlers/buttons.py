"""Button clicks on cards and messages: ack, then make the move, or open its form where words are needed."""

from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.access import Access, requester_of
from bot.handlers.perform import Perform
from bot.handlers.reply import Reply, explain_errors
from bot.moves.catalog import ButtonPress, pressed_event
from bot.render.button_value import MORE, ButtonValue
from bot.render.pages import OPEN_ROOM


class Buttons:
    """Listener for every move's button, and for the one that lists the other moves."""

    def __init__(self, access: Access, perform: Perform) -> None:
        self._access = access
        self._perform = perform

    async def on_press(self, ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Make the move that a button carries, or open its form."""
        await ack()
        requester, reply = requester_of(body), Reply.to(self._access.client, body)
        if action["action_id"] == MORE and "value" in action:
            async with explain_errors(reply), self._perform.answering(requester, action["value"]):
                await self._perform.open_more(requester, action["value"], body, reply)
            return
        value = ButtonValue.decode(action.get("value") or action["selected_option"]["value"])
        async with explain_errors(reply):
            event = pressed_event(ButtonPress(value, requester.id, body["trigger_id"]))
            async with self._perform.answering(requester, value.incident):
                if event is None:
                    await self._perform.open(value.move, requester, value.incident, body, reply, typed=value.about)
                else:
                    result = await self._perform.move(requester, value.incident, event)
                    if reply.in_modal:
                        await reply(await self._perform.move_reply(result))

    async def on_other(self, ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Ack a button that is only a link; under a page its value is the incident's id, and pressing it answers."""
        await ack()
        if action.get("action_id") == OPEN_ROOM:
            async with self._perform.answering(requester_of(body), action["value"]):
                pass
