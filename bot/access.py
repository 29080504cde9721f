"""Permission checks for every request, reads of incidents that a requester may see, and threads for calls to Redis."""

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import structlog
from redis.exceptions import RedisError
from slack_sdk.web.async_client import AsyncWebClient

from bot.deps import BotDeps
from bot.doors import Doors
from bot.slack.ack_first import AckFirst
from bot.slack.members import Members
from bot.slack.refusals import SEE_DOCTOR, Refusals
from bot.slack.user_groups import UserGroups
from escalation.config.company import Directory
from escalation.errors import Refused, TooNew
from escalation.incident.model import Incident
from escalation.incident.permissions import Action, Actor, Kind, can_see, check
from escalation.oncall.roster import Roster
from escalation.storage.redis_faults import RedisFault, explain
from escalation.storage.search.documents import Search
from escalation.storage.store import MAX_LISTED
from escalation.text import Line, Person, line
from escalation.values import PersonId

THREADS = 16  # concurrent calls of the service or the store: each is a few round trips to Redis
UNREACHED = "cannot be reached in Slack: a deactivated account, or none that gets messages"
UPGRADING = "Tocsin is being upgraded; try again in a moment."
MAX_RECENT = 50  # incidents, open or closed, to choose from
T = TypeVar("T")
audit = structlog.get_logger("audit")


class StoreUnavailable(Exception):
    """Redis is unavailable: as far as we know, nothing was recorded. Its text says why, and what to do."""

    def __init__(self, fault: RedisFault) -> None:
        super().__init__(
            f"Nothing was recorded: {fault.text}. "
            + ("Try again in a moment." if fault.passing else f"Tell whoever runs Tocsin: {fault.remedy}.")
        )


@dataclass(frozen=True)
class Requester:
    """The person who sent a command, a click or a form; `team` is the id of their workspace."""

    id: PersonId
    team: str = ""


def requester_of(body: dict[str, Any]) -> Requester:
    """Return the requester of a command, an interaction or an event, from its payload."""
    user = body.get("user")
    if isinstance(user, dict):
        return Requester(user["id"], user.get("team_id") or (body.get("team") or {}).get("id", ""))
    event = body.get("event") or {}
    return Requester(body.get("user_id") or event.get("user", ""), body.get("team_id", ""))


