"""Slack client: people and messages. Replies get lost, so a message can be found again by its metadata."""

import contextlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import structlog
from redis import Redis

from bot.render.blockkit import Message, optional_kinds, without
from escalation.storage.problems import Problems
from escalation.storage.surfaces import Surfaces
from escalation.values import PersonId
from workers.channels import Sent, Tag
from workers.channels.failures import Failed, Kind
from workers.channels.slack_api import CLOCK_SLACK, TIMEOUT, SlackApi
from workers.channels.slack_attention import SlackAttention
from workers.channels.slack_groups import SlackGroups
from workers.channels.slack_lists import SlackLists
from workers.channels.slack_rooms import SlackRooms
from workers.channels.slack_scheduled import SlackScheduled

EVENT = "tocsin_delivery"
BLOCK_ERRORS = ("invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long")
DIRECT_CHANNELS = "tocsin:dm"
log = structlog.get_logger()


class SlackClient:
    """Slack client for messages and people; `rooms` has the channels, `groups` the user groups.

    `attention`: who rests. `scheduled`: what Slack posts later. `lists`: the List of action items. `surfaces` are the
    optional ones. Redis caches ids.

    All methods raise Failed.
    """

    def __init__(self, token: str, base_url: str, redis: Redis, timeout: int = TIMEOUT) -> None:
        self._slack = SlackApi(token, base_url, timeout)
        self.redis = redis
        self.surfaces = Surfaces(redis)
        self._url = ""
        self.rooms = SlackRooms(self._slack, redis)
        self.groups = SlackGroups(self._slack)
        self.attention = SlackAttention(self._slack)
        self.scheduled = SlackScheduled(self._slack)
        self.lists = SlackLists(self._slack)

    # People ----------------------------------------------------------------------------------------------------------

    def member_by_email(self, email: str) -> PersonId:
        """The member id of an e-mail address."""
        return str(self._slack.read("users.lookupByEmail", email=email)["user"]["id"])

    def direct_channel(self, person: PersonId) -> str:
        """The id of a person's direct-message channel, opened on first use."""
        known = self.redis.hget(DIRECT_CHANNELS, person)
        if known:
            return _text(known)
        channel = str(self._slack.call("conversations.open", users=person)["channel"]["id"])
        self.redis.hset(DIRECT_CHANNELS, person, channel)
        return channel

    def check_active(self, person: PersonId) -> None:
        """Raise Failed if a person was deactivated: Slack still takes messages into a channel opened before that."""
        try:
            deleted = self._slack.read("users.info", user=person)["user"].get("deleted")
        except Failed as failed:
            if failed.kind is Kind.PERSON:
                raise
            return  # says nothing about the person
        if deleted:
            raise Failed("user_disabled")

    def absent(self, people: Iterable[PersonId]) -> dict[PersonId, str]:
        """Return those of these members who were deactivated or are none, and why.

        Once Slack does not answer, nobody more is looked at: nobody is taken for absent without its word.
        """
        found = dict[PersonId, str]()
        for person in (p for p in people if p[:1].isupper()):  # others are keys of the configuration
            try:
                user = self._slack.read("users.info", user=person)["user"]
            except Failed as failed:
                if failed.kind is not Kind.PERSON:
                    break
                found[person] = failed.reason.text
                continue
            if user.get("deleted"):
                found[person] = Failed("user_disabled").reason.text
        return found

    def forget_direct_channel(self, person: PersonId) -> None:
        """Drop the cached direct-message channel of a person."""
        self.redis.hdel(DIRECT_CHANNELS, person)

    # Messages --------------------------------------------------------------------------------------------------------

    def post(self, channel: str, message: Message, tag: Tag, thread: str = "", broadcast: bool = False) -> Sent:
        """Post a message with its delivery's id as metadata. Raises Failed, `thread_not_found` for a deleted parent."""
        arguments = {
            "metadata": _metadata(tag),
            "unfurl_links": False,
            "unfurl_media": False,
        }
        if thread:
            arguments |= {"thread_ts": thread, "reply_broadcast": broadcast}
        response = self._write("chat.postMessage", channel, message, **arguments)
        if thread and not (response.get("message") or {}).get("thread_ts"):
            self._take_back(str(response["channel"]), str(response["ts"]))
            raise Failed("thread_not_found", channel=channel)
        return Sent(str(response["channel"]), str(response["ts"]), tag.face)

    def _take_back(self, channel: str, ts: str) -> None:
        """Delete a reply to a message that was deleted: Slack puts it into the channel instead."""
        try:
            self._slack.call("chat.delete", channel=channel, ts=ts)
        except Failed as failed:
            log.warning("stray reply not deleted", channel=channel, error=failed.error)

    def find(self, channel: str, tag: Tag, since: datetime, thread: str = "") -> Sent | None:
        """Find the message that a delivery posted, by its metadata; None if there is none."""
        for message in self._messages(channel, since - CLOCK_SLACK, thread):
            metadata = message.get("metadata") or {}
            payload = metadata.get("event_payload") or {}
            if metadata.get("event_type") == EVENT and payload.get("delivery") == tag.delivery:
                return Sent(channel, str(message["ts"]), int(payload.get("face", 0)))
        return None

    def find_block(self, channel: str, block_id: str, since: datetime) -> Sent | None:
        """Find the message of ours that has a block of that id; None if there is none."""
        for message in self._messages(channel, since - CLOCK_SLACK, ""):
            if any(block.get("block_id") == block_id for block in message.get("blocks") or ()):
                return Sent(channel, str(message["ts"]), 0)
        return None

    def update(self, channel: str, ts: str, message: Message, tag: Tag | None = None) -> None:
        """Replace a message's content. Its metadata stays, unless it becomes the message of a delivery."""
        metadata = {"metadata": _metadata(tag)} if tag else {}
        self._write("chat.update", channel, message, ts=ts, **metadata)

    def _write(self, method: str, channel: str, message: Message, **arguments: Any) -> dict[str, Any]:
        """Post or update. Blocks that Slack refuses are left out: the optional ones first, then all of them."""
        kinds = optional_kinds(message.blocks)
        if off := {kind for kind in kinds if not self.surfaces.on(kind)}:
            message, kinds = without(message, off), kinds - off
        body = _body(channel, message)
        try:
            response = self._slack.call(method, **body, **arguments)
        except Failed as failed:
            if failed.error not in BLOCK_ERRORS:
                raise
            if kinds:
                for kind in kinds:
                    self.surfaces.switch_off(kind, failed.error)
                return self._write(method, channel, message, **arguments)
            log.error("slack refused blocks, sending text only", error=failed.error)
            text = f"Slack refuses the layout of a message, which went as text without buttons ({failed.error})"
            Problems(self.redis).report("slack:blocks", text, "try `tocsin doctor`, which tries your templates")
            text_only = {name: value for name, value in body.items() if name != "blocks"}
            return self._slack.call(method, **text_only, **arguments)
        if lost := kinds - _kept(response, kinds):
            for kind in lost:
                self.surfaces.switch_off(kind, "left out of the answer")
            plain = without(message, lost)
            self._slack.call("chat.update", ts=str(response["ts"]), **_body(str(response["channel"]), plain))
        return response

    def delete(self, channel: str, ts: str) -> None:
        """Delete a message of ours."""
        self._slack.call("chat.delete", channel=channel, ts=ts)

    def workspace_url(self) -> str:
        """The workspace's address, as `https://acme.slack.com/`; empty while Slack does not tell it."""
        if not self._url:
            with contextlib.suppress(Failed):  # a page without its link is still a page
                self._url = str(self._slack.call("auth.test").get("url", ""))
        return self._url

    def _messages(self, channel: str, since: datetime, thread: str) -> Iterator[dict[str, Any]]:
        window = {"channel": channel, "oldest": f"{since.timestamp():.6f}", "include_all_metadata": True}
        if thread:
            return self._slack.pages("conversations.replies", "messages", ts=thread, **window)
        return self._slack.pages("conversations.history", "messages", **window)


def _kept(response: dict[str, Any], kinds: frozenset[str]) -> frozenset[str]:
    """The optional kinds of blocks that stand in a message, by Slack's answer; all, if it does not show the message."""
    blocks = (response.get("message") or {}).get("blocks")
    return optional_kinds(blocks) if isinstance(blocks, list) else kinds


def _metadata(tag: Tag) -> dict[str, Any]:
    return {"event_type": EVENT, "event_payload": {"delivery": tag.delivery, "face": tag.face}}


def _body(channel: str, message: Message) -> dict[str, Any]:
    return {"channel": channel, "text": message.text, "blocks": message.blocks}


def _text(raw: Any) -> str:
    return str(raw, "utf-8")
