"""Declarations and moves, whether by command, button or form: permission, event, answer."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from bot.access import UNREACHED, Access, Requester, StoreUnavailable
from bot.deps import BotDeps
from bot.handlers.alerts import TITLES
from bot.handlers.reply import Reply, open_modal
from bot.likeness import LikenessAnswers
from bot.moves.catalog import more_modal, move_modal
from bot.moves.form import Form, FormContext, Submission
from bot.moves.form_state import FormState
from bot.render import replies
from bot.render.blockkit import Block, Message
from bot.render.inputs import MAX_OPTIONS
from escalation.alert_service import AlertService
from escalation.config.policy import Severity
from escalation.engine.moves import implied_move
from escalation.engine.state_machine import status_after
from escalation.engine.upcoming import Upcoming
from escalation.errors import NotFound, Refused
from escalation.incident.effects import OpenRoom
from escalation.incident.events.moves import (
    Cancel,
    ChangeSeverity,
    Decline,
    Escalate,
    MarkSecurity,
    Move,
    MoveEvent,
    PagePeople,
    PostUpdate,
    Reopen,
)
from escalation.incident.events.news import MessageNoted, SameProblem, SignOfLife
from escalation.incident.events.outcomes import MessageGone
from escalation.incident.model import Incident
from escalation.incident.state.entries import EntryKind
from escalation.incident.state.facts import Facts, Status
from escalation.messages.template import Wording
from escalation.oncall.roster import Roster
from escalation.storage import heartbeats

CALLS_ROLES = (Decline, Escalate, PagePeople, ChangeSeverity, MarkSecurity)  # they may page whoever holds a role


SETTLING = 2.5  # seconds; a card and a room take about one
LOOK_AGAIN = 0.1


@dataclass(frozen=True)
class MoveResult:
    """The incident after a move; its timeline's entries after number `since` are new."""

    incident: Incident
    since: int


def _required_moves(event: MoveEvent, incident: Incident) -> tuple[Move, ...]:
    """Moves that an event needs permission for: an update with another status makes that status's move too."""
    if isinstance(event, PostUpdate) and event.status is not incident.status and (implied := implied_move(event)):
        return event.kind, implied.kind
    return (event.kind,)


def _with_alerts(deps: BotDeps, incident: Incident) -> Incident:
    """Show the alerts of an incident that was reopened or cancelled where they belong now. Returns it as it is."""
    if deps.intake:
        AlertService(deps.intake, deps.service, deps.company.alerts, TITLES).moved(incident)
    return deps.store.get(incident.id)


