"""Members of user groups, as Slack says now: a page must not reach whoever was in a group a while ago."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.client import UNREACHABLE, slack_error
from escalation.values import PersonId

PATIENCE = 1.0  # seconds to wait for Slack: a form is answered within three
KNOWN_FOR = 5.0  # seconds that an answer is cached: https://docs.slack.dev/apis/web-api/rate-limits allows 20 a minute
log = structlog.get_logger("bot")


class UserGroups:
    """Reader of user groups."""

    def __init__(
        self,
        client: AsyncWebClient,
        refused: Callable[[str, str, Exception], Awaitable[None]],
        taken: Callable[[str], Awaitable[None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._refused = refused
        self._taken = taken
        self._clock = clock
        self._known: dict[str, tuple[float, tuple[PersonId, ...]]] = {}

    async def members(self, groups: Iterable[str]) -> dict[str, tuple[PersonId, ...]]:
        """Ask for the members of groups, by id. A group that Slack does not answer for is missing."""
        wanted = list(dict.fromkeys(groups))
        found = await asyncio.gather(*(self._members(group) for group in wanted))
        return {group: members for group, members in zip(wanted, found, strict=True) if members is not None}

    async def _members(self, group: str) -> tuple[PersonId, ...] | None:
        until, members = self._known.get(group, (0.0, ()))
        if self._clock() < until:
            return members
        try:
            async with asyncio.timeout(PATIENCE):
                response = await self._client.usergroups_users_list(usergroup=group)
        except UNREACHABLE as error:
            log.warning("user group not read", group=group, error=slack_error(error))
            await self._refused("groups", "the members of user groups, so the ones known before are paged", error)
            return None
        await self._taken("groups")
        members = tuple(response["users"])
        self._known[group] = (self._clock() + KNOWN_FOR, members)
        return members

    async def ids(self, handles: Iterable[str]) -> dict[str, str]:
        """Find groups by their handles; unknown ones are missing, all of them while Slack does not answer."""
        wanted = set(handles)
        if not wanted:
            return {}
        try:
            async with asyncio.timeout(PATIENCE):
                groups = (await self._client.usergroups_list())["usergroups"]
        except UNREACHABLE as error:
            log.warning("user groups not listed", error=slack_error(error))
            await self._refused("group-list", "the list of user groups, so a typed @group is not understood", error)
            return {}
        await self._taken("group-list")
        return {group["handle"]: group["id"] for group in groups if group["handle"] in wanted}
