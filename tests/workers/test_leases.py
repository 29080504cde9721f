"""Leases: one sender for each effect, and nothing falls between two of them."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from redis import Redis

from escalation.storage.alarms import effect_alarm
from escalation.storage.indexes import ALARMS
from tests.support.story import START
from tests.support.worker import BACKENDS, redis_of
from workers.queue.leases import LEASE_MS, Leases, lease_key

EFFECT = "INC-20241218-001-7"


@pytest.fixture(params=BACKENDS)
def redis(request: pytest.FixtureRequest) -> "Iterator[Redis]":
    with redis_of(request.param) as client:
        client.zadd(ALARMS, {effect_alarm(EFFECT): START.timestamp()})
        yield client


@pytest.fixture
def leases(redis: "Redis") -> Iterator[Leases]:
    made = Leases(redis)
    yield made
    made.close()


def test_only_one_holds_an_effect(leases: Leases) -> None:
    """The second comer goes away, and the first learns of it before letting go."""
    first = leases.claim(EFFECT, START)
    assert first
    assert leases.claim(EFFECT, START) is None
    assert leases.release(first, done=True) is True
    again = leases.claim(EFFECT, START)
    assert again
    assert leases.release(again, done=True) is False


def test_an_effect_that_waits_for_another_try_is_left_alone(leases: Leases) -> None:
    """A doubled job does not cut the wait short that Slack asked for."""
    assert leases.claim(EFFECT, START - timedelta(microseconds=1)) is None
    assert leases.claim(EFFECT, START)


def test_an_effect_without_an_alarm_is_not_pending(leases: Leases) -> None:
    """It was carried out, or called off."""
    assert leases.claim("INC-20241218-001-8", START) is None


def test_sends_are_counted_until_the_effect_is_done(leases: Leases) -> None:
    """The second send of an effect looks for the first."""
    counts = []
    for done in (False, False, True, False):
        lease = leases.claim(EFFECT, START)
        assert lease
        counts.append(leases.begin(lease))
        leases.release(lease, done=done)
    assert counts == [1, 2, 3, 1]


def test_who_lost_the_lease_may_not_send(redis: "Redis", leases: Leases) -> None:
    """A process that stood still must not go on as if nothing had happened."""
    lease = leases.claim(EFFECT, START)
    assert lease
    redis.delete(lease_key(EFFECT))
    other = Leases(redis).claim(EFFECT, START)
    assert other
    assert leases.begin(lease) == 0
    assert leases.release(lease, done=True) is False
    assert redis.hget(lease_key(EFFECT), "token") == other.token.encode()


def test_a_lease_runs_out_soon(redis: "Redis", leases: Leases) -> None:
    """Within about a second of its holder's death."""
    leases.close()
    assert leases.claim(EFFECT, START)
    assert 0 < redis.pttl(lease_key(EFFECT)) <= LEASE_MS
