"""The ways beside Slack: mail and PagerDuty with every page, or when Slack is away, once each as far as they can."""

import smtplib
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage

import pytest

from escalation.answers import AnswerService
from escalation.config.notify import OtherWays, Via
from escalation.config.policy import Severity
from escalation.incident.effects import MailOut, PageBy
from escalation.incident.events.moves import Acknowledge, ChangeSeverity, Escalate, MarkSecurity, PostUpdate, Resolve
from escalation.incident.events.outcomes import Delivered
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.pages import PageState
from escalation.messages.entries.paging import otherwise
from escalation.messages.mail import Mail, stakeholder_mail
from escalation.messages.template import WORDING
from tests.support.clock import PushedClock
from tests.support.company import example
from tests.support.outside_services import CERTIFICATE, MailServer, PagingService, mail_server
from tests.support.story import Story
from tests.support.worker import SlackByClock, Works, redis_of, through, works
from tocsin.config.settings import Environment, SettingsError, read
from tocsin.run import channels
from workers.channels.failures import Failed, Kind
from workers.channels.pagerduty import PagerDutyClient
from workers.channels.smtp import MailClient
from workers.channels.tls import ssl_context
from workers.delivery.mail import MailPlanner

PAGING = OtherWays(page=(Via.MAIL, Via.PAGERDUTY))
FALLING_BACK = OtherWays(slack_down=(Via.MAIL, Via.PAGERDUTY), after=timedelta(seconds=30))
LETTER = Mail("You are paged", "It is on fire")
MARKER = "zebra crossing"


@pytest.fixture
def parts(slack_by_clock: SlackByClock, smtp: MailServer, paging: PagingService) -> Iterator[Works]:
    workspace, clock = slack_by_clock
    with redis_of("valkey") as redis:
        clock.now = PushedClock().now
        made = works(redis, workspace, clock, example())
        made.control("reset")
        mail, pagerduty = MailClient(smtp.url, "tocsin@example.com"), PagerDutyClient("key", paging.url)
        made.context = through(made.context, mail=mail, pagerduty=pagerduty)
        yield made


def using(parts: Works, other_ways: OtherWays) -> Works:
    parts.service.company = example().model_copy(update={"other_ways": other_ways})
    return parts


# With every page -----------------------------------------------------------------------------------------------------


def test_a_page_goes_by_mail_too(parts: Works, smtp: MailServer) -> None:
    """One for each person, from us, with the delivery's id, why they are paged and where to answer."""
    incident = using(parts, PAGING).declare("P0")
    sends = {e.id for e in incident.effects if isinstance(e, PageBy)}
    parts.run()
    parts.settled(incident)
    assert {m.id for m in smtp.mails} == {f"<{delivery}@example.com>" for delivery in sends}
    people = {p.person for p in parts.now(incident).pages}
    addresses = parts.store.directory().people
    assert {m.to[0] for m in smtp.mails} == {a for a, member in addresses.items() if member in people}
    mail = smtp.mails[0]
    assert mail.sender == "tocsin@example.com"
    assert mail.subject == f"[P0] You're being paged: Checkout is down ({incident.id})"
    assert "Nobody can pay" in mail.body
    assert f"/incident ack {incident.id}" in mail.body
    assert mail.message["Auto-Submitted"] == "auto-generated"


def test_a_page_is_one_mail_and_those_of_one_incident_stand_in_one_thread(parts: Works, smtp: MailServer) -> None:
    """A page is mailed once, repeats or not; all of one incident have one root and subject, another has its own."""
    incident = using(parts, PAGING).declare("P0")
    parts.run()
    parts.run_for(601, step=50)
    pages = list(smtp.mails)
    assert len(pages) == len({m.to[0] for m in pages}) > 1
    assert len({m.subject for m in pages}) == 1
    assert len({m.message["References"] for m in pages}) == 1
    assert all(m.message["In-Reply-To"] == m.message["References"] != m.id for m in pages)
    parts.declare("P0", title="Another")
    parts.run()
    roots = {m.message["References"] for m in smtp.mails if incident.id not in m.subject}
    assert len(roots) == 1
    assert roots.isdisjoint({pages[0].message["References"]})


