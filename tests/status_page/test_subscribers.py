"""Subscribers of the status page by mail: at the forms, at a mail server, and what is kept of them."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from structlog.testing import capture_logs

from bot.alerts.mail.automatic import is_undelivered
from bot.alerts.mail.message import InboundMail
from bot.alerts.mail.mime import Headers
from escalation.config.status_page import ComponentState, StatusPage
from escalation.notify.mailboxes import Mailboxes
from escalation.status_page.publications import Impact, Publication
from escalation.storage.problems import Problems
from escalation.storage.public.folder import StatusFolder
from escalation.storage.public.log import PublicLog
from escalation.storage.public.subscribers import LIMIT_SECONDS, MAILED, MOST_ASKED, SUBSCRIBERS, Subscribers
from sandbox.server import RunningWorkspace
from tests.support.bot import BotAtWork, running_bot, world
from tests.support.clock import PushedClock
from tests.support.outside_services import Mail, MailServer
from tests.support.waiting import eventually
from tests.support.worker import raw
from workers.channels.smtp import MailClient
from workers.inbound_mail import Became, MailReceiver
from workers.recurring.subscribers import PAUSED, PROBLEM, Mailing

PAGE = StatusPage(title="Shop status", components=("checkout",), url="https://status.example.com/")
ROOT = "https://tocsin.example.com"
ANN, BEN = "ann@example.org", "ben@example.org"
UNKNOWN = "550 5.1.1 <{}> unknown"


@dataclass
class Post:
    """A bot with its forms, the mailing, and the mail server."""

    bot: BotAtWork
    redis: Redis
    smtp: MailServer
    clock: PushedClock
    mailing: Mailing
    log: PublicLog
    subscribers: Subscribers

    def ask(self, address: str) -> int:
        return self.bot.web.post("/status/subscribe", data={"address": address}).status_code

    def subscribe(self, *addresses: str) -> None:
        for address in addresses:
            self.ask(address)
            self.run()
            link = re.search(rf"{ROOT}(/status/confirm/\S+)", self.smtp.to(address)[-1].body)
            assert link
            assert self.bot.web.post(link[1]).status_code == 200
        self.smtp.mails.clear()

    def publish(self, ours: str, incident: str = "INC-1", status: str = "investigating", **more: object) -> None:
        now = self.clock()
        fields = {"n": 0, "incident": "", "ours": ours, "at": now, "knew_at": now, "status": status}
        words = {"name": "Payments are slow", "body": f"Words of {ours}.", "impact": Impact.CRITICAL}
        states = {"components": {"checkout": ComponentState.MAJOR}}
        self.log.append(incident, Publication.model_validate(fields | words | states | more))

    def run(self, minutes: float = 0) -> None:
        self.clock.push(minutes=minutes)
        while self.mailing.step(self.clock()):
            pass

    def pause_ends(self) -> None:
        self.redis.delete(PAUSED)

    def got(self, address: str) -> list[str]:
        return [re.findall(r"Words of (\w+)", m.body)[0] for m in self.smtp.to(address)]


@pytest.fixture
def post(workspace: RunningWorkspace, smtp: MailServer, tmp_path: Path) -> Iterator[Post]:
    service, clock = world().service, PushedClock()
    redis = service.store.redis
    log, problems, subscribers = PublicLog(redis), Problems(redis), Subscribers(redis)
    status = StatusFolder(tmp_path / "status", PAGE, log, problems, f"{ROOT}/status/subscribe")
    mailing = Mailing(subscribers, MailClient(smtp.url, "status@example.com"), PAGE, ROOT, problems)
    with running_bot(workspace, service, connected=False, status=status) as bot:
        eventually(lambda: bot.web.get("/status/").status_code == 200)
        yield Post(bot, redis, smtp, clock, mailing, log, subscribers)


def test_nobody_is_subscribed_who_did_not_confirm(post: Post) -> None:
    """Opening the link changes nothing, since scanners do; its button subscribes, once."""
    assert post.ask(ANN) == 200
    post.run()
    [mail] = post.smtp.to(ANN)
    link = re.search(rf"{ROOT}(/status/confirm/\S+)", mail.body)
    assert link
    for _ in range(3):
        assert "Confirm" in post.bot.web.get(link[1]).text
    assert post.subscribers.count() == 0
    assert "You are subscribed" in post.bot.web.post(link[1]).text
    assert post.subscribers.count() == 1
    assert post.bot.web.post(link[1]).status_code == 404


def test_each_update_comes_once_in_one_thread(post: Post) -> None:
    """In public words, with states and promise, to everybody who had subscribed by then, whoever repeats the job."""
    post.publish("before")
    post.subscribe(ANN, BEN)
    post.publish("e1", next_by=post.clock() + timedelta(minutes=30))
    post.publish("e2", status="identified")
    post.run()
    post.run(minutes=60)
    assert post.got(ANN) == post.got(BEN) == ["e1", "e2"]
    first, second = post.smtp.to(ANN)
    assert first.subject == second.subject == "Shop status: Payments are slow"
    assert first.message["References"] == second.message["References"]
    assert first.id != second.id
    for words in ("Investigating", "checkout: major outage", "Next update by", "https://status.example.com/"):
        assert words in first.body
    assert first.message["Auto-Submitted"] == "auto-generated"


def test_one_click_ends_it(post: Post) -> None:
    """RFC 8058: a POST of the header's address, without cookie or redirect; opening it ends nothing."""
    post.subscribe(ANN, BEN)
    post.publish("e1")
    post.run()
    [mail] = post.smtp.to(ANN)
    assert mail.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    raw = re.search(r"^List-Unsubscribe: <(\S+)>\r?$", mail.raw, re.MULTILINE)
    assert raw, "one line, as it is, or a mail program does not find it"
    address = raw[1].removeprefix(ROOT)
    assert post.bot.web.get(address).status_code == 200
    assert post.subscribers.count() == 2
    answer = post.bot.web.post(address, data={"List-Unsubscribe": "One-Click"}, follow_redirects=False)
    assert (answer.status_code, answer.headers.get("set-cookie")) == (200, None)
    assert post.bot.web.post(address).status_code == 200  # a second click is no error
    post.publish("e2")
    post.run()
    assert (post.got(ANN), post.got(BEN)) == (["e1"], ["e1", "e2"])


