"""What comes round again: each message exactly once, whenever upkeep runs and however often it dies on the way."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fakeredis
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import escalation
from bot.render.blockkit import Message
from bot.render.oncall import TICK, Tick, with_ticks
from escalation.config.company import Company, Directory
from escalation.config.policy import Policy
from escalation.incident.events.moves import Acknowledge
from escalation.oncall import overrides
from escalation.oncall.handovers import shift_changes, time_of_handover_message
from escalation.oncall.handovers import time_of_test_page as asked_at
from escalation.oncall.overrides import add_notice
from escalation.oncall.reminders import due_reminders
from escalation.oncall.schedule import OncallState, on_call_at
from escalation.service import IncidentService
from escalation.storage.store import UPKEEP
from tests.support.block_kit_schema import problems
from tests.support.clock import PushedClock
from tests.support.profiles import examples
from tests.support.worker import Works, redis_of, through, works
from workers.channels import Sent, Tag
from workers.channels.failures import Failed
from workers.queue.rq import queue
from workers.recurring import upkeep
from workers.recurring.oncall.user_groups import UserGroups
from workers.recurring.reminders import ROUTINE, SINCE, Reminders
from workers.recurring.upkeep import Upkeep

BEAUTY = Path(escalation.__file__).with_name("policies") / "beauty.yml"
FRIDAY = datetime(2026, 11, 20, tzinfo=UTC)
MONDAY = FRIDAY + timedelta(days=3)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PEOPLE = {"dana": "UDANA", "omar": "UOMAR", "mei": "UMEI", "erik": "UERIK"}


class Died(BaseException):
    """The worker was killed."""


def beauty() -> Policy:
    return Policy.model_validate(yaml.safe_load(BEAUTY.read_text()))


def company(**rotation: Any) -> Company:
    """Dana until Monday, then Omar, then Mei; Erik manages."""
    primary = {"people": ["omar", "mei", "dana"], "first_shift": "2026-11-23", "group": "oncall"} | rotation
    return Company.model_validate(
        {
            "policy": "beauty",
            "people": {key: {"slack": member} for key, member in PEOPLE.items()},
            "roles": {
                "on_call": ["rotation primary"],
                "backup": "rotation primary next",
                "engineering_manager": "erik",
                "security_team": "erik",
            },
            "rotations": {"primary": primary},
            "meeting_url": "https://meet.example.com/x",
            "reports": [],
        }
    )


@dataclass
class FakeGroups:
    """A user group, or why there is none."""

    error: str = ""
    calls: list[list[str]] = field(default_factory=list)

    def set_members(self, group: str, people: list[str]) -> dict[str, Failed]:
        self.calls.append(people)
        if self.error:
            raise Failed(self.error)
        return {}


class FakeSlack:
    """Messages by channel; the n-th post of all may be the last thing that its worker does, before or after it went."""

    def __init__(self, clock: PushedClock) -> None:
        self.clock = clock
        self.posts: list[tuple[str, str, Message]] = []
        self.dies: set[tuple[int, str]] = set()
        self.refuses: dict[str, str] = {}
        self.groups = FakeGroups()
        self.surfaces = SimpleNamespace(on=lambda name: False)  # nobody is asked who is silent
        self.rooms = SimpleNamespace(
            channel=lambda name: f"#{name}",
            channel_or_new=lambda name: (f"#{name}", False),
            forget_channel=lambda name: None,
            joining=lambda channel, act: act(),
        )
        self.tried = 0

    def direct_channel(self, person: str) -> str:
        if person in self.refuses:
            raise Failed(self.refuses[person])
        return f"D{person}"

    def post(self, channel: str, message: Message, tag: Tag) -> Sent:
        self.tried += 1
        if (self.tried, "before") in self.dies:
            raise Died
        self.posts.append((channel, tag.delivery, message))
        if (self.tried, "after") in self.dies:
            raise Died
        return Sent(channel, f"{self.clock.seconds():.6f}", tag.face)

    def find(self, channel: str, tag: Tag, since: datetime) -> Sent | None:
        there = any((c, d) == (channel, tag.delivery) for c, d, _ in self.posts)
        return Sent(channel, f"{since.timestamp():.6f}", 0) if there else None

    def forget_direct_channel(self, person: str) -> None:
        """None."""

    def ids(self) -> list[str]:
        return [delivery for _, delivery, _ in self.posts]

    def text(self, part: str, to: str = "") -> str:
        """The words of the one message whose id begins so."""
        (words,) = [m.text for c, d, m in self.posts if d.startswith(part) and (not to or c == to)]
        return words


@dataclass
class ReminderWorker:
    """A worker's upkeep over a fake Slack, on a pushed clock."""

    works: Works
    slack: FakeSlack

    def run(self, at: datetime | None = None) -> bool:
        """One round; a worker that died is replaced by another once its leases have run out. Whether there was more."""
        if at:
            self.works.clock.now = at
        try:
            return bool(Reminders(self.works.context).send_due(self.works.clock()))
        except Died:
            for key in self.works.redis.keys("tocsin:lease:*"):
                self.works.redis.delete(key)
            return True

    def until(self, end: datetime, step: timedelta = timedelta(minutes=15)) -> None:
        while self.works.clock.now < end:
            self.works.clock.now = min(end, self.works.clock.now + step)
            self.run()

    def answer(self, person: str, starts: datetime) -> None:
        self.works.service.update_oncall(
            lambda state, now: overrides.record_answer(state, "primary", starts, person, now)
        )

    def on_call(self) -> tuple[str, ...]:
        return on_call_at(
            "primary", self.works.service.company, self.works.service.store.oncall_state(), self.works.clock()
        )


