"""Signatures of Twilio's requests. https://www.twilio.com/docs/usage/webhooks/webhooks-security

Twilio signs the URL that it called, which is built from our own setting: a proxy may change `Host`, scheme and port.
It is inconsistent about the standard port, so both ways pass. The values are signed as they are, white space included.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

STANDARD_PORTS = {"https": 443, "http": 80}
SETTINGS = "x-twilio-webhooks-signature-settings"  # `key=…,algorithm=HMAC_SHA256`: a Webhooks Rule signs


def is_signed(
    url: str, form: Mapping[str, Sequence[str]], headers: Mapping[str, str], tokens: Sequence[str], keys: Sequence[str]
) -> bool:
    """Check a request: by the account's auth tokens, or the shared keys of Webhooks Rules where one has signed it."""
    sha256 = "hmac_sha256" in headers.get(SETTINGS, "").lower()
    algorithm, secrets = (hashlib.sha256, keys) if sha256 else (hashlib.sha1, tokens)
    given = headers.get("x-twilio-signature", "").encode("utf-8", "replace")
    fields = "".join(name + value for name in sorted(form) for value in sorted(set(form[name])))
    expected = [
        base64.b64encode(hmac.new(secret.encode(), (candidate + fields).encode(), algorithm).digest())
        for secret in secrets
        for candidate in _spellings(url)
        if secret
    ]
    return any(hmac.compare_digest(signature, given) for signature in expected)


def _spellings(url: str) -> Iterator[str]:
    """The URL as it is, and with or without its port."""
    yield url
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    if parts.port is None:
        yield parts._replace(netloc=f"{host}:{STANDARD_PORTS.get(parts.scheme, 443)}").geturl()
    else:
        yield parts._replace(netloc=host.rpartition(":")[0]).geturl()
