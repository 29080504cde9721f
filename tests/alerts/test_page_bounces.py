"""The mail of a page comes back: its person's next method is taken at once, and the card says why."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from email.message import Message
from email.mime.message import MIMEMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from typing import Any
from unittest.mock import Mock

import pytest

from bot.alerts.authentication import AlertSecrets
from bot.alerts.mail.message import InboundMail
from bot.alerts.mail.mime import message
from bot.render.card import card
from escalation.config.notify import By, Notify, NotifyStep, Via
from escalation.incident.events.moves import Acknowledge
from escalation.incident.model import Incident
from escalation.incident.reach import ReachState
from escalation.incident.state.entries import EntryKind
from escalation.notify.mailboxes import Mailboxes
from escalation.storage.intake import Intake
from tests.support.bot import BotAtWork, everything, running_bot
from tests.support.outside_services import Mail, MailServer
from tests.support.vendors import push
from tests.support.vendors.mail_in import KEY, Request, Written, mailgun, sendgrid, ses
from tests.support.vendors.push import NtfyStandIn
from tests.support.vendors.server import running
from tests.support.worker import Works, bots_intake, redis_of, through, works
from tests.workers.people.test_pages import company
from workers.channels.people.ntfy import NtfyClient
from workers.channels.smtp import MailClient
from workers.queue.outbox import post_alerts

TOKEN = "a-long-token"
UNKNOWN = ("failed", "5.1.1", "smtp; 550 5.1.1 <dana@example.com>: no such user")
DELAYED = ("delayed", "4.4.1", "smtp; 451 4.4.1 no answer from host")
BOXES = Mailboxes("tocsin@example.com", "reply@in.example.com")


def report(mail: Mail, to: str, action: str, status: str, diagnosis: str, *, whole: bool = False) -> Written:
    """Report of a mail server about a mail of ours (RFC 3464), as Postfix writes it; it returns its headers or all."""
    made = MIMEMultipart("report", report_type="delivery-status")
    made["From"], made["To"], made["Subject"] = "MAILER-DAEMON@mx.example.com", to, "Undelivered Mail"
    made["Message-ID"], made["Auto-Submitted"] = "<dsn-1@mx.example.com>", "auto-replied"
    made.attach(MIMEText("I'm sorry to have to inform you that your message could not be delivered."))
    server, recipient, told = Message(), Message(), Message()
    server["Reporting-MTA"] = "dns; mx.example.com"
    recipient["Final-Recipient"], recipient["Action"] = f"rfc822; {mail.to[0]}", action
    recipient["Status"], recipient["Diagnostic-Code"] = status, diagnosis
    told["Content-Type"] = "message/delivery-status"
    told.set_payload([server, recipient])
    made.attach(told)
    headers = "".join(f"{name}: {value}\n" for name, value in mail.message.items())
    made.attach(MIMEMessage(mail.message) if whole else MIMEText(headers, "rfc822-headers"))
    return Written(sender=str(made["From"]), to=to, subject=str(made["Subject"]), envelope="", ready=made)


@dataclass
class Office:
    """A worker that pages by mail, and a minute later by ntfy; and a bot that takes mail in."""

    works: Works
    bot: BotAtWork
    smtp: MailServer
    ntfy: NtfyStandIn

    def paged(self) -> tuple[Incident, Mail]:
        """A P0, and the mail of its first page."""
        incident = self.works.declare("P0")
        self.works.run()
        self.first = self.works.service.company.people[incident.pages[0].person]
        [mail] = [m for m in self.smtp.mails if self.first.email in m.to and "being paged" in m.subject]
        return self.works.now(incident), mail

    def came(self, request: Request) -> str:
        raw, headers = request
        answer = self.bot.web.post(f"/alerts/mail?token={TOKEN}", content=raw, headers=headers)
        assert answer.status_code == 200
        self.works.run()
        log = Intake(self.works.redis, post_alerts).log(self.works.clock.now.replace(year=2000))
        return log[0].result

    def pushed(self) -> list[str]:
        return [sent["topic"] for sent in self.ntfy.published]

    @property
    def only(self) -> list[str]:
        """The topic of the first who was paged."""
        return [str(self.first.ntfy)]

    def state(self, incident: Incident) -> tuple[ReachState, str]:
        [reach] = [r for r in self.works.now(incident).pages[0].reached if r.via is Via.MAIL]
        return reach.state, reach.why


@pytest.fixture
def office(smtp: MailServer) -> Iterator[Office]:
    steps = (NotifyStep(by=(By.MAIL,)), NotifyStep(after=timedelta(minutes=1), by=(By.NTFY,)))
    with redis_of("fakeredis") as redis, running(NtfyStandIn()) as ntfy:
        parts = works(redis, company=company().model_copy(update={"notify": Notify(urgent=steps)}))
        parts.service.set_up, parts.service.mailboxes = {Via.MAIL, Via.NTFY}, BOXES
        parts.service.public_url = "https://tocsin.example.com"
        mail, own = MailClient(smtp.url, "Tocsin <tocsin@example.com>"), NtfyClient(ntfy.url, push.NTFY_TOKEN)
        parts.context = through(parts.context, mail=mail, ntfy=own)
        secrets = AlertSecrets((TOKEN,), {"ALERTS_SECRET_MAIL": (KEY,)})
        workspace = Mock(bot_token="xoxb-1", app_token="xapp-1", signing_secret="s", api_url="http://127.0.0.1:9/")
        more: dict[str, Any] = {"intake": bots_intake(redis), "alert_secrets": secrets}
        with running_bot(workspace, parts.service, connected=False, **more) as bot:
            yield Office(parts, bot, smtp, ntfy)


@pytest.mark.parametrize("service", [lambda m: mailgun(m, mime=True), lambda m: sendgrid(m, raw=True), ses])
@pytest.mark.parametrize("whole", [True, False])
def test_a_page_whose_mail_comes_back_goes_by_the_next_method_at_once(
    office: Office, service: Any, whole: bool
) -> None:
    """The report comes to the page's own bounce address; that person alone is pushed, and the card says why."""
    incident, mail = office.paged()
    assert mail.sender.startswith("reply+b-inc-")
    assert mail.message["From"] == "Tocsin <tocsin@example.com>"
    assert not office.pushed()
    assert office.came(service(report(mail, mail.sender, *UNKNOWN, whole=whole))) == "bounced"
    assert office.pushed() == office.only
    state, why = office.state(incident)
    assert state is ReachState.FAILED
    assert why == "it came back: 5.1.1 smtp; 550 5.1.1 <dana@example.com>: no such user"
    after = office.works.now(incident)
    [entry] = [e for e in after.timeline if e.kind is EntryKind.REFUSED]
    assert entry.people == (incident.pages[0].person,)
    assert "email failed (it came back: 5.1.1 smtp; 550 5.1.1 &lt;dana@" in everything(
        {"blocks": card(after, ()).blocks}
    )


