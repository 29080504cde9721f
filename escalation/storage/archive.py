"""Archive of the store: every record as a line of JSON, whole, and back into an empty store.

A record is every key `tocsin:…` that neither expires by itself nor is TRANSIENT: a new key is kept until it is listed
here. Jobs (`rq:…`) follow from the records. Packed incidents are written whole. The first line says the format, the
last counts the lines and has the SHA-256 of those before it, so that an archive that was cut off is found out.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from redis import Redis

from escalation.figures import observation
from escalation.incident.model import STATE_VERSION
from escalation.search import document
from escalation.storage import indexes
from escalation.storage.keeping import packed
from escalation.storage.search import documents

FORMAT = 1
PREFIX = "tocsin:"
BATCH = 200
# What processes tell each other now, and what is on its way at the moment: all of it is made again. Prefixes.
TRANSIENT = (
    *("tocsin:alive:", "tocsin:signs", "tocsin:canary", "tocsin:metrics", "tocsin:problems", "tocsin:write-probe"),
    *("tocsin:upkeep", "tocsin:ticks:", "tocsin:ticked", "tocsin:choices:", "tocsin:slack-took", "tocsin:held"),
    *("tocsin:under:", "tocsin:breach", "tocsin:check:", "tocsin:checks", "tocsin:dm", "tocsin:surface-off:"),
    *("tocsin:review-canvas-lock:", "tocsin:review-document:", "tocsin:action-items:compared"),
    "tocsin:action-list:wait",
    *("tocsin:lease:", "tocsin:pace:", "tocsin:slot:", "tocsin:tries:", "tocsin:repairs:", "tocsin:listing:"),
    *("tocsin:channel:", "tocsin:leads:", "tocsin:stand-ins:lease", "tocsin:key:", "tocsin:mail:"),
    *("tocsin:retention:done", "tocsin:deleted"),
    *("tocsin:intake:", "tocsin:heartbeat:", "tocsin:nonce:", "tocsin:seen:", "tocsin:replies:", "tocsin:codes:"),
    *("tocsin:vendor:", "tocsin:delivery:", "tocsin:envelope:", "tocsin:mailed:", "tocsin:ticket:"),
    *(f"tocsin:public:subscribers:{name}" for name in ("asked:", "outgoing", "again", "tries", "failed", "sent")),
    *(f"tocsin:public:subscribers:{name}" for name in ("limit:", "bounces:", "lock", "paused")),
    "tocsin:posted:",  # where, and for how long, Slack keeps it
    "tocsin:search",  # made of the incidents
    packed.POLICIES,  # each incident is written with its own
    "tocsin:answers:secret",  # it signs links that were sent; another store has its own
)


class ArchiveFault(Exception):
    """An archive that is not whole, or none: which line, and why."""


class NotEmpty(Exception):
    """The store holds records already."""


def export(redis: Redis) -> Iterator[str]:
    """Yield the lines of an archive. While others write, each record is whole, though not all of one instant."""
    keys, digest = _record_keys(redis), hashlib.sha256()
    header = {"tocsin_export": FORMAT, "state_version": STATE_VERSION, "records": len(keys)}
    batches = (keys[start : start + BATCH] for start in range(0, len(keys), BATCH))
    count = -1
    for data in chain([header], chain.from_iterable(_read(redis, batch) for batch in batches)):
        line, count = as_line(data), count + 1
        digest.update(f"{line}\n".encode())
        yield line
    yield as_line({"end": count, "sha256": digest.hexdigest()})


def load(redis: Redis, lines: Iterable[str]) -> int:
    """Write the records of an archive, all or none; returns how many. ArchiveFault, or NotEmpty: nothing is written."""
    records = list(_parse(lines))
    if _record_keys(redis):
        raise NotEmpty
    with redis.pipeline() as pipe:
        for record in records:
            write_record(pipe, record)
            if record["key"].startswith(indexes.key("")):
                documents.note_id(pipe, record["key"].removeprefix(indexes.key("")))
        pipe.execute()
    return len(records)


def is_one(lines: Iterable[str]) -> bool:
    """True if the first line is that of an archive."""
    return next(iter(lines), "").startswith('{"tocsin_export":')


def check(lines: Iterable[str]) -> None:
    """Check an archive from its first line to its last. ArchiveFault when it is not whole."""
    for _ in _parse(lines):
        pass


def _record_keys(redis: Redis) -> list[str]:
    found = {_text(key) for key in redis.scan_iter(match=f"{PREFIX}*", count=1000)}
    names = sorted(name for name in found if not name.startswith(TRANSIENT))
    with redis.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.ttl(name)
        return [name for name, left in zip(names, pipe.execute(), strict=True) if left == -1]


def _read(redis: Redis, keys: list[str]) -> Iterator[dict[str, Any]]:
    with redis.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.type(key)
        kinds = [_text(kind) for kind in pipe.execute()]
        for key, kind in zip(keys, kinds, strict=True):
            _ask(pipe, key, kind)
        found = iter(pipe.execute())
    policies: Any = redis.hgetall(packed.POLICIES)
    for key, kind in zip(keys, kinds, strict=True):
        if kind in _KINDS and (value := next(found)):  # others were deleted meanwhile
            yield {"key": key, kind: _plain(kind, _whole(value, policies) if kind == "string" else _texts(key, value))}


def record_of(redis: Any, key: str) -> dict[str, Any] | None:
    """Read one key of any type as a record; None when there is none."""
    kind = _text(redis.type(key))
    return {"key": key, kind: _plain(kind, _texts(key, _ask(redis, key, kind)))} if kind in _KINDS else None


def _texts(key: str, value: Any) -> Any:
    """A value with its records as they were before they were packed; what cannot be read, as it is."""
    text_of = _PACKED.get(key)
    if text_of is None:
        return value
    texts = {}
    for name, raw in value.items():
        try:
            texts[name] = text_of(raw)
        except ValueError:
            texts[name] = raw
    return texts


def _whole(value: bytes, policies: Mapping[bytes, bytes]) -> bytes:
    """A packed incident as it was before; what cannot be read, as it is."""
    try:
        return packed.unpack(value, packed.kept_in(policies))
    except ValueError:
        return value


_PACKED = {indexes.FIGURES: observation.text_of, documents.DOCUMENTS: document.text_of}
_KINDS = ("string", "hash", "list", "set", "zset", "stream")


def _ask(redis: Any, key: str, kind: str) -> Any:
    match kind:
        case "string":
            return redis.get(key)
        case "hash":
            return redis.hgetall(key)
        case "list":
            return redis.lrange(key, 0, -1)
        case "set":
            return redis.smembers(key)
        case "zset":
            return redis.zrange(key, 0, -1, withscores=True)
        case "stream":
            return redis.xrange(key)
    return None


def _plain(kind: str, value: Any) -> Any:
    """The value as JSON, in one order; a document that can be written back byte for byte is no text within text."""
    match kind:
        case "string":
            return _document(_text(value))
        case "hash":
            return dict(sorted((_text(name), _text(text)) for name, text in value.items()))
        case "list":
            return [_text(item) for item in value]
        case "set":
            return sorted(_text(item) for item in value)
        case "zset":
            return sorted([_text(member), repr(float(score))] for member, score in value)
        case _:
            return [[_text(n), {_text(f): _text(v) for f, v in fields.items()}] for n, fields in value]


def _document(text: str) -> Any:
    if text.startswith("{"):
        try:
            document = json.loads(text)
        except ValueError:
            return text
        return document if as_line(document) == text else text
    return text


def write_record(pipe: Any, record: dict[str, Any]) -> None:
    """Write a record as it was; in a pipeline."""
    key = record["key"]
    kind = next(kind for kind in _KINDS if kind in record)
    value = record[kind]
    match kind:
        case "string":
            pipe.set(key, _raw(value if isinstance(value, str) else as_line(value)))
        case "hash":
            pipe.hset(key, mapping={_raw(name): _raw(text) for name, text in value.items()})
        case "list":
            pipe.rpush(key, *map(_raw, value))
        case "set":
            pipe.sadd(key, *map(_raw, value))
        case "zset":
            pipe.zadd(key, {_raw(member): float(score) for member, score in value})
        case "stream":
            for number, fields in value:
                pipe.xadd(key, {_raw(name): _raw(text) for name, text in fields.items()}, id=number)


def _parse(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield the records of a whole archive. ArchiveFault names the line that spoils it."""
    digest, count, ended, expected = hashlib.sha256(), 0, False, 0
    for number, text in enumerate(lines, start=1):
        line = text.removesuffix("\n")
        try:
            record = json.loads(line)
        except ValueError:
            raise ArchiveFault(f"line {number}: no JSON; it was cut off there, or changed") from None
        if not isinstance(record, dict) or ended:
            raise ArchiveFault(f"line {number}: no record of an export")
        if number == 1:
            expected = _expected(record)
        elif "end" in record:
            ended = True
            if (record["end"], record.get("sha256")) != (count, digest.hexdigest()):
                raise ArchiveFault(f"line {number}: lines before it are missing, or were changed")
        elif not str(record.get("key", "")).startswith(PREFIX) or not any(kind in record for kind in _KINDS):
            raise ArchiveFault(f"line {number}: no record of an export")
        else:
            count += 1
            yield record
        digest.update(f"{line}\n".encode())
    if not ended:
        raise ArchiveFault(f"line {count + 1}: it was cut off there, after {count} of {expected} records")


def _expected(header: dict[str, Any]) -> int:
    """How many records the archive should have."""
    if not isinstance(header.get("tocsin_export"), int):
        raise ArchiveFault("line 1: this is no export of Tocsin (`tocsin export --all`)")
    if header["tocsin_export"] > FORMAT or header.get("state_version", 0) > STATE_VERSION:
        raise ArchiveFault("line 1: a newer Tocsin wrote it; import it with that version")
    return int(header.get("records", 0))


def as_line(data: Any) -> str:
    """One line of JSON; what is no UTF-8 is escaped."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return json.dumps(data, separators=(",", ":")) if any("\ud800" <= c <= "\udfff" for c in text) else text


def _text(raw: Any) -> str:
    return str(raw, "utf-8", "surrogateescape") if isinstance(raw, bytes) else str(raw)


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
