"""Slack is down: an alert opens a P0, the on-call engineer is woken by SMS and call, presses 1; Slack returns."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from benchmarks.ports import free_port
from bot.alerts.authentication import AlertSecrets
from bot.deps import AnswerDeps
from escalation.config.company import Company
from escalation.config.notify import Via
from escalation.incident.model import Incident
from escalation.incident.reach import How, ReachState
from escalation.incident.state.entries import EntryKind
from tests.alerts.prometheus import TOKEN, checkout_is_down
from tests.support.bot import BotAtWork, everything, patient_workspace, running_bot
from tests.support.clock import PushedClock
from tests.support.company import example_data, phones, user
from tests.support.vendors import twilio
from tests.support.vendors.server import running
from tests.support.vendors.twilio import TwilioStandIn
from tests.support.worker import Works, bots_intake, redis_of, through, works
from workers.channels.people.twilio import TwilioAccount, TwilioClient
from workers.delivery.people.news import News

PHONES = phones()


@dataclass
class Night:
    """The whole of Tocsin, and a telephone network."""

    works: Works
    bot: BotAtWork
    twilio: TwilioStandIn

    @property
    def incident(self) -> Incident:
        (incident,) = self.works.store.recent()
        return incident

    def minute(self, n: float) -> None:
        """Push the clock to that minute after the alert, half a second at a time where something is due."""
        self.works.clock.now = self.incident.declared_at + timedelta(minutes=n)
        self.works.run()

    def calls_to(self, person: str) -> list[dict[str, str]]:
        return [call for call in self.twilio.calls if call["to"] == self.phone(person)]

    def phone(self, person: str) -> str:
        key = self.works.service.company.key_of(person, self.works.store.directory())
        assert key
        return PHONES[key]


@pytest.fixture
def night() -> Iterator[Night]:
    people = {key: {"slack": user(key), "phone": PHONES[key]} for key in example_data()["people"]}
    company = Company.model_validate(example_data() | {"people": people, "alerts": {"severities": {"critical": "P0"}}})
    port, clock = free_port(), PushedClock()
    url = f"http://127.0.0.1:{port}"
    with patient_workspace() as workspace, redis_of("valkey") as redis, running(TwilioStandIn()) as phone:
        parts = works(redis, workspace, clock, company)
        phone.now = clock
        parts.service.set_up, parts.service.public_url = {Via.SMS, Via.CALL}, url
        client = TwilioClient(TwilioAccount(twilio.SID, twilio.TOKEN, twilio.NUMBER, url=phone.url, public_url=url))
        parts.context = through(parts.context, sms=client, call=client)
        answers = AnswerDeps(public_url=url, twilio_tokens=(twilio.TOKEN,), news=News(parts.service))
        more: dict[str, Any] = {
            "intake": bots_intake(redis),
            "alert_secrets": AlertSecrets((TOKEN,)),
            "answers": answers,
        }
        parts.slack_away()
        with running_bot(workspace, parts.service, connected=False, port=port, **more) as bot:
            yield Night(parts, bot, phone)


def alert(night: Night) -> None:
    checkout_is_down(night.bot.web)
    night.works.run()


def test_the_engineer_is_woken_without_slack_and_slack_shows_it_afterwards(night: Night) -> None:
    """An SMS comes after a minute, a call after three; key 1 acknowledges; the card tells all once Slack is back."""
    alert(night)
    woken = night.incident.pages[0].person
    night.minute(0.99)
    assert not night.twilio.messages
    night.minute(1)
    [sms] = [m for m in night.twilio.messages if m["to"] == night.phone(woken)]
    assert night.twilio.callback(sms, "delivered").status_code == 204
    assert night.twilio.callback(sms, "sent").status_code == 204
    night.minute(3)
    [call] = night.calls_to(woken)
    for status in ("ringing", "in-progress"):
        assert night.twilio.callback(call, status).status_code == 204
    said = night.twilio.press(call, "1")
    assert said.status_code == 200
    assert "acknowledged" in said.text
    night.twilio.callback(call, "completed")
    incident = night.incident
    assert incident.acknowledgement
    assert incident.acknowledgement.by == woken
    [entry] = [e for e in incident.timeline if e.kind is EntryKind.ACKNOWLEDGED]
    assert entry.fields["how"] == How.KEY
    states = {reach.via: reach.state for reach in incident.pages[0].reached}
    assert states == {Via.SMS: ReachState.DELIVERED, Via.CALL: ReachState.ANSWERED}
    calls = len(night.twilio.calls)
    night.minute(8)
    assert len(night.twilio.calls) == calls
    night.works.slack_back()
    night.works.run_for(40, step=2)
    told = [everything(message) for message in night.works.messages()]
    card = next(words for words in told if incident.id in words and "📟" in words)
    assert "by phone key" in card
    assert "SMS delivered, call answered" in card
    assert any("Acknowledged* by" in words and "by phone key" in words for words in told if "📟" not in words)
