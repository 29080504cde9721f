"""Mail comes in over HTTP: people's reports become incidents, replies join them, and a reply to a page answers it."""

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from benchmarks.ports import free_port
from bot.alerts.authentication import AlertSecrets
from bot.alerts.cloud.amazon import Amazon
from escalation.answers import AnswerService
from escalation.config.company import Company
from escalation.config.notify import Via
from escalation.incident.events.moves import Resolve
from escalation.incident.model import Incident
from escalation.incident.reach import How, ReachState
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.facts import Detection
from escalation.incident.state.pages import Page, PageState
from escalation.notify.mailboxes import Mailboxes
from escalation.storage.intake import Intake, Outcome
from tests.support.bot import BotAtWork, everything, patient_workspace, running_bot
from tests.support.clock import PushedClock
from tests.support.company import example_data, user
from tests.support.vendors.amazon import TOPIC, running_sns
from tests.support.vendors.mail_in import KEY, Request, Written, mailgun, sendgrid, ses
from tests.support.vendors.smtp import plain
from tests.support.worker import Works, bots_intake, redis_of, through, works
from workers.channels.smtp import MailClient
from workers.queue.outbox import post_alerts

TOKEN = "a-long-token"
BOXES = Mailboxes("tocsin@example.com", "reply@in.example.com")


@dataclass
class MailServer:
    """A real SMTP server, which keeps what it takes."""

    mails: list[tuple[list[str], EmailMessage]] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # aiosmtpd's name
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append((list(envelope.rcpt_tos), mail))
        return "250 OK"

    def page_of(self, address: str) -> EmailMessage:
        """The last page's mail to an address."""
        return [mail for to, mail in self.mails if address in to and "being paged" in mail["Subject"]][-1]


@dataclass
class Post:
    """The whole of Tocsin, a mail server, and people who write."""

    works: Works
    bot: BotAtWork
    server: MailServer

    def post(self, request: Request, query: str = f"?token={TOKEN}", **more: str) -> Any:
        raw, headers = request
        return self.bot.web.post(f"/alerts/mail{query}", content=raw, headers=headers | more)

    def taken(self, *mails: Written | Request) -> str:
        """Post mails and let the workers work; returns what became of the last."""
        for mail in mails:
            request = mailgun(mail) if isinstance(mail, Written) else mail
            assert self.post(request, "" if isinstance(mail, Written) else f"?token={TOKEN}").status_code == 200
        self.works.run()
        return self.log()[-1].result

    def log(self) -> list[Outcome]:
        found = Intake(self.works.redis, post_alerts).log(self.works.clock.now.replace(year=2000))
        return list(reversed(found))

    def incidents(self) -> list[Incident]:
        return sorted(self.works.store.recent(), key=lambda i: i.id)

    def thread(self, incident: Incident) -> str:
        """What stands under the incident's card."""
        card = self.works.now(incident).card()
        assert card
        return "\n".join(everything(m) for m in self.works.messages() if m.get("thread_ts") == card.ts)

    def paged(self) -> tuple[Incident, Page, EmailMessage]:
        """A P0, its first page, and that page's mail."""
        incident = self.works.declare("P0")
        self.works.run()
        page = self.works.now(incident).pages[0]
        return incident, page, self.server.page_of(self.address(page))

    def address(self, page: Page) -> str:
        key = self.works.service.company.key_of(page.person, self.works.store.directory())
        return f"{key}@example.com"

    def reply(self, page: Page, mail: EmailMessage, text: str, **more: Any) -> Written:
        """A reply to a page's mail, as a mail program writes it."""
        quoted = "\n".join(f"> {line}" for line in plain(mail).splitlines())
        written = Written(
            sender=self.address(page),
            to=str(mail["Reply-To"]),
            subject=f"Re: {mail['Subject']}",
            text=f"{text}\n\nOn Wed, 18 Dec 2024 at 15:30, <tocsin@example.com> wrote:\n{quoted}\n",
            id="reply-1@example.com",
            headers=(
                ("In-Reply-To", str(mail["Message-ID"])),
                ("References", f"{mail['References']} {mail['Message-ID']}"),
            ),
        )
        return replace(written, **more)

    def state(self, incident: Incident) -> PageState:
        return self.works.now(incident).pages[0].state