def test_a_bounce_ends_it(post: Post) -> None:
    """An unknown mailbox is not written to again, and nothing of it is kept; the others get theirs."""
    post.subscribe(ANN, BEN)
    post.smtp.refusing_to[ANN] = UNKNOWN.format(ANN)
    post.publish("e1")
    with capture_logs() as logged:
        post.run()
    assert post.got(BEN) == ["e1"]
    assert post.subscribers.count() == 1
    assert ANN not in everything_kept(post.redis)
    assert "ann" not in str(logged)


def test_mails_that_come_back_end_it_at_the_third(post: Post) -> None:
    """Each goes out with a bounce address of its own; a delivery report there counts once, an absence note never."""
    boxes = Mailboxes("status@example.com", "reply@in.example.com")
    service = world(post.redis).service
    service.mailboxes = boxes
    mailing = Mailing(
        post.subscribers, MailClient(post.smtp.url, "status@example.com"), PAGE, ROOT, Problems(post.redis), boxes
    )
    post.subscribe(ANN)
    post.publish("e1")
    assert mailing.step(post.clock())
    [mail] = post.smtp.to(ANN)
    address = mail.sender
    assert re.fullmatch(r"reply\+bounce-[0-9a-f]{32}@in\.example\.com", address)
    assert mail.message["From"] == "status@example.com"
    receiver = MailReceiver(service)
    report = InboundMail(id="<1@mx>", recipients=(address.upper(),), automatic="it is a bounce", undelivered=True)
    absent = InboundMail(id="<9@mx>", recipients=(address,), automatic="Auto-Submitted: auto-replied")
    for _ in range(3):
        assert receiver.take(report) == Became("dropped: a subscriber's mail bounced")
        assert receiver.take(absent) == Became("dropped: it answers a mail to a subscriber of the status page")
    receiver.take(report.model_copy(update={"id": "<2@mx>"}))
    assert post.subscribers.count() == 1
    receiver.take(report.model_copy(update={"id": "<3@mx>"}))
    assert post.subscribers.count() == 0
    assert ANN not in everything_kept(post.redis)


@pytest.mark.parametrize(
    ("headers", "undelivered"),
    [
        ({"content-type": ('multipart/report; report-type=delivery-status; boundary="x"',)}, True),
        ({"content-type": ("text/plain",), "x-failed-recipients": ("ann@example.org",)}, True),
        ({"content-type": ('multipart/report; report-type="disposition-notification"',)}, False),
        ({"content-type": ("text/plain",), "auto-submitted": ("auto-replied",)}, False),
    ],
)
def test_only_a_report_of_a_delivery_that_failed_is_a_bounce(headers: Headers, undelivered: bool) -> None:
    """A receipt or an absence note has been delivered."""
    assert is_undelivered(headers) is undelivered


