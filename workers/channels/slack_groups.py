"""Slack user groups. https://docs.slack.dev/reference/methods/usergroups.users.update"""

import re

from escalation.values import PersonId
from workers.channels.failures import Failed
from workers.channels.slack_api import SlackApi

_ID = re.compile(r"S[A-Z0-9]{2,}")


class SlackGroups:
    """All methods raise Failed: user groups need a paid plan, two scopes and, on some workspaces, an admin's leave."""

    def __init__(self, caller: SlackApi) -> None:
        self._slack = caller

    def set_members(self, group: str, people: list[PersonId]) -> bool:
        """Make these the members of a group (handle or id); whether that changed anything."""
        found = self._id_of(group)
        if set(self._slack.read("usergroups.users.list", usergroup=found)["users"]) == set(people):
            return False
        self._slack.call("usergroups.users.update", usergroup=found, users=",".join(people))
        return True

    def _id_of(self, group: str) -> str:
        if _ID.fullmatch(group):
            return group
        for known in self._slack.read("usergroups.list")["usergroups"]:
            if known.get("handle") == group:
                return str(known["id"])
        raise Failed("no_such_subteam")
