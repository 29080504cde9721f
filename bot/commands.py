"""/incident and what may follow it. Acknowledged at once; the answer comes by the response_url."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from slack_bolt.async_app import AsyncAck

from bot import answers
from bot.asked import Asked, nearest, parse, spoken
from bot.blocks import card, listing
from bot.declaring import declare_modal, too_long_a_title
from bot.door import Door, Visitor, visitor
from bot.message import Message
from bot.moving import Moving
from bot.oncall import on_call
from bot.reply import Reply, answering, open_modal, says
from bot.slip import Slip
from bot.typed import MOVES, typed_event
from escalation.events import Move
from escalation.incident import Incident
from escalation.moves import Refused
from escalation.words import Line


@dataclass(frozen=True)
class Order:
    """One command: what was asked, by whom, where, and how to answer."""

    asked: Asked
    who: Visitor
    channel: str
    body: dict[str, Any]
    reply: Reply


class Commands:
    """Each verb has a method or is a move."""

    def __init__(self, door: Door, moving: Moving) -> None:
        self._door = door
        self._moving = moving
        self._verbs: dict[str, Callable[[Order], Awaitable[None]]] = {
            "": self._unknown,
            "help": self._help,
            "declare": self._declare,
            "list": self._list,
            "show": self._show,
            "oncall": self._on_call,
        }

    async def on_command(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        reply = Reply.to(self._door.client, body)
        order = Order(parse(body.get("text") or ""), visitor(body), body["channel_id"], body, reply)
        async with answering(reply):
            await self._verbs.get(order.asked.verb, self._move)(order)

    async def _unknown(self, order: Order) -> None:
        await self._door.admit("see", order.who)
        word = order.asked.word
        near = nearest(word)
        hint = f" Did you mean `/incident {near}`?" if near else ""
        await order.reply(
            says((f"There is no `/incident {spoken(word)}`.{hint} `/incident help` lists what there is.",))
        )

    async def _help(self, order: Order) -> None:
        await order.reply(answers.help_and_open(await self._door.open_incidents(order.who)))

    async def _list(self, order: Order) -> None:
        await order.reply(listing(await self._door.open_incidents(order.who)))

    async def _declare(self, order: Order) -> None:
        await self._door.admit("declare", order.who)
        title = spoken(order.asked.text, self._door.directory.names)
        warning = too_long_a_title(title)
        slip = Slip(response_url=order.reply.response_url)
        view = declare_modal(self._door.parts, slip, "" if warning else title, title if warning else "", warning)
        await open_modal(self._door.client, order.body, view, order.reply)

    async def _show(self, order: Order) -> None:
        incident = await self._target(order)
        if incident:
            incident = await self._door.see(order.who, incident.id)
            await order.reply(await self._card(incident))

    async def _card(self, incident: Incident) -> Message:
        return card(incident, await self._moving.ahead(incident))

    async def _on_call(self, order: Order) -> None:
        await self._door.admit("see", order.who)
        await order.reply(says(*await self.duty()))

    async def duty(self) -> tuple[Line, ...]:
        """The lines of /incident oncall, for the Home tab too."""
        parts = self._door.parts
        now = await self._door.run(parts.desk.clock)
        directory = await self._door.run(parts.store.directory)
        return on_call(parts.company, parts.policy, directory, await self._door.roster(), now)

    # Moves -------------------------------------------------------------------------------------------------------

    async def _move(self, order: Order) -> None:
        """With words, or where none are needed, the move is made at once; else its modal opens."""
        move = MOVES[order.asked.verb]
        incident = await self._target(order)
        if incident is None:
            return
        by, key = order.who.id, order.body["trigger_id"]
        event = typed_event(move, order.asked.text, by, key, self._door.parts, self._door.directory)
        if event is None:
            typed = spoken(order.asked.text, self._door.directory.names)
            await self._moving.open(move, order.who, incident.id, order.body, order.reply, typed=typed, answer=True)
            return
        await self._moving.make(order.who, incident.id, event, order.reply)

    async def _target(self, order: Order) -> Incident | None:
        """The incident that is meant: by its id, by the room we are in, or because only one is open.

        None after a list to choose from was sent.
        """
        if order.asked.incident:
            return await self._door.incident(order.asked.incident)
        if here := await self._door.of_room(order.channel):
            return here
        candidates = await self._candidates(order)
        if len(candidates) == 1:
            return candidates[0]
        if not candidates:
            raise Refused("No incident is open." if not _is_reopening(order) else "No incident was closed lately.")
        await order.reply(answers.which_one(order.asked.verb, candidates))
        return None

    async def _candidates(self, order: Order) -> tuple[Incident, ...]:
        if _is_reopening(order):
            return tuple(i for i in await self._door.recent(order.who) if not i.open)
        return await self._door.open_incidents(order.who)


def _is_reopening(order: Order) -> bool:
    return MOVES.get(order.asked.verb) is Move.REOPEN
