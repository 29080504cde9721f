"""Slack member ids of the people in the configuration, looked up by e-mail where it has only that."""

import threading

from escalation.service import IncidentService
from escalation.values import PersonId
from workers.channels.failures import Failed, Kind
from workers.channels.slack import SlackClient


class Members:
    """Finds people's member ids in the workspace. All methods raise Failed."""

    def __init__(self, service: IncidentService, slack: SlackClient) -> None:
        self._service = service
        self._slack = slack
        self._directory_lock = threading.Lock()

    def member(self, person: PersonId) -> PersonId:
        """The member id of a person. A configuration key is looked up now: the directory may not know it yet."""
        if person[:1].isupper():
            return person
        if person not in self._service.company.people:
            raise Failed("user_not_found", Kind.PERSON)
        known = self._service.company.member(person, self._service.store.directory())
        return self._find(self._service.company.people[person].email or "") if known == person else known

    def _find(self, email: str) -> PersonId:
        """Ask Slack for the member, and save them in the directory: the next page of that person replaces this one."""
        member = self._slack.member_by_email(email)
        with self._directory_lock:
            known = self._service.store.directory()
            self._service.store.save_directory(known.model_copy(update={"people": {**known.people, email: member}}))
        return member

    def members(self, people: tuple[PersonId, ...]) -> tuple[dict[PersonId, PersonId], dict[PersonId, Failed]]:
        """The member ids by person of those who can be found, and the failures of the others."""
        found: dict[PersonId, PersonId] = {}
        missing: dict[PersonId, Failed] = {}
        for person in people:
            try:
                found[person] = self.member(person)
            except Failed as failed:
                if failed.kind is not Kind.PERSON:
                    raise
                missing[person] = failed
        return found, missing

    def first(self, most: int) -> list[PersonId]:
        """The member ids of the first people of the configuration who can be found."""
        found: list[PersonId] = []
        for key in self._service.company.people:
            found += self.members((key,))[0].values()
            if len(found) >= most:
                break
        return found