class Access:
    """Access to the service and the store, after a permission check.

    Every change goes through `admit`; every incident that is shown, through `see`, `visible_to` or what builds on them.
    """

    def __init__(self, deps: BotDeps, client: AsyncWebClient) -> None:
        self.deps = deps
        self.client = client
        self.directory = Directory()
        self.members = Members(client, self._known_members)
        self.user_groups = UserGroups(client, self.slack_refuses, self.slack_takes)
        self._refusals = Refusals(deps.store.problems)
        self.ack_first = AckFirst()
        self.doors = Doors(deps.store.problems)
        self.search = Search(deps.store)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="access")
        self._report_thread = ThreadPoolExecutor(1, thread_name_prefix="reports")

    def _known_members(self) -> frozenset[PersonId]:
        configured = (p.slack for p in self.deps.company.people.values() if p.slack)
        return frozenset({*configured, *self.directory.people.values(), *self.directory.names})

    async def run(self, function: Callable[..., T], *args: Any, **named: Any) -> T:
        """Run a call of the service or the store in a thread.

        Raises StoreUnavailable when Redis does not answer, Refused during an upgrade.
        """
        return await self._in(self._threads, partial(function, *args, **named))

    async def report(self, function: Callable[..., T], *args: Any, **named: Any) -> T:
        """Run a call that reads thousands of incidents: one at a time, in a thread of its own, so that no click waits.

        Raises as `run` does.
        """
        return await self._in(self._report_thread, partial(function, *args, **named))

    async def _in(self, threads: ThreadPoolExecutor, call: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(threads, call)
        except RedisError as error:
            raise StoreUnavailable(explain(error)) from error
        except TooNew as too_new:
            raise Refused(UPGRADING) from too_new

    async def slack_refuses(self, about: str, what: str, error: Exception, remedy: str = SEE_DOCTOR) -> None:
        """Write down that Slack refuses something for good: the person who asked for it cannot mend that."""
        with suppress(StoreUnavailable, Refused):
            await self.run(self._refusals.report, about, what, error, remedy)

    async def slack_takes(self, about: str) -> None:
        """Clear what was written down about it."""
        with suppress(StoreUnavailable, Refused):
            await self.run(self._refusals.clear, about)

    async def found_bug(self, about: str, error: Exception) -> None:
        """Write down a fault of Tocsin itself."""
        with suppress(StoreUnavailable, Refused):
            await self.run(self.deps.store.problems.report_bug, about, error)

    def close(self) -> None:
        """Stop the threads; calls that have not begun are cancelled."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._report_thread.shutdown(wait=False, cancel_futures=True)

    # Reading -----------------------------------------------------------------------------------------------------

    async def incident(self, incident_id: str) -> Incident:
        """Read an incident without any permission check. Raises NotFound (a KeyError with words) for an unknown id."""
        return await self.run(self.deps.store.get, incident_id)

    async def see(self, requester: Requester, incident_id: str) -> Incident:
        """Read an incident for a requester. Raises Refused when they may not see it, NotFound for an unknown id."""
        incident = await self.incident(incident_id)
        await self.admit("see", requester, incident)
        return incident

    async def visible_to(self, requester: Requester, incidents: Iterable[Incident]) -> tuple[Incident, ...]:
        """Filter incidents to those that a requester may see."""
        candidates = tuple(incidents)
        visible = await asyncio.gather(*(self._may_see(requester, incident) for incident in candidates))
        return tuple(incident for incident, may_see in zip(candidates, visible, strict=True) if may_see)

    async def _may_see(self, requester: Requester, incident: Incident) -> bool:
        return can_see(requester.id, incident, in_room=False) or await self._in_room(incident, requester.id)

    async def incident_of_room(self, channel: str) -> Incident | None:
        """Find the incident of a war room, present or former, without any permission check."""
        return await self.run(self.deps.store.of_room, channel)

    async def incident_of_thread(self, channel: str, ts: str) -> Incident | None:
        """Find the incident whose card heads a thread, of the open and the latest ones, without a permission check."""
        return await self.run(self._of_thread, channel, ts)

    def _of_thread(self, channel: str, ts: str) -> Incident | None:
        for incident in (*self.deps.store.open_incidents(), *self.deps.store.recent()):
            cards = (incident.card(), *incident.lost_cards)
            if any(card and (card.channel, card.ts) == (channel, ts) for card in cards):
                return incident
        return None

    async def message(self, channel: str, ts: str) -> dict[str, Any] | None:
        """Read a message as it stands now; None if it is gone. Raises what a call raises."""
        told = await self.client.conversations_replies(
            channel=channel, ts=ts, oldest=ts, latest=ts, inclusive=True, limit=2
        )
        return next((m for m in told.get("messages") or () if m.get("ts") == ts), None)

    async def open_incidents(self, requester: Requester, most: int | None = MAX_LISTED) -> tuple[Incident, ...]:
        """List the open incidents that a requester may see, newest first; of more than `most`, the most severe."""
        await self.admit("see", requester)
        return await self.visible_to(requester, await self.run(self.deps.store.open_incidents, most))

    async def recent(self, requester: Requester, most: int = MAX_RECENT) -> tuple[Incident, ...]:
        """List the latest incidents that a requester may see, open or closed, newest first."""
        await self.admit("see", requester)
        return await self.visible_to(requester, await self.run(self.deps.store.recent, most))

    async def look_up_groups(self, groups: Iterable[str]) -> dict[str, tuple[PersonId, ...]]:
        """Ask Slack for the members of user groups, and save those that hold roles: whoever is paged next is in them.

        A group that Slack does not answer for is missing; as a role's holder it keeps its members of before.
        """
        found = await self.user_groups.members(groups)
        holding_roles = {g: members for g, members in found.items() if g in self.deps.company.user_groups()}
        if holding_roles:
            await self.run(self._save_groups, holding_roles)
        return found

    async def unreached(self, people: Iterable[PersonId]) -> tuple[Line, ...]:
        """Lines about those of some people whom no message reaches: whoever gives them something to do has to know."""
        absent = await self.members.absent(people)
        return tuple(line("⚠️ ", Person(person), f" {UNREACHED}.") for person in absent)

    def _save_groups(self, groups: dict[str, tuple[PersonId, ...]]) -> None:
        stored = self.deps.store.directory()
        if stored.groups | groups != stored.groups:
            self.deps.store.save_directory(stored.model_copy(update={"groups": stored.groups | groups}))

    async def roster(self) -> Roster:
        """Read who is on call now."""
        service = self.deps.service
        return await self.run(lambda: service.roster(service.clock()))

    # Permission --------------------------------------------------------------------------------------------------

    async def admit(self, action: Action, requester: Requester, incident: Incident | None = None) -> None:
        """Check permission; the only place that does. Raises Refused, after a line in the audit log."""
        try:
            actor = await self.members.actor(requester.id, requester.team)
            await self._check(action, actor, incident)
        except Refused:
            audit.warning(
                "refused", deed=str(action), person=requester.id, team=requester.team, incident=incident and incident.id
            )
            raise

    async def _check(self, action: Action, actor: Actor, incident: Incident | None) -> None:
        permissions = self.deps.company.permissions
        restricted = actor.kind is Kind.MEMBER and str(action) in permissions
        roster = await self.roster() if restricted else Roster()
        in_room = incident is not None and await self._in_room(incident, actor.id)
        check(action, actor, incident, roster, permissions, in_room)

    async def _in_room(self, incident: Incident, person: PersonId) -> bool:
        """True if somebody is a member of a private incident's war room; Slack is not asked about public ones."""
        if not incident.private or incident.room is None:
            return False
        return await self.members.in_room(incident.room.channel, person)
