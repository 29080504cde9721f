"""Planned maintenance in Slack: /incident maintenance, and its form."""

from typing import Any

from bot.access import Access, Requester
from bot.handlers.reply import Reply, open_modal
from bot.moves.form import Submission
from bot.moves.form_state import FormState
from bot.moves.maintenance import USAGE, announced, maintenance_modal, window_line, windows_lines
from bot.parsing.command import unescape
from bot.render import replies
from escalation.config.status_page import StatusPage
from escalation.errors import Refused
from escalation.incident.events.moves import Move
from escalation.service import known_components
from escalation.storage.public.maintenance import PlannedMaintenance
from escalation.text import Line, line

NO_PAGE = "There is no status page here: `status_page` in the configuration makes one."


class MaintenancePlans:
    """Handler of the command and of the form. Whoever may publish may plan maintenance."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._plans = PlannedMaintenance(access.deps.redis)

    async def run(self, requester: Requester, text: str, body: dict[str, Any], reply: Reply) -> None:
        """Answer `maintenance [list | cancel M1 | title]`: alone or with a title it opens the form."""
        page = await self._page(requester)
        verb, _, rest = text.strip().partition(" ")
        now = await self._access.run(self._access.deps.service.clock)
        if verb.lower() == "list":
            planned = await self._access.run(self._plans.windows)
            await reply(replies.lines_reply(windows_lines((*page.maintenance, *planned), now)))
        elif verb.lower() in ("cancel", "end"):
            if not rest.strip():
                raise Refused(USAGE)
            cancelled = await self._access.run(self._plans.cancel, rest.strip(), now)
            said = line("Cancelled, and the status page says so.")
            await reply(replies.lines_reply((said, window_line(cancelled, now))))
        else:
            state = FormState(response_url=reply.response_url)
            view = maintenance_modal(page, unescape(text.strip(), self._access.directory.names), now, state)
            await open_modal(self._access.client, body, view, reply)

    async def announce(self, requester: Requester, submission: Submission) -> tuple[Line, ...]:
        """Announce the maintenance of a submitted form; returns the answer. Raises InvalidForm or Refused."""
        page, deps = await self._page(requester), self._access.deps
        now = await self._access.run(deps.service.clock)
        maintenance = submission.read(lambda s: announced(s, now))
        known_components(page, maintenance.components)
        window = await self._access.run(self._plans.plan, maintenance, requester.id, submission.key, now)
        back = f"`/incident maintenance cancel {window.id}` cancels it, visibly."
        return (line("Announced on the status page."), window_line(window, now), line(back))

    async def _page(self, requester: Requester) -> StatusPage:
        await self._access.admit(Move.PUBLISH, requester)
        page = self._access.deps.company.status_page
        if page is None:
            raise Refused(NO_PAGE)
        return page
