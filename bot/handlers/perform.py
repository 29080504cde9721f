"""What people do to incidents, however they ask for it: permission, the event, the answer."""

from dataclasses import dataclass
from typing import Any

from bot.access import Access, Requester
from bot.handlers.reply import Reply, open_modal
from bot.moves.catalog import move_modal
from bot.moves.form import FormContext
from bot.render import replies
from bot.render.blockkit import Message
from bot.render.form_state import FormState
from escalation.config.policy import Severity
from escalation.engine.moves import implied_move
from escalation.engine.state_machine import leads_to
from escalation.engine.upcoming import Upcoming
from escalation.errors import Refused
from escalation.incident.events import Cancel, Move, MoveEvent, PostUpdate
from escalation.incident.model import Facts, Incident
from escalation.oncall.roster import Roster


@dataclass(frozen=True)
class Moved:
    """An incident after a move; the timeline's entries after number `since` tell what came of it."""

    incident: Incident
    since: int


def _moves_in(event: MoveEvent, incident: Incident) -> tuple[Move, ...]:
    """What somebody must be allowed to do for an event: an update that states another status makes that move too."""
    if isinstance(event, PostUpdate) and event.status is not incident.status and (implied := implied_move(event)):
        return event.kind, implied.kind
    return (event.kind,)


class Perform:
    """Declarations and moves, for commands, buttons and forms."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def declare(
        self, who: Requester, severity: Severity, facts: Facts, key: str, drill_speed: float | None = None
    ) -> Incident:
        """With a `drill_speed` it is a drill."""
        await self._access.admit("declare", who)
        service = self._access.deps.service
        return await self._access.run(service.declare, who.id, severity, facts, key=key, drill_speed=drill_speed)

    async def move(self, who: Requester, incident_id: str, event: MoveEvent) -> Moved:
        """Make a move. Refused, with words for the one who tried, when they may not or the table does not allow it."""
        if isinstance(event, Cancel) and event.duplicate_of:
            if event.duplicate_of == incident_id:
                raise Refused(f"{incident_id} cannot be a duplicate of itself.")
            await self._access.see(who, event.duplicate_of)
        before = await self._access.incident(incident_id)
        for move in _moves_in(event, before):
            await self._access.admit(move, who, before)
        after = await self._access.run(self._access.deps.service.handle, incident_id, event)
        return Moved(after, len(before.timeline))

    async def open(
        self,
        move: Move,
        who: Requester,
        incident_id: str,
        body: dict[str, Any],
        reply: Reply,
        *,
        typed: str = "",
        answer: bool = False,
    ) -> None:
        """Open the move's modal; with `answer`, the reply hears what came of it once it is submitted.

        Refused when the move would be refused as things stand.
        """
        incident = await self._access.incident(incident_id)
        await self._access.admit(move, who, incident)
        leads_to(incident, move)
        state = FormState(response_url=reply.response_url if answer else "")
        view = move_modal(move, await self._context(move, who, incident, typed), state)
        await open_modal(self._access.client, body, view, reply)

    async def _context(self, move: Move, who: Requester, incident: Incident, typed: str) -> FormContext:
        """Only what this modal shows is fetched: a trigger lasts three seconds."""
        roster = await self._access.roster() if move is Move.PAGE else Roster()
        others = await self._access.recent(who) if move is Move.CANCEL else ()
        deps = self._access.deps
        return FormContext(incident, deps.policy, deps.roles, roster, others, tuple(deps.company.services), typed)

    # Answers -----------------------------------------------------------------------------------------------------

    async def done(self, moved: Moved) -> Message:
        """What came of a move, and what fires next."""
        return replies.done(moved.incident, moved.since, await self.upcoming(moved.incident))

    async def declared(self, incident: Incident) -> Message:
        """That an incident was declared, whom that pages, and what fires next."""
        return replies.declared(incident, await self.upcoming(incident))

    async def upcoming(self, incident: Incident) -> tuple[Upcoming, ...]:
        """What fires next, with the people who will be paged."""
        return await self._access.run(self._access.deps.service.ahead, incident)
