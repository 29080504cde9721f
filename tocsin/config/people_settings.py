"""Checks of the variables that set up other services: people's channels, calls, trackers. They raise ValueError."""

import re
from urllib.parse import urlsplit

TWILIO_API = "https://api.twilio.com"
PUSHOVER_API = "https://api.pushover.net"
PAGERDUTY_API = "https://api.pagerduty.com"
OPSGENIE_API = "https://api.opsgenie.com"
NTFY_HOST = "ntfy.sh"
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")  # https://www.itu.int/rec/T-REC-E.164
_PUSHOVER_TOKEN = re.compile(r"[A-Za-z0-9]{30}")  # https://pushover.net/api#registration


def web_address(text: str | None, example: str) -> str:
    """Check a web address; empty when it is not set."""
    if not text:
        return ""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"is not a web address; write one like {example}")
    return text.rstrip("/")


def public_url(text: str | None) -> str:
    """Check our own address as others reach it."""
    url = web_address(text, "https://tocsin.example.com")
    if "_" in (urlsplit(url).hostname or ""):
        raise ValueError("has an underscore in its host, which Twilio does not call; use another name for it")
    return url


def twilio_sid(sid: str | None, *others: str | None) -> str:
    """Check the account's SID; `others` are variables that need it."""
    if not sid and any(others):
        raise ValueError("is missing; copy the Account SID (AC…) from console.twilio.com")
    if sid and not sid.startswith("AC"):
        raise ValueError("is not an Account SID; it begins with AC (an API key's SID, SK…, cannot verify callbacks)")
    return sid or ""


def twilio_token(token: str | None, sid: str | None) -> str:
    """Check the auth token."""
    if sid and not token:
        raise ValueError("is missing; copy the Auth Token from console.twilio.com")
    return token or ""


def twilio_from(number: str | None, sid: str | None, service: str | None) -> str:
    """Check the number that SMS and calls come from."""
    if sid and not number and not service:
        raise ValueError("is missing; set a number of your account, like +15005550006 (or TWILIO_MESSAGING_SERVICE)")
    if number and not _E164.fullmatch(number):
        raise ValueError(f"'{number}' is not a number; write + and the country code, like +15005550006")
    return number or ""


def twilio_service(service: str | None) -> str:
    """Check the Messaging Service that sends SMS."""
    if service and not service.startswith("MG"):
        raise ValueError("is not a Messaging Service; its SID begins with MG")
    return service or ""


def pushover_token(token: str | None, url: str | None = None) -> str:
    """Check the application's token; another server that speaks Pushover's API may have tokens of its own kind."""
    if token and not url and not _PUSHOVER_TOKEN.fullmatch(token):
        raise ValueError(
            "is not an application's token; it has 30 letters and digits (pushover.net, Your Applications)"
        )
    return token or ""


def ntfy_token(token: str | None, url: str | None) -> str:
    """Check the access token."""
    if token and not url:
        raise ValueError("is set, and NTFY_URL is not; set it too, like https://ntfy.example.com")
    if token and urlsplit(url or "").hostname == NTFY_HOST and not token.startswith("tk_"):
        raise ValueError("is not an access token; it begins with tk_ (`ntfy token add USER`)")
    return token or ""


def apprise_urls(text: str | None) -> tuple[str, ...]:
    """Split the addresses, which have spaces or line breaks between them; a comma may be part of one."""
    from workers.channels.people import apprise  # noqa: PLC0415 - only where it is used

    urls = tuple((text or "").split())
    if urls and not apprise.installed():
        raise ValueError('is set, and Apprise is not installed; install the extra: pip install "tocsin[apprise]"')
    for n, url in enumerate(urls, 1):
        if problem := apprise.problem_of(url):
            raise ValueError(f"address {n} {problem}")
    return urls


def zoom_hosts(text: str | None) -> tuple[str, ...]:
    """Check the users of the account whose meetings they are."""
    hosts = tuple(h for word in (text or "").split(",") if (h := word.strip()))
    if invalid := next((h for h in hosts if not re.fullmatch(r"[^@\s/?#]+@[^@\s/?#]+|[A-Za-z0-9_-]+", h)), None):
        raise ValueError(f"'{invalid}' is no user; write the address of a Zoom user, or several with commas between")
    return hosts


def jira_url(url: str | None, token: str | None) -> str:
    """Check Jira's address: needed with a token."""
    if token and not url:
        raise ValueError("is missing, and JIRA_TOKEN is set; write https://example.atlassian.net")
    return web_address(url, "https://example.atlassian.net")


def jira_token(token: str | None, url: str | None, user: str | None) -> str | None:
    """Check Jira's token: needed with its address or user."""
    if (url or user) and not token:
        raise ValueError("is missing; make an API token (Cloud, with JIRA_USER) or an own access token (Data Center)")
    return token
