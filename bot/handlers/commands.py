"""/incident and what may follow it. Acknowledged at once; the answer comes by the response_url."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.access import Access, Requester, requester
from bot.deps import BotDeps
from bot.handlers.oncall import OnCall
from bot.handlers.perform import Perform
from bot.handlers.reply import Reply, answering, open_modal, says
from bot.moves.catalog import Typed, typed_event
from bot.moves.declare import Draft, declare_modal, drill, too_long_a_title
from bot.parsing.command import ParsedCommand, nearest, parse, spoken
from bot.parsing.simulate import simulated
from bot.render import replies
from bot.render.blockkit import Message
from bot.render.card import card
from bot.render.contacts import contacts
from bot.render.form_state import FormState
from bot.render.lists import listing, tickets
from bot.vocabulary import MOVES
from escalation.config.references import suggest
from escalation.errors import Refused
from escalation.incident.events import Move
from escalation.incident.model import Incident
from escalation.incident.tickets import backlog
from escalation.oncall.schedule import on_duty
from escalation.slo import LAST, Report, kept, scores
from escalation.text import Line, Strong, line
from escalation.times import parse_duration
from escalation.values import PersonId

_NONE: dict[Move | None, str] = {
    Move.REOPEN: "No incident was closed lately.",
    Move.REVIEWED: "No incident waits for its review.",
}


@dataclass(frozen=True)
class Order:
    """One command: what was asked, by whom, where, and how to answer."""

    asked: ParsedCommand
    who: Requester
    channel: str
    body: dict[str, Any]
    reply: Reply


class Commands:
    """Each verb has a method or is a move."""

    def __init__(self, access: Access, perform: Perform, oncall: OnCall) -> None:
        self._access = access
        self._perform = perform
        self._oncall = oncall
        self._verbs: dict[str, Callable[[Order], Awaitable[None]]] = {
            "": self._unknown,
            "help": self._help,
            "declare": self._declare,
            "list": self._list,
            "show": self._show,
            "oncall": self._on_call,
            "tickets": self._tickets,
            "contacts": self._contacts,
            "drill": self._drill,
            "simulate": self._simulate,
            "slo": self._slo,
        }

    async def on_command(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        reply = Reply.to(self._access.client, body)
        order = Order(parse(body.get("text") or ""), requester(body), body["channel_id"], body, reply)
        async with answering(reply):
            await self._verbs.get(order.asked.verb, self._move)(order)

    async def _unknown(self, order: Order) -> None:
        await self._access.admit("see", order.who)
        word = order.asked.word
        near = nearest(word)
        hint = f" Did you mean `/incident {near}`?" if near else ""
        await order.reply(
            says((f"There is no `/incident {spoken(word)}`.{hint} `/incident help` lists what there is.",))
        )

    async def _help(self, order: Order) -> None:
        await order.reply(replies.help_and_open(await self._access.open_incidents(order.who)))

    async def _list(self, order: Order) -> None:
        await order.reply(listing(await self._access.open_incidents(order.who)))

    async def _declare(self, order: Order) -> None:
        await self._access.admit("declare", order.who)
        title = spoken(order.asked.text, self._access.directory.names)
        warning = too_long_a_title(title)
        draft = Draft(description=title, warning=warning) if warning else Draft(title)
        await self._open_declaration(order, FormState(response_url=order.reply.response_url), draft)

    async def _drill(self, order: Order) -> None:
        """The same form, for an exercise: `drill P0 [speed] [title]`."""
        await self._access.admit("declare", order.who)
        severity, speed, title = drill(spoken(order.asked.text, self._access.directory.names), self._access.deps.policy)
        state = FormState(response_url=order.reply.response_url, drill_speed=speed)
        await self._open_declaration(order, state, Draft(title, severity))

    async def _open_declaration(self, order: Order, state: FormState, draft: Draft) -> None:
        await open_modal(self._access.client, order.body, declare_modal(self._access.deps, state, draft), order.reply)

    async def _show(self, order: Order) -> None:
        incident = await self._target(order)
        if incident:
            incident = await self._access.see(order.who, incident.id)
            await order.reply(await self._card(incident))

    async def _card(self, incident: Incident) -> Message:
        return card(incident, await self._perform.upcoming(incident))

    async def _on_call(self, order: Order) -> None:
        await order.reply(await self._oncall.answer(order.who, order.asked.text))

    async def _tickets(self, order: Order) -> None:
        """The open tickets of one team, or of all."""
        incidents, team = await self._access.open_incidents(order.who), order.asked.text.strip()
        teams = {i.team for i in incidents if i.policy.ticket and i.team} | set(self._access.deps.company.teams)
        if team and team not in teams:
            raise Refused(f"No team called '{spoken(team)}' has tickets{suggest(team, teams)}.")
        await order.reply(tickets(backlog(incidents, team)))

    async def _contacts(self, order: Order) -> None:
        await self._access.admit("see", order.who)
        on_call = await self._access.run(_holding, self._access.deps)
        await order.reply(replies.told(contacts(self._access.deps.company, on_call)))

    async def _slo(self, order: Order) -> None:
        await self._access.admit("see", order.who)
        words = spoken(order.asked.text, self._access.directory.names)
        await order.reply(replies.told(await self._access.run(slo, self._access.deps, words)))

    async def _simulate(self, order: Order) -> None:
        """What would happen, without anything happening."""
        await self._access.admit("see", order.who)
        deps = self._access.deps
        typed = spoken(order.asked.text, self._access.directory.names)
        await order.reply(replies.told(await self._access.run(_foretell, deps, typed)))

    # Moves -------------------------------------------------------------------------------------------------------

    async def _move(self, order: Order) -> None:
        """With words, or where none are needed, the move is made at once; else its modal opens."""
        move = MOVES[order.asked.verb]
        incident = await self._target(order)
        if incident is None:
            return
        await self._access.admit(move, order.who, incident)  # before we say what is wrong with their words
        key, deps, directory = order.body["trigger_id"], self._access.deps, self._access.directory
        typed = Typed(order.asked.text, order.who.id, key, deps, directory)
        event = typed_event(move, typed)
        if event is None:
            words = typed.said
            await self._perform.open(move, order.who, incident.id, order.body, order.reply, typed=words, answer=True)
        else:
            moved = await self._perform.move(order.who, incident.id, event)
            await order.reply(await self._perform.done(moved))

    async def _target(self, order: Order) -> Incident | None:
        """The incident that is meant: by its id, by the room we are in, or because only one is open.

        None after a list to choose from was sent.
        """
        if order.asked.incident:
            return await self._access.incident(order.asked.incident)
        if here := await self._access.of_room(order.channel):
            return here
        candidates = await self._candidates(order)
        if len(candidates) == 1:
            return candidates[0]
        if not candidates:
            raise Refused(_NONE.get(MOVES.get(order.asked.verb), "No incident is open."))
        await order.reply(replies.which_one(order.asked.verb, candidates))
        return None

    async def _candidates(self, order: Order) -> tuple[Incident, ...]:
        match MOVES.get(order.asked.verb):
            case Move.REOPEN:
                return tuple(i for i in await self._access.recent(order.who) if not i.open)
            case Move.REVIEWED:
                return tuple(i for i in await self._access.recent(order.who) if i.review_by and not i.reviewed)
            case _:
                return await self._access.open_incidents(order.who)


def _holding(deps: BotDeps) -> dict[str, tuple[PersonId, ...]]:
    """Each rotation -> who is on call now."""
    now, duty, directory, company = deps.service.clock(), deps.store.duty(), deps.store.directory(), deps.company
    held = {name: on_duty(name, company, duty, now) for name in company.rotations}
    return {name: tuple(company.member(key, directory) for key in keys) for name, keys in held.items()}


def _foretell(deps: BotDeps, text: str) -> tuple[Line, ...]:
    return simulated(deps, deps.store.directory(), deps.store.duty(), text, deps.service.clock())


def slo(deps: BotDeps, text: str) -> tuple[Line, ...]:
    """The answer to `slo [7d]`. Refused for what is no length of time."""
    try:
        last = parse_duration(text) if text.strip() else LAST
    except ValueError as wrong:
        raise Refused(f"{wrong}: `/incident slo 7d` looks at the last seven days.") from None
    return told(deps.store.report(deps.company.objective, last, deps.service.clock()))


def told(report: Report) -> tuple[Line, ...]:
    """The objective, whether it was kept, and each kind's figures on a line."""
    objective, result = kept(report)
    rows = (line(Strong(f"{row.kind}: "), figures) for row, figures in scores(report))
    return (line(Strong("Objective: "), objective), line(Strong(result)), *rows)
