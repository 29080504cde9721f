"""Pages by SMS, call and push: sent once as far as can be, each in its words, and what the vendors report of them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.render.card import delivery_problems
from escalation.config.company import Company
from escalation.config.notify import Via
from escalation.incident.events.moves import Acknowledge, Resolve
from escalation.incident.events.outcomes import PageStatus
from escalation.incident.model import Incident
from escalation.incident.reach import ReachState
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.pages import PageState
from escalation.messages import pages as words
from escalation.messages.timeline import entry_lines
from escalation.text import text
from tests.support.company import example_data, phones
from tests.support.story import Story
from tests.support.vendors import push, twilio
from tests.support.vendors.push import NtfyStandIn, PushoverStandIn
from tests.support.vendors.server import running
from tests.support.vendors.twilio import TwilioStandIn
from tests.support.worker import Works, redis_of, through, works
from workers.channels.people.ntfy import NtfyClient
from workers.channels.people.pushover import PushoverClient
from workers.channels.people.twilio import LONGEST_TWIML, TwilioAccount, TwilioClient
from workers.delivery.people.news import News

PUBLIC = "https://tocsin.example.com"
PHONES = phones()
MARKER = "zebra crossing"


@dataclass
class Reached:
    """A worker whose Slack is away, and the vendors that it pages through."""

    parts: Works
    twilio: TwilioStandIn
    pushover: PushoverStandIn
    ntfy: NtfyStandIn
    news: News

    def declare(self, severity: str = "P0", **facts: Any) -> Incident:
        incident = self.parts.declare(severity, **facts)
        self.parts.run()
        return incident

    def push(self, **length: float) -> None:
        self.parts.clock.push(**length)
        self.parts.run()

    def states(self, incident: Incident, via: Via) -> list[ReachState]:
        pages = self.parts.now(incident).pages
        return [reach.state for page in pages for reach in page.reached if reach.via is via]


def company() -> Company:
    people = {
        key: {
            "email": f"{key}@example.com",
            "phone": PHONES[key],
            "pushover": key.ljust(30, "0"),
            "ntfy": f"{key}-pages",
        }
        for key in example_data()["people"]
    }
    return Company.model_validate(example_data() | {"people": people})


@pytest.fixture
def reached() -> Iterator[Reached]:
    with (
        redis_of("valkey") as redis,
        running(TwilioStandIn()) as phone,
        running(PushoverStandIn()) as pushover,
        running(NtfyStandIn()) as ntfy,
    ):
        parts = works(redis, company=company())
        phone.now = parts.clock
        account = TwilioAccount(twilio.SID, twilio.TOKEN, twilio.NUMBER, url=phone.url, public_url=PUBLIC)
        client, emergency = TwilioClient(account), PushoverClient(push.APP_TOKEN, pushover.url)
        parts.service.set_up = {Via.SMS, Via.CALL, Via.PUSHOVER, Via.NTFY}
        parts.service.public_url = PUBLIC
        own = NtfyClient(ntfy.url, push.NTFY_TOKEN)
        parts.context = through(parts.context, sms=client, call=client, pushover=emergency, ntfy=own)
        yield Reached(parts, phone, pushover, ntfy, News(parts.service, emergency))


def delivery_of(reached: Reached, incident: Incident, via: Via) -> str:
    return next(r.effect for p in reached.parts.now(incident).pages for r in p.reached if r.via is via)


# Steps ---------------------------------------------------------------------------------------------------------------


def test_push_goes_at_once_sms_after_a_minute_and_a_call_after_three(reached: Reached) -> None:
    """Each step comes at its time and not before, to everybody who was paged and has not answered."""
    incident = reached.declare()
    people = len(incident.pages)
    assert len(reached.pushover.sent) == len(reached.ntfy.published) == people
    assert not reached.twilio.messages
    reached.push(seconds=59.9)
    assert not reached.twilio.messages
    reached.push(seconds=0.1)
    assert len(reached.twilio.messages) == people
    reached.push(seconds=119.9)
    assert not reached.twilio.calls
    reached.push(seconds=0.1)
    assert len(reached.twilio.calls) == people


def test_a_step_is_moot_for_whoever_answered(reached: Reached) -> None:
    """After an acknowledgement nobody gets another SMS or call for that page."""
    incident = reached.declare()
    reached.parts.service.handle(incident.id, Acknowledge(by=incident.pages[0].person))
    reached.push(minutes=4)
    assert incident.pages[0].person
    assert not [m for m in reached.twilio.messages if m["to"] == PHONES["dana"]]
    assert reached.parts.now(incident).pages[0].state is PageState.ANSWERED


def test_what_is_not_urgent_wakes_nobody(reached: Reached) -> None:
    """A P3 sends no SMS, call or push, ever."""
    reached.declare("P3")
    reached.push(hours=1)
    sent = (reached.twilio.messages, reached.twilio.calls, reached.pushover.sent, reached.ntfy.published)
    assert not any(sent)


@pytest.mark.parametrize("code", [21614, 21610, 21211])
def test_a_number_that_cannot_get_sms_is_called_at_once(reached: Reached, code: int) -> None:
    """A landline, a number that sent STOP, one that does not exist: the call goes now, and the record says why."""
    incident = reached.declare()
    reached.twilio.sms_refusals = dict.fromkeys(PHONES.values(), code)
    reached.push(minutes=1)
    assert not reached.twilio.messages
    assert reached.twilio.calls
    refused = [e for e in reached.parts.now(incident).timeline if e.kind is EntryKind.REFUSED]
    assert refused
    assert all("by SMS: " in text(entry_lines(reached.parts.now(incident), e)) for e in refused)
    assert set(reached.states(incident, Via.SMS)) == {ReachState.FAILED}


@pytest.mark.parametrize(
    ("code", "remedy"),
    [(21408, "Geo permissions"), (21608, "upgrade the Twilio account"), (21219, "upgrade the Twilio account")],
)
def test_a_country_that_is_off_and_a_trial_account_are_ours_and_let_nobody_sleep(
    reached: Reached, code: int, remedy: str
) -> None:
    """The call goes at once to everybody, the operator reads what to switch on, and no other tier is paged."""
    incident = reached.declare()
    reached.twilio.sms_refusals = dict.fromkeys(PHONES.values(), code)
    reached.push(minutes=1)
    assert len(reached.twilio.calls) == len(incident.pages)
    [problem] = [p for p in reached.parts.store.problems.current() if p.key == "sms:page_by:+49"]
    assert remedy in problem.remedy
    assert problem.text.startswith("Twilio refuses pages by SMS: ")
    assert problem.text.endswith("(+49)")
    assert len(reached.parts.now(incident).pages) == len(incident.pages)


def test_a_country_that_is_off_stays_a_problem_while_others_are_reached(reached: Reached) -> None:
    """An SMS that another country takes says nothing of it; one that this country takes ends it."""
    key, number = "bruno", "+33612345678"
    entry = reached.parts.service.company.people[key]
    people = {**reached.parts.service.company.people, key: entry.model_copy(update={"phone": number})}
    reached.parts.service.company = reached.parts.service.company.model_copy(update={"people": people})
    reached.twilio.sms_refusals = {number: 21408}
    incident = reached.declare()
    reached.push(minutes=1)
    assert reached.twilio.messages  # to the others
    card = "\n".join(delivery_problems(reached.parts.now(incident)))
    assert "SMS to that country are switched off (+33)" in card
    assert "(to bruno)" in card
    known = [p.key for p in reached.parts.store.problems.current() if p.key.startswith("sms:")]
    assert known == ["sms:page_by:+33"]
    reached.twilio.sms_refusals = {}
    reached.push(minutes=2)
    assert number in {m["to"] for m in reached.twilio.messages}
    assert not reached.parts.store.problems.known("sms:page_by:+33")


def test_what_is_ours_alarms_the_operator_and_climbs_no_tier(reached: Reached) -> None:
    """A refused login is a problem with its remedy, is tried again, and pages nobody else."""
    incident = reached.declare()
    reached.twilio.refusals = dict.fromkeys(PHONES.values(), 20003)
    reached.push(minutes=1)
    [problem] = [p for p in reached.parts.store.problems.current() if p.key == "sms:page_by"]
    assert "TWILIO_AUTH_TOKEN" in problem.remedy
    after = reached.parts.now(incident)
    assert len(after.pages) == len(incident.pages)
    reached.twilio.refusals = {}
    reached.push(seconds=5)
    assert len(reached.twilio.messages) == len(incident.pages)
    assert not [p for p in reached.parts.store.problems.current() if p.key == "sms:page_by"]


@pytest.mark.parametrize("via", [Via.SMS, Via.CALL])
def test_tries_that_failed_spend_nothing_of_a_numbers_budget(reached: Reached, via: Via) -> None:
    """Twilio is away for a minute: each SMS and call comes within seconds of its return, once, not minutes later."""
    reached.parts.context = replace(reached.parts.context, paced=True)
    incident = reached.declare()
    reached.push(minutes=0.99 if via is Via.SMS else 2.99)
    reached.twilio.outage = 503
    for _ in range(65):
        reached.push(seconds=1)
    reached.twilio.outage = 0
    for _ in range(31):
        reached.push(seconds=1)
    made = reached.twilio.messages if via is Via.SMS else reached.twilio.calls
    assert sorted(m["to"] for m in made) == sorted({PHONES[key_of(reached, p.person)] for p in incident.pages})


# Lost replies --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("via", [Via.SMS, Via.CALL])
def test_a_lost_reply_is_adopted_from_the_list(reached: Reached, via: Via) -> None:
    """After lost replies each person has one SMS and one call: Twilio's list is read before anything is sent again."""
    incident = reached.declare()
    people = len(incident.pages)
    if via is Via.CALL:
        reached.push(minutes=1)
    reached.twilio.lose = people
    reached.push(minutes=1 if via is Via.SMS else 2)
    for _ in range(8):
        reached.push(seconds=2)
    made = reached.twilio.messages if via is Via.SMS else reached.twilio.calls
    assert len(made) == people
    assert set(reached.states(incident, via)) == {ReachState.ACCEPTED}


