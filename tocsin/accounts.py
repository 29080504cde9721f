"""Slack accounts of people and user groups of the configuration: what keeps one from answering its pages."""

import os
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

from bot.slack.members import kind_of
from escalation.config.company import Company, PersonEntry
from escalation.config.policy import LEAD, TEAM
from escalation.config.references import Path
from escalation.hosts import drop_proxies_for
from escalation.incident.permissions import Kind
from tocsin.config.settings import Settings

Json = dict[str, Any]
UNREACHABLE = (SlackClientError, OSError)


class Account(NamedTuple):
    """A person's account, or a user group, as Slack knows it. `place` is what names it in the configuration.

    `remedy` is empty where all is well; `asked` is False where Slack gave no answer. `user` is Slack's user object.
    """

    about: Literal["person", "group"]
    place: Path
    state: Literal["ok", "warning", "failed"]
    what: str
    remedy: str = ""
    user: Json | None = None
    asked: bool = True


def client_of(settings: Settings, token: str | None = None) -> WebClient:
    """Build a client that waits for Slack's limits; with the bot token unless another is given."""
    drop_proxies_for(settings.api_url, os.environ)
    retry = RateLimitErrorRetryHandler(max_retry_count=3)
    own = settings.bot_token.get_secret_value() if token is None else token
    return WebClient(own, base_url=settings.api_url, timeout=10, retry_handlers=[retry])


def error_of(error: Exception) -> str:
    """Slack's error code, or the network error's text."""
    return str(error.response["error"]) if isinstance(error, SlackApiError) else str(error)


def accounts(client: WebClient, company: Company, own_team: str) -> Iterator[Account]:
    """Look up everybody under `people`, each user group that holds a role, and the members of those."""
    known = set[str]()
    for key, entry in company.people.items():
        account = _person(client, key, entry, company, own_team)
        known.add((account.user or {}).get("id", ""))
        yield account
    for group in company.user_groups():
        yield from _group(client, group, company, own_team, known)


def _person(client: WebClient, key: str, entry: PersonEntry, company: Company, own_team: str) -> Account:
    place = ("people", key)
    try:
        response = (
            client.users_info(user=entry.slack) if entry.slack else client.users_lookupByEmail(email=entry.email or "")
        )
    except SlackApiError as error:
        what = f"{key} ({entry.slack or entry.email}) was not found: {error_of(error)}"
        return Account("person", place, "failed", what, "correct the entry under people")
    except UNREACHABLE as error:
        what = f"{key} could not be looked up: {error_of(error)}"
        return Account("person", place, "failed", what, "try again", asked=False)
    user = response["user"]
    return examined(place, f"{key} ({user['id']})", user, own_team, _roles_of(key, company))


def _group(client: WebClient, group: str, company: Company, own_team: str, known: set[str]) -> Iterator[Account]:
    """Look a user group up, and those of its members that were not looked up before."""
    held = [role for role, holders in company.roles.items() if any(h.group == group for h in holders)]
    place = ("roles", held[0])
    try:
        members = client.usergroups_users_list(usergroup=group)["users"]
    except UNREACHABLE as error:
        what, asked = f"{group} was not found: {error_of(error)}", isinstance(error, SlackApiError)
        yield Account("group", place, "failed", what, "correct the group's id under roles", asked=asked)
        return
    if members:
        yield Account("group", place, "ok", f"{group} has {len(members)} members")
    else:
        yield Account("group", place, "failed", f"{group} is empty", "add members to it in Slack")
    for member in members:
        if member not in known:
            known.add(member)
            yield _member(client, member, group, place, own_team, held)


def _member(client: WebClient, member: str, group: str, place: Path, own_team: str, held: list[str]) -> Account:
    try:
        user = client.users_info(user=member)["user"]
    except UNREACHABLE as error:
        what, asked = f"{member} of {group} could not be looked up: {error_of(error)}", isinstance(error, SlackApiError)
        return Account("person", place, "failed", what, "try again", asked=asked)
    return examined(place, f"{user.get('real_name') or user['name']} ({member}, of {group})", user, own_team, held)


def examined(place: Path, who: str, user: Json, own_team: str, roles: Sequence[str] = ()) -> Account:
    """Say what an account cannot do that its roles want: guests, bots, people elsewhere and people who left."""
    held = f"their roles ({', '.join(roles)})" if roles else "their roles"
    if user.get("deleted"):
        return Account(
            "person", place, "failed", f"{who} has left the workspace", f"give {held} to somebody else", user
        )
    match kind_of(user, own_team):
        case Kind.BOT:
            what = f"{who} is a bot: it cannot be paged"
            return Account("person", place, "failed", what, "give its roles to a person", user)
        case Kind.STRANGER:
            what = f"{who} belongs to another workspace: a page may not reach them"
            return Account("person", place, "warning", what, f"give {held} to a member of this one", user)
        case Kind.GUEST:
            what = f"{who} is a guest: they can answer their pages, and do nothing else"
            return Account("person", place, "warning", what, f"make them a full member, or give {held} to one", user)
    name = who.partition(" (")[0]
    return Account(
        "person", place, "ok", f"{name} is {user.get('real_name') or user['name']} ({user['id']})", user=user
    )


def _roles_of(key: str, company: Company) -> list[str]:
    """Return the roles that somebody holds, now or in some shift or for some service."""
    shifts = {name for name, rotation in company.rotations.items() if key in rotation.people}
    held = [
        role for role, holders in company.roles.items() if any(h.person == key or h.rotation in shifts for h in holders)
    ]
    led = (*(team.lead for team in company.teams.values()), *(service.lead for service in company.services.values()))
    by_service = {LEAD: key in led, TEAM: any(key in team.members for team in company.teams.values())}
    return list(dict.fromkeys([*held, *(role for role, holds in by_service.items() if holds)]))
