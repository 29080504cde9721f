"""Other systems that are away for long: every place where recurring work is tried again tells somebody, and when."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from bot.http.health import exposition, readiness
from bot.render.blockkit import Message
from escalation.config.company import Company, Workspace
from escalation.config.notify import By
from escalation.config.rules.reports import ScheduledReport
from escalation.config.status_page import ComponentState, StatusPage
from escalation.oncall import trials
from escalation.slo import Objective, encode
from escalation.status_page.publications import Impact, Publication
from escalation.storage.keeping.posted import STALE, Posted, PostedMessages
from escalation.storage.problems import LASTING
from escalation.storage.public.log import PublicLog
from escalation.storage.public.subscribers import Subscribers
from escalation.storage.store import LEDGER
from tests.reviews.listed.listing import Listing
from tests.reviews.published.test_published import ISSUES, PAGES, held
from tests.support.clock import PushedClock
from tests.support.company import example_company, example_data, user
from tests.support.outside_services import MailServer
from tests.support.story import START
from tests.support.vendors.github import GitHubStandIn
from tests.support.vendors.jira import JiraStandIn
from tests.support.vendors.server import Answer, Asked, Vendor, running
from tests.support.vendors.statuspage import KEY, PAGE, StatuspageStandIn
from tests.support.vendors.tracked import tracked
from tests.support.worker import SlackByClock, Works, redis_of, works
from tests.trackers.test_item_tickets import Case
from tests.workers.test_ledger import pages_at
from tocsin.doctor.redis_checks import lasting_faults
from workers.channels import Tag
from workers.channels.failures import Failed, Kind
from workers.channels.pagerduty import PagerDutyDirectory
from workers.channels.public.statuspage import StatuspageClient
from workers.channels.smtp import MailClient
from workers.delivery.people.news import News
from workers.delivery.problems import report_call
from workers.recurring.action_items.listed import ListedItems
from workers.recurring.action_items.tickets import POLLED
from workers.recurring.dead_man import DeadMan
from workers.recurring.do_not_disturb import DoNotDisturb
from workers.recurring.keeping.posted import PostedRounds
from workers.recurring.listening import Listening
from workers.recurring.method_trials import MethodTrials
from workers.recurring.oncall.calendar_events import FeedProblem
from workers.recurring.oncall.calendar_feeds import CalendarFeeds
from workers.recurring.oncall.user_groups import UserGroups
from workers.recurring.reminders import SINCE, Reminders
from workers.recurring.reviews.documents import PublishedReviews
from workers.recurring.slo_breach import SloBreach
from workers.recurring.statuspage import Mirror
from workers.recurring.subscribers import Mailing
from workers.recurring.trackers.tickets import TicketRounds

LATER = "451 4.3.0 try again later"
BETWEEN = timedelta(minutes=10)
CALENDAR = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:x
BEGIN:VEVENT
UID:1
SUMMARY:dana
DTSTART:20241201T000000Z
DTEND:20250201T000000Z
END:VEVENT
END:VCALENDAR
"""


@dataclass
class Outside:
    """Work at another system: a round of it, and the switch of that system."""

    parts: Works
    round: Callable[[], object]
    away: Callable[[bool], None]

    def act(self, after: timedelta = BETWEEN) -> None:
        """Let time pass, here and for what Redis forgets by itself, and do a round."""
        self.parts.clock.push(seconds=after.total_seconds())
        for key in self.parts.redis.scan_iter():
            if 0 < self.parts.redis.ttl(key) <= after.total_seconds():
                self.parts.redis.delete(key)
        self.round()

    def told(self) -> list[str]:
        """Text and remedy of every problem."""
        return [f"{p.text}: {p.remedy}" for p in self.parts.store.problems.current()]


@dataclass
class Given:
    """What the cases are built of."""

    slack: SlackByClock
    smtp: MailServer


Built = Iterator[Outside]


def switch(vendor: Vendor) -> Callable[[bool], None]:
    def away(gone: bool) -> None:
        vendor.outage = 503 if gone else 0

    return away


# Trackers and documents -------------------------------------------------------------------------------------------


