"""Presses on cards and under messages. Acknowledged first; what needs words opens its modal, the rest is done."""

from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.access import Access, requester
from bot.handlers.perform import Perform
from bot.handlers.reply import Reply, answering
from bot.moves.catalog import Pressed, pressed_event
from bot.render.button_value import ButtonValue


class Buttons:
    """One listener for every move's button and for the menus that hold the rest of them."""

    def __init__(self, access: Access, perform: Perform) -> None:
        self._access = access
        self._perform = perform

    async def on_press(self, ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        await ack()
        value = ButtonValue.decode(action.get("value") or action["selected_option"]["value"])
        who, reply = requester(body), Reply.to(self._access.client, body)
        async with answering(reply):
            event = pressed_event(Pressed(value, who.id, body["trigger_id"]))
            if event is None:
                await self._perform.open(value.move, who, value.incident, body, reply)
            else:
                await self._perform.move(who, value.incident, event)

    async def on_other(self, ack: AsyncAck) -> None:
        """A button that is only a link."""
        await ack()
