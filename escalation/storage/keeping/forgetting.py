"""Forgetting somebody in the store: every key, whatever it holds, is read, cleaned and written back.

Keys: `tocsin:forgotten` how many were forgotten so far. What a record of the public log says of somebody is withdrawn
with its salt, so that the log's chain stays valid; incidents go through `Store.update`, so that their cards are shown
anew; what was posted outside incidents is updated in Slack as well.
"""

import contextlib
import json
import secrets
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from redis import WatchError

from escalation.engine.state_machine import decide
from escalation.errors import NotFound, TooNew
from escalation.incident.events.news import Redacted
from escalation.incident.model import Incident
from escalation.oncall.roster import Roster
from escalation.records import chain as chains
from escalation.records.forgetting import Forgotten, without, words_of
from escalation.storage import archive, indexes
from escalation.storage.action_items import ITEMS
from escalation.storage.keeping.posted import STALE, is_posted
from escalation.storage.public.log import VERSION, WORDS
from escalation.storage.public.subscribers import Subscribers
from escalation.storage.reviews.canvases import Canvases
from escalation.storage.reviews.documents import ReviewDocuments
from escalation.storage.store import DIRECTORY, DUTY, SILENCES, Store, chained

FORGOTTEN = "tocsin:forgotten"
BY_PERSON = (DIRECTORY, DUTY, SILENCES)  # what is kept there under somebody's name is dropped whole
WORDS_OF_REVIEW = "tocsin:review:"
MAX_TRIES = 50
Json = dict[str, Any]


@dataclass
class Found:
    """What was found of somebody: incidents, and how many records there are of each kind beside them, by key.

    `publications` are the numbers of those on the status page that name them. `outside`: what left earlier.
    """

    incidents: list[str] = field(default_factory=list)
    records: Counter[str] = field(default_factory=Counter)
    publications: list[int] = field(default_factory=list)
    subscriptions: int = 0
    outside: dict[str, None] = field(default_factory=dict)

    @property
    def anything(self) -> bool:
        """True if there was anything."""
        return bool(self.incidents or self.records or self.publications or self.subscriptions)


class Forgetting:
    """Forgets one person. With `dry` it only looks."""

    def __init__(self, store: Store, person: Forgotten, *, dry: bool) -> None:
        self._store = store
        self._redis = store.redis
        self._person = person
        self._dry = dry
        self.found = Found()

    def run(self) -> Found:
        """Go through everything; incidents come first, for their words may stand elsewhere too."""
        for address in self._person.contacts:
            if "@" in address:
                self._end_subscription(address)
        words = set[str]()
        for incident_id in self._store.all_ids():
            words |= self._incident(incident_id)
        self._publications()
        keys = {str(key, "utf-8", "surrogateescape") for key in self._redis.scan_iter(match="tocsin:*", count=1000)}
        for key in sorted(keys, key=lambda key: (key in BY_PERSON, key)):  # if it dies half way, they are still known
            if not key.startswith((indexes.key(""), WORDS)):
                self._key(key, frozenset(words))
        return self.found

    # Incidents -------------------------------------------------------------------------------------------------------

    def _incident(self, incident_id: str) -> frozenset[str]:
        """Clean one incident; returns what they wrote in it."""
        try:
            before = self._store.get(incident_id)
        except NotFound:
            return frozenset()
        except (TooNew, ValueError):
            self.found.outside[f"{incident_id}, which cannot be read by this version"] = None
            return frozenset()
        document = _document(before)
        words = words_of(self._person, document)
        if without(self._person, document, words) == document:
            return words
        self.found.incidents.append(incident_id)
        self.found.outside |= dict.fromkeys(_left(before))
        self._left_of_review(incident_id)
        if not self._dry:
            self._store.update(incident_id, self._without_them)
        return words

    def _left_of_review(self, incident_id: str) -> None:
        """Note where the words of a review went."""
        if canvas := Canvases(self._redis).of(incident_id):
            left = f"the canvas {canvas.url}, until `/incident review {incident_id} canvas` brings it up to date"
            self.found.outside[left] = None
        for published in ReviewDocuments(self._redis).of(incident_id).values():
            if published.url:
                self.found.outside[f"earlier versions of the review {published.url}"] = None

    def _without_them(self, incident: Incident) -> Incident:
        return decide(*forgotten_in(self._person, incident), self._store.now(), Roster())

    # Everything else -------------------------------------------------------------------------------------------------

    def _end_subscription(self, address: str) -> None:
        subscribers = Subscribers(self._redis)
        known = subscribers.knows(address) if self._dry else subscribers.forget(address)
        self.found.subscriptions += known

    def _publications(self) -> None:
        """Withdraw the publications that name them: their words cannot be changed without breaking the log's chain."""
        stored: Any = self._redis.hgetall(WORDS)
        texts = {int(n): str(raw, "utf-8") for n, raw in stored.items()}
        self.found.publications = sorted(n for n, text in texts.items() if self._person.mentioned(text))
        if self.found.publications and not self._dry:
            with self._redis.pipeline() as pipe:
                pipe.hdel(WORDS, *map(str, self.found.publications))
                pipe.incr(VERSION)
                pipe.execute()

    def _key(self, name: str, words: frozenset[str]) -> None:
        """Clean one key of any type. One that is named after them gets another name, or is deleted if it expires."""
        key = name.encode("utf-8", "surrogateescape")
        for _ in range(MAX_TRIES):
            with self._redis.pipeline() as pipe:
                pipe.watch(key)  # type: ignore[no-untyped-call]  # redis-py left it untyped
                record = archive.record_of(pipe, name)
                after = self._cleaned(record, words) if record else None
                if after == record:
                    return
                if self._dry:
                    break
                assert record
                assert after
                left: Any = pipe.pttl(key)
                pipe.multi()
                pipe.delete(key)
                if after["key"] == name or left < 0:
                    archive.write_record(pipe, after)
                    if left > 0:
                        pipe.pexpire(key, left)
                if is_posted(name):
                    pipe.sadd(STALE, name)
                with contextlib.suppress(WatchError):
                    pipe.execute()
                    break
        self.found.records[_kind(name)] += 1
        for incident_id in _reviewed_in(record, after):
            self._left_of_review(incident_id)

    def _cleaned(self, record: Json, words: frozenset[str]) -> Json:
        """Return a record without them."""
        opened = _opened(record)
        if record["key"] in BY_PERSON:
            opened = _without_theirs(self._person, opened)
        cleaned = without(self._person, opened, words | words_of(self._person, opened))
        if cleaned == _opened(record):
            return record
        return dict(_closed(cleaned)) | {"key": self._person.renamed(record["key"])}


