"""`/incident alerts`: what came in from monitoring, what became of it, and what waits for somebody to declare it."""

from datetime import datetime, timedelta

from bot.access import Access, Requester
from bot.alerts.sources import ALL_SOURCES
from bot.deps import BotDeps
from bot.handlers.filters import parse_filters
from bot.render import alerts as render
from bot.render.blockkit import Message
from escalation.alert_service import AlertService
from escalation.errors import NotFound, Refused
from escalation.incident.false_alarms import RATE_OVER, FalseAlarms, false_alarms
from escalation.incident.model import Incident
from escalation.search.rows import alert_row
from escalation.search.selection import ALERTS, Selection, listed
from escalation.storage.intake import Intake, Outcome
from escalation.values import PersonId

LAST = timedelta(days=1)
USAGE = f"Use `/incident alerts`, with filters: {listed(ALERTS)}; `/incident alerts held` or `/incident alerts INC-…`."
NO_INTAKE = "No alerts come in here: set ALERTS_TOKEN, see docs/alerts.md."
TITLES = {name: source.title for name, source in ALL_SOURCES.items()}


class Alerts:
    """Answers `alerts [filters]`, `alerts ID`, `alerts held` and `alerts declare KEY`."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def answer(self, requester: Requester, words: str) -> Message:
        """Answer the command without an incident. Raises Refused for other words."""
        await self._access.admit("see", requester)
        word, _, rest = words.strip().lower().partition(" ")
        if word == "declare" and rest:
            return await self._declare(requester, rest.strip())
        selection, others = await parse_filters(self._access, requester, words, ALERTS, TITLES)
        if others.lower() not in ("", "held"):
            raise Refused(USAGE)
        intake = self._intake()
        held = await self._access.run(intake.held)
        if others:
            return render.held(held, TITLES)
        found = await self._access.run(self._came, intake, selection.since)
        shown = await self._permitted(requester, found, selection)
        if selection != Selection():
            return render.matching(shown, TITLES)
        return render.recent(shown, held, await self._access.run(_rates, self._access.deps), TITLES)

    async def of_incident(self, incident: Incident) -> Message:
        """List the alerts of one incident, which the requester may see."""
        intake = self._intake()
        found = [o for o in await self._access.run(self._came, intake) if o.incident == incident.id]
        return render.of_incident(incident, found, TITLES)

    async def _declare(self, requester: Requester, key: str) -> Message:
        await self._access.admit("declare", requester)
        try:
            incident = await self._access.run(self._promote, key, requester.id)
        except NotFound:
            raise Refused(
                "These alerts are not known any more. `/incident alerts held` lists those that wait."
            ) from None
        return render.declared(incident, requester.id, self._access.directory.url)

    def _promote(self, key: str, by: PersonId) -> Incident:
        deps = self._access.deps
        return AlertService(self._intake(), deps.service, deps.company.alerts, TITLES).promote(key, by)

    def _came(self, intake: Intake, since: datetime | None = None) -> list[Outcome]:
        return intake.log(since or self._access.deps.store.now() - LAST)

    async def _permitted(self, requester: Requester, outcomes: list[Outcome], selection: Selection) -> list[Outcome]:
        """Leave out what belongs to incidents that the requester may not see, and what is not asked for."""
        ids = list(dict.fromkeys(o.incident for o in outcomes if o.incident))
        visible = await self._access.visible_to(requester, await self._access.run(self._access.deps.store.read, ids))
        seen: dict[str, Incident | None] = {"": None} | {incident.id: incident for incident in visible}
        return [
            o
            for o in outcomes
            if o.incident in seen and selection.takes(alert_row(o.at, o.severity, o.source, seen[o.incident]))
        ]

    def _intake(self) -> Intake:
        if self._access.deps.intake is None:
            raise Refused(NO_INTAKE)
        return self._access.deps.intake


def _rates(deps: BotDeps) -> tuple[FalseAlarms, ...]:
    since = deps.service.clock() - RATE_OVER
    return false_alarms(deps.store.declared_since(since), since)