def test_the_mail_of_a_page_holds_the_link_that_answers_it(parts: Works, smtp: MailServer) -> None:
    """Its plain text and its HTML hold the whole link, and no machine is asked to reply."""
    parts.service.public_url = "https://tocsin.example.com"
    incident = using(parts, PAGING).declare("P0", title="A <b>& C")
    parts.run()
    answers = AnswerService(parts.service)
    links = {answers.link(incident, page) for page in incident.pages}
    mails = list(smtp.mails)
    assert {next(link for link in links if link in mail.body) for mail in mails} == links
    assert all(f'href="{next(link for link in links if link in mail.body)}"' in mail.html for mail in mails)
    assert all("A &lt;b&gt;&amp; C" in mail.html for mail in mails)
    assert {mail.message["X-Auto-Response-Suppress"] for mail in mails} == {"All"}


def test_communications_of_one_incident_stand_in_one_thread() -> None:
    """First word, update and end have the same subject and the same root."""
    story = Story().until(20).do(PostUpdate(by="U1", progress="We look")).until(31)
    story.do(Resolve(by="U1", summary="The pool", resolution="Larger"))
    told = [e for e in story.incident.timeline if e.fields.get("plan") == "stakeholders" and "status" in e.fields]
    mails = [stakeholder_mail(story.incident, entry, WORDING, {}) for entry in told]
    assert len(mails) > 2
    assert len({(mail.subject, mail.thread) for mail in mails}) == 1


def test_pagerduty_follows_the_incident(parts: Works, paging: PagingService) -> None:
    """Triggered, acknowledged and resolved under the incident's id, once each, however many people are paged."""
    incident = using(parts, PAGING).declare("P0")
    parts.run()
    parts.service.handle(incident.id, Acknowledge(by="U0MEI00001"))
    parts.run()
    parts.service.handle(incident.id, Resolve(by="U0MEI00001", summary="The pool", resolution="Larger"))
    parts.run()
    assert paging.actions(incident.id) == ["trigger", "acknowledge", "resolve"]
    payload = paging.events[0]["payload"]
    assert payload["summary"] == f"P0 Checkout is down ({incident.id})"
    assert payload["severity"] == "critical"
    assert paging.events[0]["routing_key"] == "key"


def test_a_private_incident_says_no_word_of_what_it_is(parts: Works, smtp: MailServer, paging: PagingService) -> None:
    """Mail and paging services are read by others."""
    using(parts, PAGING).declare("P0", title=MARKER, impact=MARKER, security=True)
    parts.run()
    assert smtp.mails
    assert all("security incident" in m.subject for m in smtp.mails)
    assert MARKER not in str([(m.subject, m.body) for m in smtp.mails])
    assert paging.events
    assert MARKER not in str(paging.events)


def test_a_drill_never_leaves_slack(parts: Works, smtp: MailServer, paging: PagingService) -> None:
    """Nobody is paged for an exercise."""
    made = using(parts, PAGING).declare("P0")
    parts.service.declare("UPAULA", made.severity, made.facts, drill_speed=1.0)
    parts.run()
    told = len(smtp.mails), len(paging.events)
    assert told == (len(made.pages), 1)


# Refusals ------------------------------------------------------------------------------------------------------------


def test_a_server_that_says_later_is_asked_later(parts: Works, smtp: MailServer) -> None:
    """Greylisting: 451, then it is taken, under the same id."""
    smtp.refusing["RCPT"] = "451 try again later"
    incident = using(parts, PAGING).declare("P0")
    parts.run()
    assert not smtp.mails
    assert any(isinstance(e, PageBy) for e in parts.now(incident).effects)
    smtp.refusing.clear()
    parts.run_for(10, step=1)
    parts.settled(incident)
    assert len({m.id for m in smtp.mails}) == len(smtp.mails) == len(parts.now(incident).pages)


