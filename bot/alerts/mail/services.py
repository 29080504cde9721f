"""Bodies of the mail services: Mailgun's routes, SendGrid's Inbound Parse, Amazon SES by way of SNS.

https://documentation.mailgun.com/docs/mailgun/user-manual/receive-forward-store/receive-http
https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/setting-up-the-inbound-parse-webhook
https://docs.aws.amazon.com/ses/latest/dg/receiving-email-notifications-contents.html
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable
from typing import Any

from bot.alerts.cloud import sns
from bot.alerts.cloud.sns_signature import CONFIRMATIONS
from bot.alerts.document import Document, Unreadable, parse_json
from bot.alerts.mail.automatic import answers_invitation, automatic, is_undelivered
from bot.alerts.mail.forms import Form, form_of
from bot.alerts.mail.message import MAX_NAMES, MAX_REFERENCES, Check, InboundMail, address_of, domain_of
from bot.alerts.mail.mime import KEPT, DeliveryReport, Headers, head, headers_of, html_text, message, words
from bot.alerts.source import CONFIRMED, Received

MAILGUN = ("recipient", "sender", "message-headers", "body-mime", "body-plain", "stripped-text", "body-html")
SENDGRID = ("headers", "email", "text", "html", "envelope", "charsets", "spf", "dkim")
FIELDS = KEPT | set(MAILGUN) | set(SENDGRID)
_MESSAGE_ID = re.compile(r"<([^<>\s]{1,400})>")
_SIGNER = re.compile(r"(?:^|[;\s])d\s*=\s*([^;\s]+)")
_DKIM = re.compile(r"@([\w.-]+)\s*:\s*(\w+)")  # {@example.com : pass}
_MARKED = "the mail service calls it {}"
NO_REPORT = DeliveryReport()


class NoMail(Exception):
    """A body that holds no mail and is nobody's fault, like the confirmation of a subscription."""


def read(received: Received) -> InboundMail:
    """Read the mail in a body. Raises Unreadable, or NoMail with a word on what it is instead."""
    form = form_of(received, FIELDS)
    if form is None:
        return _ses(received)
    if any(name in form.fields for name in MAILGUN):
        return _mailgun(form)
    if any(name in form.fields for name in SENDGRID):
        return _sendgrid(form)
    raise Unreadable("the form has no field of Mailgun or SendGrid")


def _mailgun(form: Form) -> InboundMail:
    report = NO_REPORT
    if raw := form.fields.get("body-mime"):
        headers, text, names, report = message(raw)
    else:
        listed = _json(form.text("message-headers"))
        pairs = [(str(p[0]), str(p[1])) for p in listed if isinstance(p, list) and len(p) == 2]
        headers, names = _headers(form, pairs), form.files
        text = form.text("body-plain") or form.text("stripped-text")
        text = text if text.strip() else html_text(form.text("body-html"))
    envelope = form.text("sender").strip() if "sender" in form.fields else None
    # A header of that name may be the sender's own: the worst of them counts.
    spf = _worst(headers.get("x-mailgun-spf", ()))
    dkim = _worst(headers.get("x-mailgun-dkim-check-result", ()))
    spam = any(value.lower() == "yes" for value in headers.get("x-mailgun-sflag", ()))
    return _mail(
        headers,
        text,
        names,
        envelope,
        (form.text("recipient"),),
        spf=spf,
        dkim=dkim,
        signed_by=_signers(headers) if dkim is Check.PASS else (),
        marked=_MARKED.format("spam") if spam else "",
        report=report,
    )


def _sendgrid(form: Form) -> InboundMail:
    charsets = Document(_json(form.text("charsets")))
    report = NO_REPORT
    if raw := form.fields.get("email"):
        headers, text, names, report = message(raw)
    else:
        headers, names = head(form.fields.get("headers", b"")) or _headers(form, []), form.files
        text = form.text("text", charsets.text("text"))
        text = text if text.strip() else html_text(form.text("html", charsets.text("html")))
    envelope = Document(_json(form.text("envelope")))
    results = [(domain.lower(), _check(result)) for domain, result in _DKIM.findall(form.text("dkim"))]
    return _mail(
        headers,
        text,
        names,
        envelope.text("from") if envelope.object and "from" in envelope.value else None,
        tuple(to.text() for to in envelope.items("to")) or (address_of(form.text("to")),),
        spf=_check(form.text("spf")),
        dkim=_about_sender(results, headers),
        signed_by=tuple(domain for domain, result in results if result is Check.PASS),
        report=report,
    )


