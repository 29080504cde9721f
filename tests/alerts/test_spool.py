"""The spool: written through, bounded, emptied in order; and who is told when nothing takes an alert."""

import asyncio
import os
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import fakeredis
import pytest
from redis.exceptions import ConnectionError as Away

from bot.http.health import exposition, readiness
from bot.keeper import MAX_ON_LOOP, Keeper, NotKept
from escalation.storage.intake import AsyncIntake, Body, Intake
from escalation.storage.problems import Problems
from escalation.storage.spool import Spool, SpoolFull
from escalation.storage.store import Store
from tests.alerts.test_whole_way import monitored
from tests.support.worker import redis_of, works
from workers.alerts import drain_spool
from workers.queue.outbox import post_alerts


def body(n: int, size: int = 10) -> Body:
    return Body(id=f"b{n}", source="grafana", at=float(n), raw=bytes([n % 256]) * size, query={"a": "ü"})


def fits(spool: Spool, one: Body) -> bool:
    try:
        spool.add(one)
    except SpoolFull:
        return False
    return True


class Redis:
    """Intake of a Redis that may be away."""

    def __init__(self) -> None:
        self.away = True
        self.kept: list[Body] = []

    def keep(self, *bodies: Body) -> None:
        if self.away:
            raise Away("no route to host")
        self.kept += bodies

    async def keep_on_loop(self, *bodies: Body) -> None:
        self.keep(*bodies)


def keeper_of(redis: Redis, spool: Spool) -> Keeper:
    return Keeper(cast(AsyncIntake, redis), spool, Problems(fakeredis.FakeRedis()))


def test_bodies_come_back_as_they_were_in_their_order(tmp_path: Path) -> None:
    """Whatever the order in which they were written."""
    spool, redis = Spool(tmp_path / "s"), Redis()
    redis.away = False
    for n in (3, 1, 10, 2):
        spool.add(body(n))
    assert spool.depth()[0] == 4
    assert spool.drain(redis.keep) == 4
    assert redis.kept == [body(n) for n in (1, 2, 3, 10)]
    assert spool.depth() == (0, 0)


def test_what_redis_does_not_take_stays(tmp_path: Path) -> None:
    """Nothing is removed before it is kept elsewhere."""
    spool, redis = Spool(tmp_path), Redis()
    spool.add(body(1))
    with pytest.raises(Away):
        spool.drain(redis.keep)
    assert spool.depth()[0] == 1


@pytest.mark.parametrize("limits", [{"max_bodies": 2}, {"max_bytes": 700}])
def test_it_is_bounded(tmp_path: Path, limits: dict[str, int]) -> None:
    """A disk that fills up would take Redis with it."""
    spool, taken = Spool(tmp_path, **limits), 0
    while spool.depth()[0] == taken < 10 and fits(spool, body(taken, 100)):
        taken += 1
    assert 0 < taken <= 3


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b'{"id": 1}', b"\xff"])
def test_a_damaged_file_is_set_aside(tmp_path: Path, raw: bytes) -> None:
    """It holds up no other, and is not lost."""
    spool, redis = Spool(tmp_path), Redis()
    redis.away = False
    (tmp_path / f"{0:020d}-x.alert").write_bytes(raw)
    spool.add(body(5))
    assert spool.drain(redis.keep) == 1
    assert [path.name for path in tmp_path.iterdir()] == [f"{0:020d}-x.unreadable"]


def test_two_that_empty_it_at_once_lose_nothing(tmp_path: Path) -> None:
    """The other process took a file away between the list and the read."""
    spool = Spool(tmp_path)
    spool.add(body(1))
    spool.add(body(2))

    def keep(*bodies: Body) -> None:
        for path in tmp_path.glob("*.alert"):
            path.unlink()

    assert spool.drain(keep) == 2
    assert spool.depth()[0] == 0


def test_one_process_at_a_time_empties_it(tmp_path: Path) -> None:
    """Two at once would not keep the order."""
    spool, redis, others = Spool(tmp_path), Redis(), list[int]()
    redis.away = False
    spool.add(body(1), body(2))

    def keep(*bodies: Body) -> None:
        others.append(Spool(tmp_path).drain(redis.keep))
        redis.keep(*bodies)

    assert spool.drain(keep) == 2
    assert (others, redis.kept) == ([0], [body(1), body(2)])