def _without_theirs(person: Forgotten, value: Any) -> Any:
    """Drop what is kept under their name: their methods, their name in Slack; and them from groups."""
    match value:
        case dict():
            kept = {key: inner for key, inner in value.items() if not person.is_them(key)}
            return {key: _without_theirs(person, inner) for key, inner in kept.items()}
        case list():
            return [_without_theirs(person, inner) for inner in value if not person.is_them(inner)]
        case _:
            return value


def forgotten_in(person: Forgotten, incident: Incident) -> tuple[Incident, Redacted]:
    """Return an incident without somebody, its chain as valid as before, and the event that says so."""
    before = chained(incident, incident)
    old = _document(before)
    new = without(person, old, words_of(person, old))
    chain, salts = before.chain, iter(lambda: secrets.token_hex(16), "")
    for n, (was, now) in enumerate(zip(old["timeline"], new["timeline"], strict=True), start=1):
        chain = chains.redacted(chain, n, was, now, salts)
    chain = chains.sealed(chain, new["timeline"], secrets.token_hex(16))
    gone = list(dict.fromkeys([*new["gone"], person.pseudonym]))
    after = Incident.model_validate(new | {"gone": gone, "chain": chain.model_dump()})
    return after, Redacted(digests=chains.replacements(chain, new["timeline"]))


def _document(incident: Incident) -> Json:
    return incident.model_dump(mode="json", exclude={"chain"})


def _left(incident: Incident) -> Iterator[str]:
    """Yield where words of an incident went that nobody can take back, each with its name."""
    if incident.issue:
        yield f"the ticket {incident.issue.url or incident.issue.key}"
    if incident.alerted:
        yield f"{incident.id} in PagerDuty or Opsgenie"
    if incident.invited or any(post.place == "mail" for post in incident.posts):
        yield f"mails about {incident.id}"
    if any(page.taken_by for page in incident.pages):
        yield f"pages of {incident.id} by other ways than Slack"
    if incident.room:
        yield f"what people wrote in the war room of {incident.id}, and its name"


def _reviewed_in(before: Json | None, after: Json | None) -> Iterator[str]:
    """Yield the incidents whose reviews show what was changed in a key: people's words, or action items."""
    name = before["key"] if before else ""
    if name.startswith(WORDS_OF_REVIEW):
        yield name.removeprefix(WORDS_OF_REVIEW)
    if before and after and name == ITEMS:
        now = after["hash"]
        changed = (item for item, raw in before["hash"].items() if _opened(raw) != _opened(now.get(item)))
        yield from dict.fromkeys(item.partition("/")[0] for item in changed)


def _kind(key: str) -> str:
    """Return the key without what numbers it."""
    return ":".join(key.split(":")[:2])


_WITHIN = "\0json"  # stands around what was JSON within a text


def _opened(value: Any) -> Any:
    """Return a record with texts that are JSON as what they hold."""
    match value:
        case str() if value.startswith(("{", "[")):
            try:
                return {_WITHIN: _opened(json.loads(value))}
            except ValueError:
                return value
        case dict():
            return {key: _opened(inner) for key, inner in value.items()}
        case list():
            return [_opened(inner) for inner in value]
        case _:
            return value


def _closed(value: Any) -> Any:
    """Reverse `_opened`."""
    match value:
        case dict() if value.keys() == {_WITHIN}:
            return archive.as_line(_closed(value[_WITHIN]))
        case dict():
            return {key: _closed(inner) for key, inner in value.items()}
        case list():
            return [_closed(inner) for inner in value]
        case _:
            return value