class Perform:
    """Performer of declarations and moves, for commands, buttons and forms."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._likenesses = LikenessAnswers(access)

    async def declare(
        self, requester: Requester, severity: Severity, facts: Facts, key: str, drill_speed: float | None = None
    ) -> Incident:
        """Declare an incident, or with a `drill_speed` a drill. Raises Refused without permission."""
        await self._access.admit("declare", requester)
        await self._access.look_up_groups(self._access.deps.company.user_groups())
        service = self._access.deps.service
        return await self._access.run(service.declare, requester.id, severity, facts, key=key, drill_speed=drill_speed)

    async def move(self, requester: Requester, incident_id: str, event: MoveEvent) -> MoveResult:
        """Make a move. Raises Refused, worded for the requester, without permission or if the move is not legal now."""
        if isinstance(event, Cancel) and event.duplicate_of:
            if event.duplicate_of == incident_id:
                raise Refused(f"{incident_id} cannot be a duplicate of itself.")
            original = await self._access.see(requester, event.duplicate_of)
            if original.status is Status.CANCELLED:
                raise Refused(f"{original.id} is cancelled itself.")
        before = await self._access.incident(incident_id)
        for move in _required_moves(event, before):
            await self._access.admit(move, requester, before)
        if isinstance(event, CALLS_ROLES):
            await self._access.look_up_groups(self._access.deps.company.user_groups())
        after = await self._access.run(self._access.deps.service.handle, incident_id, event)
        if isinstance(event, Cancel | Reopen):
            with suppress(StoreUnavailable, Refused):  # the move is made; the next body shows them as well
                after = await self._access.run(_with_alerts, self._access.deps, after)
        return MoveResult(after, len(before.timeline))

    async def report_again(self, requester: Requester, incident_id: str, text: str) -> Incident:
        """Report the problem of an open incident once more, in place of a declaration. Raises Refused as that would."""
        await self._access.admit("declare", requester)
        incident = await self._access.see(requester, incident_id)
        if not incident.open:
            raise Refused(f"{incident.id} is {incident.status} by now. Declare yours, or reopen it.")
        event = SameProblem(by=requester.id, reporter=requester.id, text=text)
        return await self._access.run(self._access.deps.service.handle, incident.id, event)

    async def note(self, incident_id: str, event: MessageNoted | MessageGone) -> None:
        """Record what became of a message. Its listener has checked who marked it, and that it is of this incident.

        Nobody needs permission to have deleted one of ours: it stands no more, whoever it was.
        """
        await self._access.run(self._access.deps.service.handle, incident_id, event)

    @asynccontextmanager
    async def answering(self, requester: Requester, incident_id: str) -> AsyncIterator[None]:
        """Answer the requester's open page, whatever comes of their click or command: it is a sign of life."""
        try:
            yield
        finally:
            with suppress(NotFound):  # an incident of another installation
                incident = await self._access.incident(incident_id)
                if incident.open_page_of(requester.id):
                    await self._access.run(self._access.deps.service.handle, incident_id, SignOfLife(by=requester.id))

    async def open(
        self,
        move: Move,
        requester: Requester,
        incident_id: str,
        body: dict[str, Any],
        reply: Reply,
        *,
        typed: str = "",
        answer: bool = False,
    ) -> None:
        """Open the form of a move; with `answer`, its result goes to the reply once it is submitted.

        Raises Refused when the move would be refused now.
        """
        incident = await self._access.incident(incident_id)
        await self._access.admit(move, requester, incident)
        status_after(incident, move)
        state = FormState(response_url=reply.response_url if answer else "")
        view = move_modal(move, await self._context(move, requester, incident, typed), state)
        await open_modal(self._access.client, body, view, reply)

    async def open_more(self, requester: Requester, incident_id: str, body: dict[str, Any], reply: Reply) -> None:
        """Open the list of the moves that are not on the pressed card."""
        incident = await self._access.see(requester, incident_id)
        rows = (block.get("elements", ()) for block in (body.get("message") or {}).get("blocks", ()))
        shown = {element.get("action_id", "") for row in rows for element in row}
        await open_modal(self._access.client, body, more_modal(incident, requester.id, shown), reply)

    async def _context(self, move: Move, requester: Requester, incident: Incident, typed: str) -> FormContext:
        """Fetch only what this form shows: a trigger lasts three seconds."""
        roster = await self._access.roster() if move is Move.PAGE else Roster()
        duplicates = await self._access.recent(requester, MAX_OPTIONS + 1) if move is Move.CANCEL else ()
        deps = self._access.deps
        return FormContext(
            incident,
            deps.policy,
            deps.roles,
            roster,
            duplicates,
            tuple(deps.company.services),
            typed,
            page=deps.company.status_page,
            wording=Wording(deps.company.templates),
        )

    async def preview(self, requester: Requester, submission: Submission, form: Form) -> list[Block]:
        """Blocks of what would come of a submitted form. Raises Refused or InvalidForm as the move itself would."""
        incident = await self._access.incident(submission.state.incident)
        event = submission.read(form.event)
        await self._access.admit(event.kind, requester, incident)
        status_after(incident, event.kind)
        context = await self._context(event.kind, requester, incident, "")
        now = await self._access.run(self._access.deps.service.clock)
        return form.preview(context, event, now) if form.preview else []

    # Answers -----------------------------------------------------------------------------------------------------

    async def move_reply(self, result: MoveResult, notes: Sequence[str] = ()) -> Message:
        """Message with the result of a move, what of it could not be done, and the next checkpoint."""
        incident, names = result.incident, self._access.directory.names
        paged = (e for e in incident.timeline[result.since :] if e.kind is EntryKind.PAGED and e.fields["tier"] == "0")
        absent = await self._access.members.absent(person for entry in paged for person in entry.people)
        notes = (*notes, *(f"{names.get(person, person)} {UNREACHED}" for person in absent))
        return replies.moved(incident, result.since, await self.upcoming(incident), notes)

    async def declaration_reply(self, incident: Incident) -> Message:
        """Message with the new incident, whom it pages, the next checkpoint and, as soon as they are there, links."""
        incident, warning = await self._settled(incident)
        deps, url = self._access.deps, self._access.directory.url
        channel = deps.company.workspace.incidents_channel
        message = replies.declared(incident, await self.upcoming(incident), channel, url, warning)
        with suppress(StoreUnavailable):  # it is declared all the same
            if alike := await self.alike(incident):  # last: card and pages are out
                return replace(message, blocks=[*message.blocks, *alike.blocks])
        return message

    async def alike(self, incident: Incident) -> Message | None:
        """Message about incidents that are like this one; None when nothing is."""
        return await self._likenesses.of(incident)

    async def _settled(self, incident: Incident) -> tuple[Incident, str]:
        """Wait for the card and the room of a new incident, which the workers post: at most SETTLING seconds.

        Returns the incident and, if its card is not there by then, why not.
        """
        alive = await self._access.run(heartbeats.alive, self._access.deps.redis)
        if not alive.keys() - {"bot"}:  # no worker posts anything
            return incident, replies.NO_WORKER
        for _ in range(int(SETTLING / LOOK_AGAIN)):
            opening = any(isinstance(e, OpenRoom) and not e.withdrawn for e in incident.effects)
            if incident.card() and not opening:
                break
            await asyncio.sleep(LOOK_AGAIN)
            incident = await self._access.incident(incident.id)
        return incident, "" if incident.card() else replies.NOT_TAKEN

    async def upcoming(self, incident: Incident) -> tuple[Upcoming, ...]:
        """List the checkpoints ahead, with the people who will be paged."""
        return await self._access.run(self._access.deps.service.upcoming, incident)