def test_a_lost_sms_that_nobody_can_answer_is_adopted_too(reached: Reached) -> None:
    """Without an address of ours an SMS has no code: Twilio's list shows it by the incident's id, and it goes once."""
    account = TwilioAccount(twilio.SID, twilio.TOKEN, twilio.NUMBER, url=reached.twilio.url)
    reached.parts.context = through(reached.parts.context, sms=TwilioClient(account))
    incident = reached.declare()
    reached.twilio.lose = len(incident.pages)
    reached.push(minutes=1)
    reached.push(seconds=20)
    assert len(reached.twilio.messages) == len(incident.pages)
    assert set(reached.states(incident, Via.SMS)) == {ReachState.ACCEPTED}


def test_a_lost_reply_is_adopted_by_its_callback(reached: Reached) -> None:
    """A callback that names our delivery is enough, though the list shows nothing yet."""
    incident = reached.declare()
    people = len(incident.pages)
    reached.twilio.lose, reached.twilio.hides = people, True
    reached.push(minutes=1)
    for item in list(reached.twilio.messages):
        delivery = item["form"]["StatusCallback"].partition("#")[0].rpartition("/")[2]
        reached.news.twilio_status(delivery, {"MessageSid": item["sid"], "MessageStatus": "sent"})
    for _ in range(8):
        reached.push(seconds=2)
    assert len(reached.twilio.messages) == people
    assert set(reached.states(incident, Via.SMS)) == {ReachState.ACCEPTED}