def worker_of(redis: Any, start: datetime = FRIDAY, policy: Policy | None = None, **rotation: Any) -> ReminderWorker:
    redis.set(SINCE, (FRIDAY - DAY).timestamp())  # it has been running for a while
    clock = PushedClock(start)
    parts = works(redis, clock=clock, company=company(**rotation))
    slack = FakeSlack(clock)
    service = IncidentService(parts.store, parts.service.company, policy or beauty(), clock)
    context = replace(through(parts.context, slack=slack), service=service)
    return ReminderWorker(replace(parts, service=service, context=context), slack)


@pytest.fixture
def service() -> Iterator[ReminderWorker]:
    with fakeredis.FakeRedis() as redis:
        redis.flushall()
        yield worker_of(redis)


# When ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("handover", "tested", "announced", "call"),
    [
        ("2026-11-23 00:00", "2026-11-20 11:00", "2026-11-20 16:00", "2026-11-23 09:00"),  # Monday midnight
        ("2026-11-23 09:00", "2026-11-20 11:00", "2026-11-23 09:00", "2026-11-23 09:00"),  # at the opening
        ("2026-11-25 18:00", "2026-11-24 11:00", "2026-11-25 09:00", "2026-11-26 09:00"),  # in the evening
        ("2026-11-25 10:30", "2026-11-24 11:00", "2026-11-25 09:00", "2026-11-25 10:30"),
        ("2026-12-28 00:00", "2026-12-24 11:00", "2026-12-24 16:00", "2026-12-28 09:00"),  # Christmas is closed
        ("2026-11-22 12:00", "2026-11-20 11:00", "2026-11-20 16:00", "2026-11-23 09:00"),  # on a Sunday
    ],
)
def test_when_a_handover_is_prepared(handover: str, tested: str, announced: str, call: str) -> None:
    """The test page on the business day before, the message and the call in working hours."""
    calendar = company().calendar.model_copy(
        update={"closed": {datetime(2026, 12, 25, tzinfo=UTC).date(): "Christmas"}}
    )
    at = datetime.fromisoformat(handover).replace(tzinfo=UTC)
    found = (
        asked_at(at, calendar, timedelta(minutes=15)),
        time_of_handover_message(at, calendar),
        calendar.next_opening(at),
    )
    assert tuple(f"{t:%Y-%m-%d %H:%M}" for t in found) == (tested, announced, call)


def test_an_override_in_the_midst_of_a_shift_is_no_handover() -> None:
    """One that reaches over its beginning puts it off."""
    of = company()
    state = overrides.add_override(OncallState(), of, "primary", "mei", MONDAY + 30 * HOUR, MONDAY + 32 * HOUR, FRIDAY)
    state = overrides.add_override(state, of, "primary", "dana", MONDAY, MONDAY + 9 * HOUR, FRIDAY)
    found = list(shift_changes("primary", of, state, FRIDAY, FRIDAY + 14 * DAY))
    assert [(c.at - MONDAY, c.outgoing, c.incoming) for c in found] == [
        (9 * HOUR, ("dana",), ("omar",)),
        (7 * DAY, ("omar",), ("mei",)),
    ]


# Test page -------------------------------------------------------------------------------------------------------


