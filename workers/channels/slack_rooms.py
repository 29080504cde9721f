"""War rooms and the incidents channel: made once, although replies get lost and names are taken."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import structlog
from redis import Redis

from escalation.incident.model import Room
from escalation.values import PersonId
from workers.channels.failures import Failed, Kind
from workers.channels.slack_api import CLOCK_SLACK, SlackApi

INVITED_AT_ONCE = 100  # https://docs.slack.dev/reference/methods/conversations.invite allows more on request only
PURPOSE_LIMIT = 250
NAMES_TRIED = 9
CHANNELS_AT_ONCE = 999  # the method allows 20 calls a minute, so pages are as large as they may be
_ID = re.compile(r"[CG][A-Z0-9]{8,}")

log = structlog.get_logger()


class SlackRooms:
    """What is done to channels. All methods raise Failed."""

    def __init__(self, caller: SlackApi, redis: Redis) -> None:
        self._slack = caller
        self._redis = redis
        self._me = ""

    # The incidents channel -------------------------------------------------------------------------------------------

    def channel(self, name: str) -> str:
        """The id of a channel by name or id: found, joined, or made. Kept in Redis from then on."""
        known: Any = self._redis.get(_channel_key(name))
        if known:
            return str(known, "utf-8")
        channel = self._find_or_make(name.lstrip("#"))
        self._redis.set(_channel_key(name), channel)
        return channel

    def forget_channel(self, name: str) -> None:
        """The channel kept under a name is no longer there."""
        self._redis.delete(_channel_key(name))

    def _find_or_make(self, name: str) -> str:
        found = self._by_id(name) if _ID.fullmatch(name) else self._made(name)
        if found.get("is_archived"):
            raise Failed("is_archived", channel=str(found["id"]))
        if not found.get("is_member"):
            self._slack.call("conversations.join", channel=found["id"])
        return str(found["id"])

    def _by_id(self, channel: str) -> dict[str, Any]:
        return dict(self._slack.read("conversations.info", channel=channel)["channel"])

    def _made(self, name: str) -> dict[str, Any]:
        """Made, or found when it is there: a large workspace takes long to list, so that comes second."""
        try:
            made = self._slack.call("conversations.create", name=name, is_private=False)
            return {**made["channel"], "is_member": True}
        except Failed as failed:
            found = None if failed.kind in (Kind.PASSING, Kind.TOKEN) else self._named(name)
            if found is None:
                raise
            return found

    # War rooms -------------------------------------------------------------------------------------------------------

    def create(self, name: str, private: bool, purpose: str, since: datetime) -> Room:
        """A new room. If one that this bot made since then has the name, the reply was lost: that is the room."""
        for n in range(1, NAMES_TRIED + 1):
            wish = name if n == 1 else f"{name}-{n}"
            room = self._create(wish, private, since)
            if room:
                self._state_purpose(room.channel, purpose)
                return room
        raise Failed("no_free_name")

    def made(self, name: str, private: bool, since: datetime) -> Room | None:
        """The room that `create` may have left, if it did."""
        for n in range(1, NAMES_TRIED + 1):
            found = self._named(name if n == 1 else f"{name}-{n}")
            if found is None:
                return None
            if self._ours(found, private, since):
                return Room(channel=found["id"], name=found["name"], private=private)
        return None

    def _create(self, name: str, private: bool, since: datetime) -> Room | None:
        try:
            made = self._slack.call("conversations.create", name=name, is_private=private)["channel"]
        except Failed as failed:
            if failed.error != "name_taken":
                raise
            found = self._named(name)
            made = found if found and self._ours(found, private, since) else None
        return Room(channel=made["id"], name=made["name"], private=private) if made else None

    def _ours(self, found: dict[str, Any], private: bool, since: datetime) -> bool:
        """Never adopt a public room for a private incident, nor one that another day's incident left behind."""
        created = float(found.get("created", 0))
        return (
            not found.get("is_archived")
            and bool(found.get("is_private")) is private
            and found.get("creator") == self.bot()
            and created >= (since - CLOCK_SLACK).timestamp()
        )

    def _state_purpose(self, channel: str, purpose: str) -> None:
        try:
            self._slack.call("conversations.setPurpose", channel=channel, purpose=purpose[:PURPOSE_LIMIT])
        except Failed as failed:  # nice to have: the room is there, and the incident goes on without its purpose
            log.warning("the room's purpose could not be set", channel=channel, error=failed.error)

    def invite(self, channel: str, people: Iterable[PersonId]) -> None:
        """Bring people in; whoever cannot be brought in is left out."""
        waiting = list(people)
        for start in range(0, len(waiting), INVITED_AT_ONCE):
            some = ",".join(waiting[start : start + INVITED_AT_ONCE])
            self._ignoring(
                ("already_in_channel", "cant_invite_self"),
                "conversations.invite",
                channel=channel,
                users=some,
                force=True,
            )

    def topic(self, channel: str, text: str) -> None:
        self._slack.call("conversations.setTopic", channel=channel, topic=text)

    def redact(self, channel: str, topic: str, name: str) -> None:
        """A former room: another topic, and another name unless that one is taken."""
        self.topic(channel, topic)
        self._ignoring(("name_taken",), "conversations.rename", channel=channel, name=name)

    def archive(self, channel: str) -> None:
        self._ignoring(("already_archived",), "conversations.archive", channel=channel)

    def pin(self, channel: str, ts: str) -> None:
        self._ignoring(("already_pinned",), "pins.add", channel=channel, timestamp=ts)

    def bookmark(self, channel: str, title: str, url: str, again: bool) -> None:
        """A link in the room's bar. If it may be there already (a lost reply), it is looked for."""
        there = self._slack.read("bookmarks.list", channel_id=channel).get("bookmarks", []) if again else []
        if not any(b.get("link") == url for b in there):
            self._slack.call("bookmarks.add", channel_id=channel, title=title, type="link", link=url)

    def _ignoring(self, errors: tuple[str, ...], method: str, **arguments: Any) -> None:
        try:
            self._slack.call(method, **arguments)
        except Failed as failed:
            if failed.error not in errors:
                raise

    def _named(self, name: str) -> dict[str, Any] | None:
        """A channel by name, archived ones too: their names stay taken."""
        every = {"types": "public_channel,private_channel", "limit": CHANNELS_AT_ONCE}
        return next(
            (c for c in self._slack.pages("conversations.list", "channels", **every) if c["name"] == name), None
        )

    def bot(self) -> PersonId:
        """The bot's own member id."""
        self._me = self._me or str(self._slack.call("auth.test")["user_id"])
        return self._me


def _channel_key(name: str) -> str:
    return f"tocsin:channel:{name}"
