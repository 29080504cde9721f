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
from bot.render.oncall import TICK, Ticked, with_ticks
from escalation.config.company import Company, Directory
from escalation.config.policy import Policy
from escalation.incident.events import Acknowledge
from escalation.oncall import overrides as arranging
from escalation.oncall.handovers import announced_at, shift_changes
from escalation.oncall.handovers import tested_at as asked_at
from escalation.oncall.overrides import noted
from escalation.oncall.reminders import owed
from escalation.oncall.schedule import Duty, on_duty
from escalation.service import Desk
from escalation.storage.store import UPKEEP
from tests.support.block_kit_schema import problems
from tests.support.profiles import examples
from tests.support.worker import PushedClock, Works, redis_of, works
from workers.channels import Sent, Tag
from workers.channels.failures import Failed
from workers.queue.rq import queue
from workers.recurring import upkeep
from workers.recurring.reminders import ROUTINE, SINCE, Routine
from workers.recurring.upkeep import Upkeep
from workers.recurring.user_groups import Groups

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
        }
    )


@dataclass
class FakeGroups:
    """A user group, or why there is none."""

    error: str = ""
    calls: list[list[str]] = field(default_factory=list)

    def set_members(self, group: str, people: list[str]) -> bool:
        self.calls.append(people)
        if self.error:
            raise Failed(self.error)
        return True


class FakeSlack:
    """Messages by channel; the n-th post of all may be the last thing that its worker does, before or after it went."""

    def __init__(self, clock: PushedClock) -> None:
        self.clock = clock
        self.posts: list[tuple[str, str, Message]] = []
        self.dies: set[tuple[int, str]] = set()
        self.refuses: dict[str, str] = {}
        self.groups = FakeGroups()
        self.rooms = SimpleNamespace(channel=lambda name: f"#{name}", forget_channel=lambda name: None)
        self.tried = 0

    def direct(self, person: str) -> str:
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

    def forget_direct(self, person: str) -> None:
        """None."""

    def ids(self) -> list[str]:
        return [delivery for _, delivery, _ in self.posts]

    def text(self, part: str, to: str = "") -> str:
        """The words of the one message whose id begins so."""
        (words,) = [m.text for c, d, m in self.posts if d.startswith(part) and (not to or c == to)]
        return words


@dataclass
class Desk_:
    """A worker's upkeep over a fake Slack, on a pushed clock."""

    works: Works
    slack: FakeSlack

    def run(self, at: datetime | None = None) -> bool:
        """One round; a worker that died is replaced by another once its leases have run out. Whether there was more."""
        if at:
            self.works.clock.now = at
        try:
            return bool(Routine(self.works.context).say(self.works.clock()))
        except Died:
            for key in self.works.redis.keys("tocsin:lease:*"):
                self.works.redis.delete(key)
            return True

    def until(self, end: datetime, step: timedelta = timedelta(minutes=15)) -> None:
        while self.works.clock.now < end:
            self.works.clock.now = min(end, self.works.clock.now + step)
            self.run()

    def answer(self, person: str, starts: datetime) -> None:
        self.works.desk.arrange(lambda duty, now: arranging.answered(duty, "primary", starts, person, now))

    def on_duty(self) -> tuple[str, ...]:
        return on_duty("primary", self.works.desk.company, self.works.desk.duty(), self.works.clock())


def desk_of(redis: Any, start: datetime = FRIDAY, policy: Policy | None = None, **rotation: Any) -> Desk_:
    redis.set(SINCE, (FRIDAY - DAY).timestamp())  # it has been running for a while
    clock = PushedClock(start)
    parts = works(redis, clock=clock, company=company(**rotation))
    slack = FakeSlack(clock)
    desk = Desk(parts.store, parts.desk.company, policy or beauty(), clock)
    context = replace(parts.context, desk=desk, slack=slack)  # type: ignore[arg-type]
    return Desk_(replace(parts, desk=desk, context=context), slack)


@pytest.fixture
def desk() -> Iterator[Desk_]:
    with fakeredis.FakeRedis() as redis:
        redis.flushall()
        yield desk_of(redis)


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
    found = (asked_at(at, calendar, timedelta(minutes=15)), announced_at(at, calendar), calendar.next_opening(at))
    assert tuple(f"{t:%Y-%m-%d %H:%M}" for t in found) == (tested, announced, call)


def test_an_override_in_the_midst_of_a_shift_is_no_handover() -> None:
    """One that reaches over its beginning puts it off."""
    of = company()
    duty = arranging.override(Duty(), of, "primary", "mei", MONDAY + 30 * HOUR, MONDAY + 32 * HOUR, FRIDAY)
    duty = arranging.override(duty, of, "primary", "dana", MONDAY, MONDAY + 9 * HOUR, FRIDAY)
    found = list(shift_changes("primary", of, duty, FRIDAY, FRIDAY + 14 * DAY))
    assert [(c.at - MONDAY, c.outgoing, c.incoming) for c in found] == [
        (9 * HOUR, ("dana",), ("omar",)),
        (7 * DAY, ("omar",), ("mei",)),
    ]


