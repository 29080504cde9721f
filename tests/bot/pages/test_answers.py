"""Answers to pages without Slack, which is down all the time here: links, phone keys, SMS, callbacks of vendors."""

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import Mock
from urllib.parse import urlencode

import httpx2
import pytest
from starlette.datastructures import ImmutableMultiDict
from twilio.request_validator import RequestValidator

from benchmarks.ports import free_port
from bot.deps import AnswerDeps
from bot.http.twilio_signature import is_signed
from escalation.answers import AnswerService
from escalation.config.policy import Severity
from escalation.incident.events.moves import Cancel, Reopen, Resolve
from escalation.incident.model import Incident
from escalation.incident.state.facts import Facts
from escalation.incident.state.pages import Page, PageState
from escalation.messages import pages as words
from escalation.storage.answers.limits import MAX_REPLIES
from tests.support.bot import World, running_bot, world
from tests.support.company import example_data, phones, user
from tests.support.http import web
from tests.support.vendors.twilio import NUMBER, TOKEN, TwilioStandIn

SHARED_KEY = "the-webhooks-rule's-key"
PHONES = phones()
MARKER = "zebra <b>crossing</b> & co"


@dataclass
class Heard:
    """What was passed on of vendors' news."""

    statuses: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    receipts: list[tuple[str, str]] = field(default_factory=list)

    def twilio_status(self, delivery: str, form: Any) -> None:
        self.statuses.append((delivery, dict(form)))

    def pagerduty_mail(self, user_id: str) -> str:
        return ""

    def pushover(self, token: str, receipt: str) -> None:
        self.receipts.append((token, receipt))


@dataclass
class Desk:
    """A bot whose Slack is down, with its address, and what is behind it."""

    url: str
    world: World
    heard: Heard
    twilio: TwilioStandIn
    answers: AnswerService

    def declare(self, **facts: Any) -> tuple[Incident, Page]:
        said = Facts(**({"title": "Checkout is down", "impact": "Nobody can pay"} | facts))
        incident = self.world.service.declare(user("dana"), Severity.P0, said, key=uuid.uuid4().hex)
        return incident, incident.pages[0]

    def now(self, incident: Incident) -> Incident:
        return self.world.store.get(incident.id)

    def state(self, incident: Incident) -> PageState:
        return self.now(incident).pages[0].state

    def phone(self, page: Page) -> str:
        key = self.world.company.key_of(page.person, self.world.store.directory())
        assert key
        return PHONES[key]

    def link(self, incident: Incident, page: Page) -> str:
        return self.answers.link(incident, page)

    def text(self, number: str, body: str, **more: str) -> str:
        """Send an SMS; returns what is replied."""
        reply = self.twilio.reply(number, body, f"{self.url}/twilio/sms", **more)
        assert reply.status_code == 200, reply.text
        assert reply.headers["content-type"].startswith("text/xml")
        found = re.search("<Message>(.*)</Message>", reply.text)
        return found[1] if found else ""

    def press(self, incident: Incident, page: Page, digits: str) -> httpx2.Response:
        """Press a key in a call."""
        call = {"sid": "CA1", "to": self.phone(page), "twiml": words.call(incident, self.key_url(incident, page))}
        return self.twilio.press(call, digits)  # type: ignore[no-any-return]

    def key_url(self, incident: Incident, page: Page) -> str:
        return f"{self.url}/twilio/key/{self.answers.token(incident, page)}"


@pytest.fixture(scope="module")
def _desk() -> Iterator[Desk]:
    people = {key: {"slack": user(key), "phone": PHONES[key]} for key in example_data()["people"]}
    behind, heard, port = world(people=people), Heard(), free_port()
    url = f"http://127.0.0.1:{port}"
    behind.service.public_url = url
    deps = AnswerDeps(public_url=url, twilio_tokens=(TOKEN,), twilio_keys=(SHARED_KEY,), news=heard)
    workspace = Mock(bot_token="xoxb-1", app_token="xapp-1", signing_secret="s", api_url="http://127.0.0.1:9/")
    with running_bot(workspace, behind.service, connected=False, port=port, answers=deps):
        yield Desk(url, behind, heard, TwilioStandIn(), AnswerService(behind.service))


