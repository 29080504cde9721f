"""Subscribers of the status page by mail: who asked, who confirmed, and how far each update has been mailed.

An address stands in the clear only where a mail is sent to it; it is found by a keyed digest. The id of a subscriber is
the secret of their links. Keys, all under `tocsin:public:subscribers`:

`` id -> address; `:order` id -> the number by which mailings go through them; `:made` the last such number; `:since`
id -> the last publication before they confirmed; `:index` digest -> id; `:key` the key of digests; `:asked:{token}` an
address that has not confirmed yet; `:outgoing` confirmations to send; `:mailed` letter -> number of the last
subscriber it was sent to; `:again` letter and id -> when to try again; `:tries` how often it was tried,
`:failed` since when; `:sent` when the server took the last mail;
`:limit:{who}` counts of requests; `:bounces:{id}` mails that came back.
"""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from redis import Redis

SUBSCRIBERS = "tocsin:public:subscribers"
ORDER, MADE, SINCE, INDEX, KEY = (f"{SUBSCRIBERS}:{name}" for name in ("order", "made", "since", "index", "key"))
OUTGOING, MAILED, AGAIN, TRIES, FAILED, SENT = (
    f"{SUBSCRIBERS}:{name}" for name in ("outgoing", "mailed", "again", "tries", "failed", "sent")
)
ASKED_SECONDS = 2 * 86_400  # a confirmation is good for two days
LIMIT_SECONDS = 600
MOST_ASKED = {"all": 300, "host": 30, "address": 1}  # in LIMIT_SECONDS; hosts behind one proxy are one
MOST_OUTGOING = 2_000
MOST_TRIES = 5
MOST_BOUNCES = 3  # a full mailbox is no reason to leave; three within two months are
BOUNCES_SECONDS = 60 * 86_400
LONGEST = 254  # https://www.rfc-editor.org/errata/eid1690
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z0-9-]{2,63}")


def is_address(text: str) -> bool:
    """True for a mail address that any server takes; it holds nothing that a header or a log could be broken by."""
    return len(text) <= LONGEST and bool(_ADDRESS.fullmatch(text))


@dataclass(frozen=True)
class Confirmation:
    """A mail that somebody asked for with a form. `token` confirms; empty: the address has subscribed already."""

    to: str
    token: str = ""
    subscriber: str = ""
    tries: int = 0


@dataclass(frozen=True)
class Addressee:
    """A subscriber, and the letter that is to be mailed to them. `n` is their number; 0 for another try.

    A letter is a publication, by its number, or a notice of maintenance, by its name.
    """

    id: str
    address: str
    letter: str
    n: int = 0


