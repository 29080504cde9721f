"""The Home tab: open incidents that the requester may see, what they owe, who is on call, and their own matters."""

from typing import Any

import structlog

from bot.access import Access, Requester, StoreUnavailable, requester_of
from bot.handlers.after.action_items import ActionItemLists
from bot.handlers.me import Me
from bot.handlers.oncall import OnCall
from bot.render.alerts import waiting
from bot.render.blockkit import Block, header, section, sections
from bot.render.inputs import View
from bot.render.lists import fitted, home
from bot.render.mrkdwn import render
from bot.slack.client import UNREACHABLE, slack_error
from escalation.errors import Refused
from escalation.incident.responders import duties
from escalation.messages.reviews import review_duties

UNAVAILABLE = "Nothing can be shown now. Open this page again in a moment."
HOME_REMEDY = "switch the Home tab on under App Home, Show Tabs, in the app's settings"
log = structlog.get_logger("bot")


class Home:
    """Listener that publishes the Home tab each time somebody opens it."""

    def __init__(self, access: Access, oncall: OnCall, me: Me) -> None:
        self._access = access
        self._me = me
        self._oncall = oncall
        self._action_items = ActionItemLists(access)

    async def on_opened(self, event: dict[str, Any], body: dict[str, Any]) -> None:
        """Publish the Home tab of whoever opened it."""
        if event.get("tab") == "home":
            await self._publish(requester_of(body))

    async def _publish(self, requester: Requester) -> None:
        try:
            await self._access.client.views_publish(user_id=requester.id, view=await self._view(requester))
        except UNREACHABLE as error:
            log.warning("home tab not published", person=requester.id, error=slack_error(error))
            await self._access.slack_refuses("home", "the Home tab", error, HOME_REMEDY)
            return
        await self._access.slack_takes("home")

    async def _view(self, requester: Requester) -> View:
        try:
            return fitted(await self._blocks(requester))
        except Refused as refusal:
            return {"type": "home", "blocks": [section(render(refusal.words), "refused")]}
        except StoreUnavailable:
            return {"type": "home", "blocks": [section(UNAVAILABLE, "away")]}

    async def _blocks(self, requester: Requester) -> list[Block]:
        """What concerns everybody first, then the requester's own: follow-ups, time on call, methods."""
        incidents = await self._access.open_incidents(requester)
        roster = await self._access.roster()
        owed = [duty for incident in incidents for duty in duties(incident, roster, requester.id)]
        required = await self._access.visible_to(requester, await self._access.run(self._access.deps.store.to_review))
        owed += [duty for incident in required for duty in review_duties(incident, roster, requester.id)]
        url, on_call = self._access.directory.url, await self._oncall.lines()
        blocks = home(incidents, on_call, requester.id, url, await self._waits(), owed)
        blocks += await self._oncall.buttons()
        blocks += await self._action_items.mine(requester)
        own = [render(line) for line in await self._oncall.own_lines(requester)]
        mine = await self._me.answer(requester)
        return [*blocks, header("You", "you"), *sections(own, "you-on-call"), *mine.blocks]

    async def _waits(self) -> list[Block]:
        """The alerts that wait for somebody to declare their incident."""
        intake = self._access.deps.intake
        return waiting(len(await self._access.run(intake.held))) if intake else []
