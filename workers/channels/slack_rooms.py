"""Slack channels: war rooms and the incidents channel, created once even if replies get lost or names are taken."""

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, TypeVar

import structlog
from redis import Redis

from escalation.incident.state.rooms import Room
from escalation.values import PersonId
from workers.channels.failures import Failed, Kind, Reason
from workers.channels.slack_api import CLOCK_SLACK, SlackApi

INVITED_AT_ONCE = 100  # https://docs.slack.dev/reference/methods/conversations.invite allows more on request only
ALREADY_IN = ("already_in_channel", "cant_invite_self")
PURPOSE_LIMIT = 250
CHANNELS_AT_ONCE = 999  # the method allows 20 calls a minute, so pages are as large as they may be
CURSOR_SECONDS = 600  # a cursor that is not used for so long is forgotten
TOO_MANY = Reason("the workspace has too many channels to find one by its name soon", "set {key} to the channel's id")
_ID = re.compile(r"[CG][A-Z0-9]{8,}")

T = TypeVar("T")
log = structlog.get_logger()


class SlackRooms:
    """Creates, finds and changes channels. All methods raise Failed."""

    def __init__(self, api: SlackApi, redis: Redis) -> None:
        self._slack = api
        self._redis = redis
        self._bot_id = ""

    # Configured channels ---------------------------------------------------------------------------------------------

    def channel(self, name: str) -> str:
        """The id of a channel by name or id: found, joined, and cached in Redis from then on."""
        known = self.known(name)
        if known:
            return known
        bare = name.lstrip("#")
        found = self._by_id(bare) if _ID.fullmatch(bare) else self._by_name(bare)
        if found is None:
            raise Failed("channel_not_found")
        return self._enter(name, found)

    def channel_or_new(self, name: str) -> tuple[str, bool]:
        """The same; created if it is missing (then True). Listing a large workspace comes second: it is slow."""
        known, bare = self.known(name), name.lstrip("#")
        if known or _ID.fullmatch(bare):
            return known or self.channel(name), False
        try:
            created = dict(self._slack.call("conversations.create", name=bare, is_private=False)["channel"])
        except Failed as failed:
            found = None if failed.kind in (Kind.PASSING, Kind.TOKEN) else self._by_name(bare)
            if found is None:
                raise
            return self._enter(name, found), False
        return self._enter(name, {**created, "is_member": True}), True

    def forget_channel(self, name: str) -> None:
        """Drop the cached id of a channel."""
        self._redis.delete(_channel_key(name))

    def joining(self, channel: str, act: Callable[[], T]) -> T:
        """Do something in a channel; if the bot is not in it, join it and try once more."""
        try:
            return act()
        except Failed as failed:
            if failed.error != "not_in_channel":
                raise
        try:
            self._slack.call("conversations.join", channel=channel)
        except Failed as failed:
            if failed.kind in (Kind.PASSING, Kind.TOKEN) or failed.error in ("is_archived", "channel_not_found"):
                raise
            raise Failed("not_in_channel", channel=channel) from None
        return act()

    def check_member(self, channel: str) -> None:
        """Raise Failed unless the bot is in a channel, and something can still be written there."""
        found = self._by_id(channel)
        if found.get("is_archived"):
            raise Failed("is_archived", channel=channel)
        if not found.get("is_member"):
            raise Failed("not_in_channel", channel=channel)

    def known(self, name: str) -> str:
        """The cached id of a channel; empty if there is none."""
        known: Any = self._redis.get(_channel_key(name))
        return str(known, "utf-8") if known else ""

    def _enter(self, name: str, found: dict[str, Any]) -> str:
        channel = str(found["id"])
        if found.get("is_archived"):
            raise Failed("is_archived", channel=channel)
        if not found.get("is_member"):
            self._slack.call("conversations.join", channel=channel)
        self._redis.set(_channel_key(name), channel)
        return channel

    def _by_id(self, channel: str) -> dict[str, Any]:
        return dict(self._slack.read("conversations.info", channel=channel)["channel"])

    # War rooms -------------------------------------------------------------------------------------------------------

    def create(self, names: Iterable[str], private: bool, purpose: str, since: datetime) -> Room:
        """Create a room with the first of the names that is free.

        If one that this bot created since then has the name, and not for something else, the reply was lost: that is
        the room.
        """
        for name in names:
            room = self._create(name, private, purpose, since)
            if room:
                self._set_purpose(room.channel, purpose)
                return room
        raise Failed("no_free_name")

    def find_created(self, names: Iterable[str], private: bool, purpose: str, since: datetime) -> Room | None:
        """Find the room that an earlier `create` left; None if there is none."""
        for name in names:
            found = self._by_name(name)
            if found is None:
                return None
            if self._is_ours(found, private, purpose, since):
                return Room(channel=found["id"], name=found["name"], private=private)
        return None

    def _create(self, name: str, private: bool, purpose: str, since: datetime) -> Room | None:
        try:
            created = self._slack.call("conversations.create", name=name, is_private=private)["channel"]
        except Failed as failed:
            if failed.error != "name_taken":
                raise
            found = self._by_name(name)
            created = found if found and self._is_ours(found, private, purpose, since) else None
        return Room(channel=created["id"], name=created["name"], private=private) if created else None

    def _is_ours(self, found: dict[str, Any], private: bool, purpose: str, since: datetime) -> bool:
        """True if this bot created it for this since then.

        Never adopt a public room for a private incident, an old one, nor another incident's: numbers repeat each day.
        """
        created = float(found.get("created", 0))
        says = (found.get("purpose") or {}).get("value", "")
        return (
            not found.get("is_archived")
            and bool(found.get("is_private")) is private
            and says in ("", purpose)
            and found.get("creator") == self.bot_id()
            and created >= (since - CLOCK_SLACK).timestamp()
        )

    def _set_purpose(self, channel: str, purpose: str) -> None:
        try:
            self._slack.call("conversations.setPurpose", channel=channel, purpose=purpose[:PURPOSE_LIMIT])
        except Failed as failed:  # nice to have: the room exists, and the incident goes on without its purpose
            log.warning("room purpose not set", channel=channel, error=failed.error)

    def invite(self, channel: str, people: Iterable[PersonId]) -> dict[PersonId, Failed]:
        """Invite those who are not in yet; return refusals by person."""
        members = self._members(channel)
        newcomers = [person for person in dict.fromkeys(people) if person not in members]
        refusals: dict[PersonId, Failed] = {}
        for start in range(0, len(newcomers), INVITED_AT_ONCE):
            refusals |= self._invite_batch(channel, newcomers[start : start + INVITED_AT_ONCE])
        return refusals

    def people_in(self, channel: str) -> set[PersonId]:
        """The members of a channel besides this bot; none if Slack will not say."""
        return self._members(channel) - {self.bot_id()}

    def _members(self, channel: str) -> set[PersonId]:
        """The members of a channel; none if Slack will not say: then everybody is invited."""
        try:
            return {str(member) for member in self._slack.pages("conversations.members", "members", channel=channel)}
        except Failed as failed:
            if failed.kind in (Kind.PASSING, Kind.TOKEN):
                raise
            return set()

    def _invite_batch(self, channel: str, people: list[PersonId]) -> dict[PersonId, Failed]:
        """Invite people at once, or each alone where Slack names one refusal for all; return refusals by person."""
        try:
            response = self._slack.call("conversations.invite", channel=channel, users=",".join(people), force=True)
        except Failed as failed:
            if failed.error in ALREADY_IN:  # of one of them, or of a person invited by somebody else just now
                return self._invite_each(channel, people) if len(people) > 1 else {}
            if failed.kind is not Kind.PERSON:
                raise
            return self._invite_each(channel, people) if len(people) > 1 else {people[0]: failed}
        errors = {str(e.get("user", "")): str(e.get("error", "")) for e in response.get("errors") or ()}
        return {p: Failed(errors[p], Kind.PERSON) for p in people if p in errors and errors[p] not in ALREADY_IN}

    def _invite_each(self, channel: str, people: list[PersonId]) -> dict[PersonId, Failed]:
        refusals: dict[PersonId, Failed] = {}
        for person in people:
            refusals |= self._invite_batch(channel, [person])
        return refusals

    def set_topic(self, channel: str, text: str) -> None:
        """Set a channel's topic."""
        self._slack.call("conversations.setTopic", channel=channel, topic=text)

    def redact(self, channel: str, topic: str, name: str) -> None:
        """Redact a former room: a neutral topic, and a neutral name unless that is taken."""
        self.set_topic(channel, topic)
        self._ignoring(("name_taken",), "conversations.rename", channel=channel, name=name)

    def archive(self, channel: str) -> None:
        """Archive a channel."""
        self._ignoring(("already_archived",), "conversations.archive", channel=channel)

    def pin(self, channel: str, ts: str) -> None:
        """Pin a message."""
        self._ignoring(("already_pinned",), "pins.add", channel=channel, timestamp=ts)

    def bookmark(self, channel: str, title: str, url: str, retrying: bool) -> None:
        """Bookmark a link. On a retry it is looked for first: the reply may have been lost."""
        present = self._slack.read("bookmarks.list", channel_id=channel).get("bookmarks", []) if retrying else []
        if not any(b.get("link") == url for b in present):
            self._slack.call("bookmarks.add", channel_id=channel, title=title, type="link", link=url)

    def withdraw_canvas(self, canvas: str, channel: str) -> None:
        """Take a canvas from the members of a channel; one that was deleted is nobody's."""
        arguments = {"canvas_id": canvas, "channel_ids": [channel]}
        self._ignoring(("canvas_not_found", "canvas_deleted"), "canvases.access.delete", **arguments)

    def _ignoring(self, errors: tuple[str, ...], method: str, **arguments: Any) -> None:
        try:
            self._slack.call(method, **arguments)
        except Failed as failed:
            if failed.error not in errors:
                raise

    def _by_name(self, name: str) -> dict[str, Any] | None:
        """Find a channel by name, archived ones too: their names stay taken.

        A workspace may have more channels than a minute's calls can list: the next try goes on where this one ended.
        """
        key = f"tocsin:listing:{name}"
        stored: Any = self._redis.get(key)
        cursor = str(stored, "utf-8") if stored else ""
        while True:
            page = self._channels_from(cursor, key)
            found: dict[str, Any] | None = next((c for c in page.get("channels", []) if c["name"] == name), None)
            cursor = (page.get("response_metadata") or {}).get("next_cursor", "")
            if found or not cursor:
                self._redis.delete(key)
                return found
            self._redis.set(key, cursor, ex=CURSOR_SECONDS)

    def _channels_from(self, cursor: str, key: str) -> dict[str, Any]:
        """One page of the list of channels. A cursor that Slack forgot is dropped: the next try begins anew."""
        options = {"types": "public_channel,private_channel", "limit": CHANNELS_AT_ONCE}
        try:
            return self._slack.read("conversations.list", **options, **({"cursor": cursor} if cursor else {}))
        except Failed as failed:
            if failed.error == "invalid_cursor" and cursor:
                self._redis.delete(key)
                raise Failed("invalid_cursor", Kind.PASSING) from failed
            if failed.error == "ratelimited" and cursor:
                raise Failed("channels_not_listed", Kind.PASSING, wait=failed.wait, reason=TOO_MANY) from failed
            raise

    def bot_id(self) -> PersonId:
        """The bot's own member id."""
        self._bot_id = self._bot_id or str(self._slack.call("auth.test")["user_id"])
        return self._bot_id


def _channel_key(name: str) -> str:
    return f"tocsin:channel:{name}"