@pytest.fixture
def office(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Post]:
    people = {key: {"slack": user(key), "email": f"{key}@example.com"} for key in example_data()["people"]}
    changes = getattr(request, "param", {})
    company = Company.model_validate(example_data() | {"people": people} | changes)
    kept = MailServer()
    controller = Controller(kept, hostname="127.0.0.1", port=free_port())
    controller.start()
    with patient_workspace() as workspace, redis_of("valkey") as redis:
        parts = works(redis, workspace, PushedClock(), company)
        parts.service.set_up, parts.service.mailboxes = {Via.MAIL}, BOXES
        parts.service.public_url = "https://tocsin.example.com"
        client = MailClient(f"smtp://127.0.0.1:{controller.port}", "Tocsin <tocsin@example.com>")
        parts.context = through(parts.context, mail=client)
        secrets = AlertSecrets((TOKEN,), {"ALERTS_SECRET_MAIL": (KEY, PUBLIC_KEY)})
        more: dict[str, Any] = {
            "intake": bots_intake(redis),
            "alert_secrets": secrets,
            "spool": tmp_path / "spool",
        }
        with running_bot(workspace, parts.service, connected=False, **more) as bot:
            yield Post(parts, bot, kept)
    controller.stop()


SIGNING = ec.generate_private_key(ec.SECP256R1())
PUBLIC_KEY = base64.b64encode(
    SIGNING.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
).decode()


# Reports -----------------------------------------------------------------------------------------------------------


def test_a_colleagues_mail_declares_an_incident_in_their_name(office: Post) -> None:
    """A user's report, with its words and the names of what is attached; its severity is assumed, and said to be."""
    assert office.taken(Written(files={"shot.png": b"\x89PNG"})) == "declared"
    [incident] = office.incidents()
    assert incident.facts.title == "Checkout is down"
    assert "Nobody can pay." in incident.facts.description
    assert "shot.png" in incident.facts.description
    assert (incident.reporter, incident.facts.detection) == (user("dana"), Detection.USER_REPORT)
    card = next(everything(m) for m in office.works.messages() if incident.id in everything(m))
    assert "*Reported by email:* 1 report · severity assumed" in card
    assert "firing" not in card


@pytest.mark.parametrize("post", [mailgun, sendgrid, ses])
def test_a_strangers_mail_declares_in_the_name_of_its_address(office: Post, post: Any) -> None:
    """And says so where nothing proves that address. A known one is no proof of a colleague either."""
    office.taken(post(Written(sender="Eve <eve@customer.example>")))
    claimed = Written(subject="Search is down", id="two@x.example", spf="", dkim="")
    office.taken(post(claimed))
    reporters = [incident.reporter for incident in office.incidents()]
    assert reporters == ["machine:eve@customer.example", "machine:dana@example.com (unverified)"]
    assert "eve@customer.example" in str(office.works.messages())


@pytest.mark.parametrize(
    "forged",
    [
        Written(spf="fail", dkim=""),
        Written(spf="softfail", dkim="fail"),
        Written(envelope="x@evil.example", signer="evil.example"),
        Written(sender="dana@example.com, x@evil.example"),
        Written(sender="Tocsin <tocsin@example.com>"),
        Written(id="INC-20241218-001-4@example.com"),
        Written(headers=(("Auto-Submitted", "auto-replied"),)),
        Written(envelope=""),
    ],
)
def test_what_is_forged_or_automatic_is_dropped_and_counted(office: Post, forged: Written) -> None:
    """The sender's service is told that it was taken, and the list of what was dropped says why."""
    assert office.taken(forged).startswith("dropped: ")
    assert office.log()[-1].title == forged.subject
    assert office.incidents() == []
    assert office.works.counted("alerts_total", source="mail", result="dropped") == 1


def test_the_same_mail_twice_is_one_report(office: Post) -> None:
    """Whether the service repeats it, or delivers it to two of our addresses."""
    office.taken(Written(), replace(Written(), to="help@in.example.com"))
    assert office.taken(Written()) == "repeated"
    [incident] = office.incidents()
    assert not [entry for entry in incident.timeline if entry.kind is EntryKind.MAIL]


