"""Mails as Mailgun, SendGrid and Amazon SES post them: who wrote what, whether they did, and whether a person did."""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.alerts.document import Unreadable
from bot.alerts.mail import mime
from bot.alerts.mail.message import InboundMail, Standing, address_of
from bot.alerts.mail.reply import own_words, read_reply
from bot.alerts.mail.services import NoMail, read
from bot.alerts.mail.source import kept, mail_of, parse, verify
from bot.alerts.source import Received
from escalation.answers import Answer
from tests.support.vendors.mail_in import Request, Written, mailgun, sendgrid, ses

SERVICES: dict[str, Callable[[Written], Request]] = {
    "mailgun": mailgun,
    "mailgun mime": lambda mail: mailgun(mail, mime=True),
    "sendgrid": sendgrid,
    "sendgrid raw": lambda mail: sendgrid(mail, raw=True),
    "ses": ses,
    "ses utf-8": lambda mail: ses(mail, "UTF8"),
}


def mail(service: str, written: Written) -> InboundMail:
    """The mail as it is read again from what was kept of it."""
    return mail_of(kept(Received(*SERVICES[service](written))))


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_tells_the_same_of_a_mail(service: str) -> None:
    """Sender, recipients, thread, words and the names of what is attached; of the files themselves nothing is kept."""
    written = Written(
        sender='"Dana O\'Neil, Shop" <Dana@Example.com>',
        subject="Grüße: checkout is down",
        text="Nobody can pay — ünï.\n",
        headers=(("References", "<a@x.example> <b@x.example>"), ("In-Reply-To", "<b@x.example>")),
        files={"shot.png": b"\x89PNG" + b"zebra" * 1000},
    )
    found = mail(service, written)
    assert (found.sender, found.envelope) == ("dana@example.com", "Dana@Example.com")
    assert (found.recipients, found.id) == (("alerts@in.example.com",), "one@example.com")
    assert found.references == ("a@x.example", "b@x.example")
    assert (found.subject, found.text) == ("Grüße: checkout is down", "Nobody can pay — ünï.")
    assert found.attachments == ("shot.png",)
    assert found.standing is Standing.VERIFIED
    assert b"zebra" not in kept(Received(*SERVICES[service](written))).body


# Who wrote it ----------------------------------------------------------------------------------------------------

VERIFIED, UNVERIFIED, FORGED = Standing.VERIFIED, Standing.UNVERIFIED, Standing.FORGED


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    ("checks", "standing"),
    [
        ({}, VERIFIED),
        ({"dkim": ""}, VERIFIED),
        ({"spf": ""}, VERIFIED),
        ({"spf": "fail"}, VERIFIED),  # forwarded: the signature still holds
        ({"spf": "", "dkim": ""}, UNVERIFIED),
        ({"spf": "softfail", "dkim": ""}, UNVERIFIED),
        ({"spf": "temperror", "dkim": ""}, UNVERIFIED),
        ({"spf": "fail", "dkim": ""}, FORGED),
        ({"spf": "", "dkim": "fail"}, FORGED),
        ({"envelope": "x@evil.example", "signer": "evil.example"}, UNVERIFIED),  # proves another domain
        ({"envelope": "x@evil.example", "dkim": ""}, UNVERIFIED),
        ({"envelope": "x@notexample.com", "signer": "example.com.evil.example"}, UNVERIFIED),
        ({"envelope": "b@mail.example.com", "dkim": ""}, VERIFIED),
    ],
)
def test_a_sender_is_who_the_checks_name(service: str, checks: dict[str, Any], standing: Standing) -> None:
    """A pass counts for its own domain only; a failure without one is a forgery; nothing at all proves nothing."""
    assert mail(service, replace(Written(), **checks)).standing is standing


@pytest.mark.parametrize(("dmarc", "standing"), [("pass", VERIFIED), ("fail", FORGED), ("processing_failed", VERIFIED)])
def test_dmarc_decides_where_the_service_says_it(dmarc: str, standing: Standing) -> None:
    """It knows the domain's own policy."""
    assert mail("ses", Written(dmarc=dmarc)).standing is standing


@pytest.mark.parametrize("service", SERVICES)
def test_a_bogus_signature_beside_a_good_one_proves_nothing(service: str) -> None:
    """Somebody signs for their own domain, and writes a signature of ours above it."""
    bogus = ("DKIM-Signature", "v=1; a=rsa-sha256; d=example.com; s=s1; b=abc=")
    written = Written(signer="evil.example", envelope="x@evil.example", headers=(bogus,))
    assert mail(service, written).standing is UNVERIFIED


def test_a_result_that_the_sender_wrote_is_none() -> None:
    """Mailgun's headers can be in the mail before Mailgun adds its own: the worst of them counts."""
    forged = (("X-Mailgun-Spf", "Pass"), ("X-Mailgun-Dkim-Check-Result", "Pass"))
    assert mail("mailgun", Written(headers=forged, spf="fail", dkim="fail")).standing is FORGED


