"""Slack's limits, kept beforehand: a burst, then a rate, and a slot for each that has to wait."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from redis import Redis

from escalation.incident.state.facts import Status
from escalation.storage.problems import Problems
from tests.support.incidents import declared
from tests.support.story import START
from tests.support.worker import BACKENDS, redis_of
from workers.clock.backlog import Backlogs
from workers.delivery import rate_limits
from workers.delivery.rate_limits import Budget, reserve

CHANNEL = rate_limits.message("C1")


@pytest.fixture(params=BACKENDS)
def redis(request: pytest.FixtureRequest) -> "Iterator[Redis]":
    with redis_of(request.param) as client:
        yield client


def waits(redis: "Redis", budget: Budget, now: datetime, names: str) -> list[float]:
    """How many seconds each of these tickets is told to wait."""
    told = [reserve(redis, budget, name, now) for name in names]
    return [(at - now).total_seconds() if at else 0.0 for at in told]


def test_a_short_burst_goes_at_once_and_the_rest_a_second_apart(redis: "Redis") -> None:
    """Everybody has a slot of their own."""
    assert waits(redis, CHANNEL, START, "abcdef") == pytest.approx([0, 0, 0, 1, 2, 3], abs=1e-3)


def test_a_slot_is_kept_and_used_once(redis: "Redis") -> None:
    """Too early is told the same time again; on time goes, and does not pay twice."""
    waits(redis, CHANNEL, START, "abc")
    slot = reserve(redis, CHANNEL, "d", START)
    assert slot is not None
    assert reserve(redis, CHANNEL, "d", START + timedelta(milliseconds=900)) == slot
    assert reserve(redis, CHANNEL, "d", slot) is None
    assert reserve(redis, CHANNEL, "e", slot) is not None


def test_who_had_a_slot_tries_again_for_nothing_where_messages_are_counted(redis: "Redis") -> None:
    """A failed try took nobody's attention; what was never sent still waits for its turn."""
    number = Budget("call:1", 300.0, 2, once=True)
    assert waits(redis, number, START, "aaaab") == [0, 0, 0, 0, 0]
    assert waits(redis, number, START, "cab") == pytest.approx([300, 0, 0], abs=1e-3)


def test_a_channel_at_rest_has_its_burst_back(redis: "Redis") -> None:
    """The budget refills with time."""
    waits(redis, CHANNEL, START, "abcde")
    assert waits(redis, CHANNEL, START + timedelta(minutes=1), "wxyz") == pytest.approx([0, 0, 0, 1], abs=1e-3)


def test_channels_do_not_wait_for_each_other(redis: "Redis") -> None:
    """Pages are direct messages, so a busy incidents channel does not hold them up."""
    waits(redis, CHANNEL, START, "abcdef")
    assert waits(redis, rate_limits.message("D1"), START, "xyz") == [0, 0, 0]


@pytest.mark.parametrize(
    ("budget", "a_minute"),
    [(rate_limits.UPDATE, 50), (rate_limits.INVITE, 50), (rate_limits.CREATE, 20), (rate_limits.TOPIC, 20)],
)
def test_methods_keep_to_their_tier(redis: "Redis", budget: Budget, a_minute: int) -> None:
    """After the burst, no more than Slack allows in any minute."""
    now, sent = START, 0
    for n in range(3 * 60):
        now = START + timedelta(seconds=n)
        sent += reserve(redis, budget, f"t{n}", now) is None
        sent += reserve(redis, budget, f"u{n}", now) is None
    assert sent <= budget.burst + 3 * a_minute


def test_many_at_once_share_one_budget(redis: "Redis") -> None:
    """Eight threads, one channel: no slot is given twice."""
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda n: reserve(redis, CHANNEL, f"t{n}", START), range(20)))
    assert Counter(told)[None] == 3
    assert len(set(told)) == 18


URGENT, OTHER = declared("P0"), declared("P3")
DRILL = URGENT.model_copy(update={"drill": True})
SECRET = OTHER.model_copy(update={"facts": OTHER.facts.model_copy(update={"security": True})})
ENDED = OTHER.model_copy(update={"status": Status.RESOLVED})


def test_an_urgent_card_does_not_wait_behind_updates_that_can(redis: "Redis") -> None:
    """Copies of a drill and old messages wait; the card of a real P0, an end and a redaction go at once."""
    for n in range(50):
        reserve(redis, rate_limits.update(DRILL, card=True), f"drill{n}", START)
        reserve(redis, rate_limits.update(URGENT, card=False), f"old{n}", START)
    for incident in (URGENT, SECRET, ENDED):
        for n in range(3):
            assert reserve(redis, rate_limits.update(incident, card=True), f"{id(incident)}{n}", START) is None


def test_updates_of_all_urgencies_share_one_limit(redis: "Redis") -> None:
    """Together they never ask for more than Slack gives, and each of them goes in the end."""
    budgets = {"d": rate_limits.update(DRILL, card=True), "p": rate_limits.update(OTHER, card=True)}
    waiting = {f"{kind}{n}" for n in range(30) for kind in budgets}
    minutes = Counter[int]()
    now = START
    while waiting:
        for ticket in sorted(waiting):
            if reserve(redis, budgets[ticket[0]], ticket, now) is None:
                waiting.discard(ticket)
                minutes[int((now - START).total_seconds() // 60)] += 1
        now += timedelta(seconds=1)
        assert now - START < timedelta(minutes=5)
    assert max(minutes.values()) <= rate_limits.UPDATE.burst + 50


def test_those_that_wait_look_again_no_more_often_than_one_goes(redis: "Redis") -> None:
    """Hundreds of copies give way to cards for minutes: each look is a job, and jobs delay each other."""
    behind, first = rate_limits.update(OTHER, card=False), rate_limits.update(ENDED, card=True)
    seconds, looks, due, gone = 600, 0, {f"b{n}": START for n in range(400)}, 0
    for second in range(seconds):
        now = START + timedelta(seconds=second)
        reserve(redis, first, f"f{second}", now)  # as many as Slack takes, and more
        for ticket in [name for name, at in due.items() if at <= now]:
            looks += 1
            at = reserve(redis, behind, ticket, now)
            gone += at is None
            due.pop(ticket)
            due |= {ticket: at} if at else {}
    assert looks <= len(due) + gone + 2 * seconds / behind.every
    start, end = START + timedelta(seconds=seconds), None
    while due:
        name, at = min(due.items(), key=lambda each: each[1])
        end = max(at, start)
        later = reserve(redis, behind, name, end)
        due.pop(name)
        due |= {name: later} if later else {}
    assert end
    assert end - start < timedelta(seconds=2 * 400 * behind.every)


def test_updates_that_wait_for_long_are_told(redis: "Redis") -> None:
    """Slack takes fifty a minute: after a burst, whoever runs Tocsin knows why cards are behind, and until when."""
    problems = Problems(redis)
    for n in range(500):
        reserve(redis, rate_limits.update(OTHER, card=True), f"t{n}", START)
    Backlogs(redis, problems).tell(START)
    [told] = problems.current()
    assert told.key == "queue:updates"
    assert "10 min" in told.text
    Backlogs(redis, problems).tell(START + timedelta(minutes=8))
    assert not problems.current()
