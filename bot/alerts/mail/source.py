"""People's reports by mail. Mailgun signs what it posts and SendGrid can; the token lets in what is not signed."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import datetime

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pydantic import ValidationError

from bot.alerts.authentication import is_recent
from bot.alerts.cloud import sns_signature
from bot.alerts.document import Unreadable
from bot.alerts.mail import services
from bot.alerts.mail.forms import form_of, is_form
from bot.alerts.mail.message import InboundMail, Standing
from bot.alerts.mail.reply import own_words
from bot.alerts.source import OtherWay, Received, Source, alert, hashed
from escalation.alerts.alert import Alert, AlertState, Parsed
from escalation.values import PersonId, machine

NAME = "mail"
MAX_BYTES = 25_000_000  # what Mailgun takes with its attachments (documentation.mailgun.com); none of them is kept
OWN_TYPE = "application/vnd.tocsin.mail+json"  # of what is kept
_SUBJECT_MARKS = re.compile(r"^((re|aw|antw|sv|fwd?|wg|tr|rif)(\[\d+\])?:\s*|\[external\]\s*)+(?=\S)", re.IGNORECASE)


def kept(received: Received) -> Received:
    """What is kept of a body: the mail without its attachments, or why it cannot be read."""
    try:
        content = services.read(received).model_dump_json(exclude_defaults=True)
    except services.NoMail as other:
        return Received(_problem("note", str(other)), {"content-type": OWN_TYPE})
    except Unreadable as error:
        return Received(_problem("problem", str(error)), {"content-type": OWN_TYPE})
    return Received(content.encode(), {"content-type": OWN_TYPE})


def _problem(kind: str, why: str) -> bytes:
    return f"{kind}: {why}".encode("utf-8", "replace")


def mail_of(received: Received) -> InboundMail:
    """Read a mail, as it was kept or as a service posts it. Raises Unreadable, or NoMail."""
    if received.headers.get("content-type") != OWN_TYPE:
        return services.read(received)
    kind, _, why = received.body.decode("utf-8", "replace").partition(": ")
    if kind == "note":
        raise services.NoMail(why)
    if kind == "problem":
        raise Unreadable(why)
    try:
        return InboundMail.model_validate_json(received.body)
    except ValidationError:
        raise Unreadable("the mail was kept by another version") from None


def parse(received: Received) -> Parsed:
    """Read a mail as a report. Raises Unreadable."""
    try:
        mail = mail_of(received)
    except services.NoMail as other:
        return Parsed(note=str(other))
    why = refusal(mail)
    return Parsed(refused=why) if why else Parsed(alerts=(report(mail),))


def refusal(mail: InboundMail) -> str:
    """Say why a mail opens nothing, answers nothing and adds nothing; empty if it may."""
    if mail.automatic:
        return f"no person wrote it: {mail.automatic}"
    if mail.marked:
        return mail.marked
    if not mail.sender:
        return "it does not name one sender"
    if mail.standing is Standing.FORGED:
        return f"forged: it is not from {mail.sender}"
    return ""


def report(mail: InboundMail) -> Alert:
    """The alert that a person's report is, with what it forwards or quotes. All mails of a thread are one alert."""
    first_line = next((line.strip() for line in own_words(mail.text).splitlines() if line.strip()), "")
    title = _SUBJECT_MARKS.sub("", mail.subject) or first_line or f"Mail from {mail.sender}"
    attached = f"Attached (not kept): {', '.join(mail.attachments)}" if mail.attachments else ""
    return alert(
        NAME,
        AlertState.FIRING,
        root(mail),
        title,
        description="\n\n".join(filter(None, (mail.text[:1700], attached[:250]))),
        labels={"from": mail.sender, "to": ", ".join(mail.recipients[:3]), "sender": mail.standing},
        reporter=writer(mail),
        ends=False,
    )


def writer(mail: InboundMail) -> PersonId:
    """Who a mail is from, as no member of ours: an address, which is a claim unless something proves it."""
    return machine(mail.sender if mail.standing is Standing.VERIFIED else f"{mail.sender[:60]} (unverified)")


def root(mail: InboundMail) -> str:
    """The first mail of a mail's thread; itself, if it begins one."""
    return next(iter((*mail.references, mail.id)), "") or hashed(mail.sender, mail.subject, mail.text)


def verify(received: Received, secrets: Sequence[str], now: datetime) -> bool:
    """Check the signature of Mailgun, or of SendGrid where its inbound webhook has a security policy."""
    if "x-twilio-email-event-webhook-signature" in received.headers:
        return _signed_by_sendgrid(received, secrets, now)
    try:
        form = form_of(received, ("timestamp", "token", "signature"))
    except Unreadable:
        return False
    if form is None or not is_recent(form.text("timestamp"), now):
        return False
    content, given = (form.text("timestamp") + form.text("token")).encode(), form.text("signature")
    signatures = [hmac.new(secret.encode(), content, hashlib.sha256).hexdigest() for secret in secrets]
    return any(hmac.compare_digest(signature.encode(), given.encode()) for signature in signatures)


def _signed_by_sendgrid(received: Received, secrets: Sequence[str], now: datetime) -> bool:
    """https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/securing-your-parse-webhooks"""
    stamp = received.headers.get("x-twilio-email-event-webhook-timestamp", "")
    if not is_recent(stamp, now):
        return False
    try:
        signature = base64.b64decode(received.headers["x-twilio-email-event-webhook-signature"], validate=True)
    except (binascii.Error, ValueError):
        return False
    return any(_holds(key, signature, stamp.encode() + received.body) for s in secrets if (key := public_key(s)))


def public_key(secret: str) -> ec.EllipticCurvePublicKey | None:
    """SendGrid's verification key, as its settings show it; None for what is none, like Mailgun's."""
    try:
        key = load_der_public_key(base64.b64decode(secret, validate=True))
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, ec.EllipticCurvePublicKey) else None


def _holds(key: ec.EllipticCurvePublicKey, signature: bytes, content: bytes) -> bool:
    try:
        key.verify(signature, content, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _repeat_key(received: Received) -> tuple[str, ...]:
    """Mailgun's token, which is used once: a request that is played again with another mail is none."""
    form = form_of(received, ("token", "signature"))
    return (form.text("token"),) if form and form.text("signature") else ()


# Amazon SES by way of SNS, whose signature lets it in where ALERTS_SNS_TOPICS names the topic.
SES = Source(
    NAME,
    "Email",
    parse,
    "ALERTS_SNS_TOPICS",
    sns_signature.is_signed,
    repeat_key=sns_signature.identity,
    certificate_url=sns_signature.certificate_url,
    confirmation_url=sns_signature.confirmation_url,
    kept=kept,
    max_bytes=MAX_BYTES,
    status=200,
)
SOURCE = Source(
    NAME,
    "Email",
    parse,
    "ALERTS_SECRET_MAIL",
    verify,
    token_too=True,
    repeat_key=_repeat_key,
    kept=kept,
    other_way=OtherWay(lambda received: not is_form(received), SES),
    max_bytes=MAX_BYTES,
    status=200,  # Mailgun takes any other for a failure, and tries again for eight hours
)
