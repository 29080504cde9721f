"""The record of who was on call: what was stays, whatever is edited, cancelled or pruned afterwards."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from escalation.config.rotations import Shift
from escalation.oncall import overrides
from escalation.oncall.cover import Cover, CoverRecord, advance, joined, planned_cover
from escalation.oncall.edits import record_running
from escalation.oncall.schedule import EMPTY_STATE
from escalation.service import IncidentService
from escalation.storage.store import Store
from tests.pay.company import BERLIN, THREE, berlin, company
from tests.support.clock import PushedClock
from tests.support.profiles import examples
from tests.support.story import kars
from tests.support.worker import redis_of

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
START = berlin(20, "10:00")


@pytest.fixture
def redis() -> Iterator[Redis]:
    with redis_of("fakeredis") as client:
        yield client


def service_over(redis: Redis, clock: PushedClock, **changed: Any) -> IncidentService:
    store = Store(redis, lambda pipe, changes: None)
    return IncidentService(store, company(**changed), kars(), clock)


def round_of(service: IncidentService) -> None:
    """What each round of upkeep does."""
    service.update_oncall(lambda before, at: record_running(before, service.company, at))


def held(service: IncidentService) -> list[tuple[str, int]]:
    """Who was on call since START, and for how many minutes, one after another."""
    found = service.store.cover.between(service.company, START, service.clock()).covers
    return [(" ".join(c.people), (c.ends - c.starts) // MINUTE) for c in found]


def test_an_override_that_is_cancelled_was_still_held(redis: Redis) -> None:
    """Omar had the hour until it was taken back."""
    clock = PushedClock(START)
    service = service_over(redis, clock)
    round_of(service)
    clock.push(minutes=10)
    service.update_oncall(
        lambda s, now: overrides.add_override(s, service.company, "primary", "omar", now, now + 8 * HOUR, now)
    )
    clock.push(minutes=90)
    service.update_oncall(lambda s, _: overrides.cancel(s, 1))
    clock.push(minutes=20)
    assert held(service) == [("dana", 10), ("omar", 90), ("dana", 20)]


def test_an_override_from_an_hour_ago_begins_now(redis: Redis) -> None:
    """What is past stays as it was: Dana was paged then."""
    clock = PushedClock(START)
    service = service_over(redis, clock)
    round_of(service)
    clock.push(minutes=60)
    service.update_oncall(
        lambda s, now: overrides.add_override(s, service.company, "primary", "omar", START, now + HOUR, now)
    )
    clock.push(minutes=30)
    assert held(service) == [("dana", 60), ("omar", 30)]


def test_an_edited_rotation_does_not_change_what_was(redis: Redis) -> None:
    """The record outlives the schedule by which it was made, the people in it, and the rotation itself."""
    clock = PushedClock(START)
    before = service_over(redis, clock)
    round_of(before)
    clock.push(days=7)
    round_of(before)
    two = {"people": ["mei"], "first_shift": "2026-10-19", "timezone": BERLIN}
    people = {"mei": {"slack": "UMEI"}}
    after = service_over(redis, clock, people=people, rotations={"other": two})
    clock.push(hours=1)
    round_of(after)
    first, second, third = held(after)[:3]
    assert {first, second, third} == {("dana", 5 * 1440 + 840 + 60), ("omar", 33 * 60), ("mei", 60)}


def test_overrides_of_last_year_are_found(redis: Redis) -> None:
    """Though the on-call state forgets them after three months."""
    clock = PushedClock(START)
    service = service_over(redis, clock)
    round_of(service)
    service.update_oncall(
        lambda s, now: overrides.add_override(s, service.company, "primary", "mei", now, now + HOUR, now)
    )
    for _ in range(13):
        clock.push(days=30)
        round_of(service)
    service.update_oncall(
        lambda s, now: overrides.add_override(s, service.company, "primary", "mei", now, now + HOUR, now)
    )
    assert [o.id for o in service.store.oncall_state().overrides] == [2]
    assert held(service)[0] == ("mei", 60)


def test_an_event_that_left_the_calendar_was_a_shift(redis: Redis) -> None:
    """A feed shows what is to come: what it no longer lists was held nevertheless."""
    clock = PushedClock(START)
    service = service_over(redis, clock, rotations={"primary": {"people": THREE, "ical": "https://example.com/a.ics"}})
    shift = Shift(person="omar", starts=START, ends=START + HOUR)
    service.update_oncall(lambda s, now: overrides.record_feed(s, "primary", [shift], now))
    clock.push(minutes=90)
    service.update_oncall(lambda s, now: overrides.record_feed(s, "primary", [], now))
    assert held(service) == [("omar", 60), ("", 30)]


def test_what_was_never_recorded_is_by_the_schedule(redis: Redis) -> None:
    """Before the first start; the period says since when it is recorded."""
    clock = PushedClock(START + HOUR)
    service = service_over(redis, clock)
    assert service.store.cover.between(service.company, START, clock()).recorded_since is None
    round_of(service)
    clock.push(hours=1)
    found = service.store.cover.between(service.company, START, clock())
    assert found.recorded_since == START + HOUR
    assert held(service) == [("dana", 120)]


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=12), st.integers(0, 9000), st.integers(1, 3000))
@settings(max_examples=examples(60), deadline=None)
def test_the_record_is_the_schedule_while_nothing_is_edited(rounds: list[int], after: int, length: int) -> None:
    """However often it is written: the same stretches, joined, without a hole."""
    of, now = company(), START
    starts = START + after * MINUTE
    state = overrides.add_override(EMPTY_STATE, of, "primary", "mei", starts, starts + length * MINUTE, START)
    record, ended = CoverRecord(since=now, until=now), list[Cover]()
    for minutes in rounds:
        now += minutes * MINUTE
        record, closed = advance(record, of, state, now)
        ended += closed
    assert tuple(joined((*ended, *record.running))) == planned_cover(of, state, START, now)
