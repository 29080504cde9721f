"""The public log in Redis: what was published, append-only, in a hash chain.

Keys: `tocsin:public:log` the chain, a list of JSON; `tocsin:public:words` number -> salt and publication, as JSON;
`tocsin:public:incidents` our incident id -> its public id; `tocsin:public:made` effect id -> number;
`tocsin:public:withdrawn` ids of our incidents of which nothing may be published; `tocsin:public:version` a count of
changes.
"""

import json
import secrets
from typing import Any

from redis import Redis, WatchError
from redis.client import Pipeline

from escalation.status_page.publications import Link, Publication, broken, digest, link

LOG = "tocsin:public:log"
WORDS = "tocsin:public:words"
INCIDENTS = "tocsin:public:incidents"
MADE = "tocsin:public:made"
WITHDRAWN = "tocsin:public:withdrawn"
VERSION = "tocsin:public:version"
MAX_TRIES = 50


class PublicLog:
    """The log. Its methods raise RedisError."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis

    def append(self, incident_id: str, draft: Publication) -> Publication | None:
        """Publish a draft once (by its `ours`); returns it as published, None if its incident was withdrawn."""
        for _ in range(MAX_TRIES):
            with self.redis.pipeline() as pipe:
                pipe.watch(LOG, WITHDRAWN, MADE, INCIDENTS)  # type: ignore[no-untyped-call]  # redis-py left it untyped
                if pipe.sismember(WITHDRAWN, incident_id):
                    return None
                made: Any = pipe.hget(MADE, draft.ours)
                if made is not None:
                    return _publication(pipe.hget(WORDS, made))
                published = self._numbered(pipe, incident_id, draft)
                _write(pipe, incident_id, published, self._last(pipe))
                try:
                    pipe.execute()
                except WatchError:
                    continue
                return published
        raise WatchError(f"the public log changed {MAX_TRIES} times in a row")

    def withdraw(self, incident_id: str) -> int:
        """Delete all words about an incident, and refuse those that are still under way; returns how many it had."""
        for _ in range(MAX_TRIES):
            with self.redis.pipeline() as pipe:
                pipe.watch(LOG, INCIDENTS)  # type: ignore[no-untyped-call]  # redis-py left it untyped
                public_id: Any = pipe.hget(INCIDENTS, incident_id)
                own = [p.n for p in self._read(pipe) if public_id and p.incident == str(public_id, "utf-8")]
                pipe.multi()
                pipe.sadd(WITHDRAWN, incident_id)
                if own:
                    pipe.hdel(WORDS, *map(str, own))
                pipe.incr(VERSION)
                try:
                    pipe.execute()
                except WatchError:
                    continue
                return len(own)
        raise WatchError(f"the public log changed {MAX_TRIES} times in a row")

    def publications(self) -> list[Publication]:
        """Return all that stands, the oldest first."""
        return self._read(self.redis)

    def of(self, incident_id: str) -> list[Publication]:
        """Return what stands of one of our incidents, the oldest first."""
        public_id: Any = self.redis.hget(INCIDENTS, incident_id)
        return [p for p in self.publications() if public_id and p.incident == str(public_id, "utf-8")]

    def version(self) -> int:
        """Return a number that changes with each change of the log."""
        raw: Any = self.redis.get(VERSION)
        return int(raw or 0)

    def withdrawn(self) -> int:
        """Count the incidents that were withdrawn."""
        return int(self.redis.scard(WITHDRAWN))

    def withdrawn_ids(self) -> list[str]:
        """Return the public ids of the incidents that were withdrawn after something of them was published."""
        known: Any = [self.redis.hget(INCIDENTS, each) for each in self.redis.smembers(WITHDRAWN)]
        return [str(public_id, "utf-8") for public_id in known if public_id]

    def broken(self) -> list[int]:
        """Return the numbers of links that were tampered with."""
        raw: Any = self.redis.lrange(LOG, 0, -1)
        stored: Any = self.redis.hgetall(WORDS)
        words = {int(n): (w["salt"], w["document"]) for n, w in ((n, json.loads(raw)) for n, raw in stored.items())}
        return broken([Link.model_validate_json(each) for each in raw], words)

    def _read(self, redis: Redis) -> list[Publication]:
        stored: Any = redis.hgetall(WORDS)
        return [p for n in sorted(stored, key=int) if (p := _publication(stored[n]))]

    def _last(self, pipe: Pipeline) -> Link | None:
        raw: Any = pipe.lindex(LOG, -1)
        return Link.model_validate_json(raw) if raw else None

    def _numbered(self, pipe: Pipeline, incident_id: str, draft: Publication) -> Publication:
        known: Any = pipe.hget(INCIDENTS, incident_id)
        public_id = str(known, "utf-8") if known else secrets.token_hex(6)
        last = self._last(pipe)
        return draft.model_copy(update={"n": (last.n if last else 0) + 1, "incident": public_id})


def _write(pipe: Pipeline, incident_id: str, published: Publication, last: Link | None) -> None:
    salt, document, n = secrets.token_hex(16), published.model_dump_json(), published.n
    pipe.multi()
    pipe.rpush(LOG, link(last, n, digest(salt, document)).model_dump_json())
    pipe.hset(WORDS, str(n), json.dumps({"salt": salt, "document": document}))
    pipe.hset(INCIDENTS, incident_id, published.incident)
    pipe.hset(MADE, published.ours, str(n))
    pipe.incr(VERSION)


def _publication(raw: Any) -> Publication | None:
    return Publication.model_validate_json(json.loads(raw)["document"]) if raw else None
