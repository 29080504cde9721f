"""/incident oncall and the buttons of on call: who has it, taking it, arranging it, answering a test page, ticking."""

import json
from datetime import UTC, datetime
from typing import Any

import structlog
from redis import Redis
from slack_bolt.async_app import AsyncAck

from bot.access import Access, Requester, requester
from bot.deps import BotDeps
from bot.handlers.reply import Reply, answering, says
from bot.parsing.oncall import USAGE, Wish, wanted
from bot.render import oncall
from bot.render.blockkit import Block, Message
from bot.render.oncall import HERE, TAKE, TICK, Here, Shift, Ticked, on_call
from bot.slack.client import UNREACHABLE, said_by_slack
from escalation.errors import Refused
from escalation.messages.oncall import Announcer
from escalation.oncall import overrides as arranging
from escalation.oncall.schedule import OncallState, shift_at
from escalation.text import Line
from escalation.values import PersonId

ACTIONS = f"^({HERE}|{TAKE}|{TICK})"
TICKS_KEPT = 60 * 86_400  # seconds; a handover's message is read for a week or two
log = structlog.get_logger("bot")


class OnCall:
    """Every change goes through the service, carries a notice, and is told to the others by the workers."""

    def __init__(self, access: Access) -> None:
        self._access = access

    # Typed -----------------------------------------------------------------------------------------------------------

    async def answer(self, who: Requester, text: str) -> Message:
        """What to say to `/incident oncall TEXT`. Refused for whatever cannot be done."""
        if not text.strip():
            await self._access.admit("see", who)
            return await self.board()
        await self._access.admit("declare", who)
        if text.strip().lower() == "help":
            return says(*((usage,) for usage in USAGE))
        return await self._arrange(who, text)

    async def board(self) -> Message:
        """Who is on call, what was arranged, and the buttons that take a shift."""
        lines = oncall.spoken(await self.lines(), "oncall")
        return Message(text=lines.text, blocks=[*lines.blocks, *await self.buttons()])

    async def lines(self) -> tuple[Line, ...]:
        return await self._access.run(_lines, self._access.deps)

    async def buttons(self) -> list[Block]:
        return await self._access.run(_buttons, self._access.deps)

    async def _arrange(self, who: Requester, text: str, seen: Shift | None = None) -> Message:
        lines = await self._access.run(_arrange, self._access.deps, who.id, text, seen)
        return says(*lines)

    # Pressed -------------------------------------------------------------------------------------------------------

    async def on_action(self, ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """A test page's button, a shift's button, or a box of a handover's checklist."""
        await ack()
        who, reply = requester(body), Reply.to(self._access.client, body)
        async with answering(reply):
            await self._access.admit("declare", who)
            name = action["action_id"]
            if name.startswith(HERE):
                await self._here(who, body, Here.decode(action["value"]))
            elif name.startswith(TICK):
                await self._tick(who, body, action)
            else:
                shift = Shift.decode(action["value"])
                await reply(await self._arrange(who, f"take {shift.rotation}", shift))

    async def _here(self, who: Requester, body: dict[str, Any], here: Here) -> None:
        at = await self._access.run(_answer, self._access.deps, who.id, here)
        await self._replace(body, oncall.answered(here.rotation, here.starts, at))

    async def _tick(self, who: Requester, body: dict[str, Any], action: dict[str, Any]) -> None:
        message = body["message"]
        box = next(b for b in message["blocks"] if b["block_id"] == action["block_id"])
        change, n = box["elements"][0]["options"][0]["value"].rsplit("|", 1)
        by = who.id if action.get("selected_options") else ""
        ticks = await self._access.run(_ticked, self._access.deps, change, int(n), by)
        blocks = oncall.with_ticks(message["blocks"], ticks)
        await self._replace(body, Message(text=message["text"], blocks=blocks))

    async def _replace(self, body: dict[str, Any], message: Message) -> None:
        where = body["container"]
        try:
            await self._access.client.chat_update(
                channel=where["channel_id"], ts=where["message_ts"], text=message.text, blocks=message.blocks
            )
        except UNREACHABLE as error:  # it is recorded; the next press shows it
            log.warning("message not refreshed", error=said_by_slack(error))


def _lines(deps: BotDeps) -> tuple[Line, ...]:
    now, directory, duty = deps.service.clock(), deps.store.directory(), deps.store.duty()
    return on_call(deps.company, deps.policy, directory, deps.service.roster(now), now, duty)


def _buttons(deps: BotDeps) -> list[Block]:
    now, duty = deps.service.clock(), deps.store.duty()
    shifts = [Shift(name, shift_at(name, deps.company, duty, now).starts) for name in deps.company.rotations]
    return oncall.take_buttons(shifts)


def _arrange(deps: BotDeps, by: PersonId, text: str, seen: Shift | None) -> tuple[Line, ...]:
    """Do it; the lines say what came of it. `seen` is the shift that a button's presser had before them."""
    directory = deps.store.directory()

    def step(duty: OncallState, now: datetime) -> OncallState:
        if seen and not _still_there(seen, deps, duty, now):
            raise Refused("That shift has ended or changed meanwhile. `/incident oncall` shows how it stands.")
        return wanted(Wish(text, by, deps.company, directory), duty, now)

    after = deps.service.arrange(step)
    deps.store.hurry_upkeep()
    return Announcer(deps.company, directory).notice(after.notices[-1])


def _still_there(seen: Shift, deps: BotDeps, duty: OncallState, now: datetime) -> bool:
    if seen.rotation not in deps.company.rotations:
        return False
    return int(shift_at(seen.rotation, deps.company, duty, now).starts.timestamp()) == int(seen.starts.timestamp())


def _answer(deps: BotDeps, by: PersonId, here: Here) -> datetime:
    """Record that a test page was answered, by whom it was meant for; when that was."""
    if deps.company.key_of(by, deps.store.directory()) != here.person:
        raise Refused("This test page is for somebody else: only they can answer it.")
    duty = deps.service.arrange(
        lambda before, now: arranging.answered(before, here.rotation, here.starts, here.person, now)
    )
    deps.store.hurry_upkeep()
    asked = ((t.rotation, t.shift_start, t.person, t.answered_at) for t in duty.tests)
    wanted_one = (here.rotation, here.starts, here.person)
    return next((at for *test, at in asked if tuple(test) == wanted_one and at), None) or deps.service.clock()


def _ticked(deps: BotDeps, change: str, n: int, by: PersonId) -> dict[int, Ticked]:
    """Tick a box of a handover's checklist, or untick it (nobody); all its ticks afterwards."""
    key, redis = f"tocsin:ticks:{change}", deps.redis
    if by:
        redis.hsetnx(key, str(n), json.dumps([by, deps.service.clock().timestamp()]))
    else:
        redis.hdel(key, str(n))
    redis.expire(key, TICKS_KEPT)
    return _ticks(redis, key)


def _ticks(redis: Redis, key: str) -> dict[int, Ticked]:
    stored: Any = redis.hgetall(key)
    read = {int(n): json.loads(tick) for n, tick in stored.items()}
    return {n: Ticked(by, datetime.fromtimestamp(at, UTC)) for n, (by, at) in read.items()}
