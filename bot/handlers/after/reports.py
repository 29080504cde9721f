"""`/incident report`: the figures of a period's incidents."""

from collections.abc import Iterator

from bot.access import Access, Requester
from bot.render.blockkit import Message, sections
from bot.render.mrkdwn import render
from bot.render.reports.slack import report_message
from escalation.errors import Refused
from escalation.figures.load import MOST, loads, on_and_off_call
from escalation.figures.load_words import load_line, unrecorded
from escalation.figures.periods import Period, parse_period
from escalation.reports.documents import on_request
from escalation.reports.gather import gather
from escalation.reports.schedule import asks_for_means
from escalation.storage.answers.person_links import REPORTS, PersonLinks
from escalation.storage.oncall.evidence import evidence
from escalation.text import Line, Person, Strong, line
from escalation.values import PersonId

MAX_BLOCKS = 50  # https://docs.slack.dev/reference/block-kit/blocks


class Reports:
    """Answers with reports. Private incidents stay out of them: the answer may be read over a shoulder."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def answer(self, requester: Requester, text: str) -> Message:
        """Answer `report [7d, 2026-11, november, last month] [SERVICE]`. Raises Refused for anything else."""
        await self._access.admit("see", requester)
        return await self._access.report(self._report, requester, text)

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
        document = on_request(found, zone, mean=asks_for_means(deps.company, deps.policy))
        message = report_message(document, link)
        load = tuple(self._load(requester.id, period)) if not service else ()
        blocks = [*message.blocks, *sections([render(words) for words in load], "load")]
        return Message(text=message.text, blocks=blocks) if len(blocks) <= MAX_BLOCKS else message

    def _load(self, member: PersonId, period: Period) -> Iterator[Line]:
        """Yield everybody's load on call, for those who lead a team or a service: who did least is asked next."""
        deps = self._access.deps
        directory = deps.store.directory()
        key = deps.company.key_of(member, directory)
        if key is None or key not in deps.company.leads() or period.until - period.since > MOST:
            return
        seen = evidence(deps.store, deps.company, *period)
        yield line(Strong("On call, least first"), " (you see this because you lead a team or a service)")
        on_call, others = on_and_off_call(loads(deps.company, seen))
        for load in (*on_call, *others):
            known = load.person in deps.company.people
            who = Person(deps.company.member(load.person, directory)) if known else load.person
            yield line("• ", who, load_line(load))
        if missing := unrecorded(seen.recorded_since, seen.removed_until, seen.start):
            yield line(missing)