def test_what_neither_callback_nor_list_knows_is_sent_again(reached: Reached) -> None:
    """An SMS of which Twilio knows nothing after ten seconds goes again: a page is never lost."""
    incident = reached.declare()
    people = len(incident.pages)
    reached.twilio.lose, reached.twilio.hides = people, True
    reached.push(minutes=1)
    reached.push(seconds=9)
    assert len(reached.twilio.messages) == people
    reached.push(seconds=2)
    assert len(reached.twilio.messages) == 2 * people


def test_an_earlier_sms_of_the_same_page_is_not_taken_for_the_lost_one(reached: Reached) -> None:
    """A repeat has the code of the first SMS; that one, which is known, is not adopted in its place."""
    incident = reached.declare()
    people = len(incident.pages)
    reached.push(minutes=1)
    reached.push(minutes=2)
    first = len(reached.twilio.messages)
    assert first == people
    reached.push(minutes=2)  # the page is repeated
    reached.twilio.outage = 503
    reached.push(minutes=1)
    reached.twilio.outage = 0
    for _ in range(20):
        reached.push(seconds=2)
    assert len(reached.twilio.messages) >= 2 * people


# What the vendors report ---------------------------------------------------------------------------------------------


ORDERS = [["sent", "delivered"], ["delivered", "sent"], ["delivered", "queued", "sent", "delivered"]]


