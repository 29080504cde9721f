"""Checks of the variables that set up Slack, and the tokens of the local workspace. All raise ValueError."""

from urllib.parse import urlsplit

from tocsin.config.addresses import Address, is_real_slack

SLACK_API = "https://slack.com/api/"
LOCAL_BOT_TOKEN = "xoxb-tocsin-sandbox"  # noqa: S105 - the local workspace's published tokens, worthless elsewhere
LOCAL_APP_TOKEN = "xapp-tocsin-sandbox"  # noqa: S105
LOCAL_SIGNING_SECRET = "tocsin-sandbox-signing-secret"  # noqa: S105


def bot_token(token: str | None, local: bool) -> str:
    """Check the bot token; the local workspace has its own."""
    if local:
        return LOCAL_BOT_TOKEN
    if not token:
        raise ValueError("is missing; copy the Bot User OAuth Token (xoxb-…) from your app's OAuth & Permissions page")
    if not token.startswith("xoxb-"):
        raise ValueError("is not a bot token; it begins with xoxb- (OAuth & Permissions, Bot User OAuth Token)")
    return token


def app_token(token: str | None, secret: str | None, local: bool) -> str | None:
    """Check the app-level token; without one, requests of HTTP are signed by the secret."""
    if local:
        return LOCAL_APP_TOKEN
    if token and not token.startswith("xapp-"):
        raise ValueError("is not an app-level token; it begins with xapp- (Basic Information, App-Level Tokens)")
    if not (token or secret):
        raise ValueError(
            "is missing, and so is SLACK_SIGNING_SECRET; set one: the xapp-… token (Socket Mode) or the secret (HTTP)"
        )
    return token


def signing_secret(secret: str | None, local: bool) -> str | None:
    """Check the signing secret."""
    if local:
        return LOCAL_SIGNING_SECRET
    if secret and secret.startswith(("xoxb-", "xapp-", "xoxp-")):
        raise ValueError("holds a token; copy the Signing Secret from your app's Basic Information page")
    return secret


def api_url(url: str | None, local: bool, sandbox: Address) -> str:
    """Check the address of the Web API: the local workspace's, Slack's own, or another."""
    if local and url is None:
        return f"{sandbox.url}/api/"
    parts = urlsplit(url or SLACK_API)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"is not a web address; leave it unset for Slack itself ({SLACK_API})")
    if local:
        raise ValueError(
            "is set but no Slack token is; set the tokens too, or leave all of them unset for the local workspace"
        )
    if is_real_slack(parts.geturl()) and parts.scheme != "https":
        raise ValueError(f"would send tokens in the clear; write {SLACK_API}")
    return parts.geturl().rstrip("/") + "/"