def reviews_in(where: dict[str, Any]) -> Callable[[Given], Built]:
    def built(_: Given) -> Built:
        with held(where) as case:
            rounds = PublishedReviews(case.parts.context)
            yield Outside(case.parts, lambda: rounds.refresh(case.parts.clock()), switch(case.there))

    return built


def items_in(there: Callable[[], Any], *, created: bool = False) -> Callable[[Given], Built]:
    """Tickets of action items: to be created, or there and to be read."""

    def built(_: Given) -> Built:
        with tracked(there()) as made:
            case = Case(made)
            case.note()
            if created:
                case.act()

            def act() -> None:
                if created:
                    made.parts.redis.delete(POLLED)
                case.rounds.refresh(made.parts.clock())

            yield Outside(made.parts, act, switch(made.there))

    return built


def tickets_read(_: Given) -> Built:
    with tracked(GitHubStandIn()) as made:
        made.act()
        rounds = TicketRounds(made.parts.context, lambda: False)
        yield Outside(made.parts, lambda: rounds.refresh(made.parts.clock()), switch(made.there))


def tickets_written(_: Given) -> Built:
    with tracked(JiraStandIn()) as made:
        yield Outside(made.parts, made.act, switch(made.there))


def statuspage(_: Given) -> Built:
    with redis_of("fakeredis") as redis, running(StatuspageStandIn()) as vendor:
        parts = works(redis)
        mirror = Mirror(redis, StatuspageClient(KEY, PAGE, vendor.url), parts.store.problems)
        publish(parts)
        yield Outside(parts, lambda: mirror.step(parts.clock()), switch(vendor))


class Users(Vendor):
    """PagerDuty's users."""

    def answer(self, asked: Asked) -> Answer:
        return 200, {"user": {"id": asked.path.rpartition("/")[2], "email": "mei@example.com"}}


def pagerduty_users(_: Given) -> Built:
    with redis_of("fakeredis") as redis, running(Users()) as vendor:
        parts = works(redis)
        news = News(parts.service, None, PagerDutyDirectory("t0ken", vendor.url))
        yield Outside(parts, lambda: news.pagerduty_mail("PLH1HKV"), switch(vendor))


# Mail -------------------------------------------------------------------------------------------------------------


def publish(parts: Works) -> None:
    fields = {"n": 0, "incident": "", "ours": "e1", "at": parts.clock(), "knew_at": parts.clock()}
    words = {"status": "investigating", "name": "Slow", "body": "Words", "impact": Impact.CRITICAL}
    states = {"components": {"checkout": ComponentState.MAJOR}}
    PublicLog(parts.redis).append("INC-20240311-001", Publication.model_validate(fields | words | states))


def subscribers(given: Given) -> Built:
    with redis_of("fakeredis") as redis:
        parts, smtp = works(redis), given.smtp
        known = Subscribers(redis)
        page = StatusPage(title="Shop status", components=("checkout",), url="https://status.example.com/")
        problems, client = parts.store.problems, MailClient(smtp.url, "status@example.com")
        mailing = Mailing(known, client, page, "https://tocsin.example.com", problems)

        def act() -> None:
            minute = parts.clock().minute
            known.ask(f"ann{minute}@example.org", f"192.0.2.{minute}")
            mailing.step(parts.clock())

        yield Outside(parts, act, refuses(smtp))


def reports_by_mail(given: Given) -> Built:
    with at_the_office(given) as parts:
        channels = replace(parts.context.channels, mail=MailClient(given.smtp.url, "tocsin@example.com"))
        parts.context = replace(parts.context, channels=channels)
        report(parts, mail="ceo@example.com")
        reminders = Reminders(parts.context)
        yield Outside(parts, lambda: reminders.send_due(parts.clock()), refuses(given.smtp))


def refuses(smtp: MailServer) -> Callable[[bool], None]:
    def away(gone: bool) -> None:
        smtp.refusing.clear()
        if gone:
            smtp.refusing["RCPT"] = LATER

    return away


# Slack ------------------------------------------------------------------------------------------------------------


