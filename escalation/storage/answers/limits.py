"""Guards of answers from outside: nonces of pages that were shown, requests that came before, replies to a number.

`tocsin:nonce:{nonce}` is the page that it was shown for; `tocsin:seen:{id}` is a request that was answered;
`tocsin:replies:{number}` counts messages from a number that meant nothing.
"""

import secrets

from redis import Redis

from escalation.storage.answers.keys import PageRef

NONCE_SECONDS = 12 * 3600  # a page may stay open in a browser over a night
SEEN_SECONDS = 86_400
MAX_REPLIES = 5  # to what means nothing, by number: two machines must not talk to each other for ever
REPLIES_SECONDS = 900


class AnswerLimits:
    """Guards of answers from outside."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def nonce(self, ref: PageRef) -> str:
        """Make a nonce for a page that is shown."""
        nonce = secrets.token_urlsafe(18)
        self._redis.set(f"tocsin:nonce:{nonce}", _name(ref), ex=NONCE_SECONDS)
        return nonce

    def spend(self, nonce: str, ref: PageRef) -> bool:
        """Spend a nonce; False if it was not made for this page, or is spent."""
        return bool(nonce) and self._redis.getdel(f"tocsin:nonce:{nonce[:64]}") == _name(ref).encode()

    def seen(self, request: str) -> bool:
        """True if a request was answered before."""
        return bool(self._redis.exists(f"tocsin:seen:{request}"))

    def note(self, request: str) -> None:
        """Note that a request was answered."""
        self._redis.set(f"tocsin:seen:{request}", 1, ex=SEEN_SECONDS)

    def spend_reply(self, number: str) -> bool:
        """Count a message that meant nothing; True while it may be replied to."""
        with self._redis.pipeline() as pipe:
            pipe.incr(f"tocsin:replies:{number}")
            pipe.expire(f"tocsin:replies:{number}", REPLIES_SECONDS, nx=True)
            return int(pipe.execute()[0]) <= MAX_REPLIES

    def is_spent(self, number: str) -> bool:
        """True if a number has sent too much that meant nothing, like a guesser of codes."""
        count = self._redis.get(f"tocsin:replies:{number}")
        return isinstance(count, bytes) and int(count) >= MAX_REPLIES * 2


def _name(ref: PageRef) -> str:
    return f"{ref.incident} {ref.page}"
