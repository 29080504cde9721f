"""Slack, one method for each thing that is done there. Replies get lost, so a message can be looked for."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import structlog
from redis import Redis

from bot.render.blockkit import Message
from escalation.values import PersonId
from workers.channels import Sent, Tag
from workers.channels.failures import Failed, Kind
from workers.channels.slack_api import CLOCK_SLACK, TIMEOUT, SlackApi
from workers.channels.slack_groups import SlackGroups
from workers.channels.slack_rooms import SlackRooms

EVENT = "tocsin_delivery"
UNSHOWABLE = ("invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long")
DIRECTS = "tocsin:dm"
log = structlog.get_logger()


class SlackClient:
    """Messages and people; channels are behind `rooms`, user groups behind `groups`. Redis keeps the ids found.

    All methods raise Failed.
    """

    def __init__(self, token: str, base_url: str, redis: Redis, timeout: int = TIMEOUT) -> None:
        self._slack = SlackApi(token, base_url, timeout)
        self._redis = redis
        self.rooms = SlackRooms(self._slack, redis)
        self.groups = SlackGroups(self._slack)

    # People ----------------------------------------------------------------------------------------------------------

    def person_of(self, email: str) -> PersonId:
        """The member with an e-mail address."""
        return str(self._slack.read("users.lookupByEmail", email=email)["user"]["id"])

    def direct(self, person: PersonId) -> str:
        """The channel of somebody's direct messages."""
        known = self._redis.hget(DIRECTS, person)
        if known:
            return _text(known)
        opened = str(self._slack.call("conversations.open", users=person)["channel"]["id"])
        self._redis.hset(DIRECTS, person, opened)
        return opened

    def check_still_there(self, person: PersonId) -> None:
        """Failed when somebody has left: Slack goes on taking messages into a channel that was opened before."""
        try:
            left = self._slack.read("users.info", user=person)["user"].get("deleted")
        except Failed as failed:
            if failed.kind is Kind.PERSON:
                raise
            return  # says nothing about the person
        if left:
            raise Failed("user_disabled")

    def forget_direct(self, person: PersonId) -> None:
        """The channel kept for a person is no longer one."""
        self._redis.hdel(DIRECTS, person)

    # Messages --------------------------------------------------------------------------------------------------------

    def post(self, channel: str, message: Message, tag: Tag, thread: str = "", broadcast: bool = False) -> Sent:
        """Post a message that carries its delivery's id. A public channel that the bot is not in is joined first."""
        arguments = _body(channel, message) | {
            "metadata": {"event_type": EVENT, "event_payload": {"delivery": tag.delivery, "face": tag.face}},
            "unfurl_links": False,
            "unfurl_media": False,
        }
        if thread:
            arguments |= {"thread_ts": thread, "reply_broadcast": broadcast}
        try:
            answer = self._slack.call("chat.postMessage", **arguments)
        except Failed as failed:
            answer = self._slack.call("chat.postMessage", **self._put_right(failed, channel, arguments))
        return Sent(str(answer["channel"]), str(answer["ts"]), tag.face)

    def _put_right(self, failed: Failed, channel: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """What to post instead; raises `failed` where nothing would help. A page without buttons wakes people too."""
        if failed.error == "not_in_channel":
            self._join(channel)
            return arguments
        if failed.error in UNSHOWABLE:
            log.error("Slack refuses our blocks: the text goes without them", error=failed.error)
            return {name: value for name, value in arguments.items() if name != "blocks"}
        raise failed

    def find(self, channel: str, tag: Tag, since: datetime, thread: str = "") -> Sent | None:
        """The message that a delivery left, if it did: known by its metadata."""
        for message in self._messages(channel, since - CLOCK_SLACK, thread):
            metadata = message.get("metadata") or {}
            payload = metadata.get("event_payload") or {}
            if metadata.get("event_type") == EVENT and payload.get("delivery") == tag.delivery:
                return Sent(channel, str(message["ts"]), int(payload.get("face", 0)))
        return None

    def update(self, channel: str, ts: str, message: Message) -> None:
        """Replace a message's words; its metadata stays."""
        self._slack.call("chat.update", ts=ts, **_body(channel, message))

    def _messages(self, channel: str, since: datetime, thread: str) -> Iterator[dict[str, Any]]:
        window = {"channel": channel, "oldest": f"{since.timestamp():.6f}", "include_all_metadata": True}
        if thread:
            return self._slack.pages("conversations.replies", "messages", ts=thread, **window)
        return self._slack.pages("conversations.history", "messages", **window)

    def _join(self, channel: str) -> None:
        try:
            self._slack.call("conversations.join", channel=channel)
        except Failed as failed:
            if failed.kind in (Kind.PASSING, Kind.TOKEN):
                raise
            raise Failed("not_in_channel", channel=channel) from None


def _body(channel: str, message: Message) -> dict[str, Any]:
    return {"channel": channel, "text": message.text, "blocks": message.blocks}


def _text(raw: Any) -> str:
    return str(raw, "utf-8")