class Subscribers:
    """The register. Its methods raise RedisError."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis

    # By people -------------------------------------------------------------------------------------------------------

    def ask(self, address: str, host: str) -> bool:
        """Note a request for a confirmation; False when there were too many. Says nothing of who has subscribed."""
        if not self._spend("all", "all") or not self._spend("host", self._digest(host)):
            return False
        digest = self._digest(address.lower())
        if not self._spend("address", digest) or self.redis.zcard(OUTGOING) >= MOST_OUTGOING:
            return True
        known: Any = self.redis.hget(INDEX, digest)
        token = "" if known else secrets.token_urlsafe(24)
        if token:
            self.redis.set(f"{SUBSCRIBERS}:asked:{token}", address, ex=ASKED_SECONDS)
        self._put(Confirmation(address, token, str(known, "utf-8") if known else ""), 0.0)
        return True

    def is_asked(self, token: str) -> bool:
        """True while a token can be confirmed."""
        return bool(self.redis.exists(f"{SUBSCRIBERS}:asked:{token[:64]}"))

    def confirm(self, token: str, latest: int) -> bool:
        """Subscribe who holds the token; they get what is published after `latest`. False for an unknown token."""
        raw: Any = self.redis.getdel(f"{SUBSCRIBERS}:asked:{token[:64]}")
        if raw is None:
            return False
        address, subscriber = str(raw, "utf-8"), secrets.token_hex(16)  # one case: it stands in a mail address too
        digest = self._digest(address.lower())
        if not self.redis.hsetnx(INDEX, digest, subscriber):
            return True
        number: Any = self.redis.incr(MADE)
        with self.redis.pipeline() as pipe:
            pipe.hset(SUBSCRIBERS, subscriber, address)
            pipe.hset(SINCE, subscriber, str(latest))
            pipe.zadd(ORDER, {subscriber: int(number)})
            pipe.execute()
        return True

    def end(self, subscriber: str) -> bool:
        """End a subscription and delete all that is kept of it. False for one that is unknown."""
        raw: Any = self.redis.hget(SUBSCRIBERS, subscriber[:64])
        if raw is None:
            return False
        with self.redis.pipeline() as pipe:
            pipe.hdel(SUBSCRIBERS, subscriber)
            pipe.hdel(SINCE, subscriber)
            pipe.zrem(ORDER, subscriber)
            pipe.delete(f"{SUBSCRIBERS}:bounces:{subscriber}")
            pipe.hdel(INDEX, self._digest(str(raw, "utf-8").lower()))
            pipe.execute()
        return True

    def bounced(self, subscriber: str, mail: str) -> bool:
        """Note that a mail to somebody came back; True if that was the last straw, and the subscription ended."""
        name = f"{SUBSCRIBERS}:bounces:{subscriber[:64]}"
        if not self.redis.hexists(SUBSCRIBERS, subscriber[:64]):
            return False
        self.redis.sadd(name, hashlib.sha256(mail.encode()).hexdigest())
        self.redis.expire(name, BOUNCES_SECONDS)
        return self.redis.scard(name) >= MOST_BOUNCES and self.end(subscriber)

    def knows(self, address: str) -> bool:
        """True if an address has subscribed."""
        return bool(self.redis.hexists(INDEX, self._digest(address.lower())))

    def forget(self, address: str) -> bool:
        """Delete all that is kept of an address: its subscription, and what it asked for. True if there was any."""
        known: Any = self.redis.hget(INDEX, self._digest(address.lower()))
        found = self.end(str(known, "utf-8")) if known else False
        for key in self.redis.scan_iter(f"{SUBSCRIBERS}:asked:*"):
            raw: Any = self.redis.get(key)
            if raw and str(raw, "utf-8").lower() == address.lower():
                found = bool(self.redis.delete(key)) or found
        for waiting in self._waiting():
            if json.loads(waiting)["to"].lower() == address.lower():
                found = bool(self.redis.zrem(OUTGOING, waiting)) or found
        return found

    def count(self) -> int:
        """Count the subscribers."""
        return int(self.redis.zcard(ORDER))

    # By the mailing --------------------------------------------------------------------------------------------------

    def next_confirmation(self, now: datetime) -> Confirmation | None:
        """Take the next confirmation to send."""
        found: Any = self.redis.zrangebyscore(OUTGOING, "-inf", now.timestamp(), 0, 1)
        if not found or not self.redis.zrem(OUTGOING, found[0]):
            return None
        return Confirmation(**json.loads(found[0]))

    def put_back(self, confirmation: Confirmation, now: datetime) -> None:
        """Put a confirmation back that could not be sent, for later; after MOST_TRIES it is dropped."""
        tries = confirmation.tries + 1
        if tries < MOST_TRIES:
            self._put(replace(confirmation, tries=tries), (now + retry_after(tries)).timestamp())

    def _put(self, confirmation: Confirmation, at: float) -> None:
        self.redis.zadd(OUTGOING, {json.dumps(asdict(confirmation)): at})

    def latest(self) -> int:
        """Return the number of the latest subscriber; 0 before there is one."""
        made: Any = self.redis.get(MADE)
        return int(made or 0)

    def next_addressee(self, letter: str, publication: int | None = None, upto: int | None = None) -> Addressee | None:
        """Return the next subscriber to whom a letter was not sent yet; None when all have it.

        A `publication` goes to those who had subscribed before it, a notice `upto` the number of the last of them.
        """
        done: Any = self.redis.hget(MAILED, letter)
        last = "+inf" if upto is None else str(upto)
        while True:
            found: Any = self.redis.zrangebyscore(ORDER, f"({int(done or 0)}", last, 0, 1, withscores=True)
            if not found:
                return None
            [(raw, number)] = found
            subscriber = str(raw, "utf-8")
            address: Any = self.redis.hget(SUBSCRIBERS, subscriber)
            since: Any = self.redis.hget(SINCE, subscriber)
            if address is not None and (publication is None or int(since or 0) < publication):
                return Addressee(subscriber, str(address, "utf-8"), letter, int(number))
            done = int(number)  # who subscribed later, or left: never looked at again
            self.redis.hset(MAILED, letter, str(done))

    def claim(self, addressee: Addressee) -> None:
        """Note that a mail is being sent, before it is: a crash in between costs that one mail, and doubles none."""
        if addressee.n:
            self.redis.hset(MAILED, addressee.letter, str(addressee.n))
        else:
            self.redis.zrem(AGAIN, _name(addressee))

    def try_again(self, addressee: Addressee, now: datetime) -> int:
        """Note that a mail has to be tried again later; returns how often it has been tried."""
        tries = int(self.redis.hincrby(TRIES, _name(addressee), 1))
        self.redis.hsetnx(FAILED, _name(addressee), str(now.timestamp()))
        self.redis.zadd(AGAIN, {_name(addressee): (now + retry_after(tries)).timestamp()})
        return tries

    def give_up(self, addressee: Addressee) -> None:
        """Forget a mail that cannot be sent, or was."""
        self.redis.zrem(AGAIN, _name(addressee))
        self.redis.hdel(TRIES, _name(addressee))
        self.redis.hdel(FAILED, _name(addressee))

    def note_success(self, now: datetime) -> None:
        """Note that the server took a mail."""
        self.redis.set(SENT, str(now.timestamp()))

    def others_went(self, addressee: Addressee) -> bool:
        """True if the server took another mail since this one was refused first."""
        sent: Any = self.redis.get(SENT)
        failed: Any = self.redis.hget(FAILED, _name(addressee))
        return float(sent or 0) >= float(failed or 0)

    def due_again(self, now: datetime) -> Addressee | None:
        """Return the next mail whose time to be tried again has come."""
        found: Any = self.redis.zrangebyscore(AGAIN, "-inf", now.timestamp(), 0, 1)
        while found:
            letter, _, subscriber = str(found[0], "utf-8").partition(" ")
            address: Any = self.redis.hget(SUBSCRIBERS, subscriber)
            if address is not None:
                return Addressee(subscriber, str(address, "utf-8"), letter)
            self.give_up(Addressee(subscriber, "", letter))
            found = self.redis.zrangebyscore(AGAIN, "-inf", now.timestamp(), 0, 1)
        return None

    def keep(self, letters: Collection[str]) -> None:
        """Forget how far the mailings of all other letters went."""
        mailed: Any = self.redis.hkeys(MAILED)
        for name in mailed:
            if str(name, "utf-8") not in letters:
                self.redis.hdel(MAILED, name)

    # Inside ----------------------------------------------------------------------------------------------------------

    def _waiting(self) -> list[bytes]:
        raw: Any = self.redis.zrange(OUTGOING, 0, -1)
        return list(raw)

    def _digest(self, text: str) -> str:
        self.redis.set(KEY, secrets.token_hex(32), nx=True)
        key: Any = self.redis.get(KEY)
        return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()

    def _spend(self, kind: str, who: str) -> bool:
        name = f"{SUBSCRIBERS}:limit:{kind}:{who}"
        with self.redis.pipeline() as pipe:
            pipe.incr(name)
            pipe.expire(name, LIMIT_SECONDS, nx=True)
            return int(pipe.execute()[0]) <= MOST_ASKED[kind]


def retry_after(tries: int) -> timedelta:
    """Return the wait before another try: 5 minutes, then longer, up to two hours."""
    return timedelta(minutes=min(5 << (tries - 1), 120))


def _name(addressee: Addressee) -> str:
    return f"{addressee.letter} {addressee.id}"
