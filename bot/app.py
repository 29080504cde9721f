"""The Bolt app: registration of listeners."""

import logging
import re
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import structlog
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.error import BoltUnhandledRequestError
from slack_bolt.logger.messages import warning_client_prioritized_and_token_skipped
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.access import Access, StoreUnavailable
from bot.handlers import shortcuts
from bot.handlers.after import item_notes as item_notes_of
from bot.handlers.after.item_notes import ItemNotes
from bot.handlers.after.reviews import ReviewWords
from bot.handlers.buttons import Buttons
from bot.handlers.commands import Commands
from bot.handlers.duplicates import Duplicates
from bot.handlers.home import Home
from bot.handlers.maintenance import MaintenancePlans
from bot.handlers.me import Me
from bot.handlers.messages.noted import NotedMessages
from bot.handlers.oncall import ACTIONS, OnCall
from bot.handlers.perform import Perform
from bot.handlers.reply import Reply, short_message
from bot.handlers.shortcuts import Shortcuts
from bot.handlers.submissions import Submissions
from bot.moves import action_item, catalog, declare, maintenance
from bot.moves import review as review_form
from bot.render.button_value import MORE
from bot.render.inputs import SEARCH
from bot.render.lists import DECLARE, SAY
from bot.render.oncall import TRY
from bot.slack.client import SlackWebClient
from escalation.incident.events.moves import Move

COMMAND = "/incident"
UNEXPECTED = "Something went wrong on our side, and it was logged. See whether it was done before you try again."
log = structlog.get_logger("bot")


def build(access: Access, signing_secret: str = "") -> AsyncApp:
    """Build the Bolt app. `signing_secret` verifies requests over HTTP; Socket Mode needs none."""
    logging.getLogger("slack_bolt.AsyncApp").addFilter(_worth_logging)
    app = AsyncApp(
        client=_without_token(access.client),
        authorize=_authorize_with(access.deps.bot_token),
        signing_secret=signing_secret,
        name="tocsin",
        raise_error_for_unhandled_request=True,  # otherwise Bolt logs the whole payload, words of people included
    )
    perform, oncall, plans, me = Perform(access), OnCall(access), MaintenancePlans(access), Me(access)
    reviews, item_notes = ReviewWords(access), ItemNotes(access)
    noted = NotedMessages(access, perform, item_notes)
    commands, submissions, buttons, shortcuts_menu = (
        Commands(access, perform, oncall, plans, reviews, noted),
        Submissions(access, perform, plans, reviews, item_notes),
        Buttons(access, perform),
        Shortcuts(access),
    )
    app.command(COMMAND)(commands.on_command)
    app.view(declare.CALLBACK)(submissions.on_declare)
    app.view(re.compile(f"^{catalog.CALLBACK}"))(submissions.on_move)
    app.view(maintenance.CALLBACK)(submissions.on_maintenance)
    app.view(review_form.CALLBACK)(submissions.on_review)
    app.view(action_item.CALLBACK)(submissions.on_action_item)
    app.action(declare.SEVERITY_ACTION)(submissions.on_severity)
    app.action(declare.DETAILS_ACTION)(submissions.on_details)
    app.action(declare.SAME_ACTION)(Duplicates(access, perform).on_join)
    app.options(SEARCH)(submissions.on_search)
    app.action(re.compile(f"^{SAY}-"))(commands.on_say)
    app.action(DECLARE)(shortcuts_menu.on_declare)
    app.action(re.compile(f"^({'|'.join((*Move, MORE))})(-[a-z]+)?$"))(buttons.on_press)
    app.action(re.compile(ACTIONS))(oncall.on_action)
    app.action(re.compile(f"^{TRY}"))(me.on_test)
    app.action(re.compile(""))(buttons.on_other)
    app.global_shortcut(DECLARE)(shortcuts_menu.on_declare)
    app.message_shortcut(shortcuts.DECLARE_FROM_MESSAGE)(shortcuts_menu.on_message)
    app.message_shortcut(item_notes_of.FROM_MESSAGE)(item_notes.on_shortcut)
    app.event("message")(commands.on_message)
    app.event("pin_added")(noted.on_pin_added)
    app.event("pin_removed")(noted.on_pin_removed)
    app.event("reaction_added")(noted.on_reaction_added)
    app.event("reaction_removed")(noted.on_reaction_removed)
    app.event("app_home_opened")(Home(access, oncall, me).on_opened)
    app.error(_Unexpected(access).on_error)
    return app


def _worth_logging(record: logging.LogRecord) -> bool:
    """False for Bolt's warning that SLACK_BOT_TOKEN, found in the environment too, is unused: we mean it so."""
    return record.getMessage() != warning_client_prioritized_and_token_skipped()


def _without_token(client: AsyncWebClient) -> AsyncWebClient:
    """Copy the client without its token: with one, Bolt calls auth.test before it acknowledges the first request."""
    return SlackWebClient(base_url=client.base_url, session=client.session, timeout=client.timeout, retry_handlers=[])


def _authorize_with(bot_token: str) -> Callable[..., Awaitable[AuthorizeResult]]:
    """Build Bolt's `authorize` for an app with one token, which the bot has checked at its start."""

    async def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
        """Authorize every workspace with our token."""
        return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id, bot_token=bot_token)

    return authorize


class _Unexpected:
    """Errors that nothing expected: the requester is told, and whoever can mend it finds them among the problems."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def on_error(self, error: Exception, client: AsyncWebClient, body: dict[str, Any]) -> BoltResponse | None:
        """Log an error by its type and place (its text may hold people's words), and tell the requester."""
        if isinstance(error, BoltUnhandledRequestError):
            return BoltResponse(status=200, body="")
        frames = traceback.extract_tb(error.__traceback__)
        where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
        log.error("unhandled error", error=type(error).__name__, where=where, payload=body.get("type", "command"))
        if isinstance(error, StoreUnavailable):
            words = str(error)
        else:
            words = UNEXPECTED
            await self._access.found_bug("a person's request", error)
        if body.get("response_url") or body.get("view"):
            await Reply.to(client, body)(short_message((words,)))
        return None
