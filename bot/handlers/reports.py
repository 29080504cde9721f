"""`/incident report`: the figures of a period's incidents."""

from collections.abc import Iterator

from bot.access import Access, Requester
from bot.render.blockkit import Message
from bot.render.replies import lines_reply
from escalation.errors import Refused
from escalation.figures import words
from escalation.figures.periods import parse_period
from escalation.figures.report import IncidentReport, incident_report
from escalation.text import Line, Strong, line

PRIVATE_LEFT_OUT = "Private incidents are not in these figures."


class Reports:
    """Answers with reports. Private incidents stay out of them: the answer may be read over a shoulder."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def answer(self, requester: Requester, text: str) -> Message:
        """Answer `report [7d, 2026-11, november, last month] [SERVICE]`. Raises Refused for anything else."""
        await self._access.admit("see", requester)
        return lines_reply(await self._access.run(self._lines, text))

    def _lines(self, text: str) -> tuple[Line, ...]:
        deps = self._access.deps
        typed = text.split()
        service = typed.pop() if typed and typed[-1] in deps.company.services else ""
        now = deps.service.clock()
        try:
            period = parse_period(" ".join(typed), now, deps.company.timezone)
        except ValueError as error:
            raise Refused(str(error)) from None
        seen = deps.store.observations(period.since - (period.until - period.since))
        known = [s for s in seen if not s.private]
        figures = incident_report(known, *period, service=service, zone=deps.company.timezone)
        return tuple(report_lines(figures, private=len(known) < len(seen)))


def report_lines(figures: IncidentReport, *, private: bool = False) -> Iterator[Line]:
    """Lines of a report, short enough for a phone: each time with its spread, then what it is."""
    yield line(Strong(words.title(figures)))
    yield from (line(text) for text in words.summary(figures))
    if private:
        yield line(PRIVATE_LEFT_OUT)
    if not figures.severities:
        return
    for row in figures.rows:
        title, severity, n, *times = words.cells(row)
        spread = ", ".join(f"{name} {time}" for name, time in zip(words.HEADER[3:], times, strict=True))
        yield line(Strong(f"{title}{f', {severity}' if severity else ''}: "), f"n {n}{f', {spread}' if row.n else ''}")
    yield from (line(text) for text in words.definitions(figures))
    yield from (line(text) for text in (*words.promises(figures), words.pages(figures)))