@contextmanager
def at_the_office(given: Given, company: Company | None = None) -> Iterator[Works]:
    """Tocsin in a workspace, on the morning of a working day."""
    with redis_of("valkey") as redis:
        workspace, clock = given.slack
        clock.now = START
        made = works(redis, workspace, clock, company or example_company())
        made.control("reset")
        made.clock.now = made.clock().replace(hour=9, minute=0, second=0, microsecond=0)
        yield made


def report(parts: Works, **plan: Any) -> None:
    """Have a report due, and nothing else."""
    parts.redis.set(SINCE, (parts.clock() - timedelta(hours=3)).timestamp())
    own = (ScheduledReport.model_validate({"every": "day", "at": "08:00"} | plan),)
    parts.service.company = parts.service.company.model_copy(update={"reports": own})


def in_slack(
    work: Callable[[Works], Callable[[], object]], company: Callable[[], Company] = example_company
) -> Callable[[Given], Built]:
    def built(given: Given) -> Built:
        with at_the_office(given, company()) as parts:
            rounds = work(parts)
            yield Outside(parts, rounds, lambda gone: parts.slack_away() if gone else parts.slack_back())

    return built


def reports_in_channel(parts: Works) -> Callable[[], object]:
    report(parts)
    reminders = Reminders(parts.context)
    return lambda: reminders.send_due(parts.clock())


def results_of_tests(parts: Works) -> Callable[[], object]:
    parts.store.update_oncall_state(lambda state: trials.ask(state, "dana", user("dana"), By.SMS, parts.clock.now))
    rounds = MethodTrials(parts.context)
    return lambda: rounds.run(parts.clock())


def stale_posts(parts: Works) -> Callable[[], object]:
    channel = parts.context.slack.groups._slack.call("conversations.create", name="posts")["channel"]["id"]
    sent = parts.context.slack.post(channel, Message("Dana wrote this"), Tag("posted", 0))
    PostedMessages(parts.redis).note(Posted(channel, sent.ts, "Somebody wrote this", []))
    parts.redis.sadd(STALE, f"tocsin:posted:{channel}:{sent.ts}")
    return PostedRounds(parts.context, lambda: False).run


def listed_items(parts: Works) -> Callable[[], object]:
    parts.control("channels", name="incidents", creator=user("dana"))
    listing = Listing(parts)
    item = listing.note(parts.declare())
    listing.round()
    listing.items.change(item.id, lambda before: replace(before, text="In other words"))
    rounds = ListedItems(parts.context, lambda: False)
    return lambda: rounds.refresh(parts.clock())


def silences(parts: Works) -> Callable[[], object]:
    rounds = DoNotDisturb(parts.context)
    return lambda: rounds.refresh(parts.clock())


def channels_listened_in(parts: Works) -> Callable[[], object]:
    rounds = Listening(parts.context)
    parts.control("channels", name="deploys", is_private=False, creator=user("dana"))
    return lambda: rounds.refresh(parts.clock())


def user_groups(parts: Works) -> Callable[[], object]:
    api = parts.context.slack.groups._slack
    group = api.call("usergroups.create", name="oncall", handle="oncall")["usergroup"]["id"]
    api.call("usergroups.users.update", usergroup=group, users=user("mei"))
    rounds = UserGroups(parts.context)
    return lambda: rounds.sync(parts.clock())


def with_group() -> Company:
    primary = {**example_data()["rotations"]["primary"], "group": "oncall"}
    return example_company(rotations={**example_data()["rotations"], "primary": primary})


def stand_ins(parts: Works) -> Callable[[], object]:
    worker = DeadMan(parts.context)

    def act() -> None:
        parts.declare("P0", key=f"{parts.clock()}")
        worker.reconcile(parts.clock())

    return act


def own_objective(parts: Works) -> Callable[[], object]:
    objective = Objective(open_incident=True)
    parts.service.company = parts.service.company.model_copy(update={"objective": objective})
    parts.redis.xadd(LEDGER, {"r": encode(pages_at(9.0))})
    rounds = SloBreach(parts.context)
    return lambda: rounds.check(parts.clock())