def test_an_address_that_alone_is_refused_again_and_again_bounces_too(post: Post) -> None:
    """Whatever the code; meanwhile the others get theirs, and it is no problem of ours."""
    post.subscribe(ANN, BEN)
    post.smtp.refusing_to[ANN] = "554 no such thing"
    post.publish("e1")
    for _ in range(6):
        post.run(minutes=121)
        post.publish("e2")
    assert post.got(BEN)[:1] == ["e1"]
    assert post.subscribers.count() == 1


def test_a_full_mailbox_ends_no_subscription(post: Post) -> None:
    """It is tried again for a while; once there is room, the next update arrives."""
    post.subscribe(ANN, BEN)
    post.smtp.refusing_to[ANN] = "552 5.2.2 mailbox full"
    post.publish("e1")
    for _ in range(6):
        post.run(minutes=121)
    assert (post.got(ANN), post.got(BEN)) == ([], ["e1"])
    assert post.subscribers.count() == 2
    assert Problems(post.redis).current() == []
    post.smtp.refusing_to.clear()
    post.publish("e2")
    post.run(minutes=1)
    assert post.got(ANN) == ["e2"]


def test_a_server_that_refuses_us_ends_nobodys_subscription(post: Post) -> None:
    """It is a problem that people see, the mailing pauses, and each gets the update once it is mended."""
    people = [f"p{n}@example.org" for n in range(6)]
    post.subscribe(*people)
    post.smtp.refusing["RCPT"] = "554 relaying denied"
    post.publish("e1")
    for _ in range(8):
        post.run(minutes=5)
        post.pause_ends()
    assert [p.key for p in Problems(post.redis).current()] == [PROBLEM]
    assert post.subscribers.count() == 6
    post.smtp.refusing.clear()
    for _ in range(8):
        post.pause_ends()
        post.run(minutes=121)
    assert [post.got(p) for p in people] == [["e1"]] * 6
    assert Problems(post.redis).current() == []


def test_a_passing_refusal_is_tried_again(post: Post) -> None:
    """After minutes, for that address alone; so is a confirmation."""
    post.subscribe(ANN, BEN)
    post.smtp.refusing_to[ANN] = "450 4.2.1 greylisted"
    post.smtp.refusing_to["new@example.org"] = "450 4.2.1 greylisted"
    post.publish("e1")
    post.ask("new@example.org")
    post.run()
    assert (post.got(ANN), post.got(BEN)) == ([], ["e1"])
    post.smtp.refusing_to.clear()
    post.run(minutes=4)
    assert post.got(ANN) == []
    post.run(minutes=2)
    assert post.got(ANN) == ["e1"]
    assert len(post.smtp.to("new@example.org")) == 1


def test_a_crash_doubles_no_mail(post: Post) -> None:
    """Another process goes on behind the last that was begun."""
    people = [f"p{n}@example.org" for n in range(4)]
    post.subscribe(*people)
    post.publish("e1")
    begun = post.subscribers.next_addressee("1")
    assert begun
    post.subscribers.claim(begun)
    post.run()
    assert sorted(len(post.smtp.to(p)) for p in people) == [0, 1, 1, 1]


def test_what_was_withdrawn_is_mailed_to_nobody(post: Post) -> None:
    """Not even to those who were still to get it, nor to whom it was to be tried again."""
    post.subscribe(ANN, BEN)
    post.smtp.refusing_to[ANN] = "450 4.2.1 later"
    post.publish("e1")
    post.mailing.step(post.clock())
    post.log.withdraw("INC-1")
    post.smtp.refusing_to.clear()
    post.run(minutes=10)
    assert post.got(ANN) == []


def test_a_correction_is_mailed_as_one(post: Post) -> None:
    """With what it said before, in the thread of its incident."""
    post.subscribe(ANN)
    post.publish("e1", entry=4)
    post.run()
    post.publish("e2", corrects=4, components={}, name="Cards fail")
    post.run()
    first, second = post.smtp.to(ANN)
    corrected = "Correction: Cards fail\n\nWords of e2.\n\nBefore, it said:\nWords of e1."
    assert second.body.replace("\r\n", "\n").startswith(corrected)
    assert first.subject == second.subject
    assert first.message["References"] == second.message["References"]


def test_who_subscribed_later_is_looked_at_once(post: Post) -> None:
    """A mailing that is done costs nothing, however many subscribe after it."""
    post.subscribe(ANN)
    post.publish("e1")
    post.run()
    post.subscribe(BEN)
    post.run()
    assert post.redis.hget(MAILED, "1") == b"2"
    assert post.got(BEN) == []


