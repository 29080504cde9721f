"""Health checks of Slack: tokens, scopes, clock, connection; then the configuration against the workspace."""

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import yaml
from slack_sdk.errors import SlackClientError
from slack_sdk.web import SlackResponse

from escalation.config.company import Company
from tocsin.accounts import client_of, error_of
from tocsin.config.loader import Loaded
from tocsin.config.settings import Settings
from tocsin.doctor.finding import Finding, failed, ok, warning
from tocsin.doctor.workspace_checks import REINSTALL, workspace_findings

MANIFESTS = tuple(folder / "manifest.yml" for folder in Path(__file__).parents[1:3])
LISTS = frozenset({"lists:read", "lists:write"})
OPTIONAL = LISTS | {"dnd:read"}  # without them Tocsin does all but one thing
MAX_SKEW = 60.0  # seconds; Slack's signatures are good for five minutes
TOKEN_REMEDIES = {
    "invalid_auth": "copy the Bot User OAuth Token anew into SLACK_BOT_TOKEN",
    "token_revoked": "reinstall the app and copy its token anew",
    "account_inactive": "the app was removed from the workspace: install it again",
}


def slack_findings(settings: Settings, loaded: Loaded | None) -> Iterator[Finding]:
    """Run all checks of Slack; only that of the bot token when Slack refuses it."""
    if not settings.bot_token.get_secret_value():
        return
    client = client_of(settings)
    try:
        identity = client.auth_test()
    except (SlackClientError, OSError) as error:
        yield failed("bot token", f"refused: {error_of(error)}", _token_remedy(settings, error_of(error)))
        return
    yield ok("bot token", f"{identity['user']} in {identity['team']}")
    yield from _scopes(identity, loaded.company if loaded else None)
    yield from _clock(settings, identity)
    yield _connection(settings)
    if loaded is not None:
        yield from workspace_findings(client, loaded, identity["team_id"])


def _token_remedy(settings: Settings, error: str) -> str:
    if settings.local:
        return "the local workspace does not run: start `tocsin run`"
    return TOKEN_REMEDIES.get(error, f"see whether {settings.api_url} can be reached from here")


def _scopes(response: SlackResponse, company: Company | None) -> Iterator[Finding]:
    manifest = next((m for m in MANIFESTS if m.is_file()), None)
    granted = {s.strip() for s in _header(response, "x-oauth-scopes").split(",") if s.strip()}
    if manifest is None or not granted:
        yield warning("scopes", "cannot be told from here", "compare them with manifest.yml by hand")
        return
    listed = yaml.safe_load(manifest.read_text(encoding="utf-8"))["oauth_config"]["scopes"]["bot"]
    unused = _unused(company) - granted if company else frozenset()
    required = [s for s in listed if s not in unused]
    missing = [s for s in required if s not in granted]
    for scope in missing:
        yield (warning if scope in OPTIONAL else failed)("scopes", f"{scope} is missing", REINSTALL)
    if not missing:
        used = "" if len(required) == len(listed) else " that this configuration uses"
        yield ok("scopes", f"all {len(required)} of manifest.yml{used}")


def _unused(company: Company) -> frozenset[str]:
    """Return the scopes of which this configuration makes no use."""
    keeps_groups = any(rotation.group for rotation in company.rotations.values())
    lists = frozenset() if company.follow_up_list else LISTS
    return lists if keeps_groups else lists | {"usergroups:write"}


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
        client_of(settings, "").apps_connections_open(app_token=settings.app_token.get_secret_value())
    except (SlackClientError, OSError) as error:
        remedy = "Basic Information, App-Level Tokens: one with connections:write, into SLACK_APP_TOKEN; Socket Mode on"
        return failed("app token", f"refused: {error_of(error)}", remedy)
    return ok("app token", "Socket Mode opens")
