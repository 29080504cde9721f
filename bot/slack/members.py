"""Members of the workspace and of private rooms, as Slack says; cached for a while."""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.client import UNREACHABLE, slack_error
from escalation.errors import Refused
from escalation.incident.permissions import Actor, Kind
from escalation.values import PersonId

KNOWN_FOR = 300.0  # seconds that an answer of users.info is cached
MEMBERS_FOR = 10.0  # seconds that a room's list of members is cached
UNKNOWN = "Slack did not say who you are. Try again in a moment."


class Members:
    """Cache of members and rooms.

    `known_members` gives the members that the configuration names: they may act even while Slack does not answer.
    `team` is the id of our own workspace, looked up when it is first needed.
    """

    def __init__(
        self,
        client: AsyncWebClient,
        known_members: Callable[[], Iterable[PersonId]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._known_members = known_members
        self._clock = clock
        self.team = ""
        self._kinds: dict[PersonId, tuple[float, Kind]] = {}
        self._room_members: dict[str, tuple[float, frozenset[PersonId]]] = {}

    async def actor(self, person: PersonId, team: str) -> Actor:
        """Look up what kind of member somebody is; `team` is the workspace that the payload names.

        Raises Refused when Slack cannot say and the person is unknown.
        """
        if team:  # another workspace of the same Enterprise Grid is named there too: users.info tells who belongs
            await self._own_team()
        until, kind = self._kinds.get(person, (0.0, Kind.STRANGER))
        if self._clock() < until:
            return Actor(id=person, kind=kind)
        return Actor(id=person, kind=await self._fetch_kind(person))

    async def absent(self, people: Iterable[PersonId]) -> tuple[PersonId, ...]:
        """Return those of these members whom no message reaches: deactivated, of another company, or a bot.

        Slack is asked now: what is cached may be minutes old. While it does not answer nobody is taken for one.
        """
        found = []
        for person in dict.fromkeys(p for p in people if p[:1].isupper()):  # others are keys of the configuration
            with suppress(Refused):
                found += [person] if await self._fetch_kind(person) in (Kind.STRANGER, Kind.BOT) else []
        return tuple(found)

    async def _own_team(self) -> str:
        if not self.team:
            try:
                self.team = str((await self._client.auth_test())["team_id"])
            except UNREACHABLE:
                raise Refused(UNKNOWN) from None
        return self.team

    async def _fetch_kind(self, person: PersonId) -> Kind:
        try:
            response = await self._client.users_info(user=person)
        except UNREACHABLE as error:
            return self._fallback_kind(person, error)
        return self.remember(response["user"])

    def _fallback_kind(self, person: PersonId, error: Exception) -> Kind:
        """Decide without Slack: a known member's click is not refused because Slack is slow; an unknown person's is."""
        if slack_error(error) in ("user_not_found", "user_not_visible"):
            return Kind.STRANGER
        if person in self._kinds:
            return self._kinds[person][1]
        if person in self._known_members():
            return Kind.MEMBER
        raise Refused(UNKNOWN)

    def remember(self, user: dict[str, Any]) -> Kind:
        """Cache and return the kind of a member, from any method's user object."""
        kind = kind_of(user, self.team)
        self._kinds[user["id"]] = (self._clock() + KNOWN_FOR, kind)
        return kind

    async def in_room(self, channel: str, person: PersonId) -> bool:
        """True if somebody is a member of a channel; False for everybody while Slack does not answer."""
        until, members = self._room_members.get(channel, (0.0, frozenset()))
        if self._clock() >= until:
            try:
                members = await self._members(channel)
            except UNREACHABLE:
                return False
            self._room_members[channel] = (self._clock() + MEMBERS_FOR, members)
        return person in members

    async def _members(self, channel: str) -> frozenset[PersonId]:
        members: set[PersonId] = set()
        cursor = ""
        while True:
            page = await self._client.conversations_members(channel=channel, limit=1000, cursor=cursor)
            members.update(page["members"])
            cursor = (page.get("response_metadata") or {}).get("next_cursor", "")
            if not cursor:
                return frozenset(members)


def kind_of(user: dict[str, Any], own_team: str) -> Kind:
    """Classify a user object: https://docs.slack.dev/reference/objects/user-object"""
    teams = {user.get("team_id"), *(user.get("enterprise_user") or {}).get("teams", ())}
    if user.get("is_stranger") or user.get("deleted") or (own_team and own_team not in teams):
        return Kind.STRANGER
    if user.get("is_bot") or user["id"] == "USLACKBOT":
        return Kind.BOT
    return Kind.GUEST if user.get("is_restricted") or user.get("is_ultra_restricted") else Kind.MEMBER