def _ses(received: Received) -> InboundMail:
    envelope = received.json()
    if (kind := envelope.text("Type")) in CONFIRMATIONS:
        raise NoMail(sns.confirmation(envelope, received.headers.get(CONFIRMED, "")))
    # With raw delivery the notification stands alone: https://docs.aws.amazon.com/sns/latest/dg/sns-large-payload-raw-message-delivery.html
    found = parse_json(envelope.text("Message").encode("utf-8", "replace")) if kind == "Notification" else envelope
    if found.text("notificationType") != "Received":
        if what := found.text("notificationType", "eventType"):
            raise NoMail(f"SES: {what}")
        raise Unreadable("it is no mail of Mailgun, SendGrid or Amazon SES")
    mail, receipt = found["mail"], found["receipt"]
    raw, report = _content(found.text("content"), receipt["action"].text("encoding")), NO_REPORT
    if raw:
        headers, text, names, report = message(raw)
    else:  # only the action `SNS` passes the mail on; another one says that there is one
        headers = headers_of((h.text("name"), h.text("value")) for h in mail.items("headers"))
        text, names = f"(Amazon SES kept the text of this mail: {receipt['action'].text('type')})", ()
    bad = [word for word in ("virus", "spam") if _verdict(receipt, word) is Check.FAIL]
    dkim = _verdict(receipt, "dkim")
    return _mail(
        headers,
        text,
        names,
        mail.text("source"),
        tuple(to.text() for to in receipt.items("recipients")),
        spf=_verdict(receipt, "spf"),
        dkim=dkim,
        dmarc=_verdict(receipt, "dmarc"),
        signed_by=_signers(headers) if dkim is Check.PASS else (),
        marked=_MARKED.format(bad[0]) if bad else "",
        report=report,
    )


def _mail(
    headers: Headers,
    text: str,
    names: tuple[str, ...],
    envelope: str | None,
    recipients: tuple[str, ...],
    spf: Check,
    dkim: Check,
    dmarc: Check = Check.NONE,
    signed_by: tuple[str, ...] = (),
    marked: str = "",
    report: DeliveryReport = NO_REPORT,
) -> InboundMail:
    senders = headers.get("from", ())
    ids, subject = _ids(headers.get("message-id", ())), words(next(iter(headers.get("subject", ())), ""))
    why = automatic(headers, envelope)
    if not why and answers_invitation(subject, names):
        why = "it is a calendar's answer to an invitation"
    references = dict.fromkeys([*_ids(headers.get("references", ())), *_ids(headers.get("in-reply-to", ()))])
    first, latest = list(references)[:1], list(references)[1:][-MAX_REFERENCES + 1 :]
    return InboundMail(
        id=next(iter(ids), ""),
        references=tuple(first + latest),
        sender=address_of(senders[0]) if len(senders) == 1 else "",
        envelope=(envelope or "").strip(" <>"),
        recipients=tuple(to.strip(" <>") for to in recipients if to.strip(" <>"))[:MAX_NAMES],
        subject=subject,
        text=text,
        attachments=names[:MAX_NAMES],
        spf=spf,
        dkim=dkim,
        dmarc=dmarc,
        signed_by=signed_by[:MAX_NAMES],
        automatic=why,
        undelivered=is_undelivered(headers, report.actions),
        diagnosis=report.diagnosis,
        returned=report.returned,
        marked=marked,
    )


def _ids(values: Iterable[str]) -> list[str]:
    return [found for value in values for found in _MESSAGE_ID.findall(value)]


def _signers(headers: Headers) -> tuple[str, ...]:
    """The domains of all signatures, where the service says only that one of them holds: none, unless all agree."""
    domains = {found[1].lower() for value in headers.get("dkim-signature", ()) if (found := _SIGNER.search(value))}
    return tuple(domains) if len(domains) == 1 else ()


def _about_sender(results: list[tuple[str, Check]], headers: Headers) -> Check:
    """What became of the signature of the sender's own domain."""
    domain = domain_of(address_of(next(iter(headers.get("from", ())), "")))
    return _worst(result for name, result in results if name == domain)


def _worst(results: Iterable[str]) -> Check:
    found = [_check(result) for result in results]
    return Check.FAIL if Check.FAIL in found else Check.PASS if found and set(found) == {Check.PASS} else Check.NONE


def _check(result: str) -> Check:
    """Read a result in any service's words. A soft failure, an error and a missing record prove nothing."""
    word = (result.split() or [""])[0].strip(".,;()").lower()
    return {"pass": Check.PASS, "fail": Check.FAIL, "hardfail": Check.FAIL}.get(word, Check.NONE)


def _verdict(receipt: Document, name: str) -> Check:
    return _check(receipt[f"{name}Verdict"].text("status"))


def _content(text: str, encoding: str) -> bytes:
    if encoding.lower() == "base64":
        try:
            return base64.b64decode(text)
        except (binascii.Error, ValueError):
            return b""
    return text.encode("utf-8", "replace")


def _headers(form: Form, pairs: list[tuple[str, str]]) -> Headers:
    """The headers that a form lists; where it lists none, those that it has as fields."""
    return headers_of(pairs or [(name, form.text(name)) for name in KEPT if name in form.fields])


def _json(text: str) -> Any:
    """The value of a field; an empty list for what is no JSON."""
    try:
        return json.loads(text or "[]")
    except (ValueError, RecursionError):
        return []