@pytest.fixture
def desk(_desk: Desk) -> Desk:
    _desk.world.redis.flushall()
    _desk.heard.statuses.clear()
    return _desk


# Links ---------------------------------------------------------------------------------------------------------------


def nonce_of(html: str) -> str:
    found = re.search('name=nonce value="([^"]+)"', html)
    return found[1] if found else ""


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_opening_a_link_changes_nothing(desk: Desk, method: str) -> None:
    """A scanner that opens the link, as often as it likes, leaves the page unanswered."""
    incident, page = desk.declare()
    for _ in range(3):
        assert web.request(method, desk.link(incident, page)).status_code == 200
    assert desk.state(incident) is PageState.OPEN
    assert not desk.now(incident).acknowledgement


def test_the_button_of_the_page_acknowledges(desk: Desk) -> None:
    """Its press acknowledges as the person who was paged, and the page then says so, again and again."""
    incident, page = desk.declare()
    link = desk.link(incident, page)
    shown = web.get(link).text
    answered = web.post(link, data={"nonce": nonce_of(shown), "answer": "acknowledge"})
    assert answered.status_code == 200
    assert "is acknowledged" in answered.text
    acknowledgement = desk.now(incident).acknowledgement
    assert acknowledgement
    assert acknowledgement.by == page.person
    assert "You acknowledged it" in web.get(link).text
    again = web.post(link, data={"nonce": nonce_of(shown), "answer": "acknowledge"})
    assert "You acknowledged it" in again.text


def test_who_cannot_take_it_says_so_by_a_button(desk: Desk) -> None:
    """The other button declines the page, and they may still think better of it."""
    incident, page = desk.declare()
    link = desk.link(incident, page)
    web.post(link, data={"nonce": nonce_of(web.get(link).text), "answer": "decline"})
    assert desk.state(incident) is PageState.DECLINED
    shown = web.get(link).text
    assert "can still acknowledge" in shown.replace("&#x27;", "'")
    web.post(link, data={"nonce": nonce_of(shown), "answer": "acknowledge"})
    assert desk.now(incident).acknowledgement


@pytest.mark.parametrize("data", [{}, {"answer": "acknowledge"}, {"answer": "acknowledge", "nonce": "made-up"}])
def test_a_post_without_the_pages_nonce_changes_nothing(desk: Desk, data: dict[str, str]) -> None:
    """A form that was not shown, as a scanner or another site would post it, records nothing and shows the button."""
    incident, page = desk.declare()
    answered = web.post(desk.link(incident, page), data=data)
    assert "Nothing was recorded yet" in answered.text
    assert nonce_of(answered.text)
    assert desk.state(incident) is PageState.OPEN


def test_a_nonce_of_another_page_is_none(desk: Desk) -> None:
    """The nonce of one page does not answer another."""
    incident, page = desk.declare()
    other, its_page = desk.declare(title="Search is down")
    foreign = nonce_of(web.get(desk.link(other, its_page)).text)
    web.post(desk.link(incident, page), data={"nonce": foreign, "answer": "acknowledge"})
    assert not desk.now(incident).acknowledgement


@pytest.mark.parametrize("token", ["x", "inc-20241218-001.1.aaaaaaaaaaaaaaaaaaaaaaaa", "..", "%00", "ü" * 50])
def test_a_link_that_was_never_made_is_not_found(desk: Desk, token: str) -> None:
    """A guessed or mangled link says so in words, and no incident in it."""
    incident, _ = desk.declare()
    answered = web.get(f"{desk.url}/ack/{token}")
    assert answered.status_code == 404
    assert incident.facts.title not in answered.text


