"""Whom the configuration means: member ids, user groups and names, asked of the workspace in the background."""

import asyncio
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.access import Access, StoreUnavailable
from bot.slack.client import UNREACHABLE, said_by_slack
from escalation.config.company import Company, Directory
from escalation.values import PersonId

EVERY = 600.0  # seconds
AGAIN = 15.0  # seconds, after a round that missed something because Slack or Redis was away
PASSING = frozenset({"ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"})
log = structlog.get_logger("bot")


class Lookup:
    """One round through the configuration. What Slack does not say keeps its old entry."""

    def __init__(self, client: AsyncWebClient, access: Access) -> None:
        self._client = client
        self._access = access
        self.missed = False
        self._people: dict[str, PersonId] = {}
        self._groups: dict[str, tuple[PersonId, ...]] = {}
        self._names: dict[PersonId, str] = {}

    async def round(self, company: Company) -> Directory:
        for key, entry in company.people.items():
            if entry.slack:
                await self._name(entry.slack)
            elif entry.email:
                await self._find(key, entry.email)
        for group in sorted(company.user_groups()):
            await self._group(group)
        return await self._access.run(self._save)

    def _save(self) -> Directory:
        store = self._access.deps.store
        known = store.directory()
        merged = Directory(
            people=known.people | self._people, groups=known.groups | self._groups, names=known.names | self._names
        )
        if merged != known:
            store.save_directory(merged)
        return merged

    async def _find(self, key: str, email: str) -> None:
        if user := await self._ask("users.lookupByEmail", key, "user", email=email):
            self._people[email] = user["id"]
            self._learn(user)

    async def _name(self, member: PersonId) -> None:
        if member not in self._names and (user := await self._ask("users.info", member, "user", user=member)):
            self._learn(user)

    async def _group(self, group: str) -> None:
        members = await self._ask("usergroups.users.list", group, "users", usergroup=group)
        if members is not None:
            self._groups[group] = tuple(members)
            for member in members:
                await self._name(member)

    def _learn(self, user: dict[str, Any]) -> None:
        profile = user.get("profile") or {}
        self._names[user["id"]] = profile.get("display_name") or user.get("real_name") or user["name"]
        self._access.members.learn(user)

    async def _ask(self, method: str, what: str, answer: str, **arguments: str) -> Any:
        """A field of Slack's answer; None when there was none. A person who is not there is a finding, not a miss."""
        try:
            return (await self._client.api_call(method, http_verb="GET", params=arguments))[answer]
        except UNREACHABLE as error:
            said = said_by_slack(error)
            self.missed = self.missed or said in PASSING or not isinstance(error, SlackApiError)
            log.warning("not found in slack", looked_for=what, method=method, error=said)
            return None


async def keep_directory(client: AsyncWebClient, access: Access) -> None:
    """Ask at the start and every ten minutes, until cancelled."""
    while True:
        lookup = Lookup(client, access)
        try:
            access.directory = await access.run(access.deps.store.directory)  # known before: a round may take long
            access.directory = await lookup.round(access.deps.company)
        except StoreUnavailable:
            lookup.missed = True
        await asyncio.sleep(AGAIN if lookup.missed else EVERY)
