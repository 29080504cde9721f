"""Slack is off: an alert opens a P0, people are reached, the world is told; Slack returns and shows all of it."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from benchmarks.ports import free_port
from bot.alerts.authentication import AlertSecrets
from bot.deps import AnswerDeps
from escalation.config.company import Company
from escalation.config.notify import Via
from escalation.config.tickets import TICKETS, Vendor
from escalation.incident.events.moves import Move
from escalation.incident.model import Incident
from escalation.incident.reach import How, ReachState
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.facts import Status
from escalation.notify.mailboxes import Mailboxes
from escalation.storage.public.folder import StatusFolder
from escalation.storage.public.log import PublicLog
from escalation.storage.public.subscribers import Subscribers
from tests.alerts.prometheus import TOKEN, checkout_is_down
from tests.scenarios.test_incidents import RESOLUTION
from tests.support.bot import everything, patient_workspace, running_bot
from tests.support.clock import PushedClock
from tests.support.company import example_data, phones, user
from tests.support.stage import Stage
from tests.support.story import START
from tests.support.vendors import github, statuspage, twilio
from tests.support.vendors.github import GitHubStandIn
from tests.support.vendors.server import running
from tests.support.vendors.smtp import RealMailServer, plain, real_mail_server
from tests.support.vendors.statuspage import StatuspageStandIn
from tests.support.vendors.twilio import TwilioStandIn
from tests.support.waiting import eventually
from tests.support.worker import bots_intake, redis_of, through, works
from workers.channels import Channels
from workers.channels.people.twilio import TwilioAccount, TwilioClient
from workers.channels.public.statuspage import StatuspageClient
from workers.channels.smtp import MailClient
from workers.channels.trackers.github import GitHubClient
from workers.delivery.people.news import News
from workers.delivery.trackers.news import TrackerNews
from workers.delivery.trackers.tickets import TicketPlanner
from workers.recurring.statuspage import Mirror
from workers.recurring.subscribers import Mailing

SENDER = "tocsin@example.com"
PHONES = phones()
READER, BOARD = "reader@example.org", "board@lists.example.com"
PAGE = {"title": "Shop status", "components": ["checkout", "api"], "url": "https://status.example.com/"}
OUTSIDE = {
    "alerts": {"severities": {"critical": "P0"}},
    "lists": {"stakeholders": {"mail": [BOARD]}},
    "status_page": PAGE,
    "tickets": {"github": github.REPO},
}


@dataclass
class Night:
    """The whole of Tocsin, and the services outside that it speaks to."""

    stage: Stage
    twilio: TwilioStandIn
    github: GitHubStandIn
    statuspage: StatuspageStandIn
    mail: RealMailServer
    folder: StatusFolder
    mirror: Mirror
    mailing: Mailing

    @property
    def incident(self) -> Incident:
        return self.stage.incident

    def push(self, seconds: float, step: float = 1.0) -> None:
        """Push the clock; the workers do what falls due on the way, those of the status page with them."""
        until = self.stage.works.clock.now + timedelta(seconds=seconds)
        while (now := self.stage.works.clock.now) < until:
            self.stage.works.clock.now = min(until, now + timedelta(seconds=step))
            self.work()

    def minute(self, n: float, step: float = 5.0) -> None:
        """Push the clock to that minute after the alert."""
        self.push((self.incident.declared_at + timedelta(minutes=n) - self.stage.works.clock.now).total_seconds(), step)

    def work(self) -> None:
        """Do what is due now: in production the last three are threads."""
        self.stage.works.run()
        now = self.stage.works.clock()
        self.folder.renew(now)
        self.mirror.step(now)
        while self.mailing.step(now):
            pass

    def status(self) -> dict[str, Any]:
        """What the status page says, as anybody reads it."""
        answer = self.stage.bot.web.get("/status/summary.json")
        assert answer.status_code == 200
        return dict(answer.json())

    def subscribe(self, address: str) -> None:
        """Subscribe at the page, by double opt-in."""
        web = self.stage.bot.web
        assert web.post("/status/subscribe", data={"address": address}).status_code == 200
        self.work()
        [asked] = self.mail.to(address)
        link = re.search(r"https?://[^/\s]+(/status/confirm/\S+)", plain(asked))
        assert link
        assert web.post(link[1]).status_code == 200

    def phone(self, person: str) -> str:
        key = self.stage.works.service.company.key_of(person, self.stage.works.store.directory())
        assert key
        return PHONES[key]


def company() -> Company:
    people = {
        key: {"slack": user(key), "mail": f"{key}@example.com", "phone": PHONES[key]}
        for key in example_data()["people"]
    }
    people["dana"]["github"] = "octocat"
    rotations = {"primary": {**example_data()["rotations"]["primary"], "first_shift": START.date()}}  # dana is on call
    return Company.model_validate(example_data() | {"people": people, "rotations": rotations} | OUTSIDE)


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    port, clock = free_port(), PushedClock()
    url = f"http://127.0.0.1:{port}"
    with ExitStack() as stack:
        workspace, redis = stack.enter_context(patient_workspace()), stack.enter_context(redis_of("valkey"))
        phone, tracker = stack.enter_context(running(TwilioStandIn())), stack.enter_context(running(GitHubStandIn()))
        public, post = stack.enter_context(running(StatuspageStandIn())), stack.enter_context(real_mail_server())
        parts = works(redis, workspace, clock, company())
        phone.now = tracker.now = clock
        parts.service.set_up, parts.service.public_url = {Via.SMS, Via.CALL, Via.MAIL}, url
        parts.service.mailboxes = Mailboxes(SENDER)
        page, problems = parts.service.company.status_page, parts.store.problems
        assert page
        folder = StatusFolder(tmp_path / "status", page, PublicLog(redis), problems, f"{url}/status/subscribe")
        mirror = Mirror(redis, StatuspageClient(statuspage.KEY, statuspage.PAGE, public.url), problems)
        mailing = Mailing(Subscribers(redis), MailClient(post.url, "status@example.com"), page, url, problems)
        caller = TwilioClient(TwilioAccount(twilio.SID, twilio.TOKEN, twilio.NUMBER, url=phone.url, public_url=url))
        context = through(parts.context, sms=caller, call=caller, mail=MailClient(post.url, SENDER))
        trackers = {Vendor.GITHUB: GitHubClient(github.TOKEN, tracker.url)}
        others: dict[str, Any] = {**context.channels.others, TICKETS: partial(TicketPlanner, trackers)}
        parts.context = replace(context, channels=Channels(context.slack, others, trackers=trackers))
        answers = AnswerDeps(
            public_url=url,
            twilio_tokens=(twilio.TOKEN,),
            news=News(parts.service),
            trackers=TrackerNews(parts.service),
        )
        parts.slack_away()
        bot = stack.enter_context(
            running_bot(
                workspace,
                parts.service,
                connected=False,
                port=port,
                intake=bots_intake(redis),
                alert_secrets=AlertSecrets((TOKEN,)),
                answers=answers,
                status=folder,
            )
        )
        folder.renew(clock())
        yield Night(Stage(parts, bot), phone, tracker, public, post, folder, mirror, mailing)


def alert(night: Night) -> None:
    checkout_is_down(night.stage.bot.web)
    night.work()


def test_from_an_alert_without_slack_to_the_word_that_it_works_again(night: Night) -> None:
    """Called, acknowledged by key 1, published in time, ticketed; then told in Slack, fixed, verified and closed."""
    night.subscribe(READER)
    alert(night)
    woken = night.incident.pages[0].person
    assert woken == user("dana")
    _reached_and_acknowledged(night, woken)
    _told_outside(night)
    night.minute(14)
    night.stage.works.slack_back()
    night.minute(16)
    eventually(lambda: night.stage.bot.bot.connected)
    _shown_in_slack(night)
    _verified_and_closed(night)


def _reached_and_acknowledged(night: Night, woken: str) -> None:
    """A mail at once, an SMS after a minute, a call after three; only the key acknowledges."""
    [_] = [m for m in night.mail.to("dana@example.com") if "being paged" in str(m["Subject"])]
    night.minute(1)
    [sms] = [m for m in night.twilio.messages if m["to"] == night.phone(woken)]
    assert night.twilio.callback(sms, "delivered").status_code == 204
    night.minute(3)
    [call] = [c for c in night.twilio.calls if c["to"] == night.phone(woken)]
    for status in ("ringing", "in-progress"):
        assert night.twilio.callback(call, status).status_code == 204
    assert not night.incident.acknowledgement
    assert "acknowledged" in night.twilio.press(call, "1").text
    night.twilio.callback(call, "completed")
    night.work()
    [entry] = night.stage.entries(EntryKind.ACKNOWLEDGED)
    assert (entry.by, entry.fields["how"]) == (woken, How.KEY)
    states = {reach.via: reach.state for reach in night.incident.pages[0].reached}
    wanted = {Via.MAIL: ReachState.ACCEPTED, Via.SMS: ReachState.DELIVERED, Via.CALL: ReachState.ANSWERED}
    assert states == wanted


def _told_outside(night: Night) -> None:
    """The page within the policy's 15 minutes, the ticket with its assignee, readers and stakeholders by mail."""
    [public] = night.status()["incidents"]
    assert (public["status"], public["impact"]) == ("investigating", "critical")
    told = datetime.fromisoformat(public["updates"][0]["at"])
    assert told <= night.incident.declared_at + timedelta(minutes=15)
    assert [c["status"] for c in night.status()["components"] if c["name"] == "checkout"] == ["major_outage"]
    [there] = night.statuspage.incidents
    assert there["status"] == "investigating"
    [issue] = night.github.issues.values()
    assert issue["state"] == "open"
    assert [a["login"] for a in issue["assignees"]] == ["octocat"]
    assert "Investigating" in plain(night.mail.to(READER)[-1])
    [mail] = night.mail.to(BOARD)
    assert night.incident.id in plain(mail) + str(mail["Subject"])