def test_a_reply_joins_the_incident_of_its_thread(office: Post) -> None:
    """It is read in the thread, under whoever wrote it, without what it quotes; also after the incident is resolved."""
    office.taken(Written())
    thread = ("References", "<one@example.com>")
    reply = Written(
        sender="Omar <omar@example.com>", subject="Re: Checkout is down", id="two@example.com", headers=(thread,)
    )
    assert office.taken(replace(reply, text="Search <!channel> is down too.\n\n> Nobody can pay.")) == "added"
    [incident] = office.incidents()
    office.works.service.handle(incident.id, Resolve(by=user("dana"), summary="s", resolution="r"))
    again = ("In-Reply-To", "<two@example.com>")
    later = replace(reply, id="three@x.example", sender="eve@customer.example", text="Still down!", headers=(again,))
    assert office.taken(later, later) == "repeated"
    [incident] = office.incidents()
    assert [(e.by, e.text) for e in incident.timeline if e.kind is EntryKind.MAIL] == [
        (user("omar"), "Search <!channel> is down too."),
        ("machine:eve@customer.example", "Still down!"),
    ]
    said = office.thread(incident)
    assert "wrote by email" in said
    assert "&lt;!channel&gt;" in said
    assert "<!channel>" not in said
    assert "Still down!" in said


@pytest.mark.parametrize("words", ["<" * 9000, "&\n" * 5000, "\u202eevil\u2066 <!here> *_~` <@U0DANA0001>", "ﷺ" * 9000])
def test_hostile_words_arrive_and_harm_nothing(office: Post, words: str) -> None:
    """Cut to what a message takes, escaped, without marks that turn its direction."""
    office.taken(Written(subject=" ".join(words[:300].split()), text=words))
    reply = Written(id="two@example.com", text=words, headers=(("References", "<one@example.com>"),))
    assert office.taken(reply) == "added"
    office.works.run_for(10, step=1)
    [incident] = office.incidents()
    assert office.works.now(incident).effects == ()
    said = office.thread(incident)
    assert "wrote by email" in said
    assert not {"\u202e", "\u2066", "<!here>"} & set(said.split())


def test_a_reply_that_overtakes_its_report_is_not_lost(office: Post) -> None:
    """Both in one batch, the reply first: one incident, and both are read."""
    reply = Written(id="two@example.com", text="And search.", headers=(("References", "<one@example.com>"),))
    office.taken(reply, Written())
    [incident] = office.incidents()
    assert "And search." in str(incident.timeline) + incident.facts.description
    assert "Nobody can pay." in str(incident.timeline) + incident.facts.description


ROUTES = [
    {"match": {"source": "mail", "labels": {"sender": "verified"}}, "severity": "P0"},
    {"match": {"source": "mail"}, "hold": True},
]


@pytest.mark.parametrize("office", [{"alerts": {"routes": ROUTES}}], indirect=True)
def test_routes_decide_what_a_mail_may_do(office: Post) -> None:
    """Its checks are a label, so that what is not proven may wait for a click."""
    office.taken(Written())
    assert (
        office.taken(Written(sender="eve@customer.example", subject="Hm", id="2@x.example", spf="", dkim="")) == "held"
    )
    assert [incident.severity for incident in office.incidents()] == ["P0"]


@pytest.mark.parametrize("office", [{"permissions": {"declare": ["on_call"]}}], indirect=True)
def test_who_may_not_declare_reports_all_the_same(office: Post) -> None:
    """Where the configuration narrows that, other people's mail waits in the list for somebody who may."""
    (on_call, *_) = office.works.service.roster(office.works.clock.now).of("on_call")
    key = office.works.service.company.key_of(on_call, office.works.store.directory())
    other = "dana" if key != "dana" else "erik"
    assert office.taken(Written(sender=f"{other}@example.com")) == "held"
    assert office.taken(Written(sender="eve@customer.example", subject="Hm", id="2@x.example")) == "held"
    assert office.incidents() == []
    assert office.taken(Written(sender=f"{key}@example.com", subject="Search", id="3@x.example")) == "declared"


# Who lets it in ------------------------------------------------------------------------------------------------------


def test_each_service_is_let_in_by_its_own_way(office: Post) -> None:
    """Mailgun by its signature, SendGrid by its own or the token, SES by the token; and nobody else."""
    raw, headers = sendgrid(Written())
    stamp = str(int(time.time()))
    signature = base64.b64encode(SIGNING.sign(stamp.encode() + raw, ec.ECDSA(SHA256()))).decode()
    name = "x-twilio-email-event-webhook"
    signed = {f"{name}-timestamp": stamp, f"{name}-signature": signature}
    assert office.post(mailgun(Written()), "").status_code == 200
    assert office.post((raw, headers), "", **signed).status_code == 200
    for request in (sendgrid(Written()), ses(Written())):
        assert office.post(request).status_code == 200
        assert office.post(request, "").status_code == 401
        assert office.post(request, "?token=wrong-token").status_code == 401
    for refused in (mailgun(Written(), key="another-key"), mailgun(Written(), age=400), mailgun(Written(), age=-400)):
        assert office.post(refused, "").status_code == 401
    assert office.post((raw + b" ", headers), "", **signed).status_code == 401
    assert office.post((raw, headers), "", **signed | {f"{name}-signature": "%%%"}).status_code == 401


