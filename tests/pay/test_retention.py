"""Retention of on-call records and final pay: what is old goes, nothing else, and figures say what is missing."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from pydantic import ValidationError
from redis import Redis

from escalation.errors import Refused
from escalation.figures.load_words import unrecorded
from escalation.pay.report import pay_report
from escalation.records.retention import Retention
from escalation.service import IncidentService
from escalation.storage import archive
from escalation.storage.keeping import audit
from escalation.storage.keeping.retention import due, remove
from escalation.storage.oncall import cover as cover_records
from escalation.storage.oncall.evidence import evidence
from escalation.storage.oncall.pay import PAY, REMOVED, FinalPays
from tests.pay.company import berlin
from tests.pay.test_cover import round_of, service_over
from tests.support.clock import PushedClock
from tests.support.worker import redis_of

WEEK, MINUTE = timedelta(weeks=1), timedelta(minutes=1)
START = berlin(19)
KEPT = Retention.model_validate({"oncall": "35d", "pay": "60d"})
EARLY, LATE = (START, berlin(26)), (berlin(26), berlin(2, month=11))


@pytest.fixture
def redis() -> Iterator[Redis]:
    with redis_of("fakeredis") as client:
        yield client


def lived(redis: Redis) -> IncidentService:
    """Dana had the first week, Omar the second, Mei the third: on record; two weeks are paid."""
    clock = PushedClock(START)
    service = service_over(redis, clock)
    for _ in range(4):
        round_of(service)
        clock.push(days=7)
    for period in (EARLY, LATE):
        found = pay_report(service.company, evidence(service.store, service.company, *period))
        FinalPays(redis).keep(found, clock())
    return service


def records(redis: Redis) -> dict[str, object]:
    """Everything in the store, by key."""
    keys = sorted(str(key, "utf-8") for key in redis.scan_iter("*"))
    return {key: archive.record_of(redis, key) for key in keys}


def minutes(service: IncidentService, start: datetime, end: datetime) -> list[tuple[str, int]]:
    found = service.store.cover.between(service.company, start, end).covers
    return [(" ".join(cover.people), (cover.ends - cover.starts) // MINUTE) for cover in found]


def test_without_a_period_on_call_and_pay_are_kept(redis: Redis) -> None:
    """For ever, as before there were such periods."""
    service = lived(redis)
    before = records(redis)
    assert not remove(service.store, Retention(), START + timedelta(days=4000)).anything
    assert records(redis) == before


def test_who_was_on_call_long_ago_is_removed_and_nothing_else(redis: Redis) -> None:
    """Stretches that ended before the period; later ones, incidents and final pay reports stay as they are."""
    service = lived(redis)
    before, now = records(redis), EARLY[1] + timedelta(days=35, seconds=1)
    assert not due(service.store, KEPT, now - timedelta(seconds=2)).anything
    assert due(service.store, KEPT, now).oncall == 1
    assert records(redis) == before
    assert remove(service.store, KEPT, now).oncall == 1
    after = records(redis)
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    assert changed == {cover_records.RECORD, cover_records.ENDED, audit.AUDIT}
    assert "1 stretches of who was on call" in audit.entries(redis)[0]["what"]
    assert minutes(service, *LATE) == [("omar", 7 * 24 * 60)]
    assert not remove(service.store, KEPT, now).anything


def test_figures_of_a_time_that_was_removed_say_so_and_make_nothing_up(redis: Redis) -> None:
    """No hours from the schedule in its place, and no gap: neither for all of the period nor for a part of it."""
    service = lived(redis)
    remove(service.store, KEPT, EARLY[1] + timedelta(days=36))
    assert minutes(service, *EARLY) == []
    whole = evidence(service.store, service.company, EARLY[0], LATE[1])
    assert {who for who, _, _ in whole.turns()} == {"omar"}
    found = pay_report(service.company, whole)
    assert not found.whole
    assert found.uncovered == {}
    said = unrecorded(found.recorded_since, found.removed_until, found.start)
    assert said.startswith("Who was on call before 2026-10-2")
    assert "removed, as `retention.oncall` says" in said
    assert pay_report(service.company, evidence(service.store, service.company, *LATE)).whole


def test_old_final_pay_goes_and_that_time_cannot_be_paid_again(redis: Redis) -> None:
    """Of the two the one whose period ended before; a later one stays, and another period is still payable."""
    service = lived(redis)
    finals, before, now = FinalPays(redis), records(redis), EARLY[1] + timedelta(days=61)
    rules = Retention.model_validate({"pay": "60d"})
    assert remove(service.store, rules, now).pay == 1
    after = records(redis)
    assert {key for key in after if before.get(key) != after.get(key)} == {PAY, REMOVED, audit.AUDIT}
    assert (finals.of(*EARLY), finals.of(*LATE) is None) == (None, False)
    again = pay_report(service.company, evidence(service.store, service.company, *EARLY))
    with pytest.raises(Refused, match=r"removed, as `retention.pay` says: whether this was paid is not known"):
        finals.keep(again, now)
    third = (LATE[1], LATE[1] + WEEK)
    finals.keep(pay_report(service.company, evidence(service.store, service.company, *third)), now)


def test_a_period_too_short_to_ask_whoever_did_least_is_refused() -> None:
    """A month of who was on call is needed every day."""
    with pytest.raises(ValidationError, match="whoever did least is asked first"):
        Retention.model_validate({"oncall": "30d"})
    assert Retention.model_validate({"oncall": "31d", "pay": "1d"}).oncall == timedelta(days=31)