def test_an_address_that_is_refused_for_good_is_left(parts: Works, smtp: MailServer) -> None:
    """550 5.1.1: it is said, the page itself stands in Slack, and the mail is not tried for ever."""
    smtp.refusing["RCPT"] = "550 5.1.1 no such user"
    incident = using(parts, PAGING).declare("P0")
    parts.run()
    parts.settled(incident)
    assert not smtp.mails
    assert parts.counted("deliveries_total", kind="page_by", result="refused") == 3
    said = [e for e in parts.now(incident).timeline if e.fields.get("via") == "page_by"]
    keys = {parts.service.company.key_of(p, parts.store.directory()) or p for e in said for p in e.people}
    assert keys == {p.person for p in incident.pages}
    assert all("does not know the address" in e.why for e in said)
    assert parts.now(incident).tiers_paged == (1,)
    assert all(p.state is PageState.OPEN for p in parts.now(incident).pages)


def test_a_refusal_because_of_us_is_said_aloud_and_retried(parts: Works, paging: PagingService) -> None:
    """A wrong key can be mended."""
    paging.statuses += [400] * 3
    incident = using(parts, PAGING).declare("P0")
    parts.run()
    assert any("400" in why for why in parts.now(incident).troubles.values())
    parts.run_for(200, step=20)
    assert paging.actions(incident.id) == ["trigger"]
    assert not parts.now(incident).troubles


@pytest.mark.parametrize(
    ("command", "answer", "kind"),
    [
        (command, answer, kind)
        for command in ("RCPT", "MAIL", "DATA")
        for answer, kind in (
            ("450 mailbox busy", Kind.PASSING),
            ("421 4.3.2 going down", Kind.PASSING),
            ("452 no room", Kind.PASSING),
            ("550 5.1.1 no such user", Kind.PERSON),
            ("553 5.1.3 bad syntax", Kind.PERSON),
            ("550 5.1.8 sender's domain not found", Kind.OURS),
            ("554 5.7.1 Relay access denied", Kind.OURS),
            ("550 relay not permitted", Kind.OURS),
            ("554 this is spam", Kind.OURS),
            ("530 5.7.0 log in first", Kind.OURS),
            ("535 5.7.8 wrong password", Kind.OURS),
            ("503 bad sequence", Kind.OURS),
            ("521 takes no mail", Kind.OURS),
        )
    ],
)
def test_each_answer_of_a_mail_server_has_its_kind(smtp: MailServer, command: str, answer: str, kind: Kind) -> None:
    """4xx passes, 5.1.x is the person's, and all else is ours, whichever command it answers."""
    smtp.refusing[command] = answer
    with pytest.raises(Failed) as failed:
        MailClient(smtp.url, "tocsin@example.com").send(["dana@example.com"], LETTER, "d-1")
    assert failed.value.kind is kind


@pytest.mark.parametrize("answer", ["554 5.7.1 Relay access denied", "530 5.7.0 log in first", "521 takes no mail"])
def test_a_mail_server_that_refuses_us_is_our_trouble(parts: Works, smtp: MailServer, answer: str) -> None:
    """It stands on the card and is tried again: nobody's page by mail is dropped for it."""
    smtp.refusing["RCPT"] = answer
    incident = using(parts, PAGING).declare("P0")
    parts.run()
    assert any(answer[:3] in why for why in parts.now(incident).troubles.values())
    smtp.refusing.clear()
    parts.run_for(200, step=20)
    assert len(smtp.mails) == len(parts.now(incident).pages)
    assert not parts.now(incident).troubles


def test_each_recipient_is_decided_alone(smtp: MailServer) -> None:
    """Three addresses, three answers, and the fourth has its mail."""
    people = [f"{name}@example.com" for name in ("later", "bad", "denied", "good")]
    answers = ("450 mailbox busy", "550 5.1.1 no such user", "554 5.7.1 Relay access denied")
    smtp.refusing_to = dict(zip(people, answers, strict=False))
    failures = MailClient(smtp.url, "tocsin@example.com").send_each(people, LETTER, "d-1")
    assert [failures[p].kind for p in people[:3]] == [Kind.PASSING, Kind.PERSON, Kind.OURS]
    assert [m.to for m in smtp.mails] == [["good@example.com"]]


