"""Who may send alerts: shared tokens and signatures over the raw body, compared in constant time."""

import base64
import binascii
import contextlib
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.alerts.source import Received, Source
from escalation.webhooks import signature

TOLERANCE = timedelta(minutes=5)  # of a signed timestamp, as Standard Webhooks recommends


def has_token(received: Received, tokens: Sequence[str], routing_key: str = "") -> bool:
    """Check whether a request carries one of the tokens: as bearer, password, GenieKey, header, in the query.

    Also as the routing key, which may be `TOKEN.SERVICE`.
    """
    headers = [*_authorization(received), *_listed(received.headers.get("x-tocsin-token", ""))]
    given = [*headers, received.query.get("token", ""), routing_key, routing_key.rpartition(".")[0]]
    return any(_same(token, candidate) for token in tokens for candidate in given if token and candidate)


def _authorization(received: Received) -> list[str]:
    """What stands in the Authorization header: of several, as a proxy may add one, all."""
    found = list[str]()
    for value in _listed(received.headers.get("authorization", "")):
        scheme, _, credentials = value.partition(" ")
        if scheme.lower() in ("bearer", "geniekey", "token"):
            found.append(credentials.strip().removeprefix("token="))
        if scheme.lower() == "basic":
            with contextlib.suppress(binascii.Error, ValueError):
                found += _texts(base64.b64decode(credentials.strip(), validate=True).partition(b":")[2])
    return found


def _listed(value: str) -> list[str]:
    """The values of a header, in both readings of what is beyond ASCII: tokens hold no commas."""
    return [text.strip() for part in value.split(",") for text in _texts(part.encode("latin-1", "replace"))]


def _texts(raw: bytes) -> list[str]:
    """What bytes of a header mean: Latin-1 by the standard, and UTF-8 as most send it."""
    return [raw.decode("latin-1")] if raw.isascii() else [raw.decode("latin-1"), raw.decode("utf-8", "replace")]


def hex_signature(received: Received, header: str, secrets: Sequence[str], prefix: str = "") -> bool:
    """Check an HMAC-SHA256 of the raw body in hexadecimal. A header may list several: any that matches passes."""
    given = [part.strip() for part in received.headers.get(header, "").split(",")]
    given = [part.removeprefix(prefix) for part in given if part.startswith(prefix)]
    expected = [signed(secret, received.body) for secret in secrets if secret]
    return any(_same(signature, candidate) for signature in expected for candidate in given)


def timed_signature(received: Received, header: str, stamp_header: str, secrets: Sequence[str], now: datetime) -> bool:
    """Check a hexadecimal HMAC-SHA256 of `timestamp:body`; the timestamp, in Unix seconds, must be recent."""
    stamp = received.headers.get(stamp_header, "")
    if not is_recent(stamp, now):
        return False
    given = received.headers.get(header, "").strip()
    content = stamp.encode() + b":" + received.body
    return any(_same(signed(secret, content), given) for secret in secrets if secret)


def standard_webhook(received: Received, secrets: Sequence[str], now: datetime) -> bool:
    """Check the signature of https://www.standardwebhooks.com: `v1,` base64 HMAC of `id.timestamp.body`."""
    message_id, stamp = received.headers.get("webhook-id", ""), received.headers.get("webhook-timestamp", "")
    if not message_id or not is_recent(stamp, now):
        return False
    given = received.headers.get("webhook-signature", "").split(" ")
    expected = [_signed_webhook(secret, message_id, stamp, received.body) for secret in secrets if secret]
    return any(_same(wanted, candidate) for wanted in expected if wanted for candidate in given)


def is_recent(stamp: str, now: datetime) -> bool:
    """Check whether a timestamp in Unix seconds is within the tolerance."""
    digits = stamp.isascii() and stamp.isdigit() and len(stamp) < 13
    return digits and abs(int(stamp) - now.timestamp()) <= TOLERANCE.total_seconds()


def signed(secret: str, content: bytes) -> str:
    """HMAC-SHA256 in hexadecimal."""
    return hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()


def _signed_webhook(secret: str, key: str, stamp: str, body: bytes) -> str:
    """The signature by a secret; empty by one that is none."""
    try:
        return signature(secret, key, stamp, body)
    except ValueError:
        return ""


def _same(expected: str, given: str) -> bool:
    """Compare in constant time; as bytes, since the comparison of text refuses anything beyond ASCII."""
    return hmac.compare_digest(expected.encode("utf-8", "replace"), given.encode("utf-8", "replace"))


@dataclass(frozen=True)
class AlertSecrets:
    """Secrets of the sources: tokens that let in any, and those of one source's variable. Several, for rotation."""

    tokens: tuple[str, ...] = ()
    signing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def is_closed(self, source: Source) -> bool:
        """Check whether nobody could be let in: the source is closed, and its address is unknown."""
        other = source.other_way
        shut = not self.tokens and not self.signing.get(source.secret)
        return shut and (other is None or self.is_closed(other.source))

    def certificate_url(self, source: Source, received: Received) -> str:
        """Return where the certificate is that decides about a request; empty if none does."""
        secrets = self.signing.get(source.secret, ())
        return source.certificate_url(received, secrets) if source.certificate_url and secrets else ""

    def confirmation_url(self, source: Source, received: Received) -> str:
        """Return where a request that was let in by its signature wants to be confirmed; empty if it does not."""
        signs = source.confirmation_url is not None and self.signing.get(source.secret)
        return source.confirmation_url(received) if source.confirmation_url and signs else ""

    def lets_in(self, source: Source, received: Received, now: datetime, routing_key: str = "") -> bool:
        """Check a request: its signature where that source has a secret, else the token; of some sources either."""
        secrets = self.signing.get(source.secret, ())
        if source.verify is not None and secrets:
            signed_well = source.verify(received, secrets, now)
            if signed_well or not source.token_too:
                return signed_well
        return has_token(received, self.tokens, routing_key)
