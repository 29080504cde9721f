"""Health checks of Slack: tokens, scopes, clock, the incidents channel, people and user groups."""

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
from tocsin.doctor.finding import Finding, failed, ok, warning

MANIFESTS = tuple(folder / "manifest.yml" for folder in Path(__file__).parents[1:3])
MAX_SKEW = 60.0  # seconds; Slack's signatures are good for five minutes
REINSTALL = "add it under OAuth & Permissions (or update the app from manifest.yml), then reinstall the app"
TOKEN_REMEDIES = {
    "invalid_auth": "copy the Bot User OAuth Token anew into SLACK_BOT_TOKEN",
    "token_revoked": "reinstall the app and copy its token anew",
    "account_inactive": "the app was removed from the workspace: install it again",
}


def slack_findings(settings: Settings, company: Company | None) -> Iterator[Finding]:
    """Run all checks of Slack; only that of the bot token when Slack refuses it."""
    if not settings.bot_token.get_secret_value():
        return
    client = _client(settings, settings.bot_token.get_secret_value())
    try:
        identity = client.auth_test()
    except (SlackClientError, OSError) as error:
        yield failed("bot token", f"refused: {_error(error)}", _token_remedy(settings, _error(error)))
        return
    yield ok("bot token", f"{identity['user']} in {identity['team']}")
    yield from _scopes(identity)
    yield from _clock(settings, identity)
    yield _connection(settings)
    if company is not None:
        yield _incidents_channel(client, company.workspace.incidents_channel)
        yield from (_person(client, key, entry) for key, entry in company.people.items())
        yield from _groups(client, company)


def _client(settings: Settings, token: str) -> WebClient:
    retry = RateLimitErrorRetryHandler(max_retry_count=3)
    return WebClient(token, base_url=settings.api_url, timeout=10, retry_handlers=[retry])


def _token_remedy(settings: Settings, error: str) -> str:
    if settings.local:
        return "the local workspace does not run: start `tocsin run`"
    return TOKEN_REMEDIES.get(error, f"see whether {settings.api_url} can be reached from here")


def _scopes(response: SlackResponse) -> Iterator[Finding]:
    manifest = next((m for m in MANIFESTS if m.is_file()), None)
    granted = {s.strip() for s in _header(response, "x-oauth-scopes").split(",") if s.strip()}
    if manifest is None or not granted:
        yield warning("scopes", "cannot be told from here", "compare them with manifest.yml by hand")
        return
    required = yaml.safe_load(manifest.read_text(encoding="utf-8"))["oauth_config"]["scopes"]["bot"]
    missing = [s for s in required if s not in granted]
    yield from (failed("scopes", f"{scope} is missing", REINSTALL) for scope in missing)
    if not missing:
        yield ok("scopes", f"all {len(required)} of manifest.yml")


def _clock(settings: Settings, response: SlackResponse) -> Iterator[Finding]:
    """Compare clocks with Slack, for request signatures. Real Slack only: a test workspace's clock may be pushed."""
    date = _header(response, "date")
    if not settings.real_slack or not date:
        return
    skew = (parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds()
    if abs(skew) <= MAX_SKEW:
        yield ok("clock", "Slack and this machine agree")
    else:
        yield failed("clock", f"Slack is {skew:+.0f} s from this machine", "set this host's clock by NTP")


def _header(response: SlackResponse, name: str) -> str:
    """A header of a response, in any case; the SDK gives a string or a list."""
    for key, value in response.headers.items():
        if key.lower() == name:
            return ",".join(value) if isinstance(value, list) else str(value)
    return ""


def _connection(settings: Settings) -> Finding:
    """Open a Socket Mode connection, or check the signing secret: HTTP can only be tried from Slack's side."""
    if settings.app_token is None:
        return ok("signing secret", "is set: Slack comes in over HTTP at /slack/events")
    try:
        _client(settings, "").apps_connections_open(app_token=settings.app_token.get_secret_value())
    except (SlackClientError, OSError) as error:
        remedy = "Basic Information, App-Level Tokens: one with connections:write, into SLACK_APP_TOKEN; Socket Mode on"
        return failed("app token", f"refused: {_error(error)}", remedy)
    return ok("app token", "Socket Mode opens")


def _incidents_channel(client: WebClient, wanted: str) -> Finding:
    try:
        channel = _find_channel(client, wanted.removeprefix("#"))
    except (SlackClientError, OSError) as error:
        return failed("channel", f"#{wanted} cannot be looked for: {_error(error)}", REINSTALL)
    if channel is None:
        return ok("channel", f"#{wanted} does not exist yet; the first incident makes it")
    if channel.get("is_archived"):
        return failed(
            "channel", f"#{wanted} is archived", "unarchive it, or set workspace.incidents_channel to another"
        )
    return ok("channel", f"#{channel['name']} ({channel['id']})")


def _find_channel(client: WebClient, wanted: str) -> dict[str, Any] | None:
    cursor = ""
    while True:
        page = client.conversations_list(types="public_channel,private_channel", limit=999, cursor=cursor)
        for channel in page["channels"]:
            if wanted in (channel["name"], channel["id"]):
                return dict(channel)
        cursor = (page.get("response_metadata") or {}).get("next_cursor", "")
        if not cursor:
            return None


def _person(client: WebClient, key: str, entry: PersonEntry) -> Finding:
    try:
        response = (
            client.users_info(user=entry.slack) if entry.slack else client.users_lookupByEmail(email=entry.email or "")
        )
    except SlackApiError as error:
        known_as = entry.slack or entry.email
        return failed("person", f"{key} ({known_as}) was not found: {_error(error)}", "correct the entry under people")
    except (SlackClientError, OSError) as error:
        return failed("person", f"{key} could not be looked up: {_error(error)}", "try again")
    user = response["user"]
    if user.get("deleted"):
        return failed("person", f"{key} ({user['id']}) has left the workspace", "give their roles to somebody else")
    return ok("person", f"{key} is {user.get('real_name') or user['name']} ({user['id']})")


def _groups(client: WebClient, company: Company) -> Iterator[Finding]:
    for group in company.user_groups():
        try:
            members = client.usergroups_users_list(usergroup=group)["users"]
        except (SlackClientError, OSError) as error:
            yield failed("group", f"{group} was not found: {_error(error)}", "correct the group's id under roles")
            continue
        if members:
            yield ok("group", f"{group} has {len(members)} members")
        else:
            yield failed("group", f"{group} is empty", "add members to it in Slack")


def _error(error: Exception) -> str:
    """Slack's error code, or the network error's text."""
    return str(error.response["error"]) if isinstance(error, SlackApiError) else str(error)
