"""Who somebody is, whether they may, and what they may see; and threads for work that waits for Redis."""

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import structlog
from redis.exceptions import RedisError
from slack_sdk.web.async_client import AsyncWebClient

from bot.deps import BotDeps
from bot.slack.ack_first import AckFirst
from bot.slack.members import Members
from escalation.config.company import Directory
from escalation.errors import Refused, TooNew
from escalation.incident.model import Incident
from escalation.incident.permissions import Action, Actor, Kind, check, sees
from escalation.oncall.roster import Roster
from escalation.storage.store import MOST_LISTED
from escalation.values import PersonId

THREADS = 16  # calls of the service or the store at one time: each is a few round trips to Redis
UPGRADING = "Tocsin is being upgraded; try again in a moment."
RECENT = 50  # incidents, open or closed, to choose from
T = TypeVar("T")
audit = structlog.get_logger("audit")


class StoreUnavailable(Exception):
    """Redis does not answer: as far as we know, nothing was recorded."""


@dataclass(frozen=True)
class Requester:
    """Who sends a command, a click or a form, by the payload; `team` is the workspace they belong to."""

    id: PersonId
    team: str = ""


def requester(body: dict[str, Any]) -> Requester:
    """Of a command, an interaction or an event."""
    user = body.get("user")
    if isinstance(user, dict):
        return Requester(user["id"], user.get("team_id") or (body.get("team") or {}).get("id", ""))
    event = body.get("event") or {}
    return Requester(body.get("user_id") or event.get("user", ""), body.get("team_id", ""))


class Access:
    """Everything that is done goes through `admit`; everything that is shown, through `see` or one of its kind."""

    def __init__(self, deps: BotDeps, client: AsyncWebClient) -> None:
        self.deps = deps
        self.client = client
        self.directory = Directory()
        self.members = Members(client, self._colleagues)
        self.ack_first = AckFirst()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="access")

    def _colleagues(self) -> frozenset[PersonId]:
        configured = (p.slack for p in self.deps.company.people.values() if p.slack)
        return frozenset({*configured, *self.directory.people.values(), *self.directory.names})

    async def run(self, work: Callable[..., T], *args: Any, **named: Any) -> T:
        """Run work with the service or the store in a thread.

        StoreUnavailable when Redis does not answer; Refused during an upgrade.
        """
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, partial(work, *args, **named))
        except RedisError as error:
            raise StoreUnavailable from error
        except TooNew as newer:
            raise Refused(UPGRADING) from newer

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    # Seeing ------------------------------------------------------------------------------------------------------

    async def incident(self, incident_id: str) -> Incident:
        """NotFound (a KeyError with words) when there is none of that id. Not for the eyes of anybody yet."""
        return await self.run(self.deps.store.get, incident_id)

    async def see(self, who: Requester, incident_id: str) -> Incident:
        incident = await self.incident(incident_id)
        await self.admit("see", who, incident)
        return incident

    async def seen_by(self, who: Requester, incidents: Iterable[Incident]) -> tuple[Incident, ...]:
        """Those that somebody may know of."""
        asked = tuple(incidents)
        answers = await asyncio.gather(*(self._knows(who, incident) for incident in asked))
        return tuple(incident for incident, known in zip(asked, answers, strict=True) if known)

    async def _knows(self, who: Requester, incident: Incident) -> bool:
        return sees(who.id, incident, in_room=False) or await self._in_room(incident, who.id)

    async def of_room(self, channel: str) -> Incident | None:
        """The incident whose war room this is, or was. Not for the eyes of anybody yet."""
        return await self.run(self.deps.store.of_room, channel)

    async def open_incidents(self, who: Requester) -> tuple[Incident, ...]:
        """The newest first; MOST_LISTED at the most, of the worst severities."""
        await self.admit("see", who)
        return await self.seen_by(who, await self.run(self.deps.store.open_incidents, MOST_LISTED))

    async def recent(self, who: Requester) -> tuple[Incident, ...]:
        """Open or closed, the newest first."""
        await self.admit("see", who)
        return await self.seen_by(who, await self.run(self.deps.store.recent, RECENT))

    async def roster(self) -> Roster:
        """Who is on call now."""
        service = self.deps.service
        return await self.run(lambda: service.roster(service.clock()))

    # Permission --------------------------------------------------------------------------------------------------

    async def admit(self, what: Action, who: Requester, incident: Incident | None = None) -> None:
        """The one place where somebody is let in or turned away."""
        try:
            actor = await self.members.actor(who.id, who.team)
            await self._check(what, actor, incident)
        except Refused:
            audit.warning("refused", deed=str(what), person=who.id, team=who.team, incident=incident and incident.id)
            raise

    async def _check(self, what: Action, actor: Actor, incident: Incident | None) -> None:
        permissions = self.deps.company.permissions
        narrowed = actor.kind is Kind.MEMBER and str(what) in permissions
        roster = await self.roster() if narrowed else Roster()
        in_room = incident is not None and await self._in_room(incident, actor.id)
        check(what, actor, incident, roster, permissions, in_room)

    async def _in_room(self, incident: Incident, person: PersonId) -> bool:
        """Whether somebody is a member of the room; asked for private incidents only."""
        if not incident.private or incident.room is None:
            return False
        return await self.members.in_room(incident.room.channel, person)
