"""A test of each contact method, asked for by its person: one real message, marked, and its result told."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from escalation.config.company import Company
from escalation.config.notify import By, Via
from escalation.errors import Refused
from escalation.oncall import trials
from tests.support.company import example_data, user
from tests.support.outside_services import MailServer
from tests.support.vendors import push, twilio
from tests.support.vendors.push import NtfyStandIn, PushoverStandIn
from tests.support.vendors.server import running
from tests.support.vendors.twilio import TwilioStandIn
from tests.support.worker import SlackByClock, Works, redis_of, through, works
from workers.channels.people.ntfy import NtfyClient
from workers.channels.people.pushover import PushoverClient
from workers.channels.people.twilio import TwilioAccount, TwilioClient
from workers.channels.smtp import MailClient
from workers.delivery.people.news import News
from workers.recurring.method_trials import MethodTrials

PHONE = "+4915112345678"
DANA = user("dana")


@dataclass
class Tried:
    """Dana, who has every method, and the services behind them."""

    parts: Works
    twilio: TwilioStandIn
    pushover: PushoverStandIn
    ntfy: NtfyStandIn
    smtp: MailServer

    def ask(self, by: By) -> None:
        now = self.parts.clock.now
        self.parts.store.update_oncall_state(lambda state: trials.ask(state, "dana", DANA, by, now))

    def run(self) -> None:
        MethodTrials(self.parts.context).run(self.parts.clock.now)

    def told(self) -> list[str]:
        return [m["text"] for m in self.parts.directs()]

    def arrived(self, by: By) -> list[str]:
        """What the other side of a method got, as text."""
        match by:
            case By.SMS:
                return [m["body"] for m in self.twilio.messages]
            case By.CALL:
                return [str(c) for c in self.twilio.calls]
            case By.PUSHOVER:
                return [str(s) for s in self.pushover.sent]
            case By.NTFY:
                return [str(p) for p in self.ntfy.published]
            case By.MAIL:
                return [str(m) for m in self.smtp.mails]
            case _:
                return [m for m in self.told() if "This is a test" in m]


@pytest.fixture
def tested(slack_by_clock: SlackByClock, smtp: MailServer) -> Iterator[Tried]:
    workspace, clock = slack_by_clock
    dana = {"slack": DANA, "mail": "dana@example.com", "phone": PHONE, "pushover": "d" * 30, "ntfy": "dana-pages"}
    people = {key: {"slack": user(key)} for key in example_data()["people"]} | {"dana": dana}
    with (
        redis_of("valkey") as redis,
        running(TwilioStandIn()) as phone,
        running(PushoverStandIn()) as pushover,
        running(NtfyStandIn()) as ntfy,
    ):
        parts = works(redis, workspace, clock, Company.model_validate(example_data() | {"people": people}))
        parts.control("reset")
        account = TwilioAccount(twilio.SID, twilio.TOKEN, twilio.NUMBER, url=phone.url, public_url="https://t.example")
        client, emergency = TwilioClient(account), PushoverClient(push.APP_TOKEN, pushover.url)
        mail, own = MailClient(smtp.url, "Tocsin <tocsin@example.com>"), NtfyClient(ntfy.url, push.NTFY_TOKEN)
        parts.context = through(parts.context, sms=client, call=client, pushover=emergency, ntfy=own, mail=mail)
        parts.service.set_up = frozenset({Via.SMS, Via.CALL, Via.PUSHOVER, Via.NTFY, Via.MAIL})
        yield Tried(parts, phone, pushover, ntfy, smtp)


@pytest.mark.parametrize("by", [By.SLACK, By.SMS, By.CALL, By.PUSHOVER, By.NTFY, By.MAIL])
def test_each_method_gets_one_marked_message_and_its_result_is_told(tested: Tried, by: By) -> None:
    """It says that it is a test, goes once however often a worker looks, and Slack says that it was sent."""
    tested.ask(by)
    for _ in range(2):
        tested.run()
    [message] = tested.arrived(by)
    assert "This is a test of Tocsin" in " ".join(message.split())
    [result] = [m for m in tested.told() if "🧪" in m]
    assert f"The test by {by.words}" in result
    assert "was sent" in result


def test_what_the_vendor_reports_later_is_told_too(tested: Tried) -> None:
    """An SMS that arrived says so; news never goes back, and each is told once."""
    tested.ask(By.SMS)
    tested.run()
    [trial] = tested.parts.store.oncall_state().trials
    news = News(tested.parts.service)
    for status in ("delivered", "sent", "delivered"):
        news.twilio_status(trial.delivery, {"MessageSid": "SM1", "MessageStatus": status})
        tested.run()
    assert [m.rpartition(" ")[2] for m in tested.told() if "🧪" in m and "arrived" in m] == ["arrived."]
    assert tested.parts.store.oncall_state().trials[0].state == "delivered"


@pytest.mark.parametrize(("code", "words"), [(21614, "SMS"), (20003, "Twilio")])
def test_a_method_that_does_not_work_says_why(tested: Tried, code: int, words: str) -> None:
    """A landline or a login of ours that is wrong: the person reads the reason, and no page is touched."""
    tested.twilio.sms_refusals[PHONE] = code
    tested.ask(By.SMS)
    tested.run()
    [result] = [m for m in tested.told() if "🧪" in m]
    assert "failed: " in result
    assert words in result


def test_two_tests_of_one_method_are_a_minute_apart(tested: Tried) -> None:
    """Nobody rings their own phone twenty times with one impatient finger; another method can be tried at once."""
    tested.ask(By.CALL)
    with pytest.raises(Refused, match="wait a minute"):
        tested.ask(By.CALL)
    tested.ask(By.SMS)
    tested.parts.clock.push(seconds=60)
    tested.ask(By.CALL)


def test_a_test_that_no_worker_took_in_time_is_not_sent_later(tested: Tried) -> None:
    """A phone that rings an hour after the button was pressed looks like an incident."""
    tested.ask(By.CALL)
    tested.parts.clock.push(minutes=5)
    tested.run()
    assert tested.arrived(By.CALL) == []
    assert any("no worker took it in time" in m for m in tested.told())


def test_the_result_waits_while_slack_is_away(tested: Tried) -> None:
    """The message itself goes, and what became of it is told once Slack is back."""
    tested.ask(By.SMS)
    tested.parts.slack_away()
    tested.run()
    assert len(tested.arrived(By.SMS)) == 1
    tested.parts.slack_back()
    tested.parts.clock.push(minutes=timedelta(hours=1) / timedelta(minutes=1))
    tested.run()
    assert len([m for m in tested.told() if "was sent" in m]) == 1
