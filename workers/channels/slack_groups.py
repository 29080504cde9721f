"""Client of Slack user groups. https://docs.slack.dev/reference/methods/usergroups.users.update"""

import re

from escalation.values import PersonId
from workers.channels.failures import Failed, Kind
from workers.channels.slack_api import SlackApi

_ID = re.compile(r"S[A-Z0-9]{2,}")


class SlackGroups:
    """Sets members of user groups.

    All methods raise Failed: groups need a paid plan, two scopes and, on some workspaces, an admin's permission.
    """

    def __init__(self, api: SlackApi) -> None:
        self._slack = api

    def set_members(self, group: str, people: list[PersonId]) -> dict[PersonId, Failed]:
        """Set the members of a group (handle or id). Returns those who cannot be members, each with the reason."""
        group_id = self._group_id(group)
        if set(self._slack.read("usergroups.users.list", usergroup=group_id)["users"]) == set(people):
            return {}
        try:
            self._update(group_id, people)
        except Failed as failed:
            if failed.error != "invalid_users":
                raise
        else:
            return {}
        refused = {person: why for person in people if (why := self._refusal(person))}
        self._update(group_id, [person for person in people if person not in refused])
        return refused

    def _update(self, group_id: str, people: list[PersonId]) -> None:
        if not people:
            raise Failed("no_users_provided")
        self._slack.call("usergroups.users.update", usergroup=group_id, users=",".join(people))

    def _refusal(self, person: PersonId) -> Failed | None:
        """Why somebody cannot be a member of a group; None if they can."""
        try:
            user = self._slack.read("users.info", user=person)["user"]
        except Failed as failed:
            if failed.kind is Kind.PERSON:
                return failed
            raise
        if user.get("deleted"):
            return Failed("user_disabled")
        return Failed("cannot_dm_bot") if user.get("is_bot") else None

    def _group_id(self, group: str) -> str:
        if _ID.fullmatch(group):
            return group
        for known in self._slack.read("usergroups.list")["usergroups"]:
            if known.get("handle") == group:
                return str(known["id"])
        raise Failed("no_such_subteam")