# Test page -------------------------------------------------------------------------------------------------------


def test_an_answered_test_page_changes_nothing(desk: Desk_) -> None:
    """Omar is asked on Friday at eleven, answers, and takes over on Monday alone."""
    desk.until(FRIDAY + 11 * HOUR)
    assert [c for c, d, _ in desk.slack.posts if d.startswith("test-")] == ["DUOMAR"]
    page = next(m for _, d, m in desk.slack.posts if d.startswith("test-"))
    assert "Test page" in page.text
    assert "within 15 minutes" in page.text
    assert not [p for b in page.blocks for p in problems(b)]
    desk.works.clock.push(minutes=14)
    desk.answer("omar", MONDAY)
    desk.until(MONDAY + HOUR)
    assert not [d for d in desk.slack.ids() if d.startswith(("unanswered", "released"))]
    assert desk.on_duty() == ("omar",)


def test_a_test_page_without_an_answer_is_said_and_both_are_on_call(desk: Desk_) -> None:
    """In the channel, to whoever goes off duty and to the backup; the rotation changes on schedule all the same."""
    desk.until(FRIDAY + 11 * HOUR + timedelta(minutes=15))
    unanswered = {c for c, d, _ in desk.slack.posts if d.startswith("unanswered")}
    assert unanswered == {"#incidents", "DUDANA"}
    said = desk.slack.text("unanswered", "#incidents")
    assert "<@UOMAR> has not answered the test page" in said
    assert "<@UDANA> stays on call beside them until they answer" in said
    assert desk.on_duty() == ("dana",)
    desk.until(MONDAY + HOUR, HOUR)
    assert desk.on_duty() == ("omar", "dana")
    desk.answer("omar", MONDAY)
    assert desk.on_duty() == ("omar",)
    desk.run()
    assert "<@UDANA> is released" in desk.slack.text("released")


def test_acknowledging_a_real_page_answers_too(desk: Desk_) -> None:
    """Whoever does that can be reached."""
    desk.until(FRIDAY + 12 * HOUR)
    incident = desk.works.declare("P1")
    desk.works.desk.handle(incident.id, Acknowledge(by="UOMAR"))
    desk.works.clock.push(minutes=1)
    desk.run()
    assert "hands primary over at" in desk.slack.text("released")


def test_somebody_who_cannot_be_reached_is_said_and_nobody_is_released(desk: Desk_) -> None:
    """Their account is closed: that is no answer either."""
    desk.slack.refuses["UOMAR"] = "user_disabled"
    desk.until(MONDAY + HOUR, timedelta(minutes=30))
    assert "cannot be reached in Slack" in desk.slack.text("unanswered", "#incidents")
    assert desk.on_duty() == ("omar", "dana")


def test_after_an_outage_the_test_page_comes_before_the_handover(desk: Desk_) -> None:
    """On Sunday, as no working hour is left; with one left it would wait for it."""
    desk.run(MONDAY - 6 * HOUR)
    assert [d for d in desk.slack.ids() if d.startswith("test-")] == ["test-primary-20261123T0000-omar"]
    desk.run(MONDAY + 3 * DAY)
    assert [d for d in desk.slack.ids() if d.startswith("unanswered-primary-20261123T0000-omar")] == []


def test_a_late_swap_waits_for_working_hours() -> None:
    """Erik is put in on Sunday night for Monday at six: he is asked at nine in the morning."""
    with fakeredis.FakeRedis() as redis:
        redis.flushall()
        desk = desk_of(redis, MONDAY - 3 * HOUR, handover="Monday 18:00")
        starts, ends = MONDAY + 18 * HOUR, MONDAY + 2 * DAY
        desk.works.desk.arrange(
            lambda duty, now: arranging.override(
                duty, company(handover="Monday 18:00"), "primary", "erik", starts, ends, now
            )
        )
        desk.until(MONDAY + 8.75 * HOUR)
        assert not [d for d in desk.slack.ids() if d.startswith("test-")]
        desk.until(MONDAY + 9 * HOUR)
        assert "test-primary-20261123T1800-erik" in desk.slack.ids()


def test_the_first_day_brings_no_old_news(desk: Desk_) -> None:
    """Started first on a Saturday, what had been due on Friday is not sent any more; what comes next is."""
    desk.works.redis.delete(SINCE)
    desk.run(FRIDAY + DAY)
    assert desk.slack.ids() == []
    desk.run(MONDAY + 14 * HOUR)
    assert any(d.startswith("activity-incident-review") for d in desk.slack.ids())