def kept(keeper: Keeper, *bodies: Body) -> list[Any]:
    """What keeping each of these at once ends in: None, or its error."""

    async def keep_all() -> list[Any]:
        return await asyncio.gather(*(keeper.keep(b) for b in bodies), return_exceptions=True)

    return asyncio.run(keep_all())


def test_many_at_once_are_few_transactions(tmp_path: Path) -> None:
    """All are kept, each once."""
    redis = Redis()
    redis.away = False
    keeper = keeper_of(redis, Spool(tmp_path))
    assert kept(keeper, *(body(n) for n in range(500))) == [None] * 500
    assert sorted(b.at for b in redis.kept) == [float(n) for n in range(500)]


def test_the_disk_takes_what_redis_does_not(tmp_path: Path) -> None:
    """Every body of those that came at once."""
    keeper = keeper_of(Redis(), Spool(tmp_path))
    assert kept(keeper, *(body(n) for n in range(50))) == [None] * 50
    assert Spool(tmp_path).depth()[0] == 50


def test_what_comes_while_others_wait_on_the_disk_goes_behind_them(tmp_path: Path) -> None:
    """Redis is back, the beginning of an alert is still on the disk: its end must not overtake it."""
    redis, spool = Redis(), Spool(tmp_path)
    keeper = keeper_of(redis, spool)
    assert kept(keeper, body(1)) == [None]
    redis.away = False
    assert kept(keeper, body(2)) == [None]
    assert redis.kept == []
    spool.drain(redis.keep)
    assert kept(keeper, body(3)) == [None]
    assert redis.kept == [body(1), body(2), body(3)]


def test_bodies_that_came_together_share_a_file(tmp_path: Path) -> None:
    """It is written through once for all of them, and each is kept, in its order, by whoever empties it."""
    redis, spool = Redis(), Spool(tmp_path)
    keeper = keeper_of(redis, spool)
    assert kept(keeper, *(body(n) for n in range(50))) == [None] * 50
    assert len(list(tmp_path.iterdir())) <= 2
    assert spool.depth()[0] == 50
    assert spool.drain(redis_that_is_back(redis).keep) == 50
    assert redis.kept == [body(n) for n in range(50)]
    assert spool.depth() == (0, 0)


def redis_that_is_back(redis: Redis) -> Redis:
    redis.away = False
    return redis


def test_of_a_damaged_file_what_can_be_read_is_kept(tmp_path: Path) -> None:
    """A disk lost its end: the bodies before that are handed on, and the file is set aside."""
    redis, spool = redis_that_is_back(Redis()), Spool(tmp_path)
    spool.add(*(body(n) for n in range(3)))
    [file] = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-20])
    assert spool.drain(redis.keep) == 2
    assert redis.kept == [body(0), body(1)]
    assert [path.suffix for path in tmp_path.iterdir()] == [".unreadable"]


def test_a_full_spool_does_not_keep_alerts_from_redis(tmp_path: Path) -> None:
    """To be kept counts for more than the order."""
    redis = Redis()
    keeper = keeper_of(redis, Spool(tmp_path, max_bodies=1))
    assert kept(keeper, body(1)) == [None]
    redis.away = False
    assert kept(keeper, body(2)) == [None]
    assert redis.kept == [body(2)]


def test_a_spool_of_thousands_takes_the_next_body_as_soon_as_the_first(tmp_path: Path) -> None:
    """The folder is counted once in a while, not for each body."""
    spool = Spool(tmp_path)
    spool.add(body(0))
    counted: list[int] = []
    spool.depth = lambda: counted.append(1) or (1, 100)  # type: ignore[method-assign,func-returns-value]
    for n in range(1, 50):
        spool.add(body(n))
    assert len(counted) <= 2


def test_when_neither_takes_it_the_sender_is_told(tmp_path: Path) -> None:
    """So that those who send again do: a full spool, or a disk that does not write."""
    full = keeper_of(Redis(), Spool(tmp_path, max_bodies=0))
    [error] = kept(full, body(1))
    assert isinstance(error, NotKept)
    file = tmp_path / "file"
    file.write_text("no folder")
    [error] = kept(keeper_of(Redis(), Spool(file)), body(1))
    assert isinstance(error, NotKept)