def test_an_address_of_other_letters_is_decided_alone(smtp: MailServer) -> None:
    """A domain of other letters is written as every server knows it; other letters before the @ are that address's."""
    client = MailClient(smtp.url, "tocsin@example.com")
    plain, domain, person = "omar@example.com", "dana@müller.example", "jürgen@example.com"
    failures = client.send_each([plain, domain, person], Mail("s", "b"), "d")
    assert [(address, failed.kind) for address, failed in failures.items()] == [(person, Kind.PERSON)]
    assert "SMTPUTF8" in failures[person].reason.text
    assert [mail.to for mail in smtp.mails] == [[plain], ["dana@xn--mller-kva.example"]]
    assert "dana@xn--mller-kva.example" in str(smtp.mails[-1].message["To"])


def test_a_communication_is_mailed_again_only_to_whom_it_did_not_reach(parts: Works, smtp: MailServer) -> None:
    """The good address has it once, the busy one later, and the bad one is said."""
    stakeholders = ("U0DANA0001", "U0MEI00001", "U0OMAR0001")
    good, busy, bad = (f"{name}@example.com" for name in ("good", "busy", "bad"))
    smtp.refusing_to = {busy: "450 mailbox busy", bad: "550 5.1.1 no such user"}
    incident = parts.declare("P0")
    effect = MailOut(id=f"{incident.id}-mail", at=parts.clock(), entry=1)
    to = dict(zip((good, busy, bad), stakeholders, strict=True))
    planner = MailPlanner(MailClient(smtp.url, "tocsin@example.com"), parts.service)
    with pytest.raises(Failed) as failed:
        planner._send_to_each(to, LETTER, effect)
    assert failed.value.kind is Kind.PASSING
    smtp.refusing_to.clear()
    sent = planner._send_to_each(to, LETTER, effect).outcome
    assert [m.to for m in smtp.mails] == [[good], [busy]]
    assert isinstance(sent, Delivered)
    assert sent.refused.keys() == {"U0OMAR0001"}


@pytest.mark.parametrize(("status", "kind"), [(429, Kind.PASSING), (503, Kind.PASSING), (400, Kind.OURS)])
def test_each_answer_of_pagerduty_has_its_kind(paging: PagingService, status: int, kind: Kind) -> None:
    """Limits and breakdowns pass; a refused key is ours."""
    paging.statuses.append(status)
    with pytest.raises(Failed) as failed:
        PagerDutyClient("key", paging.url).resolve("INC-1")
    assert failed.value.kind is kind


@pytest.mark.parametrize("url", ["smtp://localhost:9", "smtp://nobody.invalid:25"])
def test_a_server_that_is_away_passes(url: str) -> None:
    """Refused connection, unknown host."""
    with pytest.raises(Failed) as failed:
        MailClient(url, "tocsin@example.com").send(["dana@example.com"], LETTER, "d-1")
    assert failed.value.kind is Kind.PASSING


def test_mail_is_encrypted_where_the_server_offers_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """STARTTLS before the login, and only to a server whose certificate is good."""
    with mail_server(starttls=True, login="tocsin:pass%40word") as smtp:
        access = MailClient(smtp.url, "Tocsin <tocsin@example.com>")
        with pytest.raises(Failed) as failed:
            access.send(["dana@example.com"], LETTER, "d-1")
        assert failed.value.kind is Kind.OURS
        assert not smtp.logins
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        ssl_context.cache_clear()
        access.send(["dana@example.com"], LETTER, "d-1")
        (mail,) = smtp.mails
        assert mail.encrypted
        assert (mail.id, mail.sender) == ("<d-1@example.com>", "tocsin@example.com")
        assert smtp.logins == ["\0tocsin\0pass@word"]
    ssl_context.cache_clear()


