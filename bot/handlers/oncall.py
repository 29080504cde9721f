"""On call in Slack: /incident oncall, the shift buttons, test pages and the handover's checklist."""

import json
from datetime import UTC, datetime
from typing import Any, Literal

import structlog
from redis import Redis
from slack_bolt.async_app import AsyncAck

from bot.access import Access, Requester, requester_of
from bot.deps import BotDeps
from bot.handlers.reply import Reply, explain_errors, short_message
from bot.parsing.oncall import USAGE, OncallCommand, apply_command
from bot.render import oncall
from bot.render.blockkit import Block, Message
from bot.render.oncall import (
    ANSWER,
    REST_DECLINE,
    REST_TAKE,
    TAKE,
    TICK,
    UNDO,
    AnswerValue,
    ShiftValue,
    Tick,
    on_call_lines,
)
from bot.slack.client import UNREACHABLE, slack_error
from escalation.errors import Refused
from escalation.figures.load import PERIOD
from escalation.figures.load_words import own_load
from escalation.messages.oncall import Announcer
from escalation.oncall import overrides, rest
from escalation.oncall.overrides import undo_of
from escalation.oncall.schedule import Notice, OncallState, Override, shift_at
from escalation.storage.oncall.loads import RecentLoads
from escalation.text import Line, Person, Strong, Time, line
from escalation.values import PersonId

ACTIONS = f"^({ANSWER}|{TAKE}|{TICK}|{UNDO}|{REST_TAKE}|{REST_DECLINE})"
TICKS_TTL = 60 * 86_400  # seconds; a handover's message is read for a week or two
log = structlog.get_logger("bot")


