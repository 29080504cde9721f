"""Replies of mail servers."""

import re

from workers.channels.failures import Failed, Kind, Reason

# What a 5xx says of a recipient: https://www.rfc-editor.org/rfc/rfc3463 section 3, and
# https://www.iana.org/assignments/smtp-enhanced-status-codes for later codes. A prefix stands for all that begin so.
# What stands in no line is ours: 5.3 (the mail system), 5.5 (the protocol), 5.6 (the content), 5.7 (policy, login).
_SMTP_PERSON = {
    "5.1.": Reason("the mail server does not know the address"),
    "5.2.": Reason("their mailbox takes no mail"),
    "5.2.1": Reason("their mailbox is switched off"),
    "5.2.2": Reason("their mailbox is full"),
    "5.2.3": Reason("the mail is too large for their mailbox"),
    "5.4.": Reason("no mail server takes mail for the address"),  # Exchange says 5.4.1 of an unknown recipient
    "5.7.17": Reason("the mailbox belongs to somebody else now"),
    "5.7.18": Reason("the address's domain belongs to somebody else now"),
}
_SMTP_OURS = {
    "5.1.7": "correct SMTP_FROM",
    "5.1.8": "correct SMTP_FROM",
    "5.2.4": "let SMTP_FROM write to the mailing list, or give an address that it can write to",
    "5.3.4": "let the mail server take larger mails from SMTP_FROM",
    "5.7.2": "let SMTP_FROM write to the mailing list, or give an address that it can write to",
    "5.7.8": "correct user and password in SMTP_URL",
    **dict.fromkeys(
        (f"5.7.{n}" for n in range(20, 30)), "correct SPF, DKIM, DMARC and reverse DNS of SMTP_FROM's domain"
    ),
}
FULL = "5.2.2"
# Replies without such a code, to RCPT: https://www.rfc-editor.org/rfc/rfc5321#section-4.2.3, and RFC 7504 for 556.
_SMTP_BARE = {551: "5.1.6", 552: FULL, 553: "5.1.3", 556: "5.1.10"}
_MAIL_REMEDIES = {
    530: "put user and password into SMTP_URL",
    534: "check user, password and port in SMTP_URL",
    535: "correct user and password in SMTP_URL",
    538: "set a port with TLS in SMTP_URL",
    552: "let the mail server take larger mails from SMTP_FROM",
    550: "let the mail server relay for this host and for SMTP_FROM",
    554: "let the mail server relay for this host and for SMTP_FROM",
}
_ENHANCED_CODE = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")
# A bare 550 is said of unknown recipients and of refused relays alike. Its words are all there is.
_DENIED = re.compile(r"relay|den(y|ied)|block|spam|polic|spf|dkim|dmarc|authenti|permitted|allowed|reputation", re.I)
_UNKNOWN = re.compile(
    r"(unknown|no such|invalid|bad|nonexist\w*) (local )?(user|mailbox|recipient|address|account|person)"
    r"|(user|mailbox|recipient|address|account)\b.{0,60}\b"
    r"(unknown|unavailable|not found|not exist|n't exist|disabled|inactive|invalid|rejected|no longer)"
    r"|no mailbox",
    re.I,
)


def smtp_failure(code: int, text: bytes | str, *, rcpt: bool = True) -> Failed:
    """Classify a reply: 4xx is passing (RFC 5321, 4.2.1). `rcpt`: it is about the recipient, not about the sender."""
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    found = _ENHANCED_CODE.match(words)
    status = found[0] if found else ""
    error = f"smtp: {code} {status}".rstrip()
    if 400 <= code < 500:
        return Failed(error, Kind.PASSING, reason=Reason(f"the mail server does not take it now ({error})"))
    if status in ("", "5.0.0") and rcpt:
        status = "5.1.1" if code == 550 and _is_unknown(words) else _SMTP_BARE.get(code, "")
    person = None if status in _SMTP_OURS else _SMTP_PERSON.get(status) or _SMTP_PERSON.get(status[:4])
    if person:
        return Failed(error, Kind.PERSON, reason=Reason(f"{person.text} ({error})"), for_now=status == FULL)
    remedy = _SMTP_OURS.get(status) or _MAIL_REMEDIES.get(code, "check SMTP_URL and SMTP_FROM")
    return Failed(error, Kind.OURS, reason=Reason(f"the mail server refuses us ({error})", remedy))


def _is_unknown(words: str) -> bool:
    return bool(_UNKNOWN.search(words)) and not _DENIED.search(words)
