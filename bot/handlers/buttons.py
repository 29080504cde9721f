"""Presses on cards and under messages. Acknowledged first; what needs words opens its modal, the rest is done."""

from collections.abc import Callable
from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.access import Access, requester
from bot.handlers.perform import Moving
from bot.handlers.reply import Reply, answering
from bot.render.button_value import ButtonValue
from escalation.errors import Refused
from escalation.incident.events import (
    Acknowledge,
    Answer,
    AnswerCommunication,
    Escalate,
    FixApplied,
    Move,
    MoveEvent,
    StartFix,
    TakeLead,
)
from escalation.incident.model import Lead
from escalation.text import Person, line


def _answer(by: str, key: str, press: ButtonValue) -> MoveEvent:
    n, _, answer = press.about.partition(":")
    return AnswerCommunication(by=by, key=key, n=int(n), answer=Answer(answer))


def _lead(by: str, key: str, press: ButtonValue) -> MoveEvent:
    """Refused for an offer that was made to somebody else."""
    lead, _, offered_to = press.about.partition(":")
    if offered_to and offered_to != by:
        raise Refused(line("That was offered to ", Person(offered_to), f". `/incident lead {lead}` takes it yourself."))
    return TakeLead(by=by, key=key, lead=Lead(lead))


# A click carries what it saw: on an old card, Escalate climbs no second tier.
AT_ONCE: dict[Move, Callable[[str, str, ButtonValue], MoveEvent]] = {
    Move.ACKNOWLEDGE: lambda by, key, press: Acknowledge(by=by, key=key),
    Move.START_FIX: lambda by, key, press: StartFix(by=by, key=key),
    Move.FIX_APPLIED: lambda by, key, press: FixApplied(by=by, key=key),
    Move.ESCALATE: lambda by, key, press: Escalate(by=by, key=key, seen=press.seen),
    Move.COMMUNICATE: _answer,
    Move.LEAD: _lead,
}


def at_once(press: ButtonValue) -> bool:
    """Whether a press says all there is to say; the menu's entry for the roles does not say which."""
    return press.move in AT_ONCE and bool(press.about or press.move is not Move.LEAD)


class Buttons:
    """One listener for every move's button and for the menus that hold the rest of them."""

    def __init__(self, access: Access, moving: Moving) -> None:
        self._access = access
        self._moving = moving

    async def on_press(self, ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        await ack()
        press = ButtonValue.decode(action.get("value") or action["selected_option"]["value"])
        who, reply = requester(body), Reply.to(self._access.client, body)
        async with answering(reply):
            if at_once(press):
                event = AT_ONCE[press.move](who.id, body["trigger_id"], press)
                await self._moving.make(who, press.incident, event)
            else:
                await self._moving.open(press.move, who, press.incident, body, reply)

    async def on_other(self, ack: AsyncAck) -> None:
        """A button that is only a link."""
        await ack()
