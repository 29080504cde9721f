"""The /incident command: ack at once, answer by the response_url."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.access import Access, Requester, requester_of
from bot.deps import BotDeps
from bot.handlers.after.action_items import ActionItemLists
from bot.handlers.after.reports import Reports
from bot.handlers.after.reviews import ReviewWords
from bot.handlers.after.web import WebPages
from bot.handlers.alerts import Alerts
from bot.handlers.lists import Lists
from bot.handlers.maintenance import MaintenancePlans
from bot.handlers.me import Me
from bot.handlers.messages.noted import NotedMessages
from bot.handlers.oncall import OnCall
from bot.handlers.perform import Perform
from bot.handlers.reply import Reply, explain_errors, open_modal, short_message
from bot.likeness import NONE
from bot.moves.catalog import TypedCommand, typed_event, unresolved
from bot.moves.declare import Draft, declare_modal, parse_declaration, parse_drill, title_warning
from bot.moves.form_state import FormState
from bot.parsing.command import ID, ParsedCommand, nearest_verb, number_before_words, parse, parse_duplicate, unescape
from bot.parsing.simulate import simulation_lines
from bot.render import replies
from bot.render.blockkit import OPTIONAL, Message, without
from bot.render.card import card
from bot.render.lists import LIST_BUTTONS, overview, which
from bot.render.mrkdwn import escape
from bot.vocabulary import HELP, MOVES, help_of
from escalation.errors import NotFound, Refused
from escalation.incident.events.moves import Move
from escalation.incident.model import Incident
from escalation.messages.contacts import contacts
from escalation.oncall.roster import Roster
from escalation.oncall.schedule import on_call_at
from escalation.slo import REPORT_PERIOD, Report, objective_result, row_summaries
from escalation.text import Line, Lines, Strong, line
from escalation.times import parse_duration
from escalation.values import PersonId

_NO_CANDIDATES: dict[Move | None, str] = {
    Move.REOPEN: "No incident was closed recently.",
    Move.REVIEWED: "No post-incident review is due.",
    Move.PLAN_REVIEW: "No post-incident review is due.",
}


@dataclass(frozen=True)
class SlashCommand:
    """One /incident command: parsed text, requester, channel, payload and reply."""

    parsed: ParsedCommand
    requester: Requester
    channel: str
    body: dict[str, Any]
    reply: Reply


class Commands:
    """Listener of /incident; each verb has a method here or is a move."""

    def __init__(
        self,
        access: Access,
        perform: Perform,
        oncall: OnCall,
        plans: MaintenancePlans,
        reviews: ReviewWords,
        noted: NotedMessages,
    ) -> None:
        self._access = access
        self._noted = noted
        self._reviews = reviews
        self._perform = perform
        self._oncall = oncall
        self._own = Me(access)
        self._lists = Lists(access)
        self._alert_lists = Alerts(access)
        self._plans = plans
        self._reports = Reports(access)
        self._web_pages = WebPages(access)
        self._action_items = ActionItemLists(access)
        self._verbs: dict[str, Callable[[SlashCommand], Awaitable[None]]] = {
            "": self._unknown,
            "help": self._help,
            "declare": self._declare,
            "list": self._list,
            "search": self._search,
            "show": self._show,
            "oncall": self._on_call,
            "me": self._me,
            "tickets": self._tickets,
            "contacts": self._contacts,
            "drill": self._drill,
            "simulate": self._simulate,
            "slo": self._slo,
            "alerts": self._alerts,
            "maintenance": self._maintenance,
            "report": self._report,
            "web": self._web,
            "review": self._review,
            "action": self._action,
            "actions": self._actions,
        }

    async def on_command(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Ack a command, run it and answer."""
        await ack()
        reply = Reply.to(self._access.client, body)
        command = SlashCommand(parse(body.get("text") or ""), requester_of(body), body["channel_id"], body, reply)
        await self._run(command)

    async def on_say(self, ack: AsyncAck, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Do what a button says in place of a typed command; a list turns its page where it stands."""
        await ack()
        turns_page = action["block_id"] == LIST_BUTTONS
        reply = Reply.to(self._access.client, body, replace=turns_page)
        channel = (body.get("channel") or {}).get("id", "")
        await self._run(SlashCommand(parse(action["value"]), requester_of(body), channel, body, reply))

    async def on_message(self, event: dict[str, Any], body: dict[str, Any]) -> None:
        """Answer a direct message to the bot with the overview; what happens in a channel may concern a timeline."""
        await self._noted.on_message(event, body)
        if event.get("channel_type") != "im" or event.get("subtype") or event.get("bot_id") or not event.get("user"):
            return
        reply = Reply(self._access.client, event["channel"], thread_ts=event.get("thread_ts", ""))
        await self._run(SlashCommand(parse(""), requester_of(body), event["channel"], body, reply))

    async def _run(self, command: SlashCommand) -> None:
        async with explain_errors(command.reply):
            await self._verbs.get(command.parsed.verb, self._move)(command)

    async def _unknown(self, command: SlashCommand) -> None:
        await self._access.admit("see", command.requester)
        word = command.parsed.word
        suggestion = nearest_verb(word)
        hint = f" Did you mean `/incident {suggestion}`?" if suggestion else ""
        words = f"Unknown command `{unescape(word)}`.{hint} `/incident help all` lists every command."
        await command.reply(short_message((words,)))

    async def _help(self, command: SlashCommand) -> None:
        """Answer with the overview; `help all` with every command, `help ack` with that one."""
        word = command.parsed.text.strip()
        if word.lower() == "all" or help_of(word):
            await self._access.admit("see", command.requester)
            await command.reply(replies.help_reply(help_of(word) or HELP))
        else:
            incidents = await self._access.open_incidents(command.requester)
            await command.reply(overview(incidents, self._access.directory.url))

    async def _list(self, command: SlashCommand) -> None:
        words = f"{command.parsed.incident} {command.parsed.text}".strip()
        await command.reply(await self._lists.page(command.requester, words))

    async def _search(self, command: SlashCommand) -> None:
        """Answer with what has these words; of an incident named alone, with what is like it."""
        words = f"{command.parsed.incident} {command.parsed.text}".strip()
        if command.parsed.incident and not command.parsed.text:
            named = await self._named(command.requester, command.parsed.incident)
            incident = await self._access.see(command.requester, named.id)
            none = replies.lines_reply((line(NONE),))
            await command.reply(await self._perform.alike(incident) or none)
        else:
            await command.reply(await self._lists.search(command.requester, words))

    async def _declare(self, command: SlashCommand) -> None:
        await self._access.admit("declare", command.requester)
        text = unescape(command.parsed.text, self._access.directory.names)
        deps = self._access.deps
        typed = parse_declaration(text, deps.policy, deps.company.services)
        warning = title_warning(typed.title)
        draft = Draft(typed.title, typed.severity, service=typed.service)
        if warning:
            draft = replace(draft, title="", description=typed.title, warning=warning)
        await self._open_declaration(command, FormState(response_url=command.reply.response_url), draft)

    async def _drill(self, command: SlashCommand) -> None:
        """Open the declaration form for a drill: `drill P0 [speed] [title]`."""
        await self._access.admit("declare", command.requester)
        severity, speed, title = parse_drill(
            unescape(command.parsed.text, self._access.directory.names), self._access.deps.policy
        )
        state = FormState(response_url=command.reply.response_url, drill_speed=speed)
        await self._open_declaration(command, state, Draft(title, severity))

    async def _open_declaration(self, command: SlashCommand, state: FormState, draft: Draft) -> None:
        roster = await self._access.roster() if draft.severity else Roster()
        view = declare_modal(self._access.deps, state, draft, roster)
        await open_modal(self._access.client, command.body, view, command.reply)

    async def _show(self, command: SlashCommand) -> None:
        incident = await self._target(command)
        if incident:
            async with self._perform.answering(command.requester, incident.id):
                incident = await self._access.see(command.requester, incident.id)
                await command.reply(await self._card(incident))

    async def _card(self, incident: Incident) -> Message:
        """The card as an answer, which takes no container: https://docs.slack.dev/reference/block-kit/blocks"""
        return without(card(incident, await self._perform.upcoming(incident)), OPTIONAL)

    async def _on_call(self, command: SlashCommand) -> None:
        await command.reply(await self._oncall.answer(command.requester, command.parsed.text))

    async def _me(self, command: SlashCommand) -> None:
        """Answer with how the requester is reached, after they set something of it."""
        await self._access.admit("see", command.requester)
        await command.reply(await self._own.answer(command.requester, unescape(command.parsed.text)))

    async def _tickets(self, command: SlashCommand) -> None:
        await command.reply(await self._lists.tickets(command.requester, command.parsed.text))

    async def _alerts(self, command: SlashCommand) -> None:
        """Answer with what came in; of one incident, named or by its room, with its alerts."""
        named, words = command.parsed.incident, command.parsed.text.strip()
        incident = await self._named(command.requester, named) if named else None
        if incident is None and not words:
            incident = await self._access.incident_of_room(command.channel)
        if incident is None:
            await command.reply(await self._alert_lists.answer(command.requester, words))
            return
        incident = await self._access.see(command.requester, incident.id)
        await command.reply(await self._alert_lists.of_incident(incident))

    async def _maintenance(self, command: SlashCommand) -> None:
        words = f"{command.parsed.incident} {command.parsed.text}".strip()
        await self._plans.run(command.requester, words, command.body, command.reply)

    async def _contacts(self, command: SlashCommand) -> None:
        await self._access.admit("see", command.requester)
        on_call = await self._access.run(_on_call_people, self._access.deps)
        await command.reply(replies.lines_reply(contacts(self._access.deps.company, on_call)))

    async def _slo(self, command: SlashCommand) -> None:
        await self._access.admit("see", command.requester)
        text = unescape(command.parsed.text, self._access.directory.names)
        await command.reply(replies.lines_reply(await self._access.run(slo_lines, self._access.deps, text)))

    async def _report(self, command: SlashCommand) -> None:
        text = unescape(command.parsed.text, self._access.directory.names)
        await command.reply(await self._reports.answer(command.requester, text))

    async def _web(self, command: SlashCommand) -> None:
        named = command.parsed.incident or command.parsed.text.strip()
        incident = await self._named(command.requester, named) if named else None
        await command.reply(await self._web_pages.answer(command.requester, incident))

    async def _action(self, command: SlashCommand) -> None:
        incident = await self._target(command)
        if incident:
            async with self._perform.answering(command.requester, incident.id):
                text, also = command.parsed.text, await self._if_number_was_meant(command)
                await self._action_items.note(command.requester, incident, text, command.body, command.reply, also)

    async def _if_number_was_meant(self, command: SlashCommand) -> Lines:
        """Say how words go to the incident whose number they begin with; nothing where there is none."""
        number = "" if command.parsed.incident else number_before_words(command.parsed.text)
        try:
            meant = await self._lists.numbered(command.requester, number) if number else None
        except Refused:
            return ()
        if meant is None:
            return ()
        return (line(f"{number} is the first of its words. For {meant.id} write `/incident action {meant.id} …`"),)

    async def _actions(self, command: SlashCommand) -> None:
        text = command.parsed.text
        await self._action_items.answer(command.requester, text, command.body, command.reply)

    async def _review(self, command: SlashCommand) -> None:
        incident = await self._target(command)
        if incident:
            async with self._perform.answering(command.requester, incident.id):
                await self._reviews.run(command.requester, incident, command.parsed.text, command.body, command.reply)

    async def _simulate(self, command: SlashCommand) -> None:
        """Answer with a dry run of a severity; nothing is sent."""
        await self._access.admit("see", command.requester)
        deps = self._access.deps
        typed = unescape(command.parsed.text, self._access.directory.names)
        await command.reply(replies.lines_reply(await self._access.run(_simulation, deps, typed)))

    # Moves -------------------------------------------------------------------------------------------------------

    async def _move(self, command: SlashCommand) -> None:
        """Make the move at once when its words are complete; else open its form."""
        incident = await self._target(command)
        if incident:
            async with self._perform.answering(command.requester, incident.id):
                await self._move_incident(command, incident)

    async def _move_incident(self, command: SlashCommand, incident: Incident) -> None:
        move = MOVES[command.parsed.verb]
        await self._access.admit(move, command.requester, incident)  # before errors in their words are shown
        key, deps, directory = command.body["trigger_id"], self._access.deps, self._access.directory
        typed = TypedCommand(command.parsed.text, command.requester.id, key, deps, directory)
        if move is Move.PAGE:
            typed = await self._with_groups(typed)
        if move is Move.CANCEL:
            typed = await self._with_original(typed, command.requester)
        event = typed_event(move, typed)
        if event is None:
            text = typed.text
            await self._perform.open(
                move, command.requester, incident.id, command.body, command.reply, typed=text, answer=True
            )
        else:
            result = await self._perform.move(command.requester, incident.id, event)
            notes = await self._not_paged(typed, result.incident) if move is Move.PAGE else ()
            await command.reply(await self._perform.move_reply(result, notes))

    async def _not_paged(self, typed: TypedCommand, incident: Incident) -> tuple[str, ...]:
        roster = await self._access.roster()
        return unresolved(typed, lambda role: bool(roster.of(role, incident.facts.service)))

    async def _with_groups(self, typed: TypedCommand) -> TypedCommand:
        """Look up the user groups that a command names, by mention or by handle."""
        raw = typed.raw
        for handle, group in (await self._access.user_groups.ids(w.lstrip("@") for w in typed.targets.unknown)).items():
            raw = raw.replace(f"@{handle}", f"<!subteam^{group}|@{handle}>", 1)
        typed = replace(typed, raw=raw)
        members = await self._access.look_up_groups(typed.targets.groups)
        directory = await self._access.run(self._access.deps.store.directory)
        return replace(typed, directory=directory.model_copy(update={"groups": directory.groups | members}))

    async def _with_original(self, typed: TypedCommand, requester: Requester) -> TypedCommand:
        """Put the original's id in place of its number. Raises Refused for an unknown one."""
        original, why = parse_duplicate(typed.text)
        if not original or ID.fullmatch(original):
            return typed
        named = await self._lists.numbered(requester, original)
        return replace(typed, raw=f"duplicate of {named.id} {escape(why)}")

    async def _target(self, command: SlashCommand) -> Incident | None:
        """Find the incident that a command is about: by id, by war room, or because it is the only candidate.

        Returns None after it sent a list to choose from. Raises Refused without a candidate and for a wrong id.
        """
        if command.parsed.incident:
            return await self._named(command.requester, command.parsed.incident)
        if in_room := await self._access.incident_of_room(command.channel):
            return in_room
        candidates = await self._candidates(command)
        if len(candidates) == 1:
            return candidates[0]
        if not candidates:
            raise Refused(_NO_CANDIDATES.get(MOVES.get(command.parsed.verb), "No incident is open."))
        question = which(command.parsed.verb, command.parsed.text, candidates, self._access.directory.url)
        await command.reply(question)
        return None

    async def _named(self, requester: Requester, name: str) -> Incident:
        """Find an incident by its id, its number or its war room. Raises Refused for one that does not exist."""
        if name.startswith("C") and (of_room := await self._access.incident_of_room(name)):
            return of_room
        if not ID.fullmatch(name):
            return await self._lists.numbered(requester, name)
        try:
            return await self._access.incident(name)
        except NotFound:
            raise await self._lists.unknown(requester, name) from None

    async def _candidates(self, command: SlashCommand) -> tuple[Incident, ...]:
        match MOVES.get(command.parsed.verb):
            case Move.REOPEN:
                return tuple(i for i in await self._access.recent(command.requester) if not i.open)
            case Move.REVIEWED | Move.PLAN_REVIEW:
                return await self._to_review(command.requester)
            case _ if command.parsed.verb in ("review", "action"):
                return await self._to_review(command.requester) or await self._access.open_incidents(command.requester)
            case Move.TIMES:
                return await self._access.open_incidents(command.requester) or await self._to_review(command.requester)
            case _:
                return await self._access.open_incidents(command.requester)

    async def _to_review(self, requester: Requester) -> tuple[Incident, ...]:
        return tuple(i for i in await self._access.recent(requester) if i.review_by and not i.reviewed)


def _on_call_people(deps: BotDeps) -> dict[str, tuple[PersonId, ...]]:
    """Rotation -> member ids of who is on call now."""
    now, state, directory, company = (
        deps.service.clock(),
        deps.store.oncall_state(),
        deps.store.directory(),
        deps.company,
    )
    on_call_keys = {name: on_call_at(name, company, state, now) for name in company.rotations}
    return {name: tuple(company.member(key, directory) for key in keys) for name, keys in on_call_keys.items()}


def _simulation(deps: BotDeps, text: str) -> tuple[Line, ...]:
    return simulation_lines(deps, deps.store.directory(), deps.store.oncall_state(), text, deps.service.clock())


def slo_lines(deps: BotDeps, text: str) -> tuple[Line, ...]:
    """Answer `slo [7d]`. Raises Refused for an invalid duration."""
    try:
        period = parse_duration(text) if text.strip() else REPORT_PERIOD
    except ValueError as error:
        raise Refused(f"{error}: `/incident slo 7d` looks at the last seven days.") from None
    return report_lines(deps.store.report(deps.company.objective, period, deps.service.clock()))


def report_lines(report: Report) -> tuple[Line, ...]:
    """Lines of an SLO report: the objective, whether it was met, then each kind's figures."""
    objective, verdict = objective_result(report)
    rows = (line(Strong(f"{row.kind}: "), figures) for row, figures in row_summaries(report))
    return (line(Strong("Objective: "), objective), line(Strong(verdict)), *rows)