def calendars(_: Given) -> Built:
    people = {"dana": {"slack": user("dana")}}
    rotation = {"people": ["dana"], "ical": "https://cal.example/a.ics"}
    company = Company.model_validate({"policy": "kars", "people": people, "rotations": {"primary": rotation}})
    with redis_of("fakeredis") as redis:
        parts, gone = works(redis, clock=PushedClock(), company=company), [False]

        def fetched(_: str) -> bytes:
            if gone[0]:
                raise FeedProblem("its server answered 503", passing=True)
            return CALENDAR.replace("\n", "\r\n").encode()

        feeds = CalendarFeeds(parts.context, fetch=fetched)
        feeds.refresh(parts.clock())
        yield Outside(parts, lambda: feeds.refresh(parts.clock()), lambda away: gone.__setitem__(0, away))


LASTING_ONES: dict[str, Callable[[Given], Built]] = {
    "reviews in GitHub": reviews_in(ISSUES),
    "reviews in Confluence": reviews_in(PAGES),
    "items in GitHub": items_in(GitHubStandIn),
    "items in Jira": items_in(JiraStandIn),
    "items in Jira, read": items_in(JiraStandIn, created=True),
    "tickets, read": tickets_read,
    "users of PagerDuty": pagerduty_users,
    "reports by mail": reports_by_mail,
    "subscribers": subscribers,
    "reports in a channel": in_slack(reports_in_channel),
    "results of tests": in_slack(results_of_tests),
    "posts that name somebody forgotten": in_slack(stale_posts),
    "the List of action items": in_slack(listed_items, lambda: example_company(follow_up_list=True)),
    "Do Not Disturb": in_slack(silences),
    "channels listened in": in_slack(
        channels_listened_in, lambda: example_company(workspace=Workspace(deploys_channel="deploys"))
    ),
    "user groups": in_slack(user_groups, with_group),
    "stand-ins of pages": in_slack(stand_ins),
    "our own objective": in_slack(own_objective),
}
# What has a rule of its own, by which it is told within the hour at the latest.
AT_ONCE: dict[str, Callable[[Given], Built]] = {
    "calendars": calendars,
    "Statuspage": statuspage,
    "tickets, written": tickets_written,
}


@pytest.mark.parametrize("name", [*LASTING_ONES, *AT_ONCE])
def test_a_system_that_is_away_for_an_hour_is_a_problem_until_it_is_back(
    name: str, slack_by_clock: SlackByClock, smtp: MailServer
) -> None:
    """Doctor, /readyz and /metrics name it with its remedy after an hour, not before, and the first success ends it."""
    build = contextmanager({**LASTING_ONES, **AT_ONCE}[name])
    place: AbstractContextManager[Outside] = build(Given(slack_by_clock, smtp))
    with place as outside:
        outside.away(True)
        for _ in range(int(LASTING / BETWEEN)):
            outside.act()
            assert name in AT_ONCE or not outside.told()
        outside.act()
        assert outside.told()
        assert all(len(remedy) > 10 for _, remedy in (p.rsplit(": ", 1) for p in outside.told()))
        ready = readiness(outside.parts.store, True).problems
        assert set(outside.told()) <= set(ready)
        shown = exposition(outside.parts.store, lambda: True).decode()
        assert all(f'key="{p.key}"' in shown for p in outside.parts.store.problems.current())
        assert [f.state for f in lasting_faults(outside.parts.redis)] == ["warning"] * len(outside.told())
        outside.away(False)
        for _ in range(3):
            outside.act()
        assert outside.told() == []


def test_an_outage_that_is_over_is_not_counted_with_the_next_one() -> None:
    """Failures in a row are meant: a success between two, or a long time without any try, begins anew."""
    with redis_of("fakeredis") as redis:
        parts = works(redis)
        problems = parts.store.problems

        def fails(after: float) -> list[str]:
            parts.clock.push(minutes=after)
            report_call(problems, "x", "X", Failed("x: 503", Kind.PASSING), parts.clock())
            return [p.key for p in problems.current()]

        assert fails(0) == fails(50) == []
        problems.clear("x")
        assert fails(20) == fails(50) == []
        assert fails(10) == ["x"]
        problems.clear("x")
        assert fails(5) == fails(61) == []
