"""Slack user groups that are kept in step with whoever is on call in a rotation. An optional feature of Slack."""

import json
from datetime import datetime

import structlog

from escalation.oncall.schedule import on_duty
from workers.channels.failures import Failed, Kind
from workers.context import Context
from workers.delivery.members import Members

CHECKED_SECONDS = 600  # how long nobody looks whether somebody changed a group by hand, and how long a failure rests
SAID_SECONDS = 86_400  # a workspace without user groups is not news every ten minutes

log = structlog.get_logger()


class UserGroups:
    """`tocsin:group:{rotation}` holds whom the group was last seen to have."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._people = Members(context.service, context.slack)

    def sync(self, now: datetime) -> None:
        """Put whoever is on call into each rotation's group. In a gap the last ones stay: no group may be empty."""
        company, duty = self._context.service.company, self._context.service.store.duty()
        for name, rotation in company.rotations.items():
            if rotation.group and (people := on_duty(name, company, duty, now)):
                self._one(name, rotation.group, people)

    def _one(self, rotation: str, group: str, people: tuple[str, ...]) -> None:
        redis, key = self._context.redis, f"tocsin:group:{rotation}"
        seen = json.dumps([group, *people])
        if redis.get(key) == seen.encode():
            return
        try:
            self._context.slack.groups.set_members(group, [self._people.member(p) for p in people])
        except Failed as failed:
            self._failed(rotation, group, failed)
            if failed.kind is Kind.PASSING:
                return
        redis.set(key, seen, ex=CHECKED_SECONDS)

    def _failed(self, rotation: str, group: str, failed: Failed) -> None:
        said = f"tocsin:said:group:{rotation}:{failed.error}"
        if self._context.redis.set(said, "1", nx=True, ex=SAID_SECONDS):
            log.warning("the user group is not kept in step", rotation=rotation, group=group, error=failed.error)