def test_a_closed_incident_has_no_buttons(desk: Desk) -> None:
    """After the end the link says that it is resolved, and an old form changes nothing."""
    incident, page = desk.declare()
    link = desk.link(incident, page)
    nonce = nonce_of(web.get(link).text)
    desk.world.service.handle(incident.id, Resolve(by=user("dana"), summary="s", resolution="r"))
    assert "<button" not in web.get(link).text
    assert "resolved" in web.post(link, data={"nonce": nonce, "answer": "acknowledge"}).text


def test_the_page_is_safe_and_readable_at_night(desk: Desk) -> None:
    """No script, no foreign resource, escaped words, dark mode, phone's width; never cached, framed or indexed."""
    incident, page = desk.declare(title=MARKER, impact=MARKER)
    shown = web.get(desk.link(incident, page))
    assert "<b>" not in shown.text
    assert "<script" not in shown.text
    assert "prefers-color-scheme:dark" in shown.text
    assert "width=device-width" in shown.text
    policy = shown.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert shown.headers["cache-control"] == "no-store"
    assert shown.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in shown.headers


def test_a_private_incident_shows_id_and_severity_only(desk: Desk) -> None:
    """A link can be read by others: of a security incident it tells nothing but id and severity."""
    incident, page = desk.declare(title=MARKER, impact=MARKER, security=True)
    shown = web.get(desk.link(incident, page)).text
    assert incident.id in shown
    assert "P0" in shown
    assert "zebra" not in shown
    assert "Why" not in shown


# Keys ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("digit", "state"), [("1", PageState.ANSWERED), ("2", PageState.DECLINED)])
def test_a_key_answers_and_the_phone_says_so(desk: Desk, digit: str, state: PageState) -> None:
    """1 acknowledges, 2 declines; the answer is TwiML with status 200 that speaks and hangs up."""
    incident, page = desk.declare()
    answered = desk.press(incident, page, digit)
    assert (answered.status_code, answered.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    assert "<Say>" in answered.text
    assert "<Hangup/>" in answered.text
    assert desk.state(incident) is state


def test_another_key_is_asked_again(desk: Desk) -> None:
    """A key without a meaning answers nothing: the question comes again."""
    incident, page = desk.declare()
    answered = desk.press(incident, page, "7")
    assert "<Gather" in answered.text
    assert desk.state(incident) is PageState.OPEN


def test_a_key_for_what_is_over_is_told_so(desk: Desk) -> None:
    """Of a resolved incident the phone says that nothing is left to answer."""
    incident, page = desk.declare()
    desk.world.service.handle(incident.id, Resolve(by=user("dana"), summary="s", resolution="r"))
    assert "resolved" in desk.press(incident, page, "1").text


# SMS -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "state"),
    [
        ("{}", PageState.ANSWERED),
        (" {}\n", PageState.ANSWERED),
        ("#{} 1", PageState.ANSWERED),
        ("{}.", PageState.ANSWERED),
        ("{} 2", PageState.DECLINED),
        ("{} No", PageState.DECLINED),
        ("{}-no!", PageState.DECLINED),
        ("{} ok", PageState.ANSWERED),
        ("{} on it, thanks", PageState.ANSWERED),
        ("Reply {} to acknowledge", PageState.ANSWERED),
        ("Hi,\n{}\nSent from my iPhone", PageState.ANSWERED),
        ("\N{LEFT DOUBLE QUOTATION MARK}{}\N{RIGHT DOUBLE QUOTATION MARK}", PageState.ANSWERED),
        ("no {}", PageState.DECLINED),
        ("{} can\N{RIGHT SINGLE QUOTATION MARK}t", PageState.DECLINED),
    ],
)
def test_the_code_of_an_sms_answers(desk: Desk, form: str, state: PageState) -> None:
    """The code acknowledges, alone or with words that mean it, and declines with 2 or a no; the reply says which."""
    incident, page = desk.declare()
    reply = desk.text(desk.phone(page), form.format(desk.answers.code(incident, page)))
    assert incident.id in reply
    assert desk.state(incident) is state