@pytest.mark.parametrize("line", ["From 14:00 on it is slow.", ">From here", ".", "..", "Zürich ist betroffen."])
@pytest.mark.parametrize("html", ["", "<p>words</p>"])
def test_every_line_arrives_as_it_was_written(smtp: MailServer, line: str, html: str) -> None:
    """No line is taken for the end of a mail, or for the beginning of one in a mailbox."""
    MailClient(smtp.url, "Tocsin <tocsin@example.com>").send(
        ["a@x.example"], Mail("s", f"one\n{line}\ntwo", html=html), "d"
    )
    [mail] = smtp.mails
    assert mail.body.splitlines() == ["one", line, "two"]
    assert (mail.sender, mail.to) == ("tocsin@example.com", ["a@x.example"])


def test_a_subject_is_one_line(smtp: MailServer) -> None:
    """Whatever somebody wrote into a title adds no header."""
    letter = Mail("Down\r\nBcc: everybody@example.com", "x")
    MailClient(smtp.url, "tocsin@example.com").send(["dana@example.com"], letter, "d-1")
    (mail,) = smtp.mails
    assert mail.to == ["dana@example.com"]
    assert mail.message["Bcc"] is None


# When Slack is away --------------------------------------------------------------------------------------------------


def test_pages_fall_back_when_slack_does_not_take_them(parts: Works, smtp: MailServer, paging: PagingService) -> None:
    """After half a minute, not before; once Slack is back the page and the story arrive there, in order and marked."""
    using(parts, FALLING_BACK)
    parts.slack_away()
    incident = parts.declare("P0")
    parts.run_for(29, step=1)
    assert not smtp.mails
    assert not paging.events
    parts.run_for(2, step=1)
    assert len(smtp.mails) == len(parts.now(incident).pages) == 3
    assert paging.actions(incident.id) == ["trigger"]
    assert any(e.kind is EntryKind.OTHERWISE for e in parts.now(incident).timeline)
    parts.run_for(60, step=10)
    parts.slack_back()
    parts.run_for(120, step=5)
    now = parts.settled(incident)
    assert len(smtp.mails) == 3
    card = now.card()
    assert card
    thread = [m for m in parts.messages() if m.get("thread_ts") == card.ts != m["ts"]]
    late = [m for m in thread if "Delayed – was due" in m["text"]]
    assert late == thread[: len(late)]
    assert "Slack had not taken the page" in "".join(m["text"] for m in late)


def test_nothing_falls_back_while_slack_takes_pages(parts: Works, smtp: MailServer, paging: PagingService) -> None:
    """Nor once somebody has answered."""
    using(parts, FALLING_BACK).declare("P0")
    parts.run_for(60, step=5)
    assert not smtp.mails
    assert not paging.events


def test_an_answered_page_does_not_fall_back(parts: Works, smtp: MailServer) -> None:
    """It was answered from the terminal of a colleague, say, while Slack was away."""
    using(parts, FALLING_BACK)
    parts.slack_away()
    incident = parts.declare("P0")
    parts.service.handle(incident.id, Acknowledge(by=incident.pages[0].person))
    parts.run_for(60, step=5)
    assert parts.store.get(incident.id).open
    answered = incident.pages[0].person
    assert len(smtp.mails) == len([p for p in incident.pages if p.person != answered])


@pytest.mark.parametrize("waits_for", ["slack", "the mail server"])
def test_nothing_is_mailed_of_a_severity_that_was_lowered(
    parts: Works, smtp: MailServer, paging: PagingService, waits_for: str
) -> None:
    """A P0 becomes a P3 while its pages wait, for Slack or for the mail server: they go by no other way either."""
    using(parts, FALLING_BACK)
    parts.slack_away()
    if waits_for == "the mail server":
        smtp.refusing["RCPT"] = "451 try again later"
    incident = parts.declare("P0")
    parts.run_for(20 if waits_for == "slack" else 40, step=1)
    mailed = [e for e in parts.now(incident).effects if isinstance(e, PageBy) and e.via is Via.MAIL]
    assert bool(mailed) == (waits_for == "the mail server")
    assert not smtp.mails
    policy = parts.service.policy.severities[Severity.P3]
    parts.service.handle(incident.id, ChangeSeverity(by="U0DANA0001", policy=policy, why="Only one user"))
    smtp.refusing.clear()
    parts.run_for(120, step=2)
    parts.slack_back()
    parts.run_for(300, step=5)
    now = parts.settled(incident)
    assert not smtp.mails
    assert not [m for m in parts.directs() if "being paged" in str(m)]
    assert [e["payload"]["severity"] for e in paging.events][1:] == ["info"] * (waits_for == "the mail server")
    assert not [page for page in now.pages if page.state is PageState.OPEN]


