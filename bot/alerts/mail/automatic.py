"""Mails that no person wrote: out-of-office answers, bounces, lists, receipts. None of them opens or answers anything.

https://www.rfc-editor.org/rfc/rfc3834 says how programs mark theirs; not all do, so subjects are looked at as well.
"""

import re
from collections.abc import Collection, Iterable

from bot.alerts.mail.message import address_of
from bot.alerts.mail.mime import Headers, words

_SUBJECTS = re.compile(
    r"\s*(auto(matic|matische|mated)?[ -]?(reply|response|antwort)|out of (the )?office|automatische antwort"
    r"|abwesen|réponse automatique|respuesta automática|undeliver|delivery (status )?(notification|fail)"
    r"|mail delivery|returned mail|failure notice|read: |read receipt|not read: )",
    re.IGNORECASE,
)
_DELAYED = re.compile(r"\bdelay|warning|still being retried|verzögert|retard", re.IGNORECASE)
_ROBOTS = ("mailer-daemon@", "postmaster@")


_CALENDAR = re.compile(
    r"\s*(accepted|declined|tentative(ly accepted)?|new time proposed"
    r"|zugesagt|abgesagt|mit vorbehalt|accepté|refusé)\b[^:]*:",
    re.IGNORECASE,
)


def answers_invitation(subject: str, files: Iterable[str]) -> bool:
    """Check whether a mail is a calendar's answer to an invitation: it brings the event back."""
    return bool(_CALENDAR.match(subject)) and any(file.lower().endswith(".ics") for file in files)


def automatic(headers: Headers, envelope: str | None) -> str:
    """Say why no person wrote a mail; empty if one may have. `envelope` is the sender's of SMTP, None if unknown."""
    if (submitted := _first(headers, "auto-submitted")) and not submitted.startswith("no"):
        return f"Auto-Submitted: {submitted}"
    if (precedence := _first(headers, "precedence")) in ("bulk", "junk", "list", "auto_reply"):
        return f"Precedence: {precedence}"
    if "list-id" in headers:
        return "it is from a mailing list"
    if (envelope is not None and envelope.strip(" <>") == "") or "<>" in headers.get("return-path", ()):
        return "it is a bounce: nobody can answer it"
    kind = _first(headers, "content-type")
    if kind.startswith("multipart/report") or "x-failed-recipients" in headers:
        return "it is a delivery report"
    if "x-autoreply" in headers or "x-autorespond" in headers:
        return "it is an automatic answer"
    if address_of(_plain(headers, "from")).startswith(_ROBOTS):
        return "it is from a mail server"
    return "its subject is that of an automatic answer" if _SUBJECTS.match(words(_plain(headers, "subject"))) else ""


def is_undelivered(headers: Headers, actions: Collection[str] = ()) -> bool:
    """Check for a report that a mail was not delivered (https://www.rfc-editor.org/rfc/rfc3464), nor will be.

    `actions`, where they could be read, say more than the headers: of what is delayed or relayed nothing came back.
    """
    if actions:
        return "failed" in actions
    kind = _plain(headers, "content-type").lower()
    reports = "x-failed-recipients" in headers or (kind.startswith("multipart/report") and "delivery-status" in kind)
    return reports and not _DELAYED.search(words(_plain(headers, "subject")))


def _plain(headers: Headers, name: str) -> str:
    return next(iter(headers.get(name, ())), "")


def _first(headers: Headers, name: str) -> str:
    return _plain(headers, name).lower()[:60]