@pytest.mark.parametrize("form", ["{}?", "{} later", "{} ok, but not before nine", "ok", "not {}", "{} 1 2"])
def test_words_that_may_mean_anything_answer_nothing(desk: Desk, form: str) -> None:
    """Whoever sends them is told how to answer, and their page stays open."""
    incident, page = desk.declare()
    reply = desk.text(desk.phone(page), form.format(desk.answers.code(incident, page)))
    assert "Send the code" in reply
    assert desk.state(incident) is PageState.OPEN


def test_a_code_from_another_number_is_refused(desk: Desk) -> None:
    """A code is its person's: from another telephone it answers nothing and tells nothing."""
    incident, page = desk.declare()
    code = desk.answers.code(incident, page)
    others = [number for number in PHONES.values() if number != desk.phone(page)]
    for number in (others[0], "+4930999999"):
        reply = desk.text(number, code)
        assert reply
        assert incident.id not in reply
    assert desk.state(incident) is PageState.OPEN


def test_two_answer_at_once(desk: Desk) -> None:
    """Two people who were paged both answer, each by their own way; both are recorded and nothing breaks."""
    incident, page = desk.declare()
    second = incident.pages[1]
    desk.text(desk.phone(page), desk.answers.code(incident, page))
    desk.press(incident, second, "1")
    after = desk.now(incident)
    assert after.acknowledgement
    assert {page.person, second.person} <= set(after.assigned)
    shown = web.get(desk.link(incident, second)).text
    assert "You are responding as well" in shown
    assert "<button" not in shown


def test_an_sms_that_comes_twice_is_answered_once(desk: Desk) -> None:
    """A request that comes again gets no second reply, whatever header it has: Twilio signs the message's id alone."""
    incident, page = desk.declare()
    body = {"From": desk.phone(page), "To": NUMBER, "Body": desk.answers.code(incident, page), "MessageSid": "SM1"}
    first, second = (desk.twilio.post(f"{desk.url}/twilio/sms", body) for _ in range(2))
    assert "<Message>" in first.text
    assert (second.status_code, "<Message>" in second.text) == (200, False)


@pytest.mark.parametrize("by", ["sms", "key"])
def test_an_answer_that_is_replayed_after_a_reopening_answers_nothing(desk: Desk, by: str) -> None:
    """Who recorded a signed request can send it again with another header: it was an answer then, and is none now."""
    incident, page = desk.declare()
    code, phone = desk.answers.code(incident, page), desk.phone(page)
    texted = {"From": phone, "To": NUMBER, "Body": code, "MessageSid": "SM1"}
    pressed = {"CallSid": "CA7", "From": NUMBER, "To": phone, "Digits": "1"}
    url, form = (f"{desk.url}/twilio/sms", texted) if by == "sms" else (desk.key_url(incident, page), pressed)
    desk.twilio.post(url, form)
    assert desk.now(incident).acknowledgement
    service = desk.world.service
    service.handle(incident.id, Cancel(by=page.person, why="a false alarm"))
    service.handle(incident.id, Reopen(by=page.person, why="it is none"))
    desk.twilio.post(url, form)
    assert desk.now(incident).acknowledgement is None


def test_two_machines_do_not_talk_for_ever(desk: Desk) -> None:
    """A number that sends what means nothing is told so a few times, and then not any more."""
    replies = [desk.text("+4930999999", "I am out of the office") for _ in range(MAX_REPLIES + 3)]
    assert [bool(reply) for reply in replies] == [True] * MAX_REPLIES + [False] * 3


def test_a_guesser_of_codes_gets_no_further(desk: Desk) -> None:
    """After many wrong codes even the right one from that number is ignored for a while."""
    incident, page = desk.declare()
    code = desk.answers.code(incident, page)
    wrong = "1000" if code != "1000" else "1001"
    for _ in range(MAX_REPLIES * 2):
        desk.text(desk.phone(page), wrong)
    assert desk.text(desk.phone(page), code) == ""
    assert desk.state(incident) is PageState.OPEN


def test_what_the_operator_answers_itself_gets_no_reply(desk: Desk) -> None:
    """STOP, START and HELP are Twilio's, which says so only where Advanced Opt-Out is on: we stay silent."""
    assert desk.text("+4930999999", "GENUG", OptOutType="STOP") == ""
    assert [desk.text("+4930999999", said) for said in ("STOP", "Start ", "help", "QUIT")] == [""] * 4