# Handover --------------------------------------------------------------------------------------------------------


def test_the_handover_message_has_it_all(desk: Desk_) -> None:
    """Who, when, the call, the open incidents that all may know of, the agenda and the boxes."""
    desk.works.declare("P1", title="Search is <slow>")
    desk.works.declare("P1", title="A secret leak", security=True)
    desk.run(FRIDAY + 16 * HOUR)
    (message,) = [m for _, d, m in desk.slack.posts if d.startswith("handover")]
    assert not [p for b in message.blocks for p in problems(b)]
    for words in ("<@UDANA> hands over to <@UOMAR>", "30 minutes", "Search is &lt;slow&gt;", "Known issues"):
        assert words in message.text
    assert "secret" not in str(message.blocks)
    assert "dates=20261123T090000Z%2F20261123T093000Z" in str(message.blocks)
    boxes = [b for b in message.blocks if b["block_id"].startswith(TICK)]
    assert [b["elements"][0]["options"][0]["text"]["text"] for b in boxes] == list(beauty().handover.checklist)  # type: ignore[union-attr]
    ticked = with_ticks(message.blocks, {1: Ticked("UOMAR", FRIDAY)})
    assert not [p for b in ticked for p in problems(b)]
    assert [b["block_id"] for b in ticked if "initial_options" in str(b)] == [f"{TICK}-1"]
    assert with_ticks(ticked, {}) == message.blocks


def test_a_rotation_may_have_a_channel_of_its_own() -> None:
    """Then everything about it is said there."""
    with fakeredis.FakeRedis() as redis:
        redis.flushall()
        desk = desk_of(redis, handover_channel="on-call", handover_call="45m")
        desk.run(FRIDAY + 16 * HOUR)
        assert "45 minutes" in desk.slack.text("handover", "#on-call")


# Activities, notices ---------------------------------------------------------------------------------------------


def test_activities_remind_their_owners(desk: Desk_) -> None:
    """The daily check goes to whoever is on call and to the channel; the summary lists the open P3."""
    desk.works.declare("P3", title="A typo")
    desk.works.declare("P1", title="Search is slow")
    desk.run(FRIDAY + 9.5 * HOUR)
    daily = [c for c, d, _ in desk.slack.posts if d.startswith("activity-health-check-20261120")]
    assert daily == ["#incidents", "DUDANA"]
    desk.run(FRIDAY + 15 * HOUR)
    summary = desk.slack.text("activity-p3-summary", "DUERIK")
    assert "A typo" in summary
    assert "Search" not in summary


def test_what_was_arranged_is_told_once(desk: Desk_) -> None:
    """Who, what, from when until when, and why; taking it back too."""
    of = company()
    desk.works.clock.now = FRIDAY + 8 * HOUR  # no activity is due
    taken = desk.works.desk.arrange(
        lambda d, now: noted(d, arranging.take(d, of, "primary", "mei", now, "UMEI", "school"), "took", "UMEI", now)
    )
    desk.run()
    desk.run()
    assert desk.slack.ids() == ["took-1"]
    words = desk.slack.text("took-1")
    assert "<@UMEI> is on call in primary from" in words
    assert words.endswith("(<@UMEI>, took the shift): school")
    desk.works.desk.arrange(lambda d, now: noted(d, arranging.cancel(d, taken.made), "cancelled", "UERIK", now))
    desk.run()
    assert "Taken back" in desk.slack.text("cancelled-1")


# Exactly once ----------------------------------------------------------------------------------------------------

deaths = st.sets(st.tuples(st.integers(1, 12), st.sampled_from(("before", "after"))), max_size=5)


@given(st.lists(st.integers(1, 12 * 60), min_size=4, max_size=12), deaths, st.booleans())
@settings(max_examples=examples(25), deadline=None)
def test_each_message_exactly_once(steps: list[int], dies: set[tuple[int, str]], answers: bool) -> None:
    """Whatever the instants at which upkeep runs, and however often it dies between the send and its record."""
    with fakeredis.FakeRedis() as redis:
        redis.flushall()
        desk = desk_of(redis)
        desk.slack.dies = dies
        expected: set[str] = set()
        for step in steps:
            desk.works.clock.push(minutes=step)
            if answers and desk.works.clock.now > FRIDAY + 13 * HOUR:
                desk.answer("omar", MONDAY)
            expected |= {o.id for o in due(desk)}
            while desk.run():
                expected |= {o.id for o in due(desk)}
        assert len(desk.slack.ids()) == len(set(desk.slack.ids()))
        assert set(desk.slack.ids()) == expected
        assert not redis.keys("tocsin:lease:*")


