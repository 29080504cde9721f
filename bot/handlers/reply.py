"""Answers that one person sees, sent while they wait: what must arrive is a page, and the workers send those."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.access import StoreUnavailable
from bot.errors import InvalidForm
from bot.render.blockkit import OPTIONAL, TEXT, Message, optional_kinds, without
from bot.render.inputs import View, notice
from bot.render.mrkdwn import cut, render
from bot.slack.client import UNREACHABLE, at_once, slack_error
from escalation.errors import NotFound, Refused
from escalation.text import Line

log = structlog.get_logger("bot")
TRIGGER_EXPIRED = "The form took too long to open. Use the command or the button again."
# A redelivered command finds its trigger used up: the form is open already.
TRIGGER_USED = "exchanged_trigger_id"


def short_message(*lines: Line) -> Message:
    """Build a short message of a few lines, without blocks."""
    text = "\n".join(render(line) for line in lines)
    return Message(text=cut(text, TEXT), blocks=[])


class Reply:
    """A reply to the sender of a payload: in the modal it came from, by its response_url, else as a direct message."""

    def __init__(
        self,
        client: AsyncWebClient,
        user: str,
        response_url: str = "",
        thread_ts: str = "",
        *,
        replace: bool = False,
        modal: str = "",
    ) -> None:
        self._client = client
        self._modal = modal
        self._user = user
        self.response_url = response_url
        self._thread_ts = thread_ts
        self._replace = replace

    @classmethod
    def to(cls, client: AsyncWebClient, body: dict[str, Any], *, replace: bool = False) -> "Reply":
        """Build the reply to a payload; with `replace`, in place of the message whose button was pressed."""
        user = body["user"]["id"] if isinstance(body.get("user"), dict) else body["user_id"]
        thread_ts = (body.get("container") or {}).get("thread_ts", "")
        view = body.get("view") or {}
        modal = view["id"] if view.get("type") == "modal" else ""
        return cls(client, user, body.get("response_url") or "", thread_ts, replace=replace, modal=modal)

    @property
    def in_modal(self) -> bool:
        """True if it is shown in place of the modal that the payload came from."""
        return bool(self._modal)

    async def __call__(self, message: Message) -> None:
        """Send a message. Where the modal or the address was closed meanwhile, it comes by direct message."""
        try:
            if not await self._answer_there(message):
                await self._post(message)
        except UNREACHABLE as error:
            log.warning("answer not delivered", person=self._user, error=slack_error(error))

    async def _answer_there(self, message: Message) -> bool:
        """Answer where the payload came from; False if there is no such place, or it takes no answer any more."""
        if self._modal:
            try:
                await self._client.views_update(view_id=self._modal, view=notice("Incident", message.text))
            except SlackApiError as error:
                log.warning("modal not updated", person=self._user, error=slack_error(error))
                return False
            return True
        try:
            return await self._respond(message) if self.response_url else False
        except UNREACHABLE as error:  # another host than the one of the API
            log.warning("answer not delivered there", person=self._user, error=slack_error(error))
            return False

    async def _respond(self, message: Message) -> bool:
        """Send to the response_url; what Slack refuses goes once more, without tables and charts."""
        webhook = AsyncWebhookClient(self.response_url, session=self._client.session, retry_handlers=at_once())
        body = {"response_type": "ephemeral", "replace_original": self._replace, "text": message.text}
        thread = {"thread_ts": self._thread_ts} if self._thread_ts else {}
        blocks = {"blocks": message.blocks} if message.blocks else {}
        response = await webhook.send_dict({**body, **thread, **blocks})
        if response.status_code != 200 and optional_kinds(message.blocks):
            return await self._respond(without(message, OPTIONAL))
        if response.status_code != 200:
            log.warning("answer rejected", person=self._user, status=response.status_code)
        return response.status_code == 200

    async def _post(self, message: Message) -> None:
        plain = without(message, OPTIONAL)  # it is not tried twice
        elsewhere = self.response_url or self._modal  # where the thread is, if there is one
        await self._client.chat_postMessage(
            channel=self._user,
            text=plain.text,
            blocks=plain.blocks or None,
            thread_ts=None if elsewhere else self._thread_ts or None,
        )


@asynccontextmanager
async def explain_errors(reply: Reply) -> AsyncIterator[None]:
    """Catch the errors that a request may end with, and explain them to the requester."""
    try:
        yield
    except Refused as refusal:
        await reply(short_message(refusal.words))
    except NotFound as not_found:
        await reply(short_message((str(not_found),)))
    except StoreUnavailable as unavailable:
        await reply(short_message((str(unavailable),)))
    except InvalidForm as invalid:
        await reply(short_message(*((message,) for message in invalid.errors.values())))


async def open_modal(client: AsyncWebClient, body: dict[str, Any], view: View, reply: Reply) -> None:
    """Open a modal for the sender of a payload, in place of the one it came from; an expired trigger is said."""
    try:
        if reply.in_modal:
            await client.views_update(view_id=body["view"]["id"], view=view)
        else:
            await client.views_open(trigger_id=body["trigger_id"], view=view)
    except UNREACHABLE as error:
        slack_says = slack_error(error)
        if slack_says != TRIGGER_USED:
            log.warning("modal not opened", error=slack_says)
            await reply(short_message((TRIGGER_EXPIRED,)))