@pytest.mark.parametrize(
    ("header", "address"),
    [
        ("dana@example.com", "dana@example.com"),
        ("Dana <Dana@Example.com>", "dana@example.com"),
        ('"dana@example.com" <x@evil.example>', "x@evil.example"),
        ('"Dana, of Shop" <dana@example.com>', "dana@example.com"),
        ("Dana, of Shop <dana@example.com>", "dana@example.com"),
        ("Dana <dana@example.com> <x@evil.example>", ""),  # a name that a service has decoded
        ("dana@example.com <x@evil.example>", ""),
        ("dana@example.com, x@evil.example", ""),
        ("<dana@example.com> x@evil.example", ""),
        ("dana", ""),
        ("", ""),
        ("<>", ""),
        ("Dana <dana@example.com>, Dana <dana@example.com>", ""),
    ],
)
def test_a_sender_is_one_address(header: str, address: str) -> None:
    """Whatever looks like two is nobody: names may be made to look like an address."""
    assert address_of(header) == address


@pytest.mark.parametrize("service", ["mailgun mime", "sendgrid", "sendgrid raw"])
def test_two_from_headers_are_no_sender(service: str) -> None:
    """One of them would be checked, and the other shown."""
    raw, headers = SERVICES[service](Written(sender="dana@example.com"))
    before, after = b"From: dana@example.com", b"From: x@evil.example\r\nFrom: dana@example.com"
    before, after = (quote_plus(part).encode() if service == "mailgun mime" else part for part in (before, after))
    assert before in raw
    assert read(Received(raw.replace(before, after, 1), headers)).sender == ""


# Whether a person wrote it ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    "written",
    [
        Written(headers=(("Auto-Submitted", "auto-replied"),)),
        Written(headers=(("Auto-Submitted", "auto-generated (rejected)"),)),
        Written(headers=(("Precedence", "bulk"),)),
        Written(headers=(("Precedence", "Junk"),)),
        Written(headers=(("Precedence", "list"),)),
        Written(headers=(("List-Id", "<dev.example.com>"),)),
        Written(envelope=""),
        Written(envelope="<>"),
        Written(headers=(("X-Autoreply", "yes"),)),
        Written(headers=(("X-Failed-Recipients", "a@example.com"),)),
        Written(sender="Mail Delivery System <MAILER-DAEMON@example.com>"),
        Written(subject="Automatic reply: [P0] You're being paged"),
        Written(subject="Out of office: checkout"),
        Written(subject="Undelivered Mail Returned to Sender"),
        Written(subject="Accepted: The call of INC-20241218-001", files={"invite.ics": b"BEGIN:VCALENDAR"}),
    ],
)
def test_what_no_person_wrote_is_refused(service: str, written: Written) -> None:
    """Out-of-office answers, bounces and lists open nothing, and the list of what was dropped says why."""
    parsed = parse(kept(Received(*SERVICES[service](written))))
    assert (parsed.alerts, bool(parsed.refused)) == ((), True)


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    "headers", [(("Auto-Submitted", "no"),), (("X-Auto-Response-Suppress", "OOF"),), (("Precedence", "normal"),)]
)
def test_what_a_person_wrote_is_taken(service: str, headers: tuple[tuple[str, str], ...]) -> None:
    """Their programs write headers, too."""
    assert parse(kept(Received(*SERVICES[service](Written(headers=headers))))).alerts


@pytest.mark.parametrize("name", ["spam", "virus"])
def test_what_the_service_warns_of_is_refused(name: str) -> None:
    """Its own word is the reason."""
    raw, headers = ses(Written())
    raw = raw.replace(
        f'{name}Verdict\\": {{\\"status\\": \\"PASS'.encode(), f'{name}Verdict\\": {{\\"status\\": \\"FAIL'.encode()
    )
    assert name in parse(Received(raw, headers)).refused


# What they wrote ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", SERVICES)
def test_html_alone_is_read_as_a_person_sees_it(service: str) -> None:
    """Without scripts, styles, comments and what it quotes."""
    html = (
        "<html><head><title>no</title><style>p {no}</style></head><body><!-- no --><p>Nobody&nbsp;can <b>pay</b></p>"
        "<script>no()</script><p>since&#32;ten &lt;b&gt;</p><blockquote><p>no</p></blockquote></body></html>"
    )
    assert mail(service, Written(text="", html=html)).text == "Nobody can pay\n\nsince ten <b>"


