"""Directory of the workspace: member ids, user groups and names for the configuration, refreshed in the background."""

import asyncio
import contextlib
from typing import Any

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.access import Access, StoreUnavailable
from bot.slack.client import UNREACHABLE, slack_error
from bot.slack.refusals import is_passing
from escalation.config.company import Company, Directory
from escalation.errors import Refused
from escalation.times import known_zone
from escalation.values import PersonId

INTERVAL = 600.0  # seconds
GROUPS_INTERVAL = 60.0  # seconds: a due checkpoint pages whoever was in a group then
RETRY_AFTER = 15.0  # seconds, after a lookup that was incomplete because Slack or Redis was away
log = structlog.get_logger("bot")


class DirectoryLookup:
    """One lookup of everybody in the configuration. An entry that Slack does not answer for keeps its old value.

    `incomplete` is True after a failure that may pass.
    """

    def __init__(self, client: AsyncWebClient, access: Access) -> None:
        self._client = client
        self._access = access
        self.incomplete = False
        self._people: dict[str, PersonId] = {}
        self._groups: dict[str, tuple[PersonId, ...]] = {}
        self._names: dict[PersonId, str] = {}
        self._mails: dict[PersonId, str] = {}
        self._zones: dict[PersonId, str] = {}

    async def run(self, company: Company) -> Directory:
        """Look everybody up, save the directory and return it. Raises StoreUnavailable."""
        for key, entry in company.people.items():
            if entry.slack:
                await self._look_up_name(entry.slack, mail=not (entry.mail or entry.email))
            elif entry.email:
                await self._look_up_member(key, entry.email)
        for group in sorted(company.user_groups()):
            await self._look_up_group(group)
        return await self._access.run(self._save)

    def _save(self) -> Directory:
        store = self._access.deps.store
        stored = store.directory()
        found = {
            "people": stored.people | self._people,
            "groups": stored.groups | self._groups,
            "names": stored.names | self._names,
            "mails": stored.mails | self._mails,
            "zones": stored.zones | self._zones,
        }
        merged = stored.model_copy(update=found)
        if merged != stored:
            store.save_directory(merged)
        return merged

    async def _look_up_member(self, key: str, email: str) -> None:
        if user := await self._fetch("users.lookupByEmail", key, "user", email=email):
            self._people[email] = user["id"]
            self._remember(user)

    async def _look_up_name(self, member: PersonId, *, mail: bool = False) -> None:
        """Look up a member's name, and with `mail` the address in their profile: Slack shows it with the scope."""
        if member not in self._names and (user := await self._fetch("users.info", member, "user", user=member)):
            self._remember(user)
            if mail and (address := (user.get("profile") or {}).get("email")):
                self._mails[member] = address

    async def _look_up_group(self, group: str) -> None:
        members = await self._fetch("usergroups.users.list", group, "users", usergroup=group)
        if members is not None:
            self._groups[group] = tuple(members)
            for member in members:
                await self._look_up_name(member)

    def _remember(self, user: dict[str, Any]) -> None:
        profile = user.get("profile") or {}
        self._names[user["id"]] = profile.get("display_name") or user.get("real_name") or user["name"]
        with contextlib.suppress(ValueError):  # a zone that this host does not know
            self._zones[user["id"]] = known_zone(str(user.get("tz") or ""))
        self._access.members.remember(user)

    async def _fetch(self, method: str, looked_for: str, field: str, **arguments: str) -> Any:
        """Return a field of Slack's response; None after an error. An unknown person leaves the lookup complete."""
        try:
            found = (await self._client.api_call(method, http_verb="GET", params=arguments))[field]
        except UNREACHABLE as error:
            slack_says = slack_error(error)
            self.incomplete = self.incomplete or is_passing(error)
            log.warning("slack lookup failed", looked_for=looked_for, method=method, error=slack_says)
            await self._access.slack_refuses(method, f"{method}, by which people are found and named", error)
            return None
        await self._access.slack_takes(method)
        return found


async def remember_workspace(access: Access, url: str) -> None:
    """Store the workspace's address: bot and workers build links to messages from it."""

    def save() -> Directory:
        stored = access.deps.store.directory()
        if stored.url == url:
            return stored
        known = stored.model_copy(update={"url": url})
        access.deps.store.save_directory(known)
        return known

    with contextlib.suppress(StoreUnavailable):  # the next start stores it; until then there are no links
        access.directory = await access.run(save)


async def refresh_directory(client: AsyncWebClient, access: Access) -> None:
    """Refresh the directory at the start and every ten minutes, until cancelled."""
    while True:
        lookup = DirectoryLookup(client, access)
        try:
            access.directory = await access.run(access.deps.store.directory)  # a lookup may take long
            access.directory = await lookup.run(access.deps.company)
        except StoreUnavailable:
            lookup.incomplete = True
        await _watch_groups(access, RETRY_AFTER if lookup.incomplete else INTERVAL)


async def _watch_groups(access: Access, seconds: float) -> None:
    """Wait, and meanwhile look each minute who is in the user groups that hold roles."""
    while seconds > 0:
        await asyncio.sleep(min(seconds, GROUPS_INTERVAL))
        seconds -= GROUPS_INTERVAL
        if seconds > 0:
            with contextlib.suppress(StoreUnavailable, Refused):
                await access.look_up_groups(access.deps.company.user_groups())