def _shown_in_slack(night: Night) -> None:
    """The card says all; the thread has every entry in its order, each marked with when it was due; nobody is rung."""
    card = everything(night.stage.card())
    assert "📟 <@U0DANA0001>: email accepted, SMS delivered, call answered" in card
    for words in ("by phone key", "acme/shop#1", "Stakeholder email: sent", "Customer update (status page): sent"):
        assert words in card
    said = night.stage.thread()
    told = [
        "P0 INCIDENT - CRITICAL",
        "Tier 1 (Responders) paged",
        "opened in GitHub",
        "*Acknowledged* by <@U0DANA0001>",
    ]
    assert sorted(map(said.index, told)) == [said.index(words) for words in told]
    recorded = [
        "status page) published*",
        "Stakeholder email* sent",
        "opened in GitHub",
        "*Acknowledged*",
        "War room: <#",
    ]
    latest = card[card.index("\nTimeline") :]
    assert sorted(map(latest.index, recorded)) == [latest.index(words) for words in recorded]
    due = [int(seconds) for seconds in re.findall(r"Delayed – was due <!date\^(\d+)", said)]
    assert due == sorted(due)
    assert len(set(due)) == 3  # at the declaration, with the ticket, and at the acknowledgement
    assert night.stage.pages("dana") == []
    assert "was due" in night.stage.said_in(night.stage.room()["id"])


def _verified_and_closed(night: Night) -> None:
    """The fix held: page, ticket and Statuspage close, and whoever had heard of it hears that it works again."""
    night.stage.press("dana", Move.ROOT_CAUSE, cause="The pool was exhausted")
    night.stage.press("dana", Move.FIX_APPLIED)
    night.push(31 * 60, step=10)
    night.stage.press("dana", Move.RESOLVE, **RESOLUTION)
    night.push(60)
    assert night.status()["incidents"] == []
    assert {c["status"] for c in night.status()["components"]} == {"operational"}
    [there] = night.statuspage.incidents
    assert there["status"] == "resolved"
    [issue] = night.github.issues.values()
    assert (issue["state"], issue["state_reason"]) == ("closed", "completed")
    assert "Resolved" in plain(night.mail.to(READER)[-1])
    assert "resolved" in plain(night.mail.to(BOARD)[-1]).lower()
    night.stage.settled(Status.RESOLVED)
    assert night.stage.works.store.problems.current() == []
