"""Answers that one person sees, sent once and not tried again: what must arrive is a page, and the workers send it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.access import StoreUnavailable
from bot.errors import InvalidForm
from bot.render.blockkit import TEXT, Message
from bot.render.inputs import View
from bot.render.mrkdwn import cut, render
from bot.slack.client import UNREACHABLE, said_by_slack
from escalation.errors import NotFound, Refused
from escalation.text import Line

log = structlog.get_logger("bot")
NOT_RECORDED = "Nothing was recorded: the database does not answer."
TOO_LATE = "Slack did not wait for the form to open. Use the command or the button again."
# A redelivered command finds its trigger used up: the form is open already.
OPEN_ALREADY = "exchanged_trigger_id"


def says(*lines: Line) -> Message:
    """A short message of a few lines."""
    text = "\n".join(render(line) for line in lines)
    return Message(text=cut(text, TEXT), blocks=[])


class Reply:
    """To whoever sent a payload: by its response_url where there is one, else in their direct messages."""

    def __init__(self, client: AsyncWebClient, user: str, response_url: str = "", thread_ts: str = "") -> None:
        self._client = client
        self._user = user
        self.response_url = response_url
        self._thread_ts = thread_ts

    @classmethod
    def to(cls, client: AsyncWebClient, body: dict[str, Any]) -> "Reply":
        user = body["user"]["id"] if isinstance(body.get("user"), dict) else body["user_id"]
        thread_ts = (body.get("container") or {}).get("thread_ts", "")
        return cls(client, user, body.get("response_url") or "", thread_ts)

    async def __call__(self, message: Message) -> None:
        try:
            await (self._respond(message) if self.response_url else self._write(message))
        except UNREACHABLE as error:
            log.warning("answer not delivered", person=self._user, error=said_by_slack(error))

    async def _respond(self, message: Message) -> None:
        hook = AsyncWebhookClient(self.response_url, session=self._client.session, retry_handlers=[])
        body = {"response_type": "ephemeral", "replace_original": False, "text": message.text}
        thread = {"thread_ts": self._thread_ts} if self._thread_ts else {}
        blocks = {"blocks": message.blocks} if message.blocks else {}
        answer = await hook.send_dict({**body, **thread, **blocks})
        if answer.status_code != 200:
            log.warning("answer not taken", person=self._user, status=answer.status_code)

    async def _write(self, message: Message) -> None:
        await self._client.chat_postMessage(channel=self._user, text=message.text, blocks=message.blocks or None)


@asynccontextmanager
async def answering(reply: Reply) -> AsyncIterator[None]:
    """Whatever stands in the way of somebody's wish is said to them, in words."""
    try:
        yield
    except Refused as refusal:
        await reply(says(refusal.words))
    except NotFound as missing:
        await reply(says((str(missing),)))
    except StoreUnavailable:
        await reply(says((f"{NOT_RECORDED} Try again in a moment.",)))
    except InvalidForm as invalid:
        await reply(says(*((words,) for words in invalid.errors.values())))


async def open_modal(client: AsyncWebClient, body: dict[str, Any], view: View, reply: Reply) -> None:
    """Open a modal for whoever did something just now; when it is too late for that, say so."""
    try:
        await client.views_open(trigger_id=body["trigger_id"], view=view)
    except UNREACHABLE as error:
        named = said_by_slack(error)
        if named != OPEN_ALREADY:
            log.warning("modal not opened", error=named)
            await reply(says((TOO_LATE,)))
