"""Client of Slack user groups. https://docs.slack.dev/reference/methods/usergroups.users.update"""

import re

from escalation.values import PersonId
from workers.channels.failures import Failed
from workers.channels.slack_api import SlackApi

_ID = re.compile(r"S[A-Z0-9]{2,}")


class SlackGroups:
    """Sets members of user groups.

    All methods raise Failed: groups need a paid plan, two scopes and, on some workspaces, an admin's permission.
    """

    def __init__(self, api: SlackApi) -> None:
        self._slack = api

    def set_members(self, group: str, people: list[PersonId]) -> bool:
        """Set the members of a group (handle or id); True if that changed anything."""
        group_id = self._group_id(group)
        if set(self._slack.read("usergroups.users.list", usergroup=group_id)["users"]) == set(people):
            return False
        self._slack.call("usergroups.users.update", usergroup=group_id, users=",".join(people))
        return True

    def _group_id(self, group: str) -> str:
        if _ID.fullmatch(group):
            return group
        for known in self._slack.read("usergroups.list")["usergroups"]:
            if known.get("handle") == group:
                return str(known["id"])
        raise Failed("no_such_subteam")