def test_a_report_that_comes_to_the_sender_is_known_by_what_it_returns(office: Office) -> None:
    """Where SMTP_FROM is read by us as well: the token stands in the Reply-To of the mail that came back."""
    incident, mail = office.paged()
    assert office.came(mailgun(report(mail, "tocsin@example.com", *UNKNOWN), mime=True)) == "bounced"
    assert office.pushed() == office.only
    assert office.state(incident)[0] is ReachState.FAILED


def test_a_delay_an_absence_note_and_a_repeat_take_no_step(office: Office) -> None:
    """The mail may still arrive, or did: the next method comes at its own time. A second report changes nothing."""
    incident, mail = office.paged()
    assert office.came(mailgun(report(mail, mail.sender, *DELAYED), mime=True)).startswith("dropped: ")
    absent = Written(to=mail.sender, id="absent@x.example", headers=(("Auto-Submitted", "auto-replied"),))
    assert office.came(mailgun(absent)) == "dropped: it answers the sender of a page's mail"
    assert not office.pushed()
    assert office.state(incident) == (ReachState.ACCEPTED, "")
    for _ in range(2):
        office.came(mailgun(report(mail, mail.sender, *UNKNOWN), mime=True))
    assert office.pushed() == office.only
    assert len([e for e in office.works.now(incident).timeline if e.kind is EntryKind.REFUSED]) == 1


def test_a_bounce_of_an_answered_page_calls_nobody(office: Office) -> None:
    """Whoever has acknowledged is not rung again by a mail that comes back late."""
    incident, mail = office.paged()
    office.works.service.handle(incident.id, Acknowledge(by=incident.pages[0].person))
    office.came(mailgun(report(mail, mail.sender, *UNKNOWN), mime=True))
    assert office.only[0] not in office.pushed()


@pytest.mark.parametrize("to", ["reply+b-inc-20241218-001.1.aaaaaaaaaaaaaaaaaaaaaaaa@in.example.com", "reply+b-@in.x"])
def test_a_forged_bounce_changes_nothing(office: Office, to: str) -> None:
    """Without the page's own token nobody can have somebody called."""
    incident, mail = office.paged()
    del mail.message["Reply-To"]
    assert office.came(mailgun(report(mail, to, *UNKNOWN), mime=True)).startswith("dropped: ")
    assert office.state(incident)[0] is ReachState.ACCEPTED
    assert not office.pushed()


def test_a_server_that_takes_mail_from_one_sender_only_gets_it_from_there(office: Office) -> None:
    """A page goes without its bounce address rather than not at all."""
    office.smtp.refusing_from = {"reply+b-": "553 5.7.1 sender not verified"}
    incident, mail = office.paged()
    assert mail.sender == "tocsin@example.com"
    assert office.state(incident)[0] is ReachState.ACCEPTED


@pytest.mark.parametrize(
    ("sender", "reply_to", "own"),
    [
        ("tocsin@example.com", "reply@in.example.com", True),
        ("tocsin@mail.example.com", "reply@example.com", True),
        ("tocsin@example.com", "reply@example.com", True),
        ("tocsin@example.com", "reply@other.example", False),
        ("tocsin@example.com", "reply@notexample.com", False),
        ("tocsin@example.com", "", False),
        ("", "reply@example.com", False),
    ],
)
def test_a_page_bounces_within_the_senders_organisation(sender: str, reply_to: str, own: bool) -> None:
    """Another domain in the envelope would fail SPF: such mail goes with the sender's own address."""
    address = Mailboxes(sender, reply_to).page_bounce_address("t1")
    assert bool(address) is own
    assert Mailboxes(sender, reply_to).bounced_page([address.upper()]) == ("t1" if own else "")


@pytest.mark.parametrize("raw", [b"", b"Content-Type: multipart/report\n\n", b"Content-Type: multipart/report; boundary=x\n\n--x\nContent-Type: message/delivery-status\n\nAction\n: : \n\xff\n--x\nContent-Type: message/rfc822\n\n\n--x--\n"])  # fmt: skip  # noqa: E501 - mails
def test_a_broken_report_is_read_as_far_as_it_goes(raw: bytes) -> None:
    """Nothing in a mail is trusted to be well made."""
    found = message(raw).report
    assert InboundMail(diagnosis=found.diagnosis, returned=found.returned)
