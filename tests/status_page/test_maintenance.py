"""Planned maintenance reaches subscribers by mail and Statuspage: planned, begun, done, cancelled."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import fakeredis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalation.config.status_page import ComponentState, Maintenance, StatusPage
from escalation.status_page.maintenance import Phase, PlannedWindow, news_of, shown_maintenance, window_id
from escalation.status_page.publications import Impact, Publication
from escalation.storage.problems import Problems
from escalation.storage.public.log import PublicLog
from escalation.storage.public.maintenance import KEPT, NOTICES, TAKEN_OUT_AFTER, PlannedMaintenance
from escalation.storage.public.subscribers import Subscribers
from tests.support.outside_services import Mail, MailServer
from tests.support.vendors.server import running
from tests.support.vendors.statuspage import KEY, PAGE, StatuspageStandIn
from workers.channels.public.statuspage import StatuspageClient
from workers.channels.smtp import MailClient
from workers.recurring.statuspage import TURNS_WITHIN, Mirror
from workers.recurring.subscribers import Mailing

NOW = datetime(2026, 11, 29, 14, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
ANN, BEN = "ann@example.org", "ben@example.org"
DISKS = Maintenance(title="New disks", starts=NOW + HOUR, ends=NOW + 2 * HOUR, components=("checkout",), words="Slow.")
CONFIGURED = Maintenance(title="New racks", starts=NOW + HOUR, ends=NOW + 2 * HOUR)
BY = "UOMAR"


@dataclass
class World:
    """The register of maintenance, the mailing and the mirror."""

    smtp: MailServer
    vendor: StatuspageStandIn
    now: datetime = NOW

    def __post_init__(self) -> None:
        self.redis = fakeredis.FakeRedis()
        self.plans, self.subscribers = PlannedMaintenance(self.redis), Subscribers(self.redis)
        self.problems = Problems(self.redis)
        self.configure()
        self.subscribe(ANN)

    def configure(self, *windows: Maintenance) -> None:
        """Start anew with this maintenance in the configuration."""
        self.configured, self.since = windows, self.now
        page = StatusPage(title="Shop status", components=("checkout",), maintenance=windows)
        mail = MailClient(self.smtp.url, "status@example.com")
        self.mailing = Mailing(self.subscribers, mail, page, "https://t.example.com", self.problems)
        client = StatuspageClient(KEY, PAGE, self.vendor.url)
        self.mirror = Mirror(self.redis, client, self.problems, page.maintenance)

    def subscribe(self, address: str) -> None:
        self.subscribers.ask(address, "127.0.0.1")
        wanted = self.subscribers.next_confirmation(self.now)
        assert wanted
        assert self.subscribers.confirm(wanted.token, 0)
        self.redis.delete(*self.redis.keys("*:limit:*"))

    def plan(self, **changes: Any) -> PlannedWindow:
        planned = self.plans.plan(DISKS.model_copy(update=changes), BY, "form-1", self.now)
        self.work()
        return planned

    def work(self, **length: float) -> None:
        """Push the clock, and do all that is due."""
        self.now += timedelta(**length)
        self.plans.follow(self.configured, self.now, self.since)
        self.vendor.tick(self.now.strftime("%Y-%m-%dT%H:%M:%SZ"))
        while self.mailing.step(self.now):
            pass
        for _ in range(8):
            self.mirror.step(self.now)

    def got(self, address: str = ANN) -> list[str]:
        return [heading(mail) for mail in self.smtp.to(address)]

    def publish(self) -> None:
        """An open incident of the same component."""
        said = {"n": 0, "incident": "", "ours": "e1", "at": self.now, "knew_at": self.now, "status": "investigating"}
        words = {"name": "Payments fail", "body": "We look.", "impact": Impact.CRITICAL}
        states = {"components": {"checkout": ComponentState.MAJOR}}
        PublicLog(self.redis).append("INC-20261129-001", Publication.model_validate(said | words | states))


def heading(mail: Mail) -> str:
    return mail.body.splitlines()[0]


@pytest.fixture
def world(smtp: MailServer) -> Iterator[World]:
    with running(StatuspageStandIn()) as vendor:
        yield World(smtp, vendor)


# By mail -------------------------------------------------------------------------------------------------------------


def test_subscribers_hear_when_it_is_planned_when_it_begins_and_when_it_is_done(world: World) -> None:
    """Each once, in one thread, with times, components and words, and with one click to leave."""
    world.plan()
    for minutes in (30, 30, 30, 30, 600):
        world.work(minutes=minutes)
    assert world.got() == ["Scheduled: New disks", "In progress: New disks", "Completed: New disks"]
    mails = world.smtp.to(ANN)
    assert {mail.subject for mail in mails} == {"Shop status: Maintenance: New disks"}
    assert len({mail.message["References"] for mail in mails}) == 1
    assert len({mail.id for mail in mails}) == 3
    for words in ("From 29 November 2026, 15:02 UTC to 29 November 2026, 16:02 UTC", "Slow.", "checkout"):
        assert words in mails[0].body.splitlines()
    assert mails[0].message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert BY not in "".join(mail.raw for mail in mails)


@pytest.mark.parametrize("minutes", [30, 90])
def test_a_cancellation_is_told_to_whoever_heard_of_the_plan(world: World, minutes: int) -> None:
    """Ahead of it as well as during it; afterwards nothing more comes."""
    planned = world.plan()
    world.work(minutes=minutes)
    world.plans.cancel(planned.id, world.now)
    world.work()
    world.work(hours=4)
    assert world.got()[-1] == "Cancelled: New disks"
    assert len(world.got()) == (2 if minutes == 30 else 3)


def test_what_was_cancelled_before_anybody_heard_of_it_is_told_to_nobody(world: World) -> None:
    """A plan that lived for a moment is no news."""
    planned = world.plans.plan(DISKS, BY, "form-1", world.now)
    world.plans.cancel(planned.id, world.now)
    world.work()
    assert world.got() == []
    assert world.vendor.incidents == []


def test_maintenance_of_the_configuration_is_told_as_well(world: World) -> None:
    """Known by its title and start, after a restart too; what was over before is told to nobody."""
    over = CONFIGURED.model_copy(update={"starts": NOW - 2 * HOUR, "ends": NOW - HOUR, "title": "Old racks"})
    for _ in range(2):
        world.configure(over, CONFIGURED)
        world.work(minutes=1)
    assert world.got() == ["Scheduled: New racks"]
    assert [i["name"] for i in world.vendor.incidents] == ["New racks"]


SOON = TAKEN_OUT_AFTER / timedelta(minutes=1) + 1  # minutes


def shown(world: World) -> list[tuple[str, Phase]]:
    """What stands on the page."""
    page = StatusPage(title="Shop status", maintenance=tuple(world.plans.all(world.configured)))
    return [(window.title, phase) for window, phase in shown_maintenance(page, world.now)]


@pytest.mark.parametrize("minutes", [30, 90])
def test_what_is_taken_out_of_the_configuration_is_cancelled_as_visibly_as_it_was_announced(
    world: World, minutes: int
) -> None:
    """On the page for a day, by mail to whoever heard of the plan, and at Statuspage; once, though all restart."""
    world.configure(CONFIGURED)
    world.work()
    world.work(minutes=minutes)
    world.configure()
    world.work()
    assert shown(world)[0][1] is not Phase.CANCELLED  # another process may have it yet
    for _ in range(3):
        world.work(minutes=SOON)
        world.configure()
    assert shown(world) == [("New racks", Phase.CANCELLED)]
    assert world.got()[-1] == "Cancelled: New racks"
    assert world.got().count("Cancelled: New racks") == 1
    [there] = world.vendor.incidents
    assert there["status"] == "completed"
    assert [u["body"] for u in there["incident_updates"]].count("This maintenance is cancelled.") == 1


def test_a_rolling_restart_cancels_nothing(world: World) -> None:
    """While one process still has it, or has it already, another that has not says nothing."""
    world.configure(CONFIGURED)
    world.work()
    for _ in range(30):
        world.work(minutes=1)
        world.plans.follow((), world.now, world.since)
    assert "Cancelled: New racks" not in world.got()
    assert shown(world) == [("New racks", Phase.SCHEDULED)]


def test_an_outage_cancels_nothing(world: World) -> None:
    """Whoever starts first cannot know what the others have."""
    world.configure(CONFIGURED)
    world.work()
    world.now += timedelta(minutes=30)
    world.configure()
    world.work(minutes=1)
    world.configure(CONFIGURED)
    world.work(minutes=1)
    assert shown(world) == [("New racks", Phase.SCHEDULED)]
    assert world.got() == ["Scheduled: New racks"]


def test_what_is_over_is_not_cancelled_when_it_leaves_the_configuration(world: World) -> None:
    """It is told as completed, and stands so for a day."""
    world.configure(CONFIGURED)
    world.work()
    world.work(hours=2)
    world.configure()
    world.work(minutes=SOON)
    world.work(minutes=SOON)
    assert shown(world) == [("New racks", Phase.COMPLETED)]
    assert world.got()[-1] == "Completed: New racks"


def test_what_comes_back_after_its_cancellation_is_announced_anew(world: World) -> None:
    """The same title and start, told again by mail and at Statuspage."""
    later = CONFIGURED.model_copy(update={"starts": NOW + 5 * HOUR, "ends": NOW + 6 * HOUR})
    world.configure(later)
    world.work()
    world.configure()
    world.work(minutes=SOON)
    world.work(minutes=SOON)
    world.configure(later)
    world.work(minutes=1)
    assert world.got() == ["Scheduled: New racks", "Cancelled: New racks", "Scheduled: New racks"]
    assert sorted(there["status"] for there in world.vendor.incidents) == ["completed", "scheduled"]
    assert sorted(phase for _, phase in shown(world)) == [Phase.CANCELLED, Phase.SCHEDULED]


def test_who_subscribes_later_hears_what_comes_then(world: World) -> None:
    """Not what had been told before."""
    world.plan()
    world.subscribe(BEN)
    world.work(minutes=61)
    assert world.got(BEN) == ["In progress: New disks"]


def test_after_an_outage_only_what_is_still_true_is_told(world: World) -> None:
    """Nobody hears that it has begun once it is over, nor that it is over a day later."""
    world.plan()
    world.work(hours=3)
    assert world.got() == ["Scheduled: New disks", "Completed: New disks"]
    world.plans.plan(DISKS.model_copy(update={"starts": NOW + 4 * HOUR, "ends": NOW + 5 * HOUR}), BY, "2", world.now)
    world.work()
    world.work(hours=40)
    assert world.got()[2:] == ["Scheduled: New disks"]


def test_a_mail_that_is_not_taken_now_comes_later(world: World) -> None:
    """By the same queue as an update: greylisted, tried again, once."""
    world.smtp.refusing_to[ANN] = "450 4.2.1 greylisted"
    world.plan()
    world.smtp.refusing_to.clear()
    world.work(minutes=6)
    assert world.got() == ["Scheduled: New disks"]


def test_notices_are_kept_for_a_while_only(world: World) -> None:
    """A month after its end nothing of a window is left."""
    world.plan()
    world.work(days=KEPT.days + 1)
    world.work()
    assert world.redis.hlen(NOTICES) == 0


WINDOWS = st.builds(
    lambda start, length, cancelled: PlannedWindow(
        title="Disks",
        starts=NOW + timedelta(minutes=start),
        ends=NOW + timedelta(minutes=start + length),
        id="M1",
        by=BY,
        cancelled_at=cancelled and NOW + timedelta(minutes=cancelled),
    ),
    st.integers(-300, 300),
    st.integers(1, 300),
    st.none() | st.integers(1, 600),
)


@given(WINDOWS, st.lists(st.integers(0, 3000), max_size=12))
def test_a_window_is_told_in_order_and_never_twice(window: PlannedWindow, looks: list[int]) -> None:
    """Whenever we look: forward only, nothing after an end, and no end without a beginning."""
    told = list[Phase]()
    for minute in sorted(looks):
        now = NOW + timedelta(minutes=minute)
        cancelled = window.cancelled_at and window.cancelled_at <= now
        seen = window if cancelled else window.model_copy(update={"cancelled_at": None})
        if phase := news_of(seen, told, now):
            told.append(phase)
    order = list(Phase)
    assert told == sorted(set(told), key=order.index)
    assert not {Phase.COMPLETED, Phase.CANCELLED} <= set(told)
    assert told[:1] not in ([Phase.COMPLETED], [Phase.CANCELLED])


def test_windows_of_the_configuration_have_ids_of_their_own() -> None:
    """Another title or start is another window; new words or another end are not."""
    same = CONFIGURED.model_copy(update={"words": "More.", "ends": NOW + 3 * HOUR})
    other = CONFIGURED.model_copy(update={"starts": NOW})
    assert window_id(same) == window_id(CONFIGURED) != window_id(other)


# At Statuspage -------------------------------------------------------------------------------------------------------


def test_it_is_scheduled_at_statuspage_and_runs_there_by_itself(world: World) -> None:
    """With its times and components; it begins and ends though Tocsin is dead by then, and subscribers there hear."""
    world.plan()
    [there] = world.vendor.incidents
    assert (there["name"], there["status"], there["impact_override"]) == ("New disks", "scheduled", "maintenance")
    assert (there["scheduled_for"], there["scheduled_until"]) == ("2026-11-29T15:02:00Z", "2026-11-29T16:02:00Z")
    assert there["component_ids"] == ["id-checkout"]
    assert world.vendor.components == {"checkout": "operational"}
    world.vendor.tick("2026-11-29T15:02:00Z")
    assert (there["status"], world.vendor.components["checkout"]) == ("in_progress", "under_maintenance")
    world.vendor.tick("2026-11-29T16:02:00Z")
    assert (there["status"], world.vendor.components["checkout"]) == ("completed", "operational")


def test_maintenance_that_has_begun_is_in_progress_there_at_once(world: World) -> None:
    """Planned for now, its components are under maintenance now."""
    world.plan(starts=NOW - timedelta(minutes=5))
    [there] = world.vendor.incidents
    assert (there["status"], world.vendor.components["checkout"]) == ("in_progress", "under_maintenance")


@pytest.mark.parametrize("minutes", [30, 90])
def test_a_cancellation_is_visible_there(world: World, minutes: int) -> None:
    """Not deleted: completed with a word, once, and its components are as they were published."""
    planned = world.plan()
    world.work(minutes=minutes)
    world.plans.cancel(planned.id, world.now)
    world.work()
    world.work(hours=4)
    [there] = world.vendor.incidents
    assert there["status"] == "completed"
    said = [u["body"] for u in there["incident_updates"]]
    assert said.count("This maintenance is cancelled.") == 1
    assert world.vendor.components == {"checkout": "operational"}


def test_a_lost_reply_schedules_nothing_twice(world: World) -> None:
    """It is found again by its metadata."""
    world.vendor.lose = 1
    world.plan()
    world.work(seconds=10)
    assert len(world.vendor.incidents) == 1
    assert world.problems.current() == []


def test_the_end_of_maintenance_hides_no_open_incident(world: World) -> None:
    """Statuspage makes the component operational; what an open incident says of it is stated again, without a word.

    So it is at the beginning, when the component is under maintenance there.
    """
    world.plan()
    world.publish()
    world.work(minutes=61)
    assert {i["status"] for i in world.vendor.incidents} == {"investigating", "in_progress"}
    assert world.vendor.components == {"checkout": "major_outage"}
    world.work(minutes=60)
    assert world.vendor.components == {"checkout": "operational"}
    world.work(minutes=TURNS_WITHIN.total_seconds() / 60)
    assert world.vendor.components == {"checkout": "major_outage"}
    [incident] = [i for i in world.vendor.incidents if i["name"] == "Payments fail"]
    assert len(incident["incident_updates"]) == 1


def test_what_statuspage_refuses_is_a_problem_and_holds_up_nothing(world: World) -> None:
    """It is named for a person to plan there; updates of incidents still go."""
    world.vendor.refuse_writes = True
    world.plan()
    world.vendor.refuse_writes = False
    world.publish()
    world.work(seconds=10)
    assert [p.key for p in world.problems.current()] == ["statuspage:refused"]
    assert [i["name"] for i in world.vendor.incidents] == ["Payments fail"]
