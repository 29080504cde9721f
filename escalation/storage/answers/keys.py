"""What answers a page without Slack: its person's digit code, and its token in links.

`tocsin:codes:{person}` maps each code of somebody's to its page, `INC-20241218-001 3`, and back. Codes of pages that
have ended stay for a while, so that a late answer hears how things stand, and none is given out again meanwhile.
`tocsin:answers:secret` signs the tokens: they are the same after a restart, and nobody can guess one.
"""

import base64
import hashlib
import hmac
import secrets
from typing import NamedTuple

from redis import Redis

from escalation.errors import NotFound

KEPT_SECONDS = 14 * 86_400  # seconds; of all codes of a person, after the last was made
DIGITS = (4, 6)  # in a code; more once so many codes of a person are known
CROWDED = 900
SECRET = "tocsin:answers:secret"  # noqa: S105  # a key of Redis, not a secret
_MAC_BYTES = 15  # 120 bits, 24 letters

_GIVE = """
local known = redis.call('HGET', KEYS[1], ARGV[1])
if known then return known end
if redis.call('HEXISTS', KEYS[1], ARGV[2]) == 1 then return false end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2], ARGV[2], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return ARGV[2]
"""


class PageRef(NamedTuple):
    """A page by its incident and number."""

    incident: str
    page: int


class AnswerKeys:
    """Codes and tokens of pages."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def code(self, person: str, ref: PageRef) -> str:
        """Return the code of somebody's page: made the first time, then always the same."""
        key, name = _codes(person), f"{ref.incident} {ref.page}"
        while True:
            crowded = int(self._redis.hlen(key)) > 2 * CROWDED
            digits = DIGITS[crowded]
            code = str(secrets.randbelow(9 * 10 ** (digits - 1)) + 10 ** (digits - 1))
            given = self._redis.eval(_GIVE, 1, key, name, code, KEPT_SECONDS)
            if isinstance(given, bytes):
                return str(given, "utf-8")

    def by_code(self, person: str, code: str) -> PageRef:
        """Return the page of somebody's code; NotFound for one that is not theirs."""
        found = self._redis.hget(_codes(person), code) if code.isdecimal() else None
        if not isinstance(found, bytes):
            raise NotFound("This code is of no page of yours.")
        incident, _, page = str(found, "utf-8").partition(" ")
        return PageRef(incident, int(page))

    def token(self, ref: PageRef) -> str:
        """Return the token of a page: letters, digits, dots and dashes, whose case does not matter."""
        plain = f"{ref.incident}.{ref.page}".lower()
        return f"{plain}.{self._mac(plain)}"

    def by_token(self, token: str) -> PageRef:
        """Return the page of a token; NotFound for one that we never made."""
        plain, _, mac = token.strip().lower().rpartition(".")
        incident, _, page = plain.rpartition(".")
        genuine = token.isascii() and hmac.compare_digest(mac, self._mac(plain))
        if not genuine or not page.isdecimal():
            raise NotFound("This link is of no page: perhaps it was cut off. Copy the whole of it.")
        return PageRef(incident.upper(), int(page))

    def _mac(self, plain: str) -> str:
        return signature(self._redis, plain)


def signature(redis: Redis, plain: str) -> str:
    """Sign a text with the secret of this store: letters and digits, whose case does not matter."""
    digest = hmac.new(_secret(redis), plain.encode(), hashlib.sha256).digest()[:_MAC_BYTES]
    return base64.b32encode(digest).decode().lower()


def _secret(redis: Redis) -> bytes:
    """Return the secret, made by whoever needs it first."""
    known = redis.get(SECRET)
    if not known:
        redis.set(SECRET, secrets.token_hex(32), nx=True)
        known = redis.get(SECRET)
    return bytes(known) if isinstance(known, bytes) else str(known).encode()


def _codes(person: str) -> str:
    return f"tocsin:codes:{person}"
