"""Whom a page or a note is for: member ids, found by e-mail where the configuration has only that."""

import threading

from escalation.service import IncidentService
from escalation.values import PersonId
from workers.channels.failures import Failed, Kind
from workers.channels.slack import SlackClient


class Members:
    """The people of the configuration, as members of the workspace. All methods raise Failed."""

    def __init__(self, service: IncidentService, slack: SlackClient) -> None:
        self._service = service
        self._slack = slack
        self._directory = threading.Lock()

    def member(self, person: PersonId) -> PersonId:
        """A person's member id. A key of the configuration is looked up now: the directory may not know it yet."""
        if person[:1].isupper():
            return person
        if person not in self._service.company.people:
            raise Failed("user_not_found", Kind.PERSON)
        known = self._service.company.member(person, self._service.store.directory())
        return self._find(self._service.company.people[person].email or "") if known == person else known

    def _find(self, email: str) -> PersonId:
        """Ask, and put who was found into the directory, so that the next page of that person replaces this one."""
        member = self._slack.person_of(email)
        with self._directory:
            known = self._service.store.directory()
            self._service.store.save_directory(known.model_copy(update={"people": {**known.people, email: member}}))
        return member

    def members(self, people: tuple[PersonId, ...]) -> list[PersonId]:
        """Those of them that can be found."""
        found = []
        for person in people:
            try:
                found.append(self.member(person))
            except Failed as failed:
                if failed.kind is not Kind.PERSON:
                    raise
        return found