def test_a_worker_of_the_host_drains_what_the_bot_left(tmp_path: Path) -> None:
    """The bot may have ended; two that drain at once keep each body once."""
    with redis_of("valkey") as redis:
        parts = works(redis)
        context = replace(parts.context, spool=tmp_path)
        for n in range(5):
            Spool(tmp_path).add(body(n))
        with ThreadPoolExecutor(2) as pool:
            drained = [*pool.map(lambda _: drain_spool(context), range(2))]
        assert sum(drained) >= 5
        assert Intake(redis, post_alerts).depth() == 5
        assert drain_spool(context) == 0
        assert drain_spool(parts.context) == 0


def test_large_bodies_are_kept_beside_the_loop(tmp_path: Path) -> None:
    """Encoding one takes long enough for a click to notice; the small ones need no thread."""
    handled: dict[str, bool] = {}

    class Watched(Redis):
        def keep(self, *bodies: Body) -> None:
            handled.update({one.id: threading.current_thread() is threading.main_thread() for one in bodies})

    keeper = keeper_of(Watched(), Spool(tmp_path))
    assert kept(keeper, body(1), body(2, MAX_ON_LOOP + 1), body(3)) == [None] * 3
    assert handled == {"b1": True, "b2": False, "b3": False}  # behind the large one: an end overtakes no beginning


def test_what_waits_on_the_disk_and_what_was_refused_is_said(tmp_path: Path) -> None:
    """In `/readyz` and `/metrics`, and neither stops the work; a refusal is over with the next body that is kept."""
    store = Store(fakeredis.FakeRedis(), lambda pipe, changes: None)
    redis = Redis()
    keeper = keeper_of(redis, Spool(tmp_path, max_bodies=1))
    asyncio.run(keeper.keep(body(1)))
    with pytest.raises(NotKept):
        asyncio.run(keeper.keep(body(2)))
    said = readiness(store, True, "", keeper.state).problems
    assert "1 body of alerts waits on this host's disk: taken in once Redis answers" in said
    assert any(problem.startswith("An alert was refused with 503 (it is full)") for problem in said)
    text = exposition(store, lambda: True, keeper.state).decode()
    assert "tocsin_alerts_spooled 1.0" in text
    assert "tocsin_alerts_refused_total 1.0" in text
    redis.away = False
    asyncio.run(keeper.keep(body(3)))
    assert not any("503" in problem for problem in readiness(store, True, "", keeper.state).problems)


def test_what_waits_is_said_while_redis_hangs(tmp_path: Path) -> None:
    """It accepts connections and never answers: readiness gives up on it, and knows how much is on the disk."""
    with monitored(tmp_path) as site:
        server = int(site.parts.redis.info("server")["process_id"])
        os.kill(server, signal.SIGSTOP)
        try:
            assert site.post({"title": "Down"}, "/alerts/generic").status_code == 202
            answer = site.bot.web.get("/readyz", timeout=60)
        finally:
            os.kill(server, signal.SIGCONT)
        assert answer.status_code == 503
        waits = "1 body of alerts waits on this host's disk: taken in once Redis answers"
        assert waits in answer.json()["problems"]


def test_a_spool_that_would_take_nothing_is_known_to_all_before_it_is_needed(tmp_path: Path) -> None:
    """Full, or not writable: readiness and metrics of any process name it with its remedy, until it is mended."""
    redis, file = fakeredis.FakeRedis(), tmp_path / "spool"
    store = Store(redis, lambda pipe, changes: None)
    file.write_text("in its place")
    intake = AsyncIntake(redis, post_alerts, fakeredis.FakeAsyncRedis())
    keeper = Keeper(intake, Spool(file), store.problems)
    keeper.examine_spool()
    (problem,) = store.problems.current()
    assert (problem.key, problem.blocks) == (f"spool:{socket.gethostname()}", False)
    assert any("would keep no alerts while Redis is away" in line for line in readiness(store, True).problems)
    assert b'tocsin_problem{blocks="false",key="spool:' in exposition(store, lambda: True)
    file.unlink()
    keeper.examine_spool()
    assert store.problems.current() == []
    assert list(file.iterdir()) == []
    full = Spool(tmp_path / "full", max_bodies=1)
    full.add(body(1))
    Keeper(intake, full, store.problems).examine_spool()
    assert "it is full: 1 bodies" in store.problems.current()[0].text
