"""Sync Slack user groups with the people on call in a rotation. User groups are an optional feature of Slack."""

import json
from datetime import datetime

import structlog

from escalation.oncall.overrides import record_group
from escalation.oncall.schedule import GroupFault, on_call_at
from escalation.values import PersonId
from workers.channels.failures import Failed, Kind
from workers.context import Context
from workers.delivery.members import Members
from workers.delivery.problems import report_call

CHECKED_SECONDS = 600  # until a group is checked for changes by hand, and until a failed one is retried
REMEDY = "`/incident oncall` shows it; correct it, or drop `rotations.*.group`"

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
            refused = self._set_members(group, people)
        except Failed as failed:
            if failed.kind is Kind.PASSING:
                log.warning("user group not updated, retrying", rotation=rotation, group=group, error=failed.error)
                problems, what = self._context.store.problems, f"user group @{group} of rotation {rotation}"
                report_call(problems, _problem(rotation), "Slack", failed, self._context.clock(), what=what)
                return
            self._report(rotation, group, failed.reason.sentence().replace("rotations.*", f"rotations.{rotation}"))
        else:
            why = "; ".join(dict.fromkeys(failed.reason.sentence() for failed in refused.values()))
            self._report(rotation, group, why, tuple(refused))
        redis.set(key, wanted, ex=CHECKED_SECONDS)

    def _set_members(self, group: str, people: tuple[str, ...]) -> dict[str, Failed]:
        """Set the group to those who can be found and be members; returns the others by key, with the reason."""
        found: dict[PersonId, str] = {}
        refused: dict[str, Failed] = {}
        for person in people:
            try:
                found[self._members.member(person)] = person
            except Failed as failed:
                if failed.kind is not Kind.PERSON:
                    raise
                refused[person] = failed
        if not found:
            raise Failed("no_users_provided")
        not_members = self._context.slack.groups.set_members(group, list(found))
        return refused | {found[member]: failed for member, failed in not_members.items()}

    def _report(self, rotation: str, group: str, problem: str, people: tuple[str, ...] = ()) -> None:
        """Note a lasting fault where people look, or (empty) that there is none; the channel hears of it once."""
        service, key = self._context.service, _problem(rotation)
        at = self._context.clock()
        fault = GroupFault(group=group, problem=problem, since=at, people=people) if problem else None
        service.update_oncall(lambda before, _: record_group(before, rotation, fault))
        if fault is None:
            service.store.problems.clear(key)
        elif service.store.problems.report(key, f"user group @{group} of rotation {rotation}: {problem}", REMEDY):
            log.warning("user group not updated", rotation=rotation, group=group, problem=problem)


def _problem(rotation: str) -> str:
    return f"group:{rotation}"