def test_old_news_is_not_mailed(post: Post) -> None:
    """What the mailing could not send for a day is on the page, and no news any more."""
    post.subscribe(ANN)
    post.publish("e1")
    post.run(minutes=60 * 25)
    assert post.got(ANN) == []


# At the forms ------------------------------------------------------------------------------------------------------


def test_nobody_finds_out_who_has_subscribed(post: Post) -> None:
    """The answer is the same for a known and an unknown address; the known one gets a mail that says so."""
    post.subscribe(ANN)
    post.redis.delete(*post.redis.keys(f"{SUBSCRIBERS}:limit:*"))
    known = post.bot.web.post("/status/subscribe", data={"address": ANN.upper()})
    unknown = post.bot.web.post("/status/subscribe", data={"address": BEN})
    assert (known.status_code, known.text) == (unknown.status_code, unknown.text)
    post.run()
    assert "gets them already" in post.smtp.to(ANN.upper())[0].body
    assert post.subscribers.count() == 1
    guess = "/status/unsubscribe/" + "A" * 32
    assert post.bot.web.post(guess).status_code == 200
    assert post.subscribers.count() == 1


@pytest.mark.parametrize(
    "bad",
    ["", "ann", "ann@", "ann@example", "a b@example.org", "ann@example.org\r\nBcc: x@example.org", "<ann@example.org>",
     "ann@example.org,ben@example.org", "é@example.org", "a" * 250 + "@example.org", "ann@-.\x00"],
)  # fmt: skip
def test_what_is_no_address_is_said(post: Post, bad: str) -> None:
    """On the form, without repeating it; no mail is sent."""
    answer = post.bot.web.post("/status/subscribe", data={"address": bad})
    assert answer.status_code == 400
    assert "That is no mail address" in answer.text
    post.run()
    assert post.smtp.mails == []


def test_the_form_cannot_flood_a_mailbox(post: Post) -> None:
    """One mail to an address in ten minutes, silently; of one host so many requests, then it is said."""
    for _ in range(5):
        assert post.ask(ANN) == 200
    post.run()
    assert len(post.smtp.to(ANN)) == 1
    for n in range(MOST_ASKED["host"]):
        post.ask(f"n{n}@example.org")
    assert post.ask("last@example.org") == 429
    assert 0 < post.redis.ttl(next(post.redis.scan_iter(f"{SUBSCRIBERS}:limit:host:*"))) <= LIMIT_SECONDS


def test_the_pages_need_no_script_and_show_no_address(post: Post) -> None:
    """Forms of plain HTML under a policy that allows nothing else; the page has a link to them."""
    page = post.bot.web.get("/status/subscribe")
    assert "<script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "set-cookie" not in page.headers
    post.subscribe(ANN)
    post.publish("e1")
    post.run()
    leave = re.search(rf"{ROOT}(/status/unsubscribe/\S+)", post.smtp.to(ANN)[0].body)
    assert leave
    assert "ann" not in post.bot.web.get(leave[1]).text
    assert f'href="{ROOT}/status/subscribe"' in post.bot.web.get("/status/").text


def test_an_address_is_forgotten(post: Post) -> None:
    """`tocsin forget` deletes the subscription, what waits for confirmation, and what was to be sent."""
    post.subscribe(ANN)
    post.ask(BEN)
    for address in (ANN.upper(), BEN):
        assert post.subscribers.forget(address)
        assert not post.subscribers.forget(address)
    assert post.subscribers.count() == 0
    kept = everything_kept(post.redis)
    assert ANN not in kept
    assert BEN not in kept


def everything_kept(redis: Redis) -> str:
    """Every value in Redis under the subscribers' keys."""
    values: list[object] = []
    for key in redis.scan_iter(f"{SUBSCRIBERS}*"):
        read: dict[bytes, Callable[[Any], object]] = {
            b"hash": redis.hgetall,
            b"string": redis.get,
            b"zset": lambda k: redis.zrange(k, 0, -1),
        }
        values.append(read[raw(redis.type(key))](key))
    return str(values).lower()


def test_the_mail_is_plain_and_whole(post: Post) -> None:
    """Sender, one recipient, a body that reads without HTML; no other subscriber's address stands in it."""
    post.subscribe(ANN, BEN)
    post.publish("e1")
    post.run()
    [mail] = post.smtp.to(ANN)
    assert isinstance(mail, Mail)
    assert isinstance(mail.message, EmailMessage)
    assert (mail.message["From"], mail.message["To"]) == ("status@example.com", ANN)
    assert BEN not in mail.raw
