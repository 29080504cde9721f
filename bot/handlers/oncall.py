"""/incident oncall and the buttons of on call: who has it, taking it, arranging it, answering a test page, ticking."""

import json
from datetime import UTC, datetime
from typing import Any

import structlog
from redis import Redis
from slack_bolt.async_app import AsyncAck

from bot.access import Door, Visitor, visitor
from bot.deps import BotParts
from bot.handlers.reply import Reply, answering, says
from bot.parsing.oncall import USAGE, Wish, wanted
from bot.render import oncall
from bot.render.blockkit import Block, Message
from bot.render.oncall import HERE, TAKE, TICK, Here, Shift, Ticked, on_call
from bot.slack.client import UNREACHABLE, said_by_slack
from escalation.errors import Refused
from escalation.messages.oncall import Announcer
from escalation.oncall import overrides as arranging
from escalation.oncall.schedule import Duty, shift_at
from escalation.text import Line
from escalation.values import PersonId

ACTIONS = f"^({HERE}|{TAKE}|{TICK})"
TICKS_KEPT = 60 * 86_400  # seconds; a handover's message is read for a week or two
log = structlog.get_logger("bot")


class OnCall:
    """Every change goes through the desk, carries a notice, and is told to the others by the workers."""

    def __init__(self, door: Door) -> None:
        self._door = door

    # Typed -----------------------------------------------------------------------------------------------------------

    async def answer(self, who: Visitor, text: str) -> Message:
        """What to say to `/incident oncall TEXT`. Refused for whatever cannot be done."""
        if not text.strip():
            await self._door.admit("see", who)
            return await self.board()
        await self._door.admit("declare", who)
        if text.strip().lower() == "help":
            return says(*((usage,) for usage in USAGE))
        return await self._arrange(who, text)

    async def board(self) -> Message:
        """Who is on call, what was arranged, and the buttons that take a shift."""
        lines = oncall.spoken(await self.lines(), "oncall")
        return Message(text=lines.text, blocks=[*lines.blocks, *await self.buttons()])

    async def lines(self) -> tuple[Line, ...]:
        return await self._door.run(_lines, self._door.parts)

    async def buttons(self) -> list[Block]:
        return await self._door.run(_buttons, self._door.parts)

    async def _arrange(self, who: Visitor, text: str, seen: Shift | None = None) -> Message:
        lines = await self._door.run(_arrange, self._door.parts, who.id, text, seen)
        return says(*lines)

    # Pressed -------------------------------------------------------------------------------------------------------

    async def on_action(self, ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """A test page's button, a shift's button, or a box of a handover's checklist."""
        await ack()
        who, reply = visitor(body), Reply.to(self._door.client, body)
        async with answering(reply):
            await self._door.admit("declare", who)
            name = action["action_id"]
            if name.startswith(HERE):
                await self._here(who, body, Here.decode(action["value"]))
            elif name.startswith(TICK):
                await self._tick(who, body, action)
            else:
                shift = Shift.decode(action["value"])
                await reply(await self._arrange(who, f"take {shift.rotation}", shift))

    async def _here(self, who: Visitor, body: dict[str, Any], here: Here) -> None:
        at = await self._door.run(_answer, self._door.parts, who.id, here)
        await self._replace(body, oncall.answered(here.rotation, here.starts, at))

    async def _tick(self, who: Visitor, body: dict[str, Any], action: dict[str, Any]) -> None:
        message = body["message"]
        box = next(b for b in message["blocks"] if b["block_id"] == action["block_id"])
        change, n = box["elements"][0]["options"][0]["value"].rsplit("|", 1)
        by = who.id if action.get("selected_options") else ""
        ticks = await self._door.run(_ticked, self._door.parts, change, int(n), by)
        blocks = oncall.with_ticks(message["blocks"], ticks)
        await self._replace(body, Message(text=message["text"], blocks=blocks))

    async def _replace(self, body: dict[str, Any], message: Message) -> None:
        where = body["container"]
        try:
            await self._door.client.chat_update(
                channel=where["channel_id"], ts=where["message_ts"], text=message.text, blocks=message.blocks
            )
        except UNREACHABLE as error:  # it is recorded; the next press shows it
            log.warning("message not refreshed", error=said_by_slack(error))


def _lines(parts: BotParts) -> tuple[Line, ...]:
    now, directory, duty = parts.desk.clock(), parts.store.directory(), parts.desk.duty()
    return on_call(parts.company, parts.policy, directory, parts.desk.roster(now), now, duty)


def _buttons(parts: BotParts) -> list[Block]:
    now, duty = parts.desk.clock(), parts.desk.duty()
    shifts = [Shift(name, shift_at(name, parts.company, duty, now).starts) for name in parts.company.rotations]
    return oncall.take_buttons(shifts)


def _arrange(parts: BotParts, by: PersonId, text: str, seen: Shift | None) -> tuple[Line, ...]:
    """Do it; the lines say what came of it. `seen` is the shift that a button's presser had before them."""
    directory = parts.store.directory()

    def step(duty: Duty, now: datetime) -> Duty:
        if seen and not _still_there(seen, parts, duty, now):
            raise Refused("That shift has ended or changed meanwhile. `/incident oncall` shows how it stands.")
        return wanted(Wish(text, by, parts.company, directory), duty, now)

    after = parts.desk.arrange(step)
    parts.store.hurry_upkeep()
    return Announcer(parts.company, directory).notice(after.notices[-1])


def _still_there(seen: Shift, parts: BotParts, duty: Duty, now: datetime) -> bool:
    if seen.rotation not in parts.company.rotations:
        return False
    return int(shift_at(seen.rotation, parts.company, duty, now).starts.timestamp()) == int(seen.starts.timestamp())


def _answer(parts: BotParts, by: PersonId, here: Here) -> datetime:
    """Record that a test page was answered, by whom it was meant for; when that was."""
    if parts.company.key_of(by, parts.store.directory()) != here.person:
        raise Refused("This test page is for somebody else: only they can answer it.")
    duty = parts.desk.arrange(
        lambda before, now: arranging.answered(before, here.rotation, here.starts, here.person, now)
    )
    parts.store.hurry_upkeep()
    asked = ((t.rotation, t.shift_start, t.person, t.answered_at) for t in duty.tests)
    wanted_one = (here.rotation, here.starts, here.person)
    return next((at for *test, at in asked if tuple(test) == wanted_one and at), None) or parts.desk.clock()


def _ticked(parts: BotParts, change: str, n: int, by: PersonId) -> dict[int, Ticked]:
    """Tick a box of a handover's checklist, or untick it (nobody); all its ticks afterwards."""
    key, redis = f"tocsin:ticks:{change}", parts.redis
    if by:
        redis.hsetnx(key, str(n), json.dumps([by, parts.desk.clock().timestamp()]))
    else:
        redis.hdel(key, str(n))
    redis.expire(key, TICKS_KEPT)
    return _ticks(redis, key)


def _ticks(redis: Redis, key: str) -> dict[int, Ticked]:
    stored: Any = redis.hgetall(key)
    read = {int(n): json.loads(tick) for n, tick in stored.items()}
    return {n: Ticked(by, datetime.fromtimestamp(at, UTC)) for n, (by, at) in read.items()}
