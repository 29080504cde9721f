"""The Home tab: the open incidents that its reader may see, and who is on call."""

from typing import Any

import structlog

from bot.access import Access, Requester, StoreUnavailable, requester
from bot.handlers.oncall import OnCall
from bot.handlers.shortcuts import DECLARE
from bot.render.blockkit import BUTTON, Block, plain_text, section
from bot.render.inputs import View
from bot.render.lists import home as home_view
from bot.render.mrkdwn import render
from bot.slack.client import UNREACHABLE, said_by_slack
from escalation.errors import Refused

AWAY = "The database does not answer, so nothing can be shown now. Open this page again in a moment."
log = structlog.get_logger("bot")


class Home:
    """Published anew each time somebody opens it."""

    def __init__(self, access: Access, oncall: OnCall) -> None:
        self._access = access
        self._oncall = oncall

    async def on_opened(self, event: dict[str, Any], body: dict[str, Any]) -> None:
        if event.get("tab") == "home":
            await self._publish(requester(body))

    async def _publish(self, who: Requester) -> None:
        try:
            await self._access.client.views_publish(user_id=who.id, view=await self._view(who))
        except UNREACHABLE as error:
            log.warning("home not published", person=who.id, error=said_by_slack(error))

    async def _view(self, who: Requester) -> View:
        try:
            incidents = await self._access.open_incidents(who)
            shown = home_view(incidents, await self._oncall.lines(), who.id)
            take = await self._oncall.buttons()
        except Refused as refusal:
            return {"type": "home", "blocks": [section(render(refusal.words), "refused")]}
        except StoreUnavailable:
            return {"type": "home", "blocks": [section(AWAY, "away")]}
        return {**shown, "blocks": [_declare(), *shown["blocks"], *take]}


def _declare() -> Block:
    button = {"type": "button", "action_id": DECLARE, "style": "danger", "text": plain_text("Declare incident", BUTTON)}
    return {"type": "actions", "block_id": "home-declare", "elements": [button]}
