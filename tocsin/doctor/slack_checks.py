"""The doctor's look at Slack: tokens, scopes, clock, the incidents channel and the people."""

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import yaml
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler
from slack_sdk.web import SlackResponse

from escalation.config.company import Company, PersonEntry
from tocsin.config.settings import Settings
from tocsin.doctor.finding import Finding, fine, no, perhaps

MANIFESTS = tuple(folder / "manifest.yml" for folder in Path(__file__).parents[1:3])
MOST_SKEW = 60.0  # seconds; Slack's signatures are good for five minutes
REINSTALL = "add it under OAuth & Permissions (or update the app from manifest.yml), then reinstall the app"
TOKEN_REMEDIES = {
    "invalid_auth": "copy the Bot User OAuth Token anew into SLACK_BOT_TOKEN",
    "token_revoked": "reinstall the app and copy its token anew",
    "account_inactive": "the app was removed from the workspace: install it again",
}


def slack_findings(settings: Settings, company: Company | None) -> Iterator[Finding]:
    """All there is to say about Slack; nothing after the token when that is no good."""
    if not settings.bot_token.get_secret_value():
        return
    client = _client(settings, settings.bot_token.get_secret_value())
    try:
        hello = client.auth_test()
    except (SlackClientError, OSError) as wrong:
        yield no("bot token", f"refused: {_error(wrong)}", _token_remedy(settings, _error(wrong)))
        return
    yield fine("bot token", f"{hello['user']} in {hello['team']}")
    yield from _scopes(hello)
    yield from _clock(settings, hello)
    yield _way_in(settings)
    if company is not None:
        yield _incidents_channel(client, company.workspace.incidents_channel)
        yield from (_person(client, key, entry) for key, entry in company.people.items())
        yield from _groups(client, company)


def _client(settings: Settings, token: str) -> WebClient:
    patient = RateLimitErrorRetryHandler(max_retry_count=3)
    return WebClient(token, base_url=settings.api_url, timeout=10, retry_handlers=[patient])


def _token_remedy(settings: Settings, error: str) -> str:
    if settings.local:
        return "the local workspace does not run: start `tocsin run`"
    return TOKEN_REMEDIES.get(error, f"see whether {settings.api_url} can be reached from here")


def _scopes(hello: SlackResponse) -> Iterator[Finding]:
    manifest = next((m for m in MANIFESTS if m.is_file()), None)
    granted = {s.strip() for s in _header(hello, "x-oauth-scopes").split(",") if s.strip()}
    if manifest is None or not granted:
        yield perhaps("scopes", "cannot be told from here", "compare them with manifest.yml by hand")
        return
    wanted = yaml.safe_load(manifest.read_text(encoding="utf-8"))["oauth_config"]["scopes"]["bot"]
    missing = [s for s in wanted if s not in granted]
    yield from (no("scopes", f"{scope} is missing", REINSTALL) for scope in missing)
    if not missing:
        yield fine("scopes", f"all {len(wanted)} of manifest.yml")


def _clock(settings: Settings, hello: SlackResponse) -> Iterator[Finding]:
    """Slack's clock matters to signatures; a stand-in's may be pushed."""
    date = _header(hello, "date")
    if not settings.real_slack or not date:
        return
    apart = (parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds()
    if abs(apart) <= MOST_SKEW:
        yield fine("clock", "Slack and this machine agree")
    else:
        yield no("clock", f"Slack is {apart:+.0f} s from this machine", "set this host's clock by NTP")


def _header(response: SlackResponse, name: str) -> str:
    """A header of an answer, whatever its case; the SDK gives a text or a list."""
    for key, value in response.headers.items():
        if key.lower() == name:
            return ",".join(value) if isinstance(value, list) else str(value)
    return ""


def _way_in(settings: Settings) -> Finding:
    """Socket Mode, which can be tried, or HTTP, which only Slack can try."""
    if settings.app_token is None:
        return fine("signing secret", "is set: Slack comes in over HTTP at /slack/events")
    try:
        _client(settings, "").apps_connections_open(app_token=settings.app_token.get_secret_value())
    except (SlackClientError, OSError) as wrong:
        remedy = "Basic Information, App-Level Tokens: one with connections:write, into SLACK_APP_TOKEN; Socket Mode on"
        return no("app token", f"refused: {_error(wrong)}", remedy)
    return fine("app token", "Socket Mode opens")


def _incidents_channel(client: WebClient, wish: str) -> Finding:
    try:
        channel = _find_channel(client, wish.removeprefix("#"))
    except (SlackClientError, OSError) as wrong:
        return no("channel", f"#{wish} cannot be looked for: {_error(wrong)}", REINSTALL)
    if channel is None:
        return fine("channel", f"#{wish} does not exist yet; the first incident makes it")
    if channel.get("is_archived"):
        return no("channel", f"#{wish} is archived", "unarchive it, or set workspace.incidents_channel to another")
    return fine("channel", f"#{channel['name']} ({channel['id']})")


def _find_channel(client: WebClient, wish: str) -> dict[str, Any] | None:
    cursor = ""
    while True:
        page = client.conversations_list(types="public_channel,private_channel", limit=999, cursor=cursor)
        for channel in page["channels"]:
            if wish in (channel["name"], channel["id"]):
                return dict(channel)
        cursor = (page.get("response_metadata") or {}).get("next_cursor", "")
        if not cursor:
            return None


def _person(client: WebClient, key: str, entry: PersonEntry) -> Finding:
    try:
        found = (
            client.users_info(user=entry.slack) if entry.slack else client.users_lookupByEmail(email=entry.email or "")
        )
    except SlackApiError as wrong:
        known_as = entry.slack or entry.email
        return no("person", f"{key} ({known_as}) was not found: {_error(wrong)}", "correct the entry under people")
    except (SlackClientError, OSError) as wrong:
        return no("person", f"{key} could not be looked up: {_error(wrong)}", "try again")
    user = found["user"]
    if user.get("deleted"):
        return no("person", f"{key} ({user['id']}) has left the workspace", "give their roles to somebody else")
    return fine("person", f"{key} is {user.get('real_name') or user['name']} ({user['id']})")


def _groups(client: WebClient, company: Company) -> Iterator[Finding]:
    for group in company.user_groups():
        try:
            members = client.usergroups_users_list(usergroup=group)["users"]
        except (SlackClientError, OSError) as wrong:
            yield no("group", f"{group} was not found: {_error(wrong)}", "correct the group's id under roles")
            continue
        if members:
            yield fine("group", f"{group} has {len(members)} members")
        else:
            yield no("group", f"{group} is empty", "add members to it in Slack")


def _error(wrong: Exception) -> str:
    """Slack's word for what is wrong, or the network's."""
    return str(wrong.response["error"]) if isinstance(wrong, SlackApiError) else str(wrong)
