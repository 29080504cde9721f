"""Clients of Twilio, Pushover, ntfy and Apprise, against stand-ins that refuse what the vendors refuse."""

from collections.abc import Iterator

import pytest

from tests.support.vendors import push, twilio
from tests.support.vendors.push import NtfyStandIn, PushoverStandIn
from tests.support.vendors.server import running
from tests.support.vendors.twilio import TwilioStandIn
from workers.channels.failures import Failed, Kind
from workers.channels.people.apprise import AppriseClient, problem_of
from workers.channels.people.ntfy import Notification, NtfyClient
from workers.channels.people.pushover import Push, PushoverClient
from workers.channels.people.twilio import DOUBT, TwilioAccount, TwilioClient
from workers.channels.refusals.push import ntfy_failure, pushover_failure
from workers.channels.refusals.twilio import twilio_failure

DANA, DELIVERY, PUBLIC = "+4915112345678", "INC-20241218-001-7-page", "https://tocsin.example.com"
USER = "u" * 30


@pytest.fixture
def vendor() -> Iterator[TwilioStandIn]:
    with running(TwilioStandIn()) as found:
        yield found


@pytest.fixture
def pushover() -> Iterator[PushoverStandIn]:
    with running(PushoverStandIn()) as found:
        yield found


@pytest.fixture
def ntfy() -> Iterator[NtfyStandIn]:
    with running(NtfyStandIn()) as found:
        yield found


def account(vendor: TwilioStandIn, **changed: str) -> TwilioAccount:
    known = {"sid": twilio.SID, "token": twilio.TOKEN, "sender": twilio.NUMBER, "url": vendor.url, "public_url": PUBLIC}
    return TwilioAccount(**(known | changed))


def test_an_sms_expires_with_its_tier_and_reports_under_our_id(vendor: TwilioStandIn) -> None:
    """An SMS carries its validity and a callback whose path is our delivery's id, and asks for retries of it."""
    TwilioClient(account(vendor)).send_text(DANA, "P0. Reply 1234", DELIVERY, 300)
    form = vendor.messages[0]["form"]
    assert form["ValidityPeriod"] == "300"
    assert form["StatusCallback"].partition("#")[0] == f"{PUBLIC}/twilio/status/{DELIVERY}"
    assert "rc=3" in form["StatusCallback"]


@pytest.mark.parametrize(("asked", "sent"), [(0.1, "6"), (5, "6"), (900, "900"), (90_000, "36000")])
def test_a_validity_that_twilio_refuses_is_never_asked_for(vendor: TwilioStandIn, asked: float, sent: str) -> None:
    """A tier of a second or of days gets the nearest validity that Twilio takes."""
    TwilioClient(account(vendor)).send_text(DANA, "P0", DELIVERY, asked)
    assert vendor.messages[0]["form"]["ValidityPeriod"] == sent


def test_a_messaging_service_sends_in_place_of_the_number(vendor: TwilioStandIn) -> None:
    """With a Messaging Service an SMS names that and no number; a call still comes from the number."""
    client = TwilioClient(account(vendor, service="MG1"))
    client.send_text(DANA, "P0", DELIVERY, 60)
    client.call(DANA, "<Response/>", DELIVERY)
    assert "From" not in vendor.messages[0]["form"]
    assert vendor.calls[0]["form"]["From"] == twilio.NUMBER
    assert vendor.calls[0]["events"] == ["initiated", "ringing", "answered", "completed"]


def test_without_an_address_of_ours_twilio_is_asked_to_call_nobody_back(vendor: TwilioStandIn) -> None:
    """Without TOCSIN_URL there is no callback, and a doubtful request is looked for at once."""
    client = TwilioClient(account(vendor, public_url=""))
    vendor.lose = 1
    with pytest.raises(Failed) as failed:
        client.send_text(DANA, "P0", DELIVERY, 60)
    assert "StatusCallback" not in vendor.messages[0]["form"]
    assert failed.value.wait == 0


@pytest.mark.parametrize("what", ["text", "call"])
def test_a_lost_reply_waits_for_the_callback_and_is_found_in_the_list(vendor: TwilioStandIn, what: str) -> None:
    """A request whose reply is lost is in doubt for ten seconds, and then stands in Twilio's list."""
    client = TwilioClient(account(vendor))
    vendor.lose = 1
    with pytest.raises(Failed) as failed:
        _ = (
            client.send_text(DANA, "code 1234", DELIVERY, 60)
            if what == "text"
            else client.call(DANA, "<Response/>", DELIVERY)
        )
    assert (failed.value.kind, failed.value.wait) == (Kind.PASSING, DOUBT)
    listed = client.texts_to(DANA) if what == "text" else client.calls_to(DANA)
    assert [item.sid for item in listed] == [i["sid"] for i in (vendor.messages or vendor.calls)]
    assert listed[0].created


