"""Action items from messages: by the shortcut in a message's menu, and by a reaction. The form of an item."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from slack_bolt.async_app import AsyncAck

from bot.access import Access, Requester, requester_of
from bot.handlers.messages.marks import Marks
from bot.handlers.reply import Reply, explain_errors, open_modal
from bot.moves.action_item import action_item_modal, typed_in
from bot.moves.form import Submission
from bot.moves.form_state import FormState
from bot.parsing.command import unescape
from bot.parsing.message import readable_text
from bot.render.blockkit import action_row
from bot.render.common import message_url
from bot.render.lists import say
from bot.render.replies import lines_reply
from bot.slack.client import UNREACHABLE, slack_error
from escalation.errors import Refused
from escalation.incident.model import Incident
from escalation.reviews.action_items import MAX_TEXT, ActionItem, ItemState, closed, edited, item_line, reopened
from escalation.storage.action_items import ActionItems
from escalation.text import Line, Strong, line

FROM_MESSAGE = "action_item_from_message"
NOWHERE = "This message stands in no incident's war room or thread. `/incident action ID what @owner friday` notes one."
NO_WORDS = "See the message."
UNMARKED = "the reaction was taken away"
Json = Mapping[str, Any]
log = structlog.get_logger("bot")


class ItemNotes:
    """Notes action items. Whoever may see an incident may note one, and only they."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._items = ActionItems(access.deps.redis)
        self._marks = Marks(access)

    async def add(
        self,
        requester: Requester,
        incident: Incident,
        text: str,
        owner: str = "",
        due: date | None = None,
        *,
        once: str = "",
        url: str = "",
    ) -> tuple[Line, ...]:
        """Note an item of an incident that the requester may see; the answer says what it is."""
        item = await self._keep(requester, incident, text, owner, due, once=once, url=url)
        return (*self._said(item), *await self._access.unreached([item.owner]))

    async def _keep(
        self,
        requester: Requester,
        incident: Incident,
        text: str,
        owner: str = "",
        due: date | None = None,
        *,
        once: str,
        url: str,
    ) -> ActionItem:
        now = await self._access.run(self._access.deps.service.clock)

        def make(item_id: str) -> ActionItem:
            service = incident.facts.service
            item = ActionItem(item_id, text, requester.id, now, owner, due, service, private=incident.private)
            return replace(item, once=once, url=url)

        item = await self._access.run(self._items.add, incident.id, make)
        await self._access.run(self._access.deps.service.see_review, incident.id)
        return item

    def _said(self, item: ActionItem) -> tuple[Line, ...]:
        kind = "Noted" if item.commitment else "Noted as an idea: it has no owner and day yet"
        return (line(Strong(f"{kind}. "), *item_line(item, self.day_of(item.at))),)

    def day_of(self, now: datetime) -> date:
        """Return the day of an instant, by the company's zone."""
        return now.astimezone(ZoneInfo(self._access.deps.company.timezone)).date()

    # The form --------------------------------------------------------------------------------------------------------

    async def open(
        self, incident: Incident, body: dict[str, Any], reply: Reply, text: str = "", item: ActionItem | None = None
    ) -> None:
        """Open the form for a new item, or for the owner and the day of one that is there."""
        state = FormState(incident=incident.id, response_url=reply.response_url, item=item.id if item else "")
        await open_modal(self._access.client, body, action_item_modal(incident, state, text, item), reply)

    async def on_shortcut(self, ack: AsyncAck, body: dict[str, Any]) -> None:
        """Open the form with a message's words; a link to it is kept. What a reaction noted already is promised."""
        await ack()
        reply = Reply.to(self._access.client, body)
        async with explain_errors(reply):
            requester, message, channel = requester_of(body), body["message"], body["channel"]["id"]
            await self._access.admit("see", requester)
            incident = await self._incident(channel, message)
            if incident is None:
                raise Refused(NOWHERE)
            incident = await self._access.see(requester, incident.id)
            if idea := await self._idea_of(incident, channel, message):
                await self.open(incident, body, reply, item=idea)
                return
            text = readable_text(message, self._access.directory.names)
            link = self._url(channel, message)
            state = FormState(incident=incident.id, response_url=reply.response_url, link=link)
            await open_modal(self._access.client, body, action_item_modal(incident, state, text), reply)

    async def save(self, requester: Requester, submission: Submission) -> tuple[Line, ...]:
        """Note the item of a submitted form, or change the one that it was opened for."""
        state = submission.state
        incident = await self._access.see(requester, state.incident)
        now = await self._access.run(self._access.deps.service.clock)
        typed = typed_in(submission, self.day_of(now))
        if not state.item:
            text = unescape(typed.text, self._access.directory.names)
            return await self.add(
                requester, incident, text, typed.owner, typed.due, once=submission.key, url=state.link
            )
        step = partial(edited, owner=typed.owner, due=typed.due)
        item = await self._access.run(self._items.change, state.item, step)
        await self._access.run(self._access.deps.service.see_review, incident.id)
        return (item_line(item, self.day_of(now)),)

    # Reactions -------------------------------------------------------------------------------------------------------

    def is_meant(self, name: str) -> bool:
        """True for the reaction that notes an item."""
        wanted = self._access.deps.company.follow_up_reaction
        return bool(wanted) and name.partition("::")[0] == wanted  # fast_forward::skin-tone-2

    async def on_reaction(self, event: Json, body: dict[str, Any]) -> None:
        """Note a message as an idea, once however many people react; whoever did is told, and may promise it."""
        requester, channel, ts = Requester(str(event["user"]), requester_of(body).team), *_place(event)
        incident, message = await self._found(requester, channel, ts)
        if incident is None or message is None:
            return
        text = " ".join(readable_text(message, self._access.directory.names).split())[:MAX_TEXT]
        url = self._url(channel, message)
        known = await self._access.run(self._items.of, incident.id)
        noted = next((i for i in known if url and i.url == url and i.state is ItemState.OPEN), None)
        item = noted or await self._keep(requester, incident, text or NO_WORDS, once=f"{channel}:{ts}", url=url)
        if item.state is ItemState.DROPPED and item.why == UNMARKED:
            item = await self._access.run(self._items.change, item.id, reopened)
        answer = lines_reply(self._said(item))
        promise = say(f"actions promise {item.id}", "Owner and day", f"promise-{item.id}")
        blocks = [*answer.blocks, *action_row([promise], "action-items")]
        thread = {"thread_ts": message["thread_ts"]} if message.get("thread_ts") else {}
        try:
            await self._access.client.chat_postEphemeral(
                channel=channel, user=requester.id, text=answer.text, blocks=blocks, **thread
            )
        except UNREACHABLE as error:
            log.warning("answer not delivered", person=requester.id, error=slack_error(error))

    async def on_reaction_removed(self, event: Json, body: dict[str, Any]) -> None:
        """Drop the idea of a message that nobody reacts to any more, unless somebody made something of it."""
        requester, channel, ts = Requester(str(event["user"]), requester_of(body).team), *_place(event)
        incident, message = await self._found(requester, channel, ts)
        if incident is None or message is None:
            return
        if any(self.is_meant(str(reaction.get("name", ""))) for reaction in message.get("reactions") or ()):
            return
        now = await self._access.run(self._access.deps.service.clock)
        for item in await self._access.run(self._items.of, incident.id):
            if item.once == f"{channel}:{ts}" and item.state is ItemState.OPEN and not (item.owner or item.due):
                step = partial(closed, state=ItemState.DROPPED, by=requester.id, at=now, why=UNMARKED)
                await self._access.run(self._items.change, item.id, step)

    async def _idea_of(self, incident: Incident, channel: str, message: Json) -> ActionItem | None:
        """Find the open idea that a reaction made of a message."""
        once = f"{channel}:{message['ts']}"
        found = await self._access.run(self._items.of, incident.id)
        open_ones = (i for i in found if i.once == once and i.state is ItemState.OPEN and not i.commitment)
        return next(open_ones, None)

    async def _found(self, requester: Requester, channel: str, ts: str) -> tuple[Incident | None, Json | None]:
        """Find the incident and the message that a reaction concerns, if its author may see both."""
        try:
            await self._access.admit("see", requester)
            message = await self._access.message(channel, ts)
            incident = await self._incident(channel, message) if message else None
            if incident:
                await self._access.admit("see", requester, incident)
        except Refused:  # nobody waits for an answer: it is in the log
            return None, None
        except UNREACHABLE as error:
            await self._marks.unread(requester.id, channel, error, "an action item", "/incident action")
            return None, None
        await self._access.slack_takes("timeline")
        return incident, message

    async def _incident(self, channel: str, message: Json) -> Incident | None:
        """Find the incident in whose war room or thread a message stands; its card is the head of its thread."""
        in_room = await self._access.incident_of_room(channel)
        return in_room or await self._access.incident_of_thread(channel, str(message.get("thread_ts") or message["ts"]))

    def _url(self, channel: str, message: Json) -> str:
        return message_url(self._access.directory.url, channel, str(message["ts"]))


def _place(event: Json) -> tuple[str, str]:
    return str(event["item"]["channel"]), str(event["item"]["ts"])