@pytest.mark.parametrize(
    "charset", ["iso-8859-1", "utf-16", "windows-1252", "shift_jis", "nonsense", "rot13", "a\0b", "hex"]
)
def test_a_text_in_any_charset_is_read(charset: str) -> None:
    """In its own, and as UTF-8 where there is none of that name."""
    try:
        raw = "Checkout: 500 日本".encode(charset)
    except UnicodeEncodeError:
        raw = "Checkout: 500".encode(charset)
    except (LookupError, ValueError):
        raw = b"Checkout: 500"
    head = f"From: a@example.com\r\nSubject: x\r\nContent-Type: text/plain; charset={charset}\r\n\r\n".encode()
    text = mime.message(head + raw).text
    assert text.startswith("Checkout: 500")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\xfe\x00",
        b"From: a@example.com",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n",
        b"Content-Type: multipart/mixed\r\n\r\nno boundary",
        b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n%%%",
        b"Subject: =?utf-8?b?%%%?= =?nonsense?q?x?=\r\n\r\n",
        b"Subject: \xff\xfe\r\n\r\nx",
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(3000)),
    ],
)
def test_a_broken_mail_is_read_as_far_as_it_goes(raw: bytes) -> None:
    """No body brings the intake down."""
    headers, text, *_ = mime.message(raw)
    assert isinstance(text, str)
    assert mime.words(next(iter(headers.get("subject", ())), "")) is not None


@pytest.mark.parametrize("service", SERVICES)
def test_ten_thousand_headers_cost_nothing(service: str) -> None:
    """Those that matter are found among them, in seconds at most."""
    written = Written(headers=tuple((f"X-Header-{n}", "v" * 50) for n in range(10_000)))
    request = SERVICES[service](written)
    began = time.thread_time()  # what others on the machine do is no matter of ours
    found = mail_of(kept(Received(*request)))
    assert time.thread_time() - began < 10
    assert (found.sender, found.subject) == ("dana@example.com", "Checkout is down")


@pytest.mark.parametrize(
    "html", ["<" * 200_000, "<a " * 100_000, "<!--" * 100_000, "<script>" * 60_000, "<div class=gmail_quote>" * 20_000]
)
def test_html_that_is_left_open_costs_nothing(html: str) -> None:
    """Libraries take minutes for it."""
    began = time.thread_time()
    mime.html_text(html)
    assert time.thread_time() - began < 10


@given(
    st.binary(max_size=400),
    st.sampled_from(["text/plain", "multipart/form-data; boundary=b", "application/x-www-form-urlencoded"]),
)
def test_any_body_is_read_or_refused_in_words(raw: bytes, kind: str) -> None:
    """And whatever is kept of it can be read again."""
    received = Received(raw, {"content-type": kind})
    again = kept(received)
    with suppress(Unreadable, NoMail):
        assert mail_of(again) == read(received)
    assert not verify(received, ["secret-key"], datetime.now(UTC))


# What they answer ---------------------------------------------------------------------------------------------------

PAGE = "> [P0] You're being paged\n> Or reply to this email with 1 to acknowledge INC-20241218-001\n"
TAKEN, DECLINED = Answer.ACKNOWLEDGE, Answer.DECLINE


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        *(
            (words, TAKEN)
            for words in ("1", "1.", " 1 \n", "ACK", "Acknowledged", "ok", "On it!", "I'm on it", "I’m on it.")
        ),
        *((words, TAKEN) for words in ("Got it, thanks", "yes", "Looking into it", "I'll take it", "*ack*")),
        *(
            (words, TAKEN)
            for words in ("Hi team,\n\nGot it - looking now.", "Ack. On it!", "Yes, I'm on it and looking")
        ),
        *(
            (words, None)
            for words in ("Hi,", "Thanks!", "ok, no", "1, 2", "no, I'm on it", "on it?", "I can't reproduce it")
        ),
        *(
            (words, DECLINED)
            for words in ("2", "no", "No, sorry", "can't", "I can’t", "I cannot take this", "Sorry, I can't")
        ),
        *(
            (words, None)
            for words in ("", "10", "1 hour", "12", "3", "1 2", "ok but not before nine", "ok?", "yes and no")
        ),
        *(
            (words, None)
            for words in ("No longer at Acme", "I am on holiday until Monday", "Not sure", "who is on it?")
        ),
        (f"1\n\nOn Mon, 1 Dec 2025 at 03:00, Tocsin <tocsin@example.com> wrote:\n\n{PAGE}", TAKEN),
        (f"On Mon, 1 Dec 2025 at 03:00, Tocsin <tocsin@example.com>\nwrote:\n\n{PAGE}\n1\n", TAKEN),
        (f"Am 01.12.25 um 03:00 schrieb Tocsin:\n{PAGE}", None),
        (PAGE, None),
        ("2\n\n-----Original Message-----\nFrom: Tocsin\nSent: Monday\n\n1\n", DECLINED),
        ("\nFrom: Tocsin <t@example.com>\nSent: Monday\nTo: Dana\n\n1", None),
        ("On it\n\n-- \nDana\n1 Infinite Loop", TAKEN),
        ("1\r\n\r\nSent from my iPhone", TAKEN),
        ("\n\n________________________________\nFrom: Tocsin\n1", None),
    ],
)
def test_only_words_that_mean_nothing_else_are_an_answer(text: str, answer: Answer | None) -> None:
    """In the first line of what they wrote themselves; what they quote is not read."""
    assert read_reply(text).answer is answer


