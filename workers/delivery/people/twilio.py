"""Planner of SMS and calls through Twilio.

Twilio drops no duplicates. After a lost reply the first callback names the message, else Twilio's list: an SMS by its
code or its incident's id, a call by its time. Only what is in neither is sent again, so a page is doubled only if
Twilio carried it out and does not list it ten seconds later.
"""

import re
from collections.abc import Callable
from datetime import datetime, timedelta

from escalation.config.notify import Via
from escalation.incident.effects import Effect
from escalation.incident.events.outcomes import Delivered, Dropped
from escalation.incident.model import Incident
from escalation.messages import pages as words
from escalation.service import IncidentService
from workers.channels.people.twilio import Listed, TwilioClient
from workers.channels.refusals.twilio import country_code
from workers.delivery.people.pages import Pages, PageToSend, seconds_left
from workers.delivery.plan import Plan, Planned, SendResult
from workers.delivery.rate_limits import Budget

TEST_VALID = 300.0  # seconds
SKEW = timedelta(minutes=1)  # between Twilio's clock and ours
# Seconds between two in the long run, and how many at once, to one number: more only teach people to ignore them.
PER_NUMBER = {Via.SMS: (180.0, 5), Via.CALL: (300.0, 3)}


class TwilioPlanner:
    """Plans pages by SMS and call."""

    def __init__(self, client: TwilioClient, service: IncidentService) -> None:
        self._client = client
        self._pages = Pages(service)

    def plan(self, incident: Incident, effect: Effect, now: datetime) -> Planned:
        """The send of a page, or why there is none."""
        found = self._pages.of(incident, effect)
        if isinstance(found, Dropped):
            return found
        every, burst = PER_NUMBER[found.effect.via]
        budget = Budget(f"{found.effect.via}:{found.to}", every / incident.speed, burst, once=True)
        send = self._text(found, now) if found.effect.via is Via.SMS else self._call(found)
        return Plan(budget, lambda retrying: self._once(found, send, retrying))

    def test(self, via: Via, to: str, delivery: str) -> None:
        """Send a marked test, as an SMS or a call."""
        if via is Via.SMS:
            self._client.send_text(to, words.TEST, delivery, TEST_VALID)
        else:
            self._client.call(to, words.test_call(), delivery)

    def _once(self, found: PageToSend, send: Callable[[], Listed], retrying: bool) -> SendResult:
        delivery, ids = found.effect.id, self._pages.ids
        if ids.of(delivery):
            return SendResult(Delivered(effect=delivery), adopted=True)
        adopted = self._listed(found) if retrying else None
        ids.claim(delivery, (adopted or send()).sid)
        return SendResult(Delivered(effect=delivery), adopted is not None, country_code(found.to))

    def _listed(self, found: PageToSend) -> Listed | None:
        """The SMS or call of an earlier try, if Twilio made it."""
        if found.effect.via is Via.SMS:
            # One that nobody can answer has no code.
            mark = self._code(found) if self._client.has_callbacks else re.escape(found.incident.id)
            listed = [item for item in self._client.texts_to(found.to) if re.search(rf"\b{mark}\b", item.body)]
        else:
            listed = self._client.calls_to(found.to)
        since = found.effect.at - SKEW
        mine = (item for item in listed if not item.created or item.created >= since)
        return next((item for item in mine if self._pages.ids.delivery(item.sid) in ("", found.effect.id)), None)

    def _text(self, found: PageToSend, now: datetime) -> Callable[[], Listed]:
        body = words.sms(found.incident, self._code(found), self._client.has_callbacks)
        valid = seconds_left(found.incident, now)
        return lambda: self._client.send_text(found.to, body, found.effect.id, valid)

    def _call(self, found: PageToSend) -> Callable[[], Listed]:
        token = self._pages.answers.token(found.incident, found.page)
        twiml = words.call(found.incident, self._client.callback("key", token) if self._client.has_callbacks else "")
        return lambda: self._client.call(found.to, twiml, found.effect.id)

    def _code(self, found: PageToSend) -> str:
        return self._pages.answers.code(found.incident, found.page)