# Set up --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("set_up", "missing"),
    [
        ({}, {"SMTP_URL", "PAGERDUTY_ROUTING_KEY"}),
        ({"SMTP_URL": "smtp://localhost", "SMTP_FROM": "a@b.c"}, {"PAGERDUTY_ROUTING_KEY"}),
        ({"SMTP_URL": "smtp://localhost", "SMTP_FROM": "a@b.c", "PAGERDUTY_ROUTING_KEY": "k"}, set()),
    ],
)
def test_a_way_that_is_asked_for_and_not_set_up_is_named(
    set_up: dict[str, str], missing: set[str], monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    """Before anything starts, all of them at once."""
    monkeypatch.chdir(str(tmp_path))
    for name in Environment.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in set_up.items():
        monkeypatch.setenv(name, value)
    settings, _ = read()
    company = example().model_copy(update={"other_ways": FALLING_BACK})
    try:
        channels.check(settings, company)
        found = set[str]()
    except SettingsError as refused:
        found = {p.variable for p in refused.problems}
    assert found == missing


def test_the_mail_server_speaks_smtp(smtp: MailServer) -> None:
    """What these tests lean on speaks SMTP: a stranger's mail arrives whole, leading dots too."""
    message = EmailMessage()
    message["From"], message["To"], message["Message-ID"] = "a@example.com", "b@example.com", "<1@example.com>"
    message.set_content(".hidden\n..twice\n")
    with smtplib.SMTP("localhost", int(smtp.url.rpartition(":")[2])) as client:
        client.send_message(message)
    assert smtp.to("b@example.com")[0].body.replace("\r", "") == ".hidden\n..twice\n"


def test_a_fallback_is_said_as_done_once_it_was_taken(parts: Works, smtp: MailServer) -> None:
    """While the mail server refuses us, nobody reads that they were paged by mail; the page says so once it took it."""
    using(parts, FALLING_BACK)
    parts.slack_away()
    smtp.refusing["RCPT"] = "554 5.7.1 Relay access denied"
    incident = parts.declare("P0")
    parts.run_for(40, step=1)
    [entry] = [e for e in parts.now(incident).timeline if e.kind is EntryKind.OTHERWISE]
    assert "Paged by mail" not in str(otherwise(parts.now(incident), entry))
    assert not any(page.taken_by for page in parts.now(incident).pages)
    smtp.refusing.clear()
    parts.run_for(120, step=5)
    assert all(Via.MAIL in page.taken_by for page in parts.now(incident).pages)


def test_the_copy_in_a_paging_service_follows(parts: Works, paging: PagingService) -> None:
    """Severity, title and tiers paged are written again when they change; once it is private, no word of it."""
    made = using(parts, PAGING)
    incident = made.declare("P1", title=MARKER)
    parts.run()
    parts.service.handle(incident.id, Acknowledge(by="U0MEI00001"))
    parts.service.handle(incident.id, Escalate(by="U0DANA0001"))
    parts.run()
    p0 = parts.service.severity(Severity.P0)
    parts.service.handle(incident.id, ChangeSeverity(by="U0DANA0001", policy=p0, why="worse"))
    parts.run()
    parts.service.handle(incident.id, MarkSecurity(by="U0DANA0001"))
    parts.run()
    told = [e["payload"] for e in paging.events if e["event_action"] == "trigger"]
    assert [p["severity"] for p in told] == ["error", "error", "critical", "critical"]
    assert "tier 2 paged" in told[1]["summary"]
    assert [MARKER in p["summary"] for p in told] == [True, True, True, False]