def test_an_answered_test_page_changes_nothing(service: ReminderWorker) -> None:
    """Omar is asked on Friday at eleven, answers, and takes over on Monday alone."""
    service.until(FRIDAY + 11 * HOUR)
    assert [c for c, d, _ in service.slack.posts if d.startswith("test-")] == ["DUOMAR"]
    page = next(m for _, d, m in service.slack.posts if d.startswith("test-"))
    assert "Test page" in page.text
    assert "within 15 minutes" in page.text
    assert not [p for b in page.blocks for p in problems(b)]
    service.works.clock.push(minutes=14)
    service.answer("omar", MONDAY)
    service.until(MONDAY + HOUR)
    assert not [d for d in service.slack.ids() if d.startswith(("unanswered", "released"))]
    assert service.on_call() == ("omar",)


def test_a_test_page_without_an_answer_is_said_and_both_are_on_call(service: ReminderWorker) -> None:
    """In the channel, to whoever goes off duty and to the backup; the rotation changes on schedule all the same."""
    service.until(FRIDAY + 11 * HOUR + timedelta(minutes=15))
    unanswered = {c for c, d, _ in service.slack.posts if d.startswith("unanswered")}
    assert unanswered == {"#incidents", "DUDANA"}
    said = service.slack.text("unanswered", "#incidents")
    assert "<@UOMAR> has not answered the test page" in said
    assert "<@UDANA> stays on call beside them until they answer" in said
    assert service.on_call() == ("dana",)
    service.until(MONDAY + HOUR, HOUR)
    assert service.on_call() == ("omar", "dana")
    service.answer("omar", MONDAY)
    assert service.on_call() == ("omar",)
    service.run()
    assert "<@UDANA> is released" in service.slack.text("released")


def test_acknowledging_a_real_page_answers_too(service: ReminderWorker) -> None:
    """Whoever does that can be reached."""
    service.until(FRIDAY + 12 * HOUR)
    incident = service.works.declare("P1")
    service.works.service.handle(incident.id, Acknowledge(by="UOMAR"))
    service.works.clock.push(minutes=1)
    service.run()
    assert "hands primary over at" in service.slack.text("released")


def test_somebody_who_cannot_be_reached_is_said_and_nobody_is_released(service: ReminderWorker) -> None:
    """Their account is closed: that is no answer either."""
    service.slack.refuses["UOMAR"] = "user_disabled"
    service.until(MONDAY + HOUR, timedelta(minutes=30))
    assert "cannot be reached in Slack" in service.slack.text("unanswered", "#incidents")
    assert service.on_call() == ("omar", "dana")


def test_after_an_outage_the_test_page_comes_before_the_handover(service: ReminderWorker) -> None:
    """On Sunday, as no working hour is left; with one left it would wait for it."""
    service.run(MONDAY - 6 * HOUR)
    assert [d for d in service.slack.ids() if d.startswith("test-")] == ["test-primary-20261123T0000-omar"]
    service.run(MONDAY + 3 * DAY)
    assert [d for d in service.slack.ids() if d.startswith("unanswered-primary-20261123T0000-omar")] == []


def test_a_late_swap_waits_for_working_hours() -> None:
    """Erik is put in on Sunday night for Monday at six: he is asked at nine in the morning."""
    with fakeredis.FakeRedis() as redis:
        redis.flushall()
        service = worker_of(redis, MONDAY - 3 * HOUR, handover="Monday 18:00")
        starts, ends = MONDAY + 18 * HOUR, MONDAY + 2 * DAY
        service.works.service.update_oncall(
            lambda state, now: overrides.add_override(
                state, company(handover="Monday 18:00"), "primary", "erik", starts, ends, now
            )
        )
        service.until(MONDAY + 8.75 * HOUR)
        assert not [d for d in service.slack.ids() if d.startswith("test-")]
        service.until(MONDAY + 9 * HOUR)
        assert "test-primary-20261123T1800-erik" in service.slack.ids()


def test_the_first_day_brings_no_old_news(service: ReminderWorker) -> None:
    """Started first on a Saturday, what had been due on Friday is not sent any more; what comes next is."""
    service.works.redis.delete(SINCE)
    service.run(FRIDAY + DAY)
    assert service.slack.ids() == []
    service.run(MONDAY + 14 * HOUR)
    assert any(d.startswith("activity-incident-review") for d in service.slack.ids())


# Handover --------------------------------------------------------------------------------------------------------


