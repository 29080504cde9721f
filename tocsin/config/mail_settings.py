"""Checks of the variables that set up mail. All raise ValueError."""

from urllib.parse import urlsplit


def smtp_url(url: str | None) -> str | None:
    """Check the mail server's address."""
    parts = urlsplit(url or "smtp://localhost")
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ValueError("is not a mail server; write smtp://user:password@mail.example.com:587 or smtps://…:465")
    return url


def smtp_from(address: str | None, smtp_url: str | None) -> str:
    """Check the address that mail comes from: needed with a mail server."""
    if smtp_url and "@" not in (address or ""):
        raise ValueError("is missing; set the address that Tocsin's mail comes from, like tocsin@example.com")
    return address or ""


def status_mail_from(address: str | None) -> str:
    """Check the address that mail to subscribers comes from."""
    if address and "@" not in address:
        raise ValueError("is no address; write one like status@news.example.com, or leave it unset for SMTP_FROM")
    return address or ""


def reply_to(address: str | None, smtp_url: str | None, comes_in: bool) -> str:
    """Check the address for answers to mail; its local part gets a token of up to 45 letters, and may have 64."""
    name, at, domain = (address or "").partition("@")
    if not address:
        return ""
    if not name or not at or "." not in domain or {" ", "+", "<", "@"} & set(f"{name}{domain}") or len(name) > 18:
        raise ValueError(f"'{address}' is no address for answers; write one like reply@in.example.com")
    if not smtp_url:
        raise ValueError("is set, and SMTP_URL is not: it is for answers to mail that Tocsin sends")
    if not comes_in:
        raise ValueError("is set, and no mail comes in; set ALERTS_SECRET_MAIL, ALERTS_TOKEN or ALERTS_SNS_TOPICS")
    return address.lower()


def watchdog_to(text: str | None) -> tuple[str, ...]:
    """Check the addresses that the watchdog writes to."""
    addresses = tuple(a for word in (text or "").split(",") if (a := word.strip()))
    if invalid := next((a for a in addresses if "@" not in a or " " in a), None):
        raise ValueError(f"'{invalid}' is no address; write ops@example.com, or several with commas between")
    return addresses
