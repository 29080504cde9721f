"""`/incident report`: the figures of a period's incidents."""

from bot.access import Access, Requester
from bot.render.blockkit import Message
from bot.render.reports.slack import report_message
from escalation.errors import Refused
from escalation.figures.periods import parse_period
from escalation.reports.documents import on_request
from escalation.reports.gather import gather
from escalation.storage.answers.person_links import REPORTS, PersonLinks


class Reports:
    """Answers with reports. Private incidents stay out of them: the answer may be read over a shoulder."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def answer(self, requester: Requester, text: str) -> Message:
        """Answer `report [7d, 2026-11, november, last month] [SERVICE]`. Raises Refused for anything else."""
        await self._access.admit("see", requester)
        return await self._access.run(self._report, requester, text)

    def _report(self, requester: Requester, text: str) -> Message:
        deps = self._access.deps
        typed = text.split()
        service = typed.pop() if typed and typed[-1] in deps.company.services else ""
        now, zone = deps.service.clock(), deps.company.timezone
        try:
            period = parse_period(" ".join(typed), now, zone)
        except ValueError as error:
            raise Refused(str(error)) from None
        before = period.since - (period.until - period.since)
        found = gather(deps.store, deps.company, period, before, now, service=service)
        link = PersonLinks(deps.store.redis).link(deps.service.public_url, REPORTS, requester.id, now)
        return report_message(on_request(found, zone), link)