def test_the_handover_message_has_it_all(service: ReminderWorker) -> None:
    """Who, when, the call, the open incidents that all may know of, the agenda and the boxes."""
    service.works.declare("P1", title="Search is <slow>")
    service.works.declare("P1", title="A secret leak", security=True)
    service.run(FRIDAY + 16 * HOUR)
    (message,) = [m for _, d, m in service.slack.posts if d.startswith("handover")]
    assert not [p for b in message.blocks for p in problems(b)]
    for words in ("<@UDANA> hands over to <@UOMAR>", "30 minutes", "Search is &lt;slow&gt;", "Known issues"):
        assert words in message.text
    assert "secret" not in str(message.blocks)
    assert "dates=20261123T090000Z%2F20261123T093000Z" in str(message.blocks)
    boxes = [b for b in message.blocks if b["block_id"].startswith(TICK)]
    assert [b["elements"][0]["options"][0]["text"]["text"] for b in boxes] == list(beauty().handover.checklist)  # type: ignore[union-attr]
    ticked = with_ticks(message.blocks, {1: Tick("UOMAR", FRIDAY)})
    assert not [p for b in ticked for p in problems(b)]
    assert [b["block_id"] for b in ticked if "initial_options" in str(b)] == [f"{TICK}-1"]
    assert with_ticks(ticked, {}) == message.blocks


def test_a_rotation_may_have_a_channel_of_its_own() -> None:
    """Then everything about it is said there."""
    with fakeredis.FakeRedis() as redis:
        redis.flushall()
        service = worker_of(redis, handover_channel="on-call", handover_call="45m")
        service.run(FRIDAY + 16 * HOUR)
        assert "45 minutes" in service.slack.text("handover", "#on-call")


# Activities, notices ---------------------------------------------------------------------------------------------


def test_activities_remind_their_owners(service: ReminderWorker) -> None:
    """The daily check goes to whoever is on call and to the channel; the summary lists the open P3."""
    service.works.declare("P3", title="A typo")
    service.works.declare("P1", title="Search is slow")
    service.run(FRIDAY + 9.5 * HOUR)
    daily = [c for c, d, _ in service.slack.posts if d.startswith("activity-health-check-20261120")]
    assert daily == ["#incidents", "DUDANA"]
    service.run(FRIDAY + 15 * HOUR)
    summary = service.slack.text("activity-p3-summary", "DUERIK")
    assert "A typo" in summary
    assert "Search" not in summary


def test_what_was_arranged_is_told_once(service: ReminderWorker) -> None:
    """Who, what, from when until when, and why; taking it back too."""
    of = company()
    service.works.clock.now = FRIDAY + 8 * HOUR  # no activity is due
    taken = service.works.service.update_oncall(
        lambda d, now: add_notice(
            d, overrides.take_shift(d, of, "primary", "mei", now, "UMEI", "school"), "took", "UMEI", now, of
        )
    )
    service.run()
    service.run()
    assert service.slack.ids() == ["took-1", "took-1-to-dana"]
    words = service.slack.text("took-1", "#incidents")
    assert "<@UMEI> is on call in primary from" in words
    assert words.endswith("(shift taken by <@UMEI>): school")
    service.works.service.update_oncall(
        lambda d, now: add_notice(d, overrides.cancel(d, taken.made), "cancelled", "UERIK", now, of)
    )
    service.run()
    assert "Cancelled" in service.slack.text("cancelled-1", "#incidents")
    assert service.slack.ids()[2:] == ["cancelled-1", "cancelled-1-to-dana", "cancelled-1-to-mei"]


# Exactly once ----------------------------------------------------------------------------------------------------

deaths = st.sets(st.tuples(st.integers(1, 12), st.sampled_from(("before", "after"))), max_size=5)


@given(st.lists(st.integers(1, 12 * 60), min_size=4, max_size=12), deaths, st.booleans())
@settings(max_examples=examples(25), deadline=None)
def test_each_message_exactly_once(steps: list[int], dies: set[tuple[int, str]], answers: bool) -> None:
    """Whatever the instants at which upkeep runs, and however often it dies between the send and its record."""
    with fakeredis.FakeRedis() as redis:
        redis.flushall()
        service = worker_of(redis)
        service.slack.dies = dies
        expected: set[str] = set()
        for step in steps:
            service.works.clock.push(minutes=step)
            if answers and service.works.clock.now > FRIDAY + 13 * HOUR:
                service.answer("omar", MONDAY)
            expected |= {o.id for o in due(service)}
            while service.run():
                expected |= {o.id for o in due(service)}
        assert len(service.slack.ids()) == len(set(service.slack.ids()))
        assert set(service.slack.ids()) == expected
        assert not redis.keys("tocsin:lease:*")


def due(service: ReminderWorker) -> list[Any]:
    at = service.works.service
    return list(due_reminders(at.company, at.policy, at.store.oncall_state(), Directory(), service.works.clock()))


