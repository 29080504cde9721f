"""Signatures of Amazon SNS: RSA over some fields of a message, by a certificate that the message names.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
The certificate counts only where Amazon serves it, in the topic's region, over HTTPS. Nothing is fetched here.
"""

import base64
import binascii
import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from bot.alerts.document import Document
from bot.alerts.source import Received

# Retries end after an hour, and keep their timestamp:
# https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
OLDEST, AHEAD = timedelta(minutes=65), timedelta(minutes=5)
CONFIRMATIONS = ("SubscriptionConfirmation", "UnsubscribeConfirmation")
TOPIC = re.compile(r"arn:aws[a-z-]{0,20}:sns:(?P<region>[a-z0-9-]{4,30}):[0-9]{6,16}:[A-Za-z0-9_-]{1,256}(\.fifo)?")
_HOST = r"https://sns\.(?P<region>[a-z0-9-]{4,30})\.amazonaws\.com(\.cn)?/"
_CERTIFICATE = re.compile(_HOST + r"SimpleNotificationService-[A-Za-z0-9]{1,64}\.pem")
_SUBSCRIBE = re.compile(_HOST + r"\?Action=ConfirmSubscription&[A-Za-z0-9=&:%._+/-]{1,2000}")
_HASHES = {"1": SHA1, "2": SHA256}
_SIGNED = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_SIGNED_OF_CONFIRMATIONS = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")


def certificate_url(received: Received, topics: Collection[str]) -> str:
    """Return where the certificate of a message of one of the topics is; empty if it would be refused anyway."""
    document = received.json_or_empty()
    known = document.text("TopicArn") in topics
    return _of_region(_CERTIFICATE, document, "SigningCertURL") if known else ""


def subscribe_url(document: Document) -> str:
    """Return where a subscription is confirmed; empty if that is not Amazon's in the topic's region."""
    return _of_region(_SUBSCRIBE, document, "SubscribeURL")


def confirmation_url(received: Received) -> str:
    """Return where to confirm the subscription that a message offers; empty for any other message."""
    document = received.json_or_empty()
    return subscribe_url(document) if document.text("Type") == CONFIRMATIONS[0] else ""


def is_signed(received: Received, topics: Sequence[str], now: datetime) -> bool:
    """Check a message: one of our topics, recent, and signed by the certificate that was fetched for it."""
    document = received.json_or_empty()
    listed = document.text("TopicArn") in topics
    return listed and _is_recent(document.text("Timestamp"), now) and _matches(document, received.certificate, now)


def identity(received: Received) -> tuple[str, ...]:
    """What tells a message from others: all that is signed, so that a replay with other trimmings is a repeat."""
    document = received.json_or_empty()
    return (signed_text(document),) if document.text("MessageId") else ()


def signed_text(document: Document) -> str:
    """The text that Amazon signs: names and values of the signed fields, a line each."""
    names = _SIGNED_OF_CONFIRMATIONS if document.text("Type") in CONFIRMATIONS else _SIGNED
    fields = ((name, document[name].value) for name in names)
    return "".join(f"{name}\n{value}\n" for name, value in fields if isinstance(value, str))


def _matches(document: Document, pem: bytes, now: datetime) -> bool:
    hashing = _HASHES.get(document.text("SignatureVersion"))
    if not pem or hashing is None:
        return False
    try:
        signature = base64.b64decode(document.text("Signature"), validate=True)
        certificate = x509.load_pem_x509_certificate(pem)
        key = certificate.public_key()
        if not isinstance(key, RSAPublicKey):
            return False
        key.verify(signature, signed_text(document).encode(), PKCS1v15(), hashing())
    except (binascii.Error, ValueError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def _is_recent(stamp: str, now: datetime) -> bool:
    try:
        at = datetime.fromisoformat(stamp)
    except ValueError:
        return False
    return now - OLDEST <= (at if at.tzinfo else at.replace(tzinfo=UTC)) <= now + AHEAD


def _of_region(pattern: re.Pattern[str], document: Document, name: str) -> str:
    """An address of Amazon's in the region of the message's topic; empty if it is another."""
    found, topic = pattern.fullmatch(document.text(name)), TOPIC.fullmatch(document.text("TopicArn"))
    return found[0] if found and topic and found["region"] == topic["region"] else ""
