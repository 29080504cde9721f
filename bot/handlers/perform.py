"""Making a move, whichever way it was asked for: at once, or by the modal that asks for its words."""

from typing import Any

from bot.access import Access, Moved, Requester
from bot.handlers.reply import Reply, open_modal
from bot.moves.catalog import move_modal
from bot.moves.form import FormContext
from bot.render import replies
from bot.render.blockkit import Message
from bot.render.form_state import FormState
from escalation.engine.upcoming import Upcoming
from escalation.incident.events import Move, MoveEvent
from escalation.incident.model import Incident
from escalation.oncall.roster import Roster


class Moving:
    """Shared by commands, buttons and forms."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def make(self, who: Requester, incident_id: str, event: MoveEvent, reply: Reply | None = None) -> Moved:
        """Make the move; `reply` hears what came of it. Refused, NotFound, OutOfReach as the door says."""
        moved = await self._access.move(who, incident_id, event)
        if reply:
            await reply(await self.done(moved))
        return moved

    async def done(self, moved: Moved) -> Message:
        """What came of a move, and what fires next."""
        return replies.done(moved.incident, moved.since, await self.ahead(moved.incident))

    async def declared(self, incident: Incident) -> Message:
        return replies.declared(incident, await self.ahead(incident))

    async def ahead(self, incident: Incident) -> tuple[Upcoming, ...]:
        return await self._access.run(self._access.deps.service.ahead, incident)

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
        """Open the move's modal; with `answer`, the reply hears what came of it once it is submitted."""
        incident = await self._access.may_begin(move, who, incident_id)
        state = FormState(response_url=reply.response_url if answer else "")
        view = move_modal(move, await self._scene(move, who, incident, typed), state)
        await open_modal(self._access.client, body, view, reply)

    async def _scene(self, move: Move, who: Requester, incident: Incident, typed: str) -> FormContext:
        """Only what this modal shows is fetched: a trigger lasts three seconds."""
        duty = await self._access.roster() if move is Move.PAGE else Roster()
        others = await self._access.recent(who) if move is Move.CANCEL else ()
        deps = self._access.deps
        return FormContext(incident, deps.policy, deps.roles, duty, others, tuple(deps.company.services), typed)