def test_two_at_one_time_do_not_send_twice(service: ReminderWorker) -> None:
    """Whoever comes second finds the lease, or the record."""
    service.works.clock.now = FRIDAY + 9.5 * HOUR
    other, post = Reminders(service.works.context), service.slack.post

    def slow(channel: str, message: Message, tag: Tag) -> Sent:
        service.slack.post = post  # type: ignore[method-assign]
        other.send_due(service.works.clock())
        return post(channel, message, tag)

    service.slack.post = slow  # type: ignore[method-assign]
    service.run()
    assert len(service.slack.ids()) == len(set(service.slack.ids())) == 2


def test_what_was_done_long_ago_is_forgotten(service: ReminderWorker) -> None:
    """The record does not grow for ever."""
    service.run(FRIDAY + 9.5 * HOUR)
    before = service.works.redis.hkeys(ROUTINE)
    service.run(FRIDAY + 60 * DAY)
    assert before
    assert not set(before) & set(service.works.redis.hkeys(ROUTINE))


# The user group, and the job -------------------------------------------------------------------------------------


def test_the_user_group_follows_the_rotation(service: ReminderWorker) -> None:
    """Slack is asked when somebody else comes on call, and now and then in case a person changed it."""
    groups = UserGroups(service.works.context)
    for _ in range(3):
        groups.sync(service.works.clock())
    assert service.slack.groups.calls == [["UDANA"]]
    groups.sync(MONDAY)
    assert service.slack.groups.calls == [["UDANA"], ["UOMAR"]]


def test_a_workspace_without_user_groups_is_asked_no_more_for_a_while(service: ReminderWorker) -> None:
    """It is an optional feature: the rest goes on."""
    service.slack.groups.error = "plan_upgrade_required"
    groups = UserGroups(service.works.context)
    for _ in range(3):
        groups.sync(service.works.clock())
    assert len(service.slack.groups.calls) == 1
    service.slack.groups.error = "ratelimited"
    for _ in range(3):
        groups.sync(MONDAY)
    assert len(service.slack.groups.calls) == 4


def test_upkeep_is_asked_for_by_one_of_many(service: ReminderWorker) -> None:
    """Each half minute, or at once where something was arranged; the job carries no more than its name."""
    redis = service.works.redis
    assert [upkeep.enqueue(redis, service.works.clock()) for _ in range(3)] == [True, False, False]
    assert 0 < redis.ttl(UPKEEP) <= upkeep.EVERY_SECONDS
    service.works.store.request_upkeep()
    service.works.clock.push(seconds=1)
    assert upkeep.enqueue(redis, service.works.clock())
    assert [(j.func_name, j.args) for j in queue(redis, "messages").get_jobs()] == [("workers.jobs.upkeep", [])] * 2


def test_a_round_says_what_is_owed_and_raises_what_went_wrong(service: ReminderWorker) -> None:
    """Whoever has all patience hears of it; in production it is logged, and the next round tries again."""
    service.works.clock.now = FRIDAY + 9.5 * HOUR
    rounds = Upkeep(service.works.context)
    rounds.start()
    assert len(service.slack.ids()) == 2
    service.works.redis.hset(ROUTINE, "broken", "nonsense")
    with pytest.raises(ValueError, match="not enough values"):
        rounds.start()
    rounds.close()


def test_in_the_local_workspace(shared: Any) -> None:
    """The real Slack API: a test page with its button in Omar's direct messages, and everything once."""
    with redis_of("fakeredis") as redis:
        parts = works(redis, shared, PushedClock(FRIDAY))
        parts.control("reset")
        people = {key: {"slack": f"U0{key.upper():0<7}1"} for key in ("dana", "omar", "mei")}
        small = company().model_copy(update={"roles": {}})
        of = Company.model_validate(small.model_dump(mode="json", exclude_defaults=True) | {"people": people})
        service = IncidentService(parts.store, of, beauty().model_copy(update={"activities": ()}), parts.clock)
        context = replace(parts.context, service=service)
        for _, hours in itertools.product(range(2), (11, 16)):
            parts.clock.now = FRIDAY + hours * HOUR
            Reminders(context).send_due(parts.clock())
            UserGroups(context).sync(parts.clock())
        assert {d for d in parts.times_delivered() if not d.startswith("group-")} == {
            "test-primary-20261123T0000-omar",
            "unanswered-primary-20261123T0000-omar",
            "unanswered-primary-20261123T0000-omar-to-dana",
            "handover-primary-20261123T0000",
        }
        assert set(parts.times_delivered().values()) == {1}