def test_amazons_signature_lets_its_mail_in_where_the_topic_is_listed(tmp_path: Path) -> None:
    """The subscription confirms itself, and what is not signed is refused, whatever token it brings."""
    with patient_workspace() as workspace, redis_of("fakeredis") as redis, running_sns() as sns:
        parts = works(redis, workspace)
        secrets = AlertSecrets((TOKEN,), {"ALERTS_SNS_TOPICS": (TOPIC,)})
        more: dict[str, Any] = {
            "intake": bots_intake(redis),
            "alert_secrets": secrets,
            "spool": tmp_path / "spool",
        }
        with running_bot(workspace, parts.service, amazon=Amazon(sns.transport), **more) as bot:
            office = Post(parts, bot, MailServer())
            raw, kind = ses(Written())
            signed = [sns.message("SubscriptionConfirmation"), sns.message(Message=json.loads(raw)["Message"])]
            bodies = [json.dumps(message).encode() for message in signed]
            assert [office.post((body, kind), "").status_code for body in bodies] == [200, 200]
            assert office.post((raw, kind)).status_code == 401
            parts.run()
            assert [outcome.result for outcome in office.log()] == [
                "note: the subscription of alarms is confirmed",
                "declared",
            ]


def test_a_signature_of_mailguns_is_used_once(office: Post) -> None:
    """It does not cover the mail, so whoever has seen one could put it on another."""
    assert office.taken(mailgun(Written(), token="t" * 50)) == "declared"
    assert office.post(mailgun(Written(subject="Forged", id="2@x.example"), token="t" * 50), "").status_code == 200
    office.works.run()
    assert [incident.facts.title for incident in office.incidents()] == ["Checkout is down"]


@pytest.mark.parametrize("post", [mailgun, sendgrid])
def test_a_mail_of_24_megabytes_is_taken_and_little_of_it_kept(office: Post, post: Any) -> None:
    """Other addresses still take one, and this one no more than 25."""
    large = post(Written(files={"dump.bin": b"z" * 24_000_000}))
    assert office.taken(large) == "declared"
    kept = sum(office.works.redis.memory_usage(key) or 0 for key in office.works.redis.scan_iter("tocsin:intake:*"))
    assert kept < 50_000
    assert office.post(post(Written(files={"dump.bin": b"z" * 25_500_000}))).status_code == 413
    assert office.bot.web.post(f"/alerts/generic?token={TOKEN}", content=b"z" * 1_100_000).status_code == 413


# Answers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("post", [mailgun, sendgrid, ses])
def test_a_reply_to_a_page_acknowledges_it(office: Post, post: Any) -> None:
    """That page, as its person, by email: with Slack away, and shown on the card afterwards."""
    office.works.slack_away()
    incident, page, mail = office.paged()
    assert "reply to this email with 1" in plain(mail)
    assert office.taken(post(office.reply(page, mail, "1"))) == "acknowledged"
    now = office.works.now(incident)
    assert now.acknowledgement
    assert now.acknowledgement.by == page.person
    assert (now.pages[0].state, now.pages[0].how) == (PageState.ANSWERED, How.MAIL)
    assert [(reach.via, reach.state) for reach in now.pages[0].reached] == [(Via.MAIL, ReachState.ANSWERED)]
    office.works.slack_back()
    office.works.run_for(40, step=2)
    assert any("by email" in everything(m) for m in office.works.messages() if incident.id in everything(m))


def test_who_cannot_take_it_says_so_by_mail(office: Post) -> None:
    """The page is declined, and the next person is paged."""
    incident, page, mail = office.paged()
    assert office.taken(office.reply(page, mail, "2")) == "declined"
    assert office.state(incident) is PageState.DECLINED
    assert len(office.works.now(incident).pages) > len(incident.pages)