def due(desk: Desk_) -> list[Any]:
    at = desk.works.desk
    return list(owed(at.company, at.policy, at.duty(), Directory(), desk.works.clock()))


def test_two_at_one_time_do_not_send_twice(desk: Desk_) -> None:
    """Whoever comes second finds the lease, or the record."""
    desk.works.clock.now = FRIDAY + 9.5 * HOUR
    other, post = Routine(desk.works.context), desk.slack.post

    def slow(channel: str, message: Message, tag: Tag) -> Sent:
        desk.slack.post = post  # type: ignore[method-assign]
        other.say(desk.works.clock())
        return post(channel, message, tag)

    desk.slack.post = slow  # type: ignore[method-assign]
    desk.run()
    assert len(desk.slack.ids()) == len(set(desk.slack.ids())) == 2


def test_what_was_done_long_ago_is_forgotten(desk: Desk_) -> None:
    """The record does not grow for ever."""
    desk.run(FRIDAY + 9.5 * HOUR)
    before = desk.works.redis.hkeys(ROUTINE)
    desk.run(FRIDAY + 60 * DAY)
    assert before
    assert not set(before) & set(desk.works.redis.hkeys(ROUTINE))


# The user group, and the job -------------------------------------------------------------------------------------


def test_the_user_group_follows_the_rotation(desk: Desk_) -> None:
    """Slack is asked when somebody else comes on call, and now and then in case a person changed it."""
    groups = Groups(desk.works.context)
    for _ in range(3):
        groups.sync(desk.works.clock())
    assert desk.slack.groups.calls == [["UDANA"]]
    groups.sync(MONDAY)
    assert desk.slack.groups.calls == [["UDANA"], ["UOMAR"]]


def test_a_workspace_without_user_groups_is_asked_no_more_for_a_while(desk: Desk_) -> None:
    """It is an optional feature: the rest goes on."""
    desk.slack.groups.error = "plan_upgrade_required"
    groups = Groups(desk.works.context)
    for _ in range(3):
        groups.sync(desk.works.clock())
    assert len(desk.slack.groups.calls) == 1
    desk.slack.groups.error = "ratelimited"
    for _ in range(3):
        groups.sync(MONDAY)
    assert len(desk.slack.groups.calls) == 4


def test_upkeep_is_asked_for_by_one_of_many(desk: Desk_) -> None:
    """Each half minute, or at once where something was arranged; the job carries no more than its name."""
    redis = desk.works.redis
    assert [upkeep.ask(redis, desk.works.clock()) for _ in range(3)] == [True, False, False]
    assert 0 < redis.ttl(UPKEEP) <= upkeep.EVERY_SECONDS
    desk.works.store.hurry_upkeep()
    desk.works.clock.push(seconds=1)
    assert upkeep.ask(redis, desk.works.clock())
    assert [(j.func_name, j.args) for j in queue(redis, "messages").get_jobs()] == [("workers.jobs.upkeep", [])] * 2


def test_a_round_says_what_is_owed_and_raises_what_went_wrong(desk: Desk_) -> None:
    """Whoever has all patience hears of it; in production it is logged, and the next round tries again."""
    desk.works.clock.now = FRIDAY + 9.5 * HOUR
    rounds = Upkeep(desk.works.context)
    rounds.start()
    assert len(desk.slack.ids()) == 2
    desk.works.redis.hset(ROUTINE, "broken", "nonsense")
    with pytest.raises(ValueError, match="not enough values"):
        rounds.start()
    rounds.close()


def test_in_the_local_workspace(shared: Any) -> None:
    """The real door: a test page with its button in Omar's direct messages, and everything once."""
    with redis_of("fakeredis") as redis:
        parts = works(redis, shared, PushedClock(FRIDAY))
        parts.control("reset")
        people = {key: {"slack": f"U0{key.upper():0<7}1"} for key in ("dana", "omar", "mei")}
        small = company().model_copy(update={"roles": {}})
        of = Company.model_validate(small.model_dump(mode="json", exclude_defaults=True) | {"people": people})
        desk = Desk(parts.store, of, beauty().model_copy(update={"activities": ()}), parts.clock)
        context = replace(parts.context, desk=desk)
        for _, hours in itertools.product(range(2), (11, 16)):
            parts.clock.now = FRIDAY + hours * HOUR
            Routine(context).say(parts.clock())
            Groups(context).sync(parts.clock())
        assert set(parts.times_delivered()) == {
            "test-primary-20261123T0000-omar",
            "unanswered-primary-20261123T0000-omar",
            "unanswered-primary-20261123T0000-omar-to-dana",
            "handover-primary-20261123T0000",
        }
        assert set(parts.times_delivered().values()) == {1}
