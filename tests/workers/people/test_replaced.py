"""A contact method that fails is replaced by the person's next one at once, whichever it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from escalation.config.notify import By, Notify, NotifyStep, Via
from escalation.incident.reach import ReachState
from tests.support.outside_services import MailServer
from tests.support.vendors import push, twilio
from tests.support.vendors.push import NtfyStandIn, PushoverStandIn
from tests.support.vendors.server import running
from tests.support.vendors.twilio import TwilioStandIn
from tests.support.worker import Works, redis_of, through, works
from tests.workers.people.test_pages import PHONES, company
from workers.channels.people.apprise import AppriseClient
from workers.channels.people.ntfy import NtfyClient
from workers.channels.people.pushover import PushoverClient
from workers.channels.people.twilio import TwilioAccount, TwilioClient
from workers.channels.smtp import MailClient

FIRST = (By.SMS, By.CALL, By.PUSHOVER, By.NTFY, By.MAIL, By.APPRISE)


@dataclass
class Vendors:
    """Everything that pages go by, and how each of it fails."""

    parts: Works
    twilio: TwilioStandIn
    pushover: PushoverStandIn
    ntfy: NtfyStandIn
    smtp: MailServer

    def refuse_the_person(self, by: By) -> None:
        """Have a method say that it does not reach these people."""
        self.twilio.sms_refusals = dict.fromkeys(PHONES.values(), 21614) if by is By.SMS else {}
        self.twilio.refusals = dict.fromkeys(PHONES.values(), 21214) if by is By.CALL else {}
        self.pushover.users = set() if by is By.PUSHOVER else None
        if by is By.MAIL:
            self.smtp.refusing["RCPT"] = "550 5.1.1 no such user"

    def refuse_us(self, by: By) -> None:
        """Have a method refuse our login."""
        if by is By.MAIL:
            self.smtp.refusing["MAIL"] = "530 5.7.0 authentication required"
        elif by is not By.APPRISE:  # whose only address is refused before anything is sent
            vendor = {By.PUSHOVER: self.pushover, By.NTFY: self.ntfy}.get(by, self.twilio)
            vendor.outage = 401

    def arrived(self, by: By) -> int:
        return len({By.NTFY: self.ntfy.published, By.PUSHOVER: self.pushover.sent}[by])


@pytest.fixture
def vendors(smtp: MailServer) -> Iterator[Vendors]:
    with (
        redis_of("fakeredis") as redis,
        running(TwilioStandIn()) as phone,
        running(PushoverStandIn()) as pushover,
        running(NtfyStandIn()) as ntfy,
    ):
        parts = works(redis, company=company())
        account = TwilioAccount(twilio.SID, twilio.TOKEN, twilio.NUMBER, url=phone.url)
        client, emergency = TwilioClient(account), PushoverClient(push.APP_TOKEN, pushover.url)
        mail, own = MailClient(smtp.url, "Tocsin <tocsin@example.com>"), NtfyClient(ntfy.url, push.NTFY_TOKEN)
        clients = {"sms": client, "call": client, "pushover": emergency, "ntfy": own, "mail": mail}
        parts.context = through(parts.context, **clients, apprise=AppriseClient(["nobody=json://localhost"]))
        parts.service.set_up = frozenset(Via)
        yield Vendors(parts, phone, pushover, ntfy, smtp)


def declare(vendors: Vendors, first: By) -> tuple[int, set[ReachState], int]:
    """Declare a P0 whose people have `first` at once and another a minute later.

    Returns how many were paged, the states of `first`, and how many the other reached without a minute passing.
    """
    second = By.PUSHOVER if first is By.NTFY else By.NTFY
    steps = (NotifyStep(by=(first,)), NotifyStep(after=timedelta(minutes=1), by=(second,)))
    people = {
        key: entry.model_copy(update={"mail": entry.email, "apprise": key}) for key, entry in company().people.items()
    }
    vendors.parts.service.company = company().model_copy(update={"notify": Notify(urgent=steps), "people": people})
    incident = vendors.parts.declare()
    vendors.parts.run()
    pages = vendors.parts.now(incident).pages
    states = {reach.state for page in pages for reach in page.reached if reach.via.value == first.value}
    return len(pages), states, vendors.arrived(second)


@pytest.mark.parametrize("first", [By.SMS, By.CALL, By.PUSHOVER, By.MAIL])
def test_a_method_that_does_not_reach_its_person_is_replaced_at_once(vendors: Vendors, first: By) -> None:
    """The next step is taken in the same instant, for each of them, and the record says that the first failed."""
    vendors.refuse_the_person(first)
    people, states, reached = declare(vendors, first)
    assert (states, reached) == ({ReachState.FAILED}, people)


@pytest.mark.parametrize("first", FIRST)
def test_a_method_that_refuses_us_is_replaced_at_once_and_tried_again(vendors: Vendors, first: By) -> None:
    """Our wrong login is no reason to let anybody sleep a minute longer; it is a problem of ours, and no new tier."""
    vendors.refuse_us(first)
    people, states, reached = declare(vendors, first)
    assert (states, reached) == ({ReachState.SENDING}, people)
    assert vendors.parts.store.problems.current()


@pytest.mark.parametrize("page", ["<html>Please log in</html>", "[]", '{"message": "Hello"}'])
@pytest.mark.parametrize("first", [By.SMS, By.CALL, By.PUSHOVER, By.NTFY])
def test_a_success_that_is_not_the_vendors_pages_nobody(vendors: Vendors, first: By, page: str) -> None:
    """A proxy's page is no page: the next method is taken at once, and the problem names the address to correct."""
    vendor = {By.PUSHOVER: vendors.pushover, By.NTFY: vendors.ntfy}.get(first, vendors.twilio)
    vendor.impostor = page
    people, states, reached = declare(vendors, first)
    assert (states, reached) == ({ReachState.SENDING}, people)
    assert any("else than" in p.text and "_URL" in p.remedy for p in vendors.parts.store.problems.current())


@pytest.mark.parametrize("first", [By.SMS, By.CALL, By.PUSHOVER, By.NTFY, By.MAIL])
def test_a_method_that_works_lets_the_next_wait(vendors: Vendors, first: By) -> None:
    """What was accepted is given its minute."""
    _, states, reached = declare(vendors, first)
    assert (states, reached) == ({ReachState.ACCEPTED}, 0)
