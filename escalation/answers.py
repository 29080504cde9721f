"""Answers to pages without Slack: by code, key, link or mail. They are the same commands as a click in Slack."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from escalation.errors import NotFound, Refused
from escalation.incident.events.moves import Acknowledge, Decline
from escalation.incident.events.news import ResolvedThere
from escalation.incident.model import Incident
from escalation.incident.reach import How
from escalation.incident.state.pages import Page, PageState
from escalation.service import IncidentService
from escalation.storage.answers.keys import AnswerKeys, PageRef
from escalation.values import PersonId, machine


class Answer(StrEnum):
    """Answers to a page."""

    ACKNOWLEDGE = "acknowledge"
    DECLINE = "decline"


@dataclass(frozen=True)
class PageToAnswer:
    """A page that somebody answers, with its incident."""

    incident: Incident
    page: Page

    @property
    def ref(self) -> PageRef:
        """Its name, for tokens and codes."""
        return PageRef(self.incident.id, self.page.n)


class AnswerService:
    """Find pages by code or token, and answer them. Needs nothing but Redis: Slack may be down."""

    def __init__(self, service: IncidentService) -> None:
        self._service = service
        self._keys = AnswerKeys(service.store.redis)

    def code(self, incident: Incident, page: Page) -> str:
        """Return the digit code of a page, for its person alone."""
        return self._keys.code(self._person(page.person), PageRef(incident.id, page.n))

    def token(self, incident: Incident, page: Page) -> str:
        """Return the token of a page, for links and addresses of mail."""
        return self._keys.token(PageRef(incident.id, page.n))

    def link(self, incident: Incident, page: Page) -> str:
        """Return the link that answers a page; empty where nobody can reach us."""
        url = self._service.public_url
        return f"{url}/ack/{self.token(incident, page)}" if url else ""

    def reply_address(self, incident: Incident, page: Page) -> str:
        """Return the mail address whose mail answers a page; empty where no mail comes in."""
        return self._service.mailboxes.reply_address(self.token(incident, page))

    def bounce_address(self, incident: Incident, page: Page) -> str:
        """Return the address to which the mail of a page bounces; empty: to its sender."""
        return self._service.mailboxes.page_bounce_address(self.token(incident, page))

    def by_token(self, token: str) -> PageToAnswer:
        """Return the page of a token; NotFound for one that we never made."""
        return self._page(self._keys.by_token(token))

    def by_code(self, person: PersonId, code: str) -> PageToAnswer:
        """Return the page of somebody's code; NotFound for one that is not theirs, whoever else's it may be."""
        return self._page(self._keys.by_code(self._person(person), code.strip()))

    def by_number(self, number: str, code: str) -> PageToAnswer:
        """Return the page of a code that was sent from a telephone number (E.164); NotFound as above."""
        for person, entry in self._service.company.people.items():
            if entry.number == number:
                try:
                    return self.by_code(person, code)
                except NotFound:
                    continue  # two people may share a telephone
        raise NotFound("This code is of no page of yours.")

    def names(self) -> Mapping[PersonId, str]:
        """Return the names of people, for words about them."""
        return self._service.store.directory().names

    def answer(self, found: PageToAnswer, answer: Answer, how: How, key: str = "", known_as: str = "") -> Incident:
        """Answer a page as its person. The same `key` twice is one answer. `known_as` as in Acknowledge.

        Raises Refused with words for the person: it is resolved, they have acknowledged already.
        """
        incident, page = found.incident, found.page
        if not incident.open:
            raise Refused(f"{incident.id} is {incident.status}. Nothing is left to answer.")
        move: Acknowledge | Decline = Decline(by=page.person, how=how, key=key)
        if answer is Answer.ACKNOWLEDGE:
            move = Acknowledge(by=page.person, how=how, key=key, known_as=known_as[:100])
        return self._service.handle(incident.id, move)

    def of_service(self, incident_id: str, mail: str, name: str) -> tuple[PageToAnswer, str]:
        """Return the page that somebody answers in another paging service, and their name there if we do not know them.

        They are found by mail address, else by name. Whoever is not of the configuration answers for the person whose
        page is open: the service has paged who is on call, too. NotFound for an incident that we do not know.
        """
        incident = self._service.store.get(incident_id)
        if not incident.pages:
            raise NotFound(incident_id)
        person = self.person_of(mail, name)
        mine = [page for page in incident.pages if page.person == person]
        if mine:
            return PageToAnswer(incident, mine[-1]), ""
        if person:
            page = incident.pages[-1].model_copy(update={"person": person})
            return PageToAnswer(incident, page), ""
        waiting = next((page for page in incident.pages if page.state is PageState.OPEN), incident.pages[0])
        return PageToAnswer(incident, waiting), name or mail or "somebody"

    def ask_whether_over(self, incident_id: str, mail: str, name: str, service: str) -> None:
        """Ask whether an incident is over that somebody resolved in another service. NotFound for an unknown one."""
        by = self.person_of(mail, name)
        known_as = "" if by else (name or mail)[:100]
        event = ResolvedThere(by=by or machine(service), service=service, known_as=known_as)
        self._service.handle(incident_id, event)

    def member_of(self, address: str) -> PersonId:
        """Return the member who has this mail address; empty for nobody."""
        company, directory = self._service.company, self._service.store.directory()
        people = company.people if address else ()
        return next((company.member(key, directory) for key in people if address.lower() in self.addresses(key)), "")

    def addresses(self, person: PersonId) -> set[str]:
        """Return the mail addresses of somebody of the configuration, in lower case."""
        company, directory = self._service.company, self._service.store.directory()
        entry = company.entry_of(person, directory)
        known = (entry.email, entry.mail, company.mail_of(person, directory)) if entry else ()
        return {address.lower() for address in known if address}

    def person_of(self, mail: str, name: str) -> PersonId:
        """Return the member who has this address or, if nobody has, this name; empty for nobody, or several."""
        if member := self.member_of(mail):
            return member
        company, directory = self._service.company, self._service.store.directory()
        called = [
            member
            for key, entry in company.people.items()
            if (member := company.member(key, directory))
            and name.lower() in {n.lower() for n in (entry.name, directory.names.get(member)) if n}
        ]
        return called[0] if name and len(called) == 1 else ""

    def _page(self, ref: PageRef) -> PageToAnswer:
        incident = self._service.store.get(ref.incident)
        if not 1 <= ref.page <= len(incident.pages):
            raise NotFound(f"{ref.incident} has no page {ref.page}.")
        return PageToAnswer(incident, incident.page(ref.page))

    def _person(self, person: PersonId) -> str:
        """Return the name under which somebody's codes are kept: it stays the same once they are found in Slack."""
        company, directory = self._service.company, self._service.store.directory()
        return person if person in company.people else company.key_of(person, directory) or person
