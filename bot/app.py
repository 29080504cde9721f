"""The Bolt app: registrations only."""

import re
import traceback
from typing import Any

import structlog
from slack_bolt.async_app import AsyncApp
from slack_bolt.error import BoltUnhandledRequestError
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot import declaring, modals, shortcuts
from bot.buttons import Buttons
from bot.commands import Commands
from bot.door import Door
from bot.home import Home
from bot.moving import Moving
from bot.press import MORE
from bot.reply import Reply, says
from bot.shortcuts import Shortcuts
from bot.submits import Submits
from escalation.events import Move

COMMAND = "/incident"
UNFORESEEN = "Something went wrong on our side, and it was logged. See whether it was done before you try again."
log = structlog.get_logger("bot")


def build(door: Door, signing_secret: str = "") -> AsyncApp:
    """`signing_secret` verifies requests over HTTP; Socket Mode needs none."""
    app = AsyncApp(
        client=door.client,
        signing_secret=signing_secret,
        name="tocsin",
        raise_error_for_unhandled_request=True,  # otherwise Bolt logs the whole payload, words of people included
    )
    moving = Moving(door)
    commands, submits, buttons, menu = (
        Commands(door, moving),
        Submits(door, moving),
        Buttons(door, moving),
        Shortcuts(door),
    )
    app.command(COMMAND)(commands.on_command)
    app.view(declaring.CALLBACK)(submits.on_declare)
    app.view(re.compile(f"^{modals.CALLBACK}"))(submits.on_move)
    app.action(declaring.PICKED)(submits.on_severity)
    app.action(shortcuts.DECLARE)(menu.on_declare)
    app.action(re.compile(f"^({'|'.join((*Move, MORE))})$"))(buttons.on_press)
    app.action(re.compile(""))(buttons.on_other)
    app.global_shortcut(shortcuts.DECLARE)(menu.on_declare)
    app.message_shortcut(shortcuts.DECLARE_FROM_MESSAGE)(menu.on_message)
    app.event("app_home_opened")(Home(door, commands).on_opened)
    app.error(on_error)
    return app


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
