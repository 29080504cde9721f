"""Who somebody is to the workspace, and who is in a private room: Slack is asked, and believed for a while."""

import time
from collections.abc import Callable, Iterable
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.client import UNREACHABLE, said_by_slack
from escalation.errors import Refused
from escalation.incident.permissions import Actor, Kind
from escalation.values import PersonId

KNOWN_FOR = 300.0  # seconds that an answer of users.info is believed
MEMBERS_FOR = 10.0  # seconds that a room's list of members is believed
UNKNOWN = "Slack did not say who you are. Try again in a moment."


class Members:
    """`colleagues` gives the members that the configuration names: they are known even while Slack does not answer.

    `team` is the id of our own workspace, asked for when it is needed first.
    """

    def __init__(
        self,
        client: AsyncWebClient,
        colleagues: Callable[[], Iterable[PersonId]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._colleagues = colleagues
        self._clock = clock
        self.team = ""
        self._kinds: dict[PersonId, tuple[float, Kind]] = {}
        self._rooms: dict[str, tuple[float, frozenset[PersonId]]] = {}

    async def actor(self, person: PersonId, team: str) -> Actor:
        """Who acts; `team` is the workspace that Slack says they come from. Refused when nobody can tell."""
        if team and team != await self._own_team():
            return Actor(id=person, kind=Kind.STRANGER)
        until, kind = self._kinds.get(person, (0.0, Kind.STRANGER))
        if self._clock() < until:
            return Actor(id=person, kind=kind)
        return Actor(id=person, kind=await self._ask(person))

    async def _own_team(self) -> str:
        if not self.team:
            try:
                self.team = str((await self._client.auth_test())["team_id"])
            except UNREACHABLE:
                raise Refused(UNKNOWN) from None
        return self.team

    async def _ask(self, person: PersonId) -> Kind:
        try:
            answer = await self._client.users_info(user=person)
        except UNREACHABLE as error:
            return self._when_unanswered(person, error)
        return self.learn(answer["user"])

    def _when_unanswered(self, person: PersonId, error: Exception) -> Kind:
        """A colleague's acknowledgement is not turned away because Slack is slow; somebody unknown is."""
        if said_by_slack(error) in ("user_not_found", "user_not_visible"):
            return Kind.STRANGER
        if person in self._kinds:
            return self._kinds[person][1]
        if person in self._colleagues():
            return Kind.MEMBER
        raise Refused(UNKNOWN)

    def learn(self, user: dict[str, Any]) -> Kind:
        """Keep what Slack said of a user (any method's user object)."""
        kind = kind_of(user, self.team)
        self._kinds[user["id"]] = (self._clock() + KNOWN_FOR, kind)
        return kind

    async def in_room(self, channel: str, person: PersonId) -> bool:
        """Whether somebody is a member of a channel; while Slack does not answer, nobody is."""
        until, members = self._rooms.get(channel, (0.0, frozenset()))
        if self._clock() >= until:
            try:
                members = await self._members(channel)
            except UNREACHABLE:
                return False
            self._rooms[channel] = (self._clock() + MEMBERS_FOR, members)
        return person in members

    async def _members(self, channel: str) -> frozenset[PersonId]:
        found: set[PersonId] = set()
        cursor = ""
        while True:
            page = await self._client.conversations_members(channel=channel, limit=1000, cursor=cursor)
            found.update(page["members"])
            cursor = (page.get("response_metadata") or {}).get("next_cursor", "")
            if not cursor:
                return frozenset(found)


def kind_of(user: dict[str, Any], own_team: str) -> Kind:
    """https://docs.slack.dev/reference/objects/user-object"""
    teams = {user.get("team_id"), *(user.get("enterprise_user") or {}).get("teams", ())}
    if user.get("is_stranger") or user.get("deleted") or (own_team and own_team not in teams):
        return Kind.STRANGER
    if user.get("is_bot") or user["id"] == "USLACKBOT":
        return Kind.BOT
    return Kind.GUEST if user.get("is_restricted") or user.get("is_ultra_restricted") else Kind.MEMBER
