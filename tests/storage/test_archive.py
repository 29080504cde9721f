"""The archive: exported, imported into an empty store and exported again, it is the same to the byte."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalation.config.policy import Severity
from escalation.storage.archive import TRANSIENT, ArchiveFault, NotEmpty, export, load
from escalation.storage.reviews import Reviews
from escalation.storage.store import Store
from tests.engine.test_state_machine import SEVERITIES, STEPS, Step, take
from tests.support.profiles import examples
from tests.support.story import START, Story
from tests.support.worker import redis_of

ROOT = Path(__file__).parents[2]
RECORDS = {
    *("incident:", "incidents", "open", "urgent", "shared", "rooms", "alarms", "figures", "counter:", "review:"),
    "review-canvas:",
    *("to-review", "reviews-held", "reviews-private", "review-documents"),
    *("directory", "duty", "silences", "away", "ledger", "routine", "routine:since", "stand-ins", "group:", "alerts"),
    *("cover", "cover:ended", "pay", "pay:removed"),
    *("action-items", "action-items:made", "action-list", "action-list:rows"),
    *("public:log", "public:words", "public:incidents", "public:made"),
    *("public:withdrawn", "public:version", "public:maintenance", "public:statuspage", "public:subscribers"),
    *("public:subscribers:", "audit", "removed", "forgotten"),
}


@pytest.fixture
def store() -> Iterator[Store]:
    with redis_of("valkey") as client:
        yield Store(client, lambda pipe, changes: None)


def keep(store: Store, story: Story, n: int = 1) -> None:
    """Store a story as it stands, with a review, and what is no record."""
    incident = story.incident.model_copy(update={"id": f"INC-20241218-{n:03d}"})
    store.declare("20241218", f"modal-{n}", lambda _: incident)
    Reviews(store.redis).write(incident.id, {"lessons": "Größere Pools \u2028 \x00"}, "UONCALL", START)
    store.redis.xadd("tocsin:ledger", {"r": "[]"}, id=f"{n}-1")
    store.redis.set("tocsin:canary", "1")


def round_trip(store: Store) -> None:
    before = list(export(store.redis))
    store.redis.flushall()
    assert load(store.redis, [f"{line}\n" for line in before]) == len(before) - 2
    assert list(export(store.redis)) == before


@given(st.lists(STEPS, max_size=10), st.sampled_from(SEVERITIES))
@settings(max_examples=examples(60), deadline=None)
def test_export_import_export_gives_the_same_bytes(steps: list[Step], born: tuple[str, Severity]) -> None:
    """Whatever happened to the incidents of either policy, and every incident reads as before."""
    with redis_of("valkey") as client:
        store = Store(client, lambda pipe, changes: None)
        story = Story(born[1], policy=born[0])
        for step in steps:
            take(story, step)
        keep(store, story)
        incident, reviews = store.get("INC-20241218-001"), Reviews(client).written("INC-20241218-001")
        round_trip(store)
        assert store.get(incident.id) == incident
        assert store.recent() == (incident,)
        assert Reviews(client).written(incident.id) == reviews


def test_bytes_that_are_no_text_and_every_type_survive(store: Store) -> None:
    """Floats to their last digit, text beside JSON that would be written otherwise, bytes that are no UTF-8."""
    client = store.redis
    client.set("tocsin:x:odd", b'\xff\x00"')
    client.set("tocsin:x:json", '{ "a": 1.0 }')
    client.hset("tocsin:x:hash", mapping={b"\xfe": b"\xfd", "\ud7ff": "\u2029"})
    client.zadd("tocsin:x:zset", {"b": 1700000000.1234567, "a": float("inf")})
    client.rpush("tocsin:x:list", "b", "a", "b")
    client.sadd("tocsin:x:set", "b", "a")
    client.xadd("tocsin:x:stream", {"r": "[1]"}, id="5-1")
    round_trip(store)
    assert client.get("tocsin:x:odd") == b'\xff\x00"'


def test_what_expires_or_is_of_the_moment_is_left_out(store: Store) -> None:
    """Keys that end by themselves, heartbeats and jobs are no record."""
    keep(store, Story())
    store.redis.set("tocsin:x:short", "1", ex=100)
    store.redis.set("rq:job:1", "1")
    text = "\n".join(export(store.redis))
    assert "tocsin:incident:INC-20241218-001" in text
    assert not any(name in text for name in ("tocsin:x:short", "rq:job", "tocsin:canary", "tocsin:key:"))


def test_it_is_refused_where_there_is_something(store: Store) -> None:
    """Nothing is written over."""
    keep(store, Story())
    lines = list(export(store.redis))
    with pytest.raises(NotEmpty):
        load(store.redis, lines)
    assert list(export(store.redis)) == lines


def spoiled(lines: list[str]) -> dict[str, tuple[list[str], str]]:
    half = len(lines) // 2
    return {
        "cut between lines": (lines[:half], f"line {half}: it was cut off there, after {half - 1} of {len(lines) - 2}"),
        "cut within a line": ([*lines[:half], lines[half][:20]], f"line {half + 1}: no JSON"),
        "its last line is missing": (lines[:-1], "it was cut off there"),
        "a line is missing": (lines[:half] + lines[half + 1 :], "lines before it are missing, or were changed"),
        "a word was changed": ([line.replace("Checkout", "Checkin") for line in lines], "missing, or were changed"),
        "nothing": ([], "it was cut off there"),
        "something else": (['{"a": 1}'], "line 1: this is no export of Tocsin"),
        "of a newer Tocsin": ([lines[0].replace('"tocsin_export":1', '"tocsin_export":2')], "a newer Tocsin wrote it"),
        "text": (["Hello"], "line 1: no JSON"),
    }


@pytest.mark.parametrize("how", list(spoiled(["x"] * 4)))
def test_an_export_that_is_not_whole_is_refused_whole(store: Store, how: str) -> None:
    """With the line where it was cut or changed; nothing of it is imported."""
    keep(store, Story())
    lines, why = spoiled(list(export(store.redis)))[how]
    store.redis.flushall()
    with pytest.raises(ArchiveFault, match=re.escape(why)):
        load(store.redis, lines)
    assert not store.redis.keys()


def test_a_thousand_incidents_are_exported_in_batches(store: Store) -> None:
    """Each once, in order."""
    for n in range(1, 450):
        store.redis.set(f"tocsin:x:{n:04d}", n)
    assert [line for line in export(store.redis) if "tocsin:x:" in line][-1].startswith('{"key":"tocsin:x:0449"')
    round_trip(store)


def test_every_key_is_decided() -> None:
    """A new key is a record (add it here) or of the moment (add it to TRANSIENT)."""
    literal = re.compile(r'"tocsin:([a-z:-]+)(?=["{])')
    used = {
        name
        for room in ("escalation", "bot", "workers", "tocsin")
        for path in (ROOT / room).rglob("*.py")
        if path.name != "archive.py"
        for name in literal.findall(path.read_text())
    }
    undecided = {name for name in used if name not in RECORDS and not f"tocsin:{name}".startswith(TRANSIENT)}
    assert not undecided
    doubled: Any = {name for name in RECORDS if f"tocsin:{name}".startswith(TRANSIENT)}
    assert not doubled