def test_a_refused_connection_is_no_doubt() -> None:
    """Where no connection was made nothing can have been sent: it is tried again soon."""
    nobody = TwilioAccount(twilio.SID, twilio.TOKEN, twilio.NUMBER, url="http://127.0.0.1:9", public_url=PUBLIC)
    with pytest.raises(Failed) as failed:
        TwilioClient(nobody).send_text(DANA, "P0", DELIVERY, 60)
    assert (failed.value.kind, failed.value.wait) == (Kind.PASSING, 0)


PERSON = [13224, 21211, 21214, 21216, 21217, 21610, 21612, 21614, 21635, 30004, 30005, 30006]
PASSING = [10004, 20429, 20500, 20503, 21611, 30001, 30003, 30008, 30017, 30410]
OURS = [20003, 20005, 21210, 21212, 21215, 13227, 21219, 21408, 21606, 21608, 21609, 21617, 21703, 30002, 30007]
OURS += [30022, 30023, 30027, 30032, 30034]


@pytest.mark.parametrize(
    ("code", "kind"),
    [(c, k) for codes, k in ((PERSON, Kind.PERSON), (PASSING, Kind.PASSING), (OURS, Kind.OURS)) for c in codes],
)
def test_each_code_of_twilio_has_its_kind(code: int, kind: Kind) -> None:
    """What is the person's, what passes and what is ours follows Twilio's code; what is ours has a remedy."""
    failed = twilio_failure(400, code)
    assert failed.kind is kind
    assert bool(failed.reason.remedy) == (kind is Kind.OURS)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("+15550101", "+1"),
        ("+79161234567", "+7"),
        ("+4915112345678", "+49"),
        ("+420601123456", "+420"),
        ("+353851234567", "+353"),
        ("+3581234567", "+358"),
        ("+2711234567", "+27"),
        ("", ""),
    ],
)
def test_a_refusal_of_a_country_names_it(number: str, code: str) -> None:
    """By its code alone: readiness is open to anybody, and says nobody's number."""
    failed = twilio_failure(400, 21408, to=number)
    assert failed.about == code
    assert number == "" or failed.reason.text.endswith(f"({code})")
    assert twilio_failure(400, 20003, to=number).about == ""


@pytest.mark.parametrize(
    ("status", "kind"), [(401, Kind.OURS), (404, Kind.OURS), (429, Kind.PASSING), (502, Kind.PASSING)]
)
def test_a_refusal_without_a_code_goes_by_its_status(status: int, kind: Kind) -> None:
    """A proxy's answer, which has none of Twilio's codes, is passing or ours by its status."""
    assert twilio_failure(status).kind is kind


def test_a_refusal_at_the_wire_keeps_the_wait_that_was_asked_for(vendor: TwilioStandIn) -> None:
    """Too many requests: the seconds of Retry-After are waited, and no secret stands in the error."""
    vendor.refusals[DANA], vendor.retry_after = 20429, "7"
    with pytest.raises(Failed) as failed:
        TwilioClient(account(vendor)).call(DANA, "<Response/>", DELIVERY)
    assert (failed.value.kind, failed.value.wait) == (Kind.PASSING, 7)
    assert twilio.TOKEN not in failed.value.reason.sentence()


def test_a_wrong_token_of_twilio_is_ours(vendor: TwilioStandIn) -> None:
    """A refused login names the variables to correct."""
    with pytest.raises(Failed) as failed:
        TwilioClient(account(vendor, token="wrong")).account()
    assert failed.value.kind is Kind.OURS
    assert "TWILIO_AUTH_TOKEN" in failed.value.reason.remedy


def test_pushover_repeats_an_urgent_page_until_its_tier_is_over(pushover: PushoverStandIn) -> None:
    """An urgent page is an emergency that repeats each minute, at most as long as Pushover takes, and has a receipt."""
    client = PushoverClient(push.APP_TOKEN, pushover.url)
    receipt = client.send(
        USER, Push("P0", "x" * 3000, f"{PUBLIC}/ack/t", expire=99_999, tag="INC-1", callback="https://x.y")
    )
    sent = pushover.sent[0]
    assert (sent["priority"], sent["retry"], sent["expire"], sent["tags"]) == ("2", "60", "10800", "INC-1")
    assert client.receipt(receipt).acknowledged is False
    pushover.receipts[receipt] |= {"acknowledged": 1, "acknowledged_by": USER}
    assert client.receipt(receipt).by == USER