@pytest.mark.parametrize(
    "changes",
    [
        {"sender": "eve@customer.example"},
        {"sender": "erik@example.com"},
        {"spf": "fail", "dkim": ""},
        {"envelope": "x@evil.example", "signer": "evil.example"},
        {"headers": (("Auto-Submitted", "auto-replied"),)},
        {"envelope": ""},
        {"subject": "Automatic reply: [P0] You're being paged"},
        {"to": "reply+inc-20241218-001.1.aaaaaaaaaaaaaaaaaaaaaaaa@in.example.com"},
        {"text": "I am out of office until Monday."},
        {"text": "ok, but not before nine"},
        {"text": "> Or reply to this email with 1 to acknowledge"},
        {"text": "9999"},
    ],
)
def test_nothing_else_acknowledges(office: Post, changes: dict[str, Any]) -> None:
    """Another's address, a forged one, an automatic answer, words that leave it open, a quotation."""
    incident, page, mail = office.paged()
    words = {"text": "1"} | changes
    office.taken(office.reply(page, mail, words.pop("text"), **words))
    assert office.state(incident) is PageState.OPEN
    assert not office.works.now(incident).acknowledgement
    assert len(office.incidents()) == 1


def test_what_is_no_answer_is_read_in_the_thread(office: Post) -> None:
    """Nobody is guessing, and the words are not lost."""
    incident, page, mail = office.paged()
    assert office.taken(office.reply(page, mail, "ok, but not before nine")) == "added"
    assert "ok, but not before nine" in office.thread(incident)
    assert "You're being paged" not in office.thread(incident).split("wrote by email")[1]


def test_what_follows_an_answer_is_read_too(office: Post) -> None:
    """The page is answered, and the thread has the words."""
    incident, page, mail = office.paged()
    assert office.taken(office.reply(page, mail, "Hi,\n\non it.\nThe disk of db1 is full.")) == "acknowledged"
    assert "The disk of db1 is full." in office.thread(incident)


def test_a_reply_twice_is_one_answer(office: Post) -> None:
    """And a later word in the same thread is read."""
    incident, page, mail = office.paged()
    answer = office.reply(page, mail, "1")
    assert office.taken(answer, answer) == "repeated"
    later = office.reply(page, mail, "1", id="reply-2@example.com")
    assert office.taken(later).startswith("refused: ")
    assert len([e for e in office.works.now(incident).timeline if e.kind is EntryKind.ACKNOWLEDGED]) == 1


def test_two_people_who_answer_at_once_both_have(office: Post) -> None:
    """The first acknowledges the incident, the other joins; each answers their own page."""
    incident = office.works.declare("P0")
    office.works.run()
    office.works.clock.push(minutes=16)
    office.works.run()
    pages = [page for page in office.works.now(incident).pages if page.state is PageState.OPEN]
    first, second = (
        next(p for p in pages if p.person == who) for who in list(dict.fromkeys(p.person for p in pages))[:2]
    )
    mails = [
        office.reply(page, office.server.page_of(office.address(page)), "1", id=f"reply-{n}@example.com")
        for n, page in enumerate((first, second))
    ]
    office.taken(*mails)
    now = office.works.now(incident)
    assert now.acknowledgement
    assert {now.page(first.n).how, now.page(second.n).how} == {How.MAIL}


@pytest.mark.parametrize(("text", "became"), [("{}", "acknowledged"), ("{} 2", "declined")])
def test_a_code_answers_from_its_persons_address(office: Post, text: str, became: str) -> None:
    """Where a mail program drops the address for answers, or the code came by SMS."""
    incident, page, _ = office.paged()
    code = AnswerService(office.works.service).code(incident, page)
    written = Written(sender=office.address(page), subject="page", text=text.format(code))
    assert office.taken(replace(written, sender="erik@example.com", id="0@x.example")).startswith("dropped: ")
    assert office.taken(written) == became


def test_a_reply_without_the_pages_address_is_an_answer_where_the_sender_is_proven(office: Post) -> None:
    """It names our mail, and its person's own page is meant."""
    incident, page, mail = office.paged()
    plain = office.reply(page, mail, "on it", to="tocsin@in.example.com")
    assert office.taken(replace(plain, spf="", dkim="", id="0@x.example")) == "added"
    assert office.taken(plain) == "acknowledged"
    assert [i.id for i in office.incidents()] == [incident.id]


def test_a_private_incident_is_answered_like_any_other(office: Post) -> None:
    """Its mail says no word of it, and neither does the list of what came."""
    incident = office.works.declare("P0", title="zebra", security=True)
    office.works.run()
    page = office.works.now(incident).pages[0]
    mail = office.server.page_of(office.address(page))
    assert "zebra" not in str(mail)
    guessed = replace(office.reply(page, mail, "hm", to="x@in.example.com"), spf="", dkim="", id="0@x.example")
    assert office.taken(guessed).startswith("dropped: ")
    assert office.taken(office.reply(page, mail, "1")) == "acknowledged"