class OnCall:
    """Handler of on-call commands and buttons.

    Every change goes through the service with a notice, which the workers send to the people concerned.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._loads = RecentLoads(access.deps.store, access.deps.company)

    # Commands --------------------------------------------------------------------------------------------------------

    async def answer(self, requester: Requester, text: str) -> Message:
        """Answer `/incident oncall TEXT`. Raises Refused for what cannot be done."""
        if not text.strip():
            await self._access.admit("see", requester)
            return await self.board(requester)
        await self._access.admit("declare", requester)
        if text.strip().lower() == "help":
            return short_message(*((usage,) for usage in USAGE))
        return await self._arrange(requester, text)

    async def board(self, requester: Requester) -> Message:
        """Message with who is on call, overrides and absences, and the buttons that take a shift."""
        lines = oncall.lines_message((*await self.lines(), *await self.own_lines(requester)), "oncall")
        return Message(text=lines.text, blocks=[*lines.blocks, *await self.buttons()])

    async def lines(self) -> tuple[Line, ...]:
        """Lines about who is on call, overrides and absences."""
        return await self._access.run(_lines, self._access.deps)

    async def own_lines(self, requester: Requester) -> tuple[Line, ...]:
        """Lines about the requester's shifts of now, and their load of the last 30 days; none for strangers."""
        return await self._access.run(_own_lines, self._access.deps, requester.id, self._loads)

    async def buttons(self) -> list[Block]:
        """Buttons that take the current shift of each rotation."""
        return await self._access.run(_buttons, self._access.deps)

    async def _arrange(self, requester: Requester, text: str, shown_shift: ShiftValue | None = None) -> Message:
        notice = await self._access.run(_arrange, self._access.deps, requester.id, text, shown_shift)
        company, directory = self._access.deps.company, self._access.directory
        lines = Announcer(company, directory).notice(notice)
        moved = (key for moved in notice.moved for key in moved.people if key not in moved.former)
        arranged = (o.person for o in notice.pieces if isinstance(o, Override) and notice.did != "cancelled")
        unreached = await self._access.unreached(company.member(key, directory) for key in (*moved, *arranged))
        return oncall.personal_notice((*lines, *unreached), undo_of(notice))

    # Buttons -------------------------------------------------------------------------------------------------------

    async def on_action(self, ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Handle a click on a test page's button, a shift's button, or a box of a handover's checklist."""
        await ack()
        requester, reply = requester_of(body), Reply.to(self._access.client, body)
        async with explain_errors(reply):
            await self._access.admit("declare", requester)
            name = action["action_id"]
            if name.startswith(ANSWER):
                await self._answer_page(requester, body, AnswerValue.decode(action["value"]))
            elif name in (REST_TAKE, REST_DECLINE):
                await self._answer_rest(requester, body, action)
            elif name.startswith(UNDO):
                await self._undo(requester, body, action, reply)
            elif name.startswith(TICK):
                await self._tick(requester, body, action)
            else:
                shift = ShiftValue.decode(action["value"])
                await reply(await self._arrange(requester, f"take {shift.rotation}", shift))

    async def _answer_page(self, requester: Requester, body: dict[str, Any], button: AnswerValue) -> None:
        at = await self._access.run(_record_answer, self._access.deps, requester.id, button)
        await self._replace(body, oncall.answered_page(button.rotation, button.starts, at))

    async def _answer_rest(self, requester: Requester, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Take or decline a shift; what can no longer be taken says so where its buttons were."""
        did: Literal["take", "decline"] = "take" if action["action_id"] == REST_TAKE else "decline"
        try:
            answer = await self._access.run(_answer_rest, self._access.deps, requester.id, action["value"], did)
        except Refused as refused:
            answer = oncall.lines_message((refused.words,), "rest")
        await self._replace(body, answer)

    async def _undo(self, requester: Requester, body: dict[str, Any], action: dict[str, Any], reply: Reply) -> None:
        """Cancel what a notice was about; the notice itself, if others can see it, then says so."""
        answer = await self._arrange(requester, f"cancel {action['value']}")
        if (body.get("container") or {}).get("is_ephemeral"):
            await reply(answer)
            return
        shown = "\n".join(b["text"]["text"] for b in body["message"]["blocks"] if b["type"] == "section")
        await self._replace(body, oncall.undone(shown, requester.id, self._access.deps.service.clock()))

    async def _tick(self, requester: Requester, body: dict[str, Any], action: dict[str, Any]) -> None:
        message = body["message"]
        box = next(b for b in message["blocks"] if b["block_id"] == action["block_id"])
        change, n = box["elements"][0]["options"][0]["value"].rsplit("|", 1)
        member = requester.id if action.get("selected_options") else ""
        ticks = await self._access.run(_set_tick, self._access.deps, change, int(n), member)
        blocks = oncall.with_ticks(message["blocks"], ticks)
        await self._replace(body, Message(text=message["text"], blocks=blocks))

    async def _replace(self, body: dict[str, Any], message: Message) -> None:
        container = body["container"]
        try:
            await self._access.client.chat_update(
                channel=container["channel_id"], ts=container["message_ts"], text=message.text, blocks=message.blocks
            )
        except UNREACHABLE as error:  # it is recorded; the next click shows it
            log.warning("message not refreshed", error=slack_error(error))


def _lines(deps: BotDeps) -> tuple[Line, ...]:
    now, directory, state = deps.service.clock(), deps.store.directory(), deps.store.oncall_state()
    return on_call_lines(deps.company, deps.policy, directory, deps.service.roster(now), now, state)


def _own_lines(deps: BotDeps, member: PersonId, loads: RecentLoads) -> tuple[Line, ...]:
    key = deps.company.key_of(member, deps.store.directory())
    if key is None:
        return ()
    now, state = deps.service.clock(), deps.store.oncall_state()
    shifts = (shift_at(name, deps.company, state, now) for name in deps.company.rotations)
    mine = [shift for shift in shifts if key in shift.people]
    held = (
        line(Strong(f"📟 You are on call in {s.rotation}"), *((" until ", Time(s.ends, clock=False)) if s.ends else ()))
        for s in mine
    )
    return (*held, line("📊 ", own_load(loads.of(key, now), PERIOD.days)))


def _buttons(deps: BotDeps) -> list[Block]:
    now, state = deps.service.clock(), deps.store.oncall_state()
    shifts = [ShiftValue(name, shift_at(name, deps.company, state, now).starts) for name in deps.company.rotations]
    return oncall.take_buttons(shifts)


def _arrange(deps: BotDeps, member: PersonId, text: str, shown_shift: ShiftValue | None) -> Notice:
    """Make a change to on call and return the notice of it; `shown_shift` is the one on the button."""
    directory = deps.store.directory()

    def change_state(state: OncallState, now: datetime) -> OncallState:
        """Apply the command, unless the shift of the button has changed."""
        if shown_shift and not _is_current(shown_shift, deps, state, now):
            raise Refused("That shift has ended or changed meanwhile. `/incident oncall` shows the current schedule.")
        return apply_command(OncallCommand(text, member, deps.company, directory), state, now)

    after = deps.service.update_oncall(change_state, by=member)
    deps.store.request_upkeep()
    return after.notices[-1]


def _is_current(shown_shift: ShiftValue, deps: BotDeps, state: OncallState, now: datetime) -> bool:
    if shown_shift.rotation not in deps.company.rotations:
        return False
    return int(shift_at(shown_shift.rotation, deps.company, state, now).starts.timestamp()) == int(
        shown_shift.starts.timestamp()
    )


def _record_answer(deps: BotDeps, member: PersonId, button: AnswerValue) -> datetime:
    """Record the answer to a test page and return when it was first given. Raises Refused for anybody else's page."""
    if deps.company.key_of(member, deps.store.directory()) != button.person:
        raise Refused("This test page is for somebody else: only they can answer it.")
    state = deps.service.update_oncall(
        lambda previous, now: overrides.record_answer(previous, button.rotation, button.starts, button.person, now)
    )
    deps.store.request_upkeep()
    answers = ((t.rotation, t.shift_start, t.person, t.answered_at) for t in state.tests)
    test_page = (button.rotation, button.starts, button.person)
    return next((at for *test, at in answers if tuple(test) == test_page and at), None) or deps.service.clock()


def _answer_rest(deps: BotDeps, member: PersonId, debt_id: str, did: Literal["take", "decline"]) -> Message:
    """Take or decline the shift of somebody who is to rest, and return what to say. Raises Refused."""
    person = deps.company.key_of(member, deps.store.directory()) or ""
    after = deps.service.update_oncall(
        lambda state, now: rest.answer(state, deps.company, debt_id, person, member, did, now), by=member
    )
    deps.store.request_upkeep()
    debt = next(debt for debt in after.rest if debt.id == debt_id)
    if did == "decline":
        declined = line(f"You declined to take over in {debt.rotation}. The next is asked; if nobody is left, ")
        return oncall.lines_message(((*declined, "those who lead them know."),), "rest")
    tired = Person(deps.company.member(debt.person, deps.store.directory()))
    words = line(
        Strong(f"✅ You are on call in {debt.rotation}"), " until ", Time(debt.ends), ". ", tired, " can rest."
    )
    return oncall.taken_rest(words, undo_of(after.notices[-1]))


def _set_tick(deps: BotDeps, change: str, n: int, member: PersonId) -> dict[int, Tick]:
    """Tick a box of a handover's checklist, or untick it (no `member`); return all its ticks."""
    key, redis = f"tocsin:ticks:{change}", deps.redis
    if member:
        redis.hsetnx(key, str(n), json.dumps([member, deps.service.clock().timestamp()]))
    else:
        redis.hdel(key, str(n))
    redis.expire(key, TICKS_TTL)
    return _ticks(redis, key)


def _ticks(redis: Redis, key: str) -> dict[int, Tick]:
    stored: Any = redis.hgetall(key)
    loaded = {int(n): json.loads(tick) for n, tick in stored.items()}
    return {n: Tick(member, datetime.fromtimestamp(at, UTC)) for n, (member, at) in loaded.items()}
