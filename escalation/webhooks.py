"""Signatures of https://www.standardwebhooks.com: `v1,` and the base64 HMAC-SHA256 of `id.timestamp.body`."""

import base64
import hashlib
import hmac

PREFIX = "whsec_"


def key_of(secret: str) -> bytes:
    """Return the key that a secret stands for: base64 behind `whsec_`, else its letters as they are.

    Raises ValueError for what follows `whsec_` and is no base64.
    """
    if secret.startswith(PREFIX):
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    return secret.encode()


def signature(secret: str, key: str, stamp: str, body: bytes) -> str:
    """Sign a webhook of the id `key` at `stamp`, in Unix seconds. Raises ValueError for a secret that is none."""
    content = f"{key}.{stamp}.".encode("utf-8", "replace") + body
    return "v1," + base64.b64encode(hmac.new(key_of(secret), content, hashlib.sha256).digest()).decode()
