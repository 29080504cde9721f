"""The Bolt app: registrations only."""

import re
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.error import BoltUnhandledRequestError
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.access import Access
from bot.handlers import shortcuts
from bot.handlers.buttons import Buttons
from bot.handlers.commands import Commands
from bot.handlers.home import Home
from bot.handlers.oncall import ACTIONS, OnCall
from bot.handlers.perform import Perform
from bot.handlers.reply import Reply, says
from bot.handlers.shortcuts import Shortcuts
from bot.handlers.submissions import Submissions
from bot.moves import catalog, declare
from bot.render.button_value import MORE
from escalation.incident.events import Move

COMMAND = "/incident"
UNFORESEEN = "Something went wrong on our side, and it was logged. See whether it was done before you try again."
log = structlog.get_logger("bot")


def build(access: Access, signing_secret: str = "") -> AsyncApp:
    """`signing_secret` verifies requests over HTTP; Socket Mode needs none."""
    app = AsyncApp(
        client=_nobodys(access.client),
        authorize=_known(access.deps.bot_token),
        signing_secret=signing_secret,
        name="tocsin",
        raise_error_for_unhandled_request=True,  # otherwise Bolt logs the whole payload, words of people included
    )
    perform, oncall = Perform(access), OnCall(access)
    commands, submits, buttons, menu = (
        Commands(access, perform, oncall),
        Submissions(access, perform),
        Buttons(access, perform),
        Shortcuts(access),
    )
    app.command(COMMAND)(commands.on_command)
    app.view(declare.CALLBACK)(submits.on_declare)
    app.view(re.compile(f"^{catalog.CALLBACK}"))(submits.on_move)
    app.action(declare.PICKED)(submits.on_severity)
    app.action(shortcuts.DECLARE)(menu.on_declare)
    app.action(re.compile(f"^({'|'.join((*Move, MORE))})(-[a-z]+)?$"))(buttons.on_press)
    app.action(re.compile(ACTIONS))(oncall.on_action)
    app.action(re.compile(""))(buttons.on_other)
    app.global_shortcut(shortcuts.DECLARE)(menu.on_declare)
    app.message_shortcut(shortcuts.DECLARE_FROM_MESSAGE)(menu.on_message)
    app.event("app_home_opened")(Home(access, oncall).on_opened)
    app.error(on_error)
    return app


def _nobodys(client: AsyncWebClient) -> AsyncWebClient:
    """The same without its token: with one, Bolt asks auth.test before it acknowledges what comes first."""
    return AsyncWebClient(base_url=client.base_url, session=client.session, timeout=client.timeout, retry_handlers=[])


def _known(bot_token: str) -> Callable[..., Awaitable[AuthorizeResult]]:
    """Bolt's `authorize` of an app with one token; whether Slack takes it, the bot asks when it starts."""

    async def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=enterprise_id, team_id=team_id, bot_token=bot_token)

    return authorize


async def on_error(error: Exception, client: AsyncWebClient, body: dict[str, Any]) -> BoltResponse | None:
    """What nobody foresaw. Logged by its kind and place: its text may hold people's words."""
    if isinstance(error, BoltUnhandledRequestError):
        return BoltResponse(status=200, body="")
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    log.error("not handled", error=type(error).__name__, where=where, payload=body.get("type", "command"))
    if body.get("response_url"):
        await Reply.to(client, body)(says((UNFORESEEN,)))
    return None
