"""Submitted forms: make the move or declare; errors are shown in the form, which keeps what was typed."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import structlog
from redis import Redis
from slack_bolt.async_app import AsyncAck

from bot.access import Access, Requester, StoreUnavailable, requester_of
from bot.errors import InvalidForm
from bot.handlers.after.item_notes import ItemNotes
from bot.handlers.after.reviews import ReviewWords
from bot.handlers.duplicates import Duplicates
from bot.handlers.maintenance import MaintenancePlans
from bot.handlers.perform import MoveResult, Perform
from bot.handlers.reply import Reply, explain_errors
from bot.moves import maintenance
from bot.moves.catalog import form_of, previewed_modal
from bot.moves.communications import answer_choices
from bot.moves.declare import declaration, definition, definitions, service_choices, updated
from bot.moves.form import Form, Submission
from bot.moves.form_state import FormState
from bot.moves.forms import cancel_choices, run_choices
from bot.moves.publish import update_choices
from bot.parsing.command import has_number
from bot.render import replies
from bot.render.blockkit import Block
from bot.render.inputs import MAX_OPTIONS, Choice, FormValues, View, notice, suggestions
from bot.render.mrkdwn import plain
from bot.slack.client import UNREACHABLE, slack_error
from escalation.config.policy import Severity
from escalation.config.status_page import ComponentState
from escalation.errors import NotFound, Refused
from escalation.incident.model import Incident
from escalation.oncall.roster import Roster
from escalation.search.document import Document
from escalation.text import Line

ANSWER_TIMEOUT = 2.4  # seconds; Slack waits 3: https://docs.slack.dev/interactivity/handling-user-interaction
TRY_AGAIN = "What you typed is still here. Try again in a moment; nothing is done twice."
TOO_SLOW = "This took too long and may or may not have been saved."
CHOICES_TTL = 3600  # seconds; a form's choices, which any bot may handle, are compared while it is filled in
MAX_SEARCHED = 300  # of the latest incidents, by their words; older ones are found by their numbers
T = TypeVar("T")
log = structlog.get_logger("bot")


# Selects whose choices are an incident's own: what it did so far may be more than a menu shows.
OF_INCIDENT: dict[str, Callable[[Incident], list[Choice]]] = {
    "action": run_choices,
    "answer": answer_choices,
    "what": update_choices,
}


class Submissions:
    """Listeners of submitted forms, and of the severity chosen in a declaration."""

    def __init__(
        self, access: Access, perform: Perform, plans: MaintenancePlans, reviews: ReviewWords, items: ItemNotes
    ) -> None:
        self._access = access
        self._items = items
        self._plans = plans
        self._reviews = reviews
        self._perform = perform
        self._duplicates = Duplicates(access, perform)

    async def on_declare(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Declare the incident of a submitted form."""
        submission = Submission.of(body, self._access.deps.policy)
        incident = await self._in_time(ack, submission, self._declare(submission, requester_of(body)))
        if incident is None:
            return
        if submission.state.response_url:
            await ack()
            reply = self._reply(body, submission.state)
            async with explain_errors(reply):
                await reply(await self._perform.declaration_reply(incident))
        else:
            await ack(response_action="update", view=notice("Declared", f"{incident.id} is declared."))
            message = await self._perform.declaration_reply(incident)
            await self._show(body["view"]["id"], notice("Declared", message.text, message.blocks))

    async def _show(self, view_id: str, view: View) -> None:
        try:
            await self._access.client.views_update(view_id=view_id, view=view)
        except UNREACHABLE as error:  # the modal was closed: nothing is lost
            log.info("form not updated", error=slack_error(error))

    async def _declare(self, submission: Submission, requester: Requester) -> Incident:
        severity, facts = submission.read(declaration)
        return await self._perform.declare(requester, severity, facts, submission.key, submission.state.drill_speed)

    async def on_move(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Make the move of a submitted form."""
        submission = Submission.of(body, self._access.deps.policy)
        form = form_of(body["view"]["callback_id"])
        if form.preview and submission.state.previewed != submission.values.digest():
            await self._show_preview(ack, body, submission, form)
            return
        result = await self._in_time(ack, submission, self._move(submission, form, requester_of(body)))
        if result is None:
            return
        await ack()
        if submission.state.response_url:
            reply = self._reply(body, submission.state)
            async with explain_errors(reply):
                await reply(await self._perform.move_reply(result))

    async def on_maintenance(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Announce the planned maintenance of a submitted form."""
        submission = Submission.of(body, self._access.deps.policy)
        await self._answer(ack, body, submission, self._plans.announce(requester_of(body), submission))

    async def on_review(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Save the words of a submitted review."""
        submission = Submission.of(body, self._access.deps.policy)
        await self._answer(ack, body, submission, self._reviews.save(requester_of(body), submission))

    async def on_action_item(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Note the action item of a submitted form, or change one."""
        submission = Submission.of(body, self._access.deps.policy)
        await self._answer(ack, body, submission, self._items.save(requester_of(body), submission))

    async def _answer(
        self, ack: AsyncAck, body: dict[str, Any], submission: Submission, work: Awaitable[tuple[Line, ...]]
    ) -> None:
        """Run a form's work, and say what came of it; its errors are shown in the form."""
        answer = await self._in_time(ack, submission, work)
        if answer is not None:
            await ack()
            reply = self._reply(body, submission.state)
            async with explain_errors(reply):
                await reply(replies.lines_reply(answer))

    async def _show_preview(self, ack: AsyncAck, body: dict[str, Any], submission: Submission, form: Form) -> None:
        """Show what would come of a form; it is submitted again, unless it is changed."""
        shown = await self._in_time(ack, submission, self._perform.preview(requester_of(body), submission, form))
        if shown is not None:
            state = replace(submission.state, previewed=submission.values.digest())
            await ack(response_action="update", view=previewed_modal(form, body["view"], shown, state))

    async def _move(self, submission: Submission, form: Form, requester: Requester) -> MoveResult:
        return await self._perform.move(requester, submission.state.incident, submission.read(form.event))

    def _reply(self, body: dict[str, Any], state: FormState) -> Reply:
        return Reply(self._access.client, body["user"]["id"], state.response_url)

    async def _in_time(self, ack: AsyncAck, submission: Submission, work: Awaitable[T]) -> T | None:
        """Run work before Slack's timeout. Returns None after an error, which the form then shows."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                return await work
        except (InvalidForm, Refused, NotFound, StoreUnavailable, TimeoutError) as problem:
            await ack(response_action="errors", errors=self._errors(problem, submission.values))
            return None

    def _errors(self, problem: Exception, values: FormValues) -> dict[str, str]:
        """Field -> message."""
        first, fields = values.first, values.fields
        match problem:
            case InvalidForm():
                return {name if name in fields else first: message for name, message in problem.errors.items()}
            case Refused():
                return {first: plain(problem.words, self._access.directory.names)}
            case NotFound():
                return {first: str(problem)}
            case StoreUnavailable():
                return {first: f"{problem} What you wrote is still here; it is never done twice."}
            case TimeoutError():
                return {first: f"{TOO_SLOW} {TRY_AGAIN}"}
            case _:
                raise problem

    async def on_search(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Offer what fits the words typed into a select of more choices than Slack shows."""
        requester, offered = requester_of(body), list[Block]()
        with contextlib.suppress(Refused, StoreUnavailable):  # guests see nothing
            await self._access.admit("see", requester)
            offered = suggestions(await self._choices(requester, body), body.get("value") or "")
        await ack(options=offered)

    async def _choices(self, requester: Requester, body: dict[str, Any]) -> list[Choice]:
        deps = self._access.deps
        match body["block_id"]:
            case "service":
                return service_choices(tuple(deps.company.services))
            case name if name in (*ComponentState, maintenance.COMPONENTS):
                page = deps.company.status_page
                return [Choice(name, name) for name in page.components] if page else []
            case "role":
                return [Choice(role, name) for role, name in deps.roles.items()]
            case "duplicate_of":
                cancelled = FormState.decode(body["view"]["private_metadata"]).incident
                return cancel_choices(await self._searched(requester, body.get("value") or ""), cancelled)
            case name if of_incident := OF_INCIDENT.get(name):
                named = FormState.decode(body["view"]["private_metadata"]).incident
                return of_incident(await self._access.see(requester, named))
            case _:
                return []

    async def _searched(self, requester: Requester, typed: str) -> list[Incident]:
        """The latest incidents, and of all others those with the number that was typed."""
        recent = await self._access.recent(requester, MAX_SEARCHED)
        known = {i.id for i in recent}
        ids = await self._access.run(self._access.deps.store.all_ids)
        older = [i for i in ids if i not in known and has_number(i, typed)][:MAX_OPTIONS]
        return [
            *recent,
            *await self._access.visible_to(requester, await self._access.run(self._access.deps.store.read, older)),
        ]

    # Severities in the declaration -------------------------------------------------------------------------------

    async def on_severity(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Show the definition of the chosen severity; everything that was typed stays."""
        await ack()
        action = body["actions"][0]
        option, at = action.get("selected_option"), float(action.get("action_ts") or 0)
        await self._update_form(body, option["value"] if option else "", at)

    async def on_details(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Show the rest of the fields; everything that was typed stays."""
        await ack()
        view = body["view"]
        with contextlib.suppress(StoreUnavailable):
            await self._access.run(self._access.deps.redis.set, _expanded_key(view["id"]), "1", ex=CHOICES_TTL)
        chosen = FormValues(view).choice("severity")
        await self._update_form(body, chosen, 0.0, expanded=True)

    async def _update_form(self, body: dict[str, Any], choice: str, at: float, *, expanded: bool = False) -> None:
        async with explain_errors(self._reply(body, FormState.decode(body["view"]["private_metadata"]))):
            await self._access.admit("declare", requester_of(body))
            await self._show_latest(body["view"], choice, at, expanded)

    async def _show_latest(self, view: View, choice: str, at: float, expanded: bool) -> None:
        """Show the latest choice, until it still is the latest after it was shown: choices may be handled at once.

        Without the view's `hash`: Slack would refuse the later choice whenever the earlier one's update was quicker.
        """
        await self._show_until_latest(view, choice, at, expanded)
        if same := await self._duplicates.of(view):  # afterwards: no definition waits for the search
            await self._show_until_latest(view, choice, at, expanded, same)

    async def _show_until_latest(
        self, view: View, choice: str, at: float, expanded: bool, same: Sequence[Document] = ()
    ) -> None:
        shown = None
        while (latest := await self._latest(view["id"], choice, at, expanded)) != shown:
            severity, with_details = latest
            explained = await self._definition(Severity(severity) if severity else None)
            await self._show(view["id"], updated(view, explained, expanded=with_details, same=same))
            shown = latest

    async def _latest(self, view_id: str, choice: str, at: float, expanded: bool) -> tuple[str, bool]:
        """The severity chosen last in a form, and whether its details were asked for."""
        redis = self._access.deps.redis
        try:
            latest = await self._access.run(latest_choice, redis, view_id, choice, at)
            return latest, expanded or bool(await self._access.run(redis.exists, _expanded_key(view_id)))
        except StoreUnavailable:
            return choice, expanded

    async def _definition(self, severity: Severity | None) -> Block:
        known = self._access.deps.policy.severities
        if severity not in known:
            return definitions(known.values())
        try:
            roster = await self._access.roster()
        except StoreUnavailable:
            roster = Roster()
        return definition(known[severity], roster)


def _expanded_key(view_id: str) -> str:
    return f"tocsin:choices:{view_id}:details"


def latest_choice(redis: Redis, view_id: str, choice: str, at: float) -> str:
    """Record a choice in a form, made at `at` (epoch seconds), and return the latest one there."""
    key = f"tocsin:choices:{view_id}"
    with redis.pipeline() as pipe:
        pipe.zadd(key, {choice: at}, gt=True)
        pipe.expire(key, CHOICES_TTL)
        pipe.zrevrange(key, 0, 0)
        (latest,) = pipe.execute()[-1]
    return str(latest.decode())
