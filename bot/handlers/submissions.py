"""What is done with a submitted form. Whatever is wrong is said inside the form, and its words are kept."""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

import structlog
from slack_bolt.async_app import AsyncAck

from bot.access import Access, Requester, StoreUnavailable, requester
from bot.errors import InvalidForm
from bot.handlers.perform import Moved, Perform
from bot.handlers.reply import NOT_RECORDED, Reply, answering
from bot.moves.catalog import form_of
from bot.moves.declare import declaration, definition, definitions, with_definition
from bot.moves.form import Form, Submitted
from bot.render.blockkit import Block
from bot.render.form_state import FormState
from bot.render.inputs import FormValues, View, notice
from bot.render.mrkdwn import plain
from bot.slack.client import UNREACHABLE, said_by_slack
from escalation.config.policy import Severity
from escalation.errors import NotFound, Refused
from escalation.incident.model import Incident
from escalation.oncall.roster import Roster

ANSWER_WITHIN = 2.4  # seconds; Slack waits 3: https://docs.slack.dev/interactivity/handling-user-interaction
AGAIN = "Your words are still here: try again in a moment, it is never done twice."
TOO_SLOW = "It takes too long, and may have been recorded or not."
T = TypeVar("T")
log = structlog.get_logger("bot")


class Submissions:
    """Forms that were submitted, and the severity that was picked in one."""

    def __init__(self, access: Access, perform: Perform) -> None:
        self._access = access
        self._perform = perform

    async def on_declare(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        submitted = Submitted.of(body, self._access.deps.policy)
        incident = await self._within(ack, submitted, self._declare(submitted, requester(body)))
        if incident is None:
            return
        if submitted.state.response_url:
            await ack()
            reply = self._reply(body, submitted.state)
            async with answering(reply):
                await reply(await self._perform.declared(incident))
        else:
            words = f"{incident.id} is declared. Its card is in the incidents channel or in its private room."
            await ack(response_action="update", view=notice("Declared", words))

    async def _declare(self, submitted: Submitted, who: Requester) -> Incident:
        severity, facts = submitted.read(declaration)
        return await self._perform.declare(who, severity, facts, submitted.key, submitted.state.drill_speed)

    async def on_move(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        submitted = Submitted.of(body, self._access.deps.policy)
        form = form_of(body["view"]["callback_id"])
        moved = await self._within(ack, submitted, self._move(submitted, form, requester(body)))
        if moved is None:
            return
        await ack()
        if submitted.state.response_url:
            reply = self._reply(body, submitted.state)
            async with answering(reply):
                await reply(await self._perform.done(moved))

    async def _move(self, submitted: Submitted, form: Form, who: Requester) -> Moved:
        return await self._perform.move(who, submitted.state.incident, submitted.read(form.event))

    def _reply(self, body: dict[str, Any], state: FormState) -> Reply:
        return Reply(self._access.client, body["user"]["id"], state.response_url)

    async def _within(self, ack: AsyncAck, submitted: Submitted, work: Awaitable[T]) -> T | None:
        """Do the work before Slack stops waiting. None: it came to nothing, and the form says why."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                return await work
        except (InvalidForm, Refused, NotFound, StoreUnavailable, TimeoutError) as problem:
            await ack(response_action="errors", errors=self._errors(problem, submitted.values))
            return None

    def _errors(self, problem: Exception, answers: FormValues) -> dict[str, str]:
        """Field -> words."""
        first, known = answers.first, answers.fields
        match problem:
            case InvalidForm():
                return {name if name in known else first: said for name, said in problem.errors.items()}
            case Refused():
                return {first: plain(problem.words, self._access.directory.names)}
            case NotFound():
                return {first: str(problem)}
            case TimeoutError():
                return {first: f"{TOO_SLOW} {AGAIN}"}
            case _:
                return {first: f"{NOT_RECORDED} {AGAIN}"}

    # Severities in the declaration -------------------------------------------------------------------------------

    async def on_severity(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Show what the chosen severity means; everything that was typed stays."""
        await ack()
        view, chosen = body["view"], body["actions"][0].get("selected_option")
        async with answering(self._reply(body, FormState.decode(view["private_metadata"]))):
            await self._access.admit("declare", requester(body))
            await self._define(view, chosen)

    async def _define(self, view: View, chosen: Block | None) -> None:
        shown = await self._definition(Severity(chosen["value"]) if chosen else None)
        try:
            updated = with_definition(view, shown)
            await self._access.client.views_update(view_id=view["id"], hash=view["hash"], view=updated)
        except UNREACHABLE as error:  # the modal was closed, or another choice was quicker: nothing is lost
            log.info("definition not shown", error=said_by_slack(error))

    async def _definition(self, severity: Severity | None) -> Block:
        known = self._access.deps.policy.severities
        if severity not in known:
            return definitions(known.values())
        try:
            roster = await self._access.roster()
        except StoreUnavailable:
            roster = Roster()
        return definition(known[severity], roster)