def test_a_page_that_is_not_urgent_wakes_nobody(pushover: PushoverStandIn) -> None:
    """A page that is not urgent has no emergency priority, which would break through Do Not Disturb."""
    assert PushoverClient(push.APP_TOKEN, pushover.url).send(USER, Push("P2", "words", urgent=False)) == ""
    assert pushover.sent[0]["priority"] == "1"


@pytest.mark.parametrize(
    ("status", "fields", "kind"),
    [
        (400, {"user"}, Kind.PERSON),
        (400, {"token"}, Kind.OURS),
        (400, {"message"}, Kind.OURS),
        (429, set(), Kind.OURS),
        (500, set(), Kind.PASSING),
    ],
)
def test_each_refusal_of_pushover_has_its_kind(status: int, fields: set[str], kind: Kind) -> None:
    """A user key that is gone is the person's; a token, our words and the quota are ours; 5xx passes."""
    assert pushover_failure(status, fields=fields).kind is kind


def test_pushover_at_the_wire(pushover: PushoverStandIn) -> None:
    """An unknown user and a used-up quota are told apart by what the answer says."""
    client = PushoverClient(push.APP_TOKEN, pushover.url)
    pushover.users = {USER}
    for user, quota, kind in (("v" * 30, 5, Kind.PERSON), (USER, 0, Kind.OURS)):
        pushover.quota = quota
        with pytest.raises(Failed) as failed:
            client.send(user, Push("P0", "words"))
        assert failed.value.kind is kind
    client.check()
    client.validate(USER)
    client.cancel("r" * 30)
    assert pushover.cancelled == ["r" * 30]


def test_a_notification_of_ntfy_that_is_sent_again_shows_once(ntfy: NtfyStandIn) -> None:
    """After a lost reply the same notification takes the former one's place; a long one stays a notification."""
    client = NtfyClient(ntfy.url, push.NTFY_TOKEN)
    page = Notification("dana-pages", "P0", "ü" * 5000, DELIVERY, f"{PUBLIC}/ack/t")
    ntfy.lose = 1
    with pytest.raises(Failed):
        client.send(page)
    client.send(page)
    assert len(ntfy.published) == 2
    (shown,) = ntfy.shown.values()
    assert (shown["priority"], shown["click"]) == (5, f"{PUBLIC}/ack/t")
    assert shown["actions"][0]["action"] == "view"


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, 40101, Kind.OURS),
        (403, 40301, Kind.OURS),
        (400, 40009, Kind.PERSON),
        (429, 42908, Kind.PASSING),
        (500, 0, Kind.PASSING),
    ],
)
def test_each_refusal_of_ntfy_has_its_kind(status: int, code: int, kind: Kind) -> None:
    """Token and rights are ours, a topic that cannot exist is the person's, limits pass."""
    assert ntfy_failure(status, code).kind is kind


@pytest.mark.parametrize(
    ("url", "fine"),
    [
        ("tgram://token/chat", True),
        ("json://localhost", True),
        ("syslog://", False),
        ("dbus://", False),
        ("words", False),
    ],
)
def test_an_address_for_apprise_that_acts_on_this_host_is_refused(url: str, fine: bool) -> None:
    """Addresses that reach nobody else are refused, in words that do not repeat the address."""
    assert (problem_of(url) == "") is fine
    assert "5ecret" not in problem_of("tgram:5ecret")


def test_what_apprise_does_not_take_is_named_by_its_number() -> None:
    """A bad address is ours and is named by its place; a service that is away is passing."""
    with pytest.raises(Failed) as failed:
        AppriseClient(["json://localhost", "nosuchservice://secret"]).check()
    assert failed.value.kind is Kind.OURS
    assert "address 2" in failed.value.reason.text
    assert "secret" not in str(failed.value.reason)
    with pytest.raises(Failed) as away:
        AppriseClient(["json://127.0.0.1:9"]).send("dana", "P0", "words")
    assert away.value.kind is Kind.PASSING


def test_an_address_of_apprise_belongs_to_its_tag() -> None:
    """A tagged address is its person's; who has none gets the untagged ones; with neither an operator is told."""
    with running(NtfyStandIn()) as theirs, running(NtfyStandIn()) as everybody:
        port = theirs.url.rpartition(":")[2]
        client = AppriseClient([f"dana=json://127.0.0.1:{port}", everybody.url.replace("http", "json")])
        for tag in ("dana", "omar"):
            with pytest.raises(Failed):  # this stand-in refuses Apprise's JSON, and keeps the request
                client.send(tag, "P0", "words")
        assert (len(theirs.requests), len(everybody.requests)) == (1, 1)
        with pytest.raises(Failed) as failed:
            AppriseClient([f"dana=json://127.0.0.1:{port}"]).send("omar", "P0", "words")
    assert failed.value.kind is Kind.OURS