@pytest.mark.parametrize("order", ORDERS)
def test_statuses_never_go_back(reached: Reached, order: list[str]) -> None:
    """In whatever order statuses come, delivered stays delivered."""
    incident = reached.declare()
    reached.push(minutes=1)
    effect = delivery_of(reached, incident, Via.SMS)
    for status in order:
        reached.news.twilio_status(effect, {"MessageSid": "SM1", "MessageStatus": status})
    assert reached.states(incident, Via.SMS)[0] is ReachState.DELIVERED


def key_of(reached: Reached, person: str) -> str:
    return reached.parts.service.company.key_of(person, reached.parts.store.directory()) or person


def test_pushover_is_believed_by_its_receipt_alone(reached: Reached) -> None:
    """A callback counts once the receipt, read again, says that its person acknowledged."""
    incident = reached.declare()
    sent = reached.pushover.sent[0]
    token = sent["callback"].rpartition("/")[2]
    assert sent["url"] == f"{PUBLIC}/ack/{token}"
    reached.news.pushover(token, sent["receipt"])
    assert not reached.parts.now(incident).acknowledgement
    reached.pushover.receipts[sent["receipt"]]["acknowledged"] = 1
    reached.news.pushover(token, sent["receipt"])
    reached.news.pushover(token, sent["receipt"])
    acknowledged = [e for e in reached.parts.now(incident).timeline if e.kind is EntryKind.ACKNOWLEDGED]
    assert [e.fields["how"] for e in acknowledged] == ["Pushover"]


def test_an_alarm_that_repeats_by_itself_stops_once_the_page_ended(reached: Reached) -> None:
    """When somebody acknowledges, Pushover's alarms of those whose page ended are stopped, each once."""
    incident = reached.declare()
    reached.parts.service.handle(incident.id, Acknowledge(by=incident.pages[0].person))
    reached.parts.run()
    ended = [p for p in reached.parts.now(incident).pages if p.state is not PageState.OPEN]
    assert ended
    assert len(reached.pushover.cancelled) == len(set(reached.pushover.cancelled)) == len(ended)
    reached.parts.service.handle(incident.id, Resolve(by=incident.reporter, summary="s", resolution="r"))
    reached.parts.run()
    assert sorted(reached.pushover.cancelled) == sorted(reached.pushover.receipts)


# Words ---------------------------------------------------------------------------------------------------------------


def told(title: str, **facts: Any) -> Incident:
    return Story(title=title, **facts).incident


@given(title=st.text(min_size=1, max_size=200).filter(str.strip))
def test_an_sms_is_short_and_has_its_code_and_no_link(title: str) -> None:
    """One segment where the letters allow it, two else; the code and the id are never cut off."""
    incident = told(title)
    body = words.sms(incident, "4821", answerable=True)
    assert "Reply 4821 " in body
    assert incident.id in body
    assert len(body) <= (160 if words.GSM_7.issuperset(body) else 134)