@pytest.mark.parametrize(
    ("text", "code", "answer"),
    [
        ("4821", "4821", TAKEN),
        ("4821 2", "4821", DECLINED),
        ("#4821 no", "4821", DECLINED),
        ("4821 later", "4821", None),
        ("Reply 4821", "4821", TAKEN),
        ("ok 4821", "4821", TAKEN),
        ("4821, can't", "4821", DECLINED),
        ("Checkout is down since 2026", "", None),
        ("On it, see ticket 4821", "", None),
        ("4821?", "", None),
        ("Is 4821 mine", "", None),
        ("The code is 4821", "4821", TAKEN),
    ],
)
def test_a_code_may_stand_beside_the_answer(text: str, code: str, answer: Answer | None) -> None:
    """As in a text message; a number among other words is none."""
    assert read_reply(text)[1:3] == (answer, code)


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("part", range(0, 100, 7))
def test_a_body_that_is_cut_off_is_read_or_refused_in_words(service: str, part: int) -> None:
    """Anywhere, as by a connection that breaks or a proxy with a limit."""
    raw, headers = SERVICES[service](Written(html="<p>Nobody can pay</p>", files={"a.png": b"\x89PNG\r\n--"}))
    parsed = Received(raw[: len(raw) * part // 100], headers)
    with suppress(Unreadable, NoMail):
        assert mail_of(kept(parsed)) == read(parsed)
    assert not verify(parsed, ["another-key"], datetime.now(UTC))


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("Still down.\n\nOn Mon, Tocsin <t@example.com> wrote:\n> page\n> more", "Still down."),
        ("> page\nStill down.", "Still down."),
        ("On Monday we deployed.\nNow it is down.", "On Monday we deployed.\nNow it is down."),
        ("Top\n\nLe lun. 1 déc. 2025 à 03:00, T <t@example.com> a écrit :\nquoted without marks", "Top"),
    ],
)
def test_a_reply_is_what_its_writer_wrote(text: str, own: str) -> None:
    """Without the mail that it quotes, and with words that only look like that."""
    assert own_words(text) == own


# How it is let in ---------------------------------------------------------------------------------------------------


def test_a_subscription_is_no_mail() -> None:
    """SNS asks whether we want its messages; SES tells of bounces on the same topic."""
    for body in (
        {"Type": "SubscriptionConfirmation"},
        {"Type": "Notification", "Message": json.dumps({"notificationType": "Bounce"})},
    ):
        parsed = parse(kept(Received(json.dumps(body).encode(), {"content-type": "text/plain"})))
        assert (parsed.alerts, bool(parsed.note)) == ((), True)


def test_a_mail_whose_text_lies_elsewhere_is_still_a_report() -> None:
    """SES' action S3 tells its headers only."""
    found = mail_of(Received(*ses(Written(), content=False)))
    assert (found.sender, found.subject, "S3" in found.text) == ("dana@example.com", "Checkout is down", True)


@pytest.mark.parametrize(
    "subject", ["Re: AW: Fwd: Checkout", "re: Checkout", "WG: Checkout", "[EXTERNAL] Re: Checkout"]
)
def test_a_title_is_the_subject_without_its_marks(subject: str) -> None:
    """However often it was sent on."""
    (alert,) = parse(Received(*mailgun(Written(subject=subject)))).alerts
    assert alert.title == "Checkout"


@pytest.mark.parametrize("service", SERVICES)
def test_a_body_in_a_file_is_read_without_its_content_type(service: str) -> None:
    """`tocsin alerts try` has only the file."""
    raw, _ = SERVICES[service](Written())
    assert parse(Received(raw)).alerts


def test_a_report_keeps_what_it_forwards() -> None:
    """Somebody copies us in, or sends on what a customer wrote."""
    text = "FYI\n\n---------- Forwarded message ---------\nFrom: Eve\nDate: Monday\n\nI cannot pay\n> since ten"
    (alert,) = parse(Received(*mailgun(Written(subject="Fwd: Checkout", text=text)))).alerts
    assert (alert.title, alert.description) == ("Checkout", text)


def test_a_mail_without_subject_or_text_has_a_title() -> None:
    """Its first line, else its sender."""
    titles = [parse(Received(*mailgun(Written(subject="", text=text)))).alerts[0].title for text in ("\n Down \nx", "")]
    assert titles == ["Down", "Mail from dana@example.com"]
