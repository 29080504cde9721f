"""Planners of pages through Pushover, ntfy and Apprise.

Pushover and Apprise drop no duplicates and cannot be asked, so they are at least once. ntfy shows one notification for
one delivery, however often it is sent.
"""

from datetime import datetime

from escalation.config.notify import Via
from escalation.incident.effects import Effect, StopPage
from escalation.incident.events.outcomes import Delivered, Dropped
from escalation.incident.model import Incident
from escalation.messages import pages as words
from escalation.service import IncidentService
from workers.channels.people.apprise import AppriseClient
from workers.channels.people.ntfy import Notification, NtfyClient
from workers.channels.people.pushover import Push, PushoverClient
from workers.delivery.people.pages import Pages, PageToSend, seconds_left
from workers.delivery.plan import Plan, Planned, SendResult, sending
from workers.delivery.rate_limits import Budget

PUSHOVER = Budget("pushover", 0.5, 10)  # https://pushover.net/api#friendly: no more than two connections at once
NTFY = Budget("ntfy", 0.2, 30)  # https://docs.ntfy.sh/publish/#limitations: a burst of 60, on ntfy.sh
APPRISE = Budget("apprise", 1.0, 5)
TEST_TITLE = "Tocsin: test"


class PushoverPlanner:
    """Plans pages through Pushover. An urgent one repeats by itself until its tier is over."""

    def __init__(self, client: PushoverClient, service: IncidentService) -> None:
        self._client = client
        self._pages = Pages(service)

    def plan(self, incident: Incident, effect: Effect, now: datetime) -> Planned:
        """The send of a page, or why there is none."""
        if isinstance(effect, StopPage):
            return self._stop(effect)
        found = self._pages.of(incident, effect)
        if isinstance(found, Dropped):
            return found
        said = words.push(incident, found.page)
        push = Push(
            title=said.title,
            message=said.message,
            link=self._pages.link(found),
            urgent=found.urgent,
            expire=seconds_left(incident, now),
            tag=incident.id,
            callback=self._pages.link(found).replace("/ack/", "/pushover/"),
        )
        return Plan(PUSHOVER, lambda retrying: self._once(found, push))

    def test(self, via: Via, to: str, delivery: str) -> None:
        """Send a marked test that rings as an urgent page does, for as short as Pushover lets it."""
        self._client.send(to, Push(TEST_TITLE, words.TEST, expire=0.0, tag=delivery))

    def _stop(self, effect: StopPage) -> Planned:
        receipt = self._pages.ids.of(effect.sent)
        if not receipt:
            return Dropped(effect=effect.id, why="it does not repeat")
        return Plan(PUSHOVER, sending(effect, lambda: self._client.cancel(receipt)))

    def _once(self, found: PageToSend, push: Push) -> SendResult:
        delivery, ids = found.effect.id, self._pages.ids
        if ids.of(delivery):
            return SendResult(Delivered(effect=delivery), adopted=True)
        if receipt := self._client.send(found.to, push):
            ids.claim(delivery, receipt)
        return SendResult(Delivered(effect=delivery))


class NtfyPlanner:
    """Plans pages through ntfy."""

    def __init__(self, client: NtfyClient, service: IncidentService) -> None:
        self._client = client
        self._pages = Pages(service)

    def plan(self, incident: Incident, effect: Effect, now: datetime) -> Planned:
        """The send of a page, or why there is none."""
        found = self._pages.of(incident, effect)
        if isinstance(found, Dropped):
            return found
        said, link = words.push(incident, found.page), self._pages.link(found)
        notification = Notification(found.to, said.title, said.message, effect.id, link, found.urgent)
        return Plan(NTFY, sending(effect, lambda: self._client.send(notification)))

    def test(self, via: Via, to: str, delivery: str) -> None:
        """Send a marked test with the priority of an urgent page."""
        self._client.send(Notification(to, TEST_TITLE, words.TEST, delivery))


class ApprisePlanner:
    """Plans pages through the services behind Apprise."""

    def __init__(self, client: AppriseClient, service: IncidentService) -> None:
        self._client = client
        self._pages = Pages(service)

    def plan(self, incident: Incident, effect: Effect, now: datetime) -> Planned:
        """The send of a page, or why there is none."""
        found = self._pages.of(incident, effect)
        if isinstance(found, Dropped):
            return found
        said, link = words.push(incident, found.page), self._pages.link(found)
        message = f"{said.message}\nAcknowledge: {link}" if link else said.message
        return Plan(APPRISE, sending(effect, lambda: self._client.send(found.to, said.title, message)))

    def test(self, via: Via, to: str, delivery: str) -> None:
        """Send a marked test."""
        self._client.send(to, TEST_TITLE, words.TEST)
