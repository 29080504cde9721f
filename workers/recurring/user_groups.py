"""Sync Slack user groups with the people on call in a rotation. User groups are an optional feature of Slack."""

import json
from datetime import datetime

import structlog

from escalation.oncall.schedule import on_call_at
from workers.channels.failures import Failed, Kind
from workers.context import Context
from workers.delivery.members import Members

CHECKED_SECONDS = 600  # until a group is checked for changes by hand, and until a failed one is retried
WARNED_SECONDS = 86_400  # log a failing group once a day: a workspace may have no user groups

log = structlog.get_logger()


class UserGroups:
    """Keeps user groups in sync; `tocsin:group:{rotation}` has the members that a group was last set to."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._members = Members(context.service, context.slack)

    def sync(self, now: datetime) -> None:
        """Set each rotation's group to the people on call. In a gap the last ones stay: no group may be empty."""
        company, state = self._context.service.company, self._context.service.store.oncall_state()
        for name, rotation in company.rotations.items():
            if rotation.group and (people := on_call_at(name, company, state, now)):
                self._sync_group(name, rotation.group, people)

    def _sync_group(self, rotation: str, group: str, people: tuple[str, ...]) -> None:
        redis, key = self._context.redis, f"tocsin:group:{rotation}"
        wanted = json.dumps([group, *people])
        if redis.get(key) == wanted.encode():
            return
        try:
            self._context.slack.groups.set_members(group, [self._members.member(p) for p in people])
        except Failed as failed:
            self._on_failure(rotation, group, failed)
            if failed.kind is Kind.PASSING:
                return
        redis.set(key, wanted, ex=CHECKED_SECONDS)

    def _on_failure(self, rotation: str, group: str, failed: Failed) -> None:
        warned_key = f"tocsin:said:group:{rotation}:{failed.error}"
        if self._context.redis.set(warned_key, "1", nx=True, ex=WARNED_SECONDS):
            log.warning("user group not updated", rotation=rotation, group=group, error=failed.error)
