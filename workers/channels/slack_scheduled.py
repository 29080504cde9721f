"""Messages that Slack posts later by itself. https://docs.slack.dev/reference/methods/chat.scheduleMessage

They carry no metadata: Slack would take such a message, and never post it. A block's id marks them instead.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

from bot.render.blockkit import Message
from workers.channels.failures import Failed
from workers.channels.slack_api import SlackApi

FURTHEST = timedelta(days=120)
UNDELETABLE = timedelta(seconds=60)  # https://docs.slack.dev/reference/methods/chat.deleteScheduledMessage
TOO_MANY = "restricted_too_many"  # more than 30 of a conversation in five minutes
NOT_THERE = "invalid_scheduled_message_id"  # unknown, posted, or in its last minute
NO_FIELD = "no_field_"  # begins the error of an answer that lacks what it has to have


class Scheduled(NamedTuple):
    """A message that Slack has yet to post, at `post_at` (epoch seconds)."""

    id: str
    channel: str
    post_at: int
    text: str


class SlackScheduled:
    """Schedules messages, lists and deletes them. All methods raise Failed."""

    def __init__(self, api: SlackApi) -> None:
        self._slack = api

    def schedule(self, channel: str, message: Message, post_at: int) -> str:
        """Have Slack post a message at an instant in epoch seconds; returns its id there."""
        body = {"channel": channel, "text": message.text, "blocks": message.blocks, "post_at": post_at}
        response = self._slack.call("chat.scheduleMessage", unfurl_links=False, unfurl_media=False, **body)
        if not response.get("scheduled_message_id"):
            raise Failed(f"{NO_FIELD}scheduled_message_id")
        return str(response["scheduled_message_id"])

    def delete(self, channel: str, scheduled: str) -> None:
        """Delete a message before it is posted. Raises Failed, NOT_THERE for one that is posted or will be at once."""
        self._slack.call("chat.deleteScheduledMessage", channel=channel, scheduled_message_id=scheduled)

    def standing(self) -> Iterator[Scheduled]:
        """Yield every message of the app that waits."""
        for row in self._slack.pages("chat.scheduledMessages.list", "scheduled_messages"):
            if missing := next((name for name in ("id", "channel_id", "post_at") if not row.get(name)), None):
                raise Failed(f"{NO_FIELD}{missing}")
            yield Scheduled(str(row["id"]), str(row["channel_id"]), int(row["post_at"]), str(row.get("text", "")))