def test_a_bare_yes_is_told_what_a_page_wants(desk: Desk) -> None:
    """Silence would be taken for an acknowledgement."""
    assert "Send the code of the page" in desk.text("+4930999999", "Yes")


# Signatures ----------------------------------------------------------------------------------------------------------


def test_a_forged_request_is_refused(desk: Desk) -> None:
    """Without Twilio's signature, or with that of another account, nothing is answered: 403."""
    incident, page = desk.declare()
    form = {"Digits": "1", "CallSid": "CA1"}
    url = desk.key_url(incident, page)
    assert web.post(url, data=form).status_code == 403
    assert desk.twilio.post(url, form, token="another").status_code == 403
    assert web.post(url, data=form, headers={b"X-Twilio-Signature": b"\xc3\xbc"}).status_code == 403
    assert desk.state(incident) is PageState.OPEN


def test_a_status_is_answered_204_and_passed_on(desk: Desk) -> None:
    """A signed status goes on under our delivery's id; its answer is empty, as Twilio wants it."""
    item = {"sid": "SM1", "to": "+4930", "form": {"StatusCallback": f"{desk.url}/twilio/status/INC-1-2-page#rc=3"}}
    assert desk.twilio.callback(item, "delivered").status_code == 204
    [(delivery, form)] = desk.heard.statuses
    assert (delivery, form["MessageStatus"]) == ("INC-1-2-page", "delivered")


URLS = ["https://t.example.com", "https://t.example.com:443", "http://t.example.com:3000/base"]


@pytest.mark.parametrize("signed_with", URLS)
@pytest.mark.parametrize("form", [{}, {"Body": " a b\n"}, {"B": "2", "A": "1", "Empty": ""}])
def test_twilios_own_signature_passes(signed_with: str, form: dict[str, str]) -> None:
    """What Twilio's library signs passes, with and without the port in the address, white space included."""
    path = "/twilio/sms?x=1&y=%20"
    signature = RequestValidator(TOKEN).compute_signature(signed_with + path, form)
    lists = {name: [value] for name, value in form.items()}
    own = signed_with.removesuffix(":443")
    assert is_signed(own + path, lists, {"x-twilio-signature": signature}, ("old", TOKEN), ())
    assert not is_signed(own + path + "z", lists, {"x-twilio-signature": signature}, (TOKEN,), ())
    assert not is_signed(own + path, lists | {"More": ["1"]}, {"x-twilio-signature": signature}, (TOKEN,), ())


def test_repeated_fields_are_signed_as_distinct_sorted_values() -> None:
    """A field that comes twice counts with each of its distinct values, in order."""
    form = ImmutableMultiDict([("Media", "b"), ("Media", "a"), ("Media", "b")])
    signature = RequestValidator(TOKEN).compute_signature("https://t.example.com/x", form)
    lists = {"Media": ["b", "a", "b"]}
    assert is_signed("https://t.example.com/x", lists, {"x-twilio-signature": signature}, (TOKEN,), ())


def test_a_webhooks_rule_signs_with_its_own_key(desk: Desk) -> None:
    """The variant with HMAC-SHA256 is verified by the shared key, and never by the auth token."""
    incident, page = desk.declare()
    url, form = desk.key_url(incident, page), {"CallSid": "CA1", "Digits": "1"}
    settings = {"X-Twilio-Webhooks-Signature-Settings": "key=KY1,algorithm=HMAC_SHA256"}
    for key, status in ((TOKEN, 403), (SHARED_KEY, 200)):
        signature = RequestValidator(key).compute_signature(url, form, "HMAC_SHA256")
        headers = settings | {"X-Twilio-Signature": signature}
        kind = {"content-type": "application/x-www-form-urlencoded"}
        assert web.post(url, content=urlencode(form), headers=headers | kind).status_code == status
    assert desk.state(incident) is PageState.ANSWERED