@pytest.mark.parametrize(
    ("title", "kept"),
    [
        ("Zahlungen „stehen“ – alles", True),
        ("Kasse: €5 [x] {y} ~", True),
        ("Платежи не проходят", False),
        ("🔥 down", True),
    ],
)
def test_letters_that_double_the_price_are_replaced_where_they_have_a_like(title: str, kept: bool) -> None:
    """Typographic signs and emoji do not turn an SMS of one segment into three; another script stays readable."""
    body = words.sms(told(title), "4821", answerable=True)
    assert words.GSM_7.issuperset(body) is kept


@given(title=st.text(min_size=1, max_size=200).filter(str.strip))
def test_a_call_is_valid_twiml_that_twilio_takes(title: str) -> None:
    """Whatever the title holds: well-formed, short enough, and the question twice with its address."""
    document = words.call(told(title), f"{PUBLIC}/twilio/key/inc-20241218-001.1.abc")
    assert len(document) <= LONGEST_TWIML
    gathers = ElementTree.fromstring(document).findall("Gather")
    assert [g.attrib["action"] for g in gathers] == [f"{PUBLIC}/twilio/key/inc-20241218-001.1.abc"] * 2
    assert all("Press 1 to acknowledge" in (g.findtext("Say") or "") for g in gathers)


def test_ids_are_spelled_for_the_ear() -> None:
    """Signs are spoken one by one, a day in its parts."""
    assert words.spelled("INC-20241218-001") == "I N C, 2 0 2 4, 1 2, 1 8, 0 0 1"
    assert words.spelled("P0") == "P 0"


def test_a_call_that_nobody_can_answer_asks_for_no_key() -> None:
    """Without an address of ours the call speaks and names Slack."""
    document = words.call(told("Checkout is down"), "")
    assert "Gather" not in document
    assert "Slack" in document


def test_of_a_private_incident_no_channel_says_a_word(reached: Reached) -> None:
    """SMS, call, Pushover and ntfy say id and severity only: no title, no impact, no reason, in no request."""
    incident = reached.declare(title=MARKER, impact=MARKER, description=MARKER, security=True)
    reached.push(minutes=1)
    reached.push(minutes=2)
    assert reached.twilio.messages
    assert reached.twilio.calls
    everything = [*reached.twilio.requests, *reached.pushover.requests, *reached.ntfy.requests]
    assert not [asked.body for asked in everything if "zebra" in asked.body.lower()]
    assert incident.id in reached.twilio.messages[0]["body"]


def test_an_sms_of_a_tier_is_worth_sending_until_the_next_follows(reached: Reached) -> None:
    """The validity of an SMS ends when the page is repeated or the next tier is paged."""
    reached.declare()
    reached.push(minutes=1)
    assert reached.twilio.messages
    validity = {int(m["form"]["ValidityPeriod"]) for m in reached.twilio.messages}
    assert all(6 <= seconds <= 900 for seconds in validity)


def test_too_many_pages_for_one_number_are_spread(reached: Reached) -> None:
    """A storm of incidents sends one number a few SMS at once and the rest one after the other."""
    reached.parts.context = through(reached.parts.context)
    object.__setattr__(reached.parts.context, "paced", True)
    for n in range(8):
        reached.parts.declare("P0", title=f"Down {n}", key=str(n))
    reached.parts.run()
    reached.push(minutes=1)
    most = max(len([m for m in reached.twilio.messages if m["to"] == number]) for number in PHONES.values())
    assert most == 5
    reached.push(seconds=190)
    later = max(len([m for m in reached.twilio.messages if m["to"] == number]) for number in PHONES.values())
    assert most < later <= most + 3


def test_a_failure_that_is_reported_twice_is_one(reached: Reached) -> None:
    """The same failure again neither writes a second line nor takes a second step."""
    incident = reached.declare()
    reached.push(minutes=1)
    effect = delivery_of(reached, incident, Via.SMS)
    event = PageStatus(effect=effect, status=ReachState.FAILED, why="nobody is there")
    lines = [
        len([e for e in reached.parts.service.handle(incident.id, event).timeline if e.why == "nobody is there"])
        for _ in range(2)
    ]
    assert lines == [1, 1]
