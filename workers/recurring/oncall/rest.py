"""Look at the nights of those on call, and ask others to take the morning; the reminders send what is asked."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from escalation.config.company import Company
from escalation.figures.observation import Observation
from escalation.oncall import rest
from escalation.storage.oncall.loads import RecentLoads
from workers.context import Context

LOOKED_BACK = timedelta(days=14)  # declared earlier, an incident still open pages nobody at night any more


class Rest:
    """Carries out `rest` of the configuration; nothing without it."""

    def __init__(self, context: Context) -> None:
        self._service = context.service
        self._store = context.store
        self._loads = RecentLoads(context.store, context.service.company)

    def check(self, now: datetime) -> None:
        """See the nights that have ended, each once, and ask whoever is next."""
        company = self._service.company
        if company.rest is None:
            return
        state = self._store.oncall_state()
        if ended := rest.mornings(company, state, now):
            worked = self._worked(company, ended, now)
            state = self._service.update_oncall(lambda before, at: rest.see_nights(before, company, ended, worked, at))
        if rest.needs_asking(state, company, now):
            ranked = {load.person: load.minutes for load in self._loads.at(now)}
            self._service.update_oncall(lambda before, at: rest.ask_next(before, company, ranked, at))

    def _worked(self, company: Company, ended: Mapping[str, datetime], now: datetime) -> dict[str, datetime]:
        """Return until when people worked in the night, of those who were paged in it."""
        seen = [s for s in self._store.observations(now - LOOKED_BACK) if not s.drill]
        directory = self._store.directory()
        found = {}
        for person, at in ended.items():
            if until := _worked(seen, company.member(person, directory), at):
                found[person] = until
        return found


def _worked(seen: list[Observation], member: str, ended: datetime) -> datetime | None:
    """Return until when somebody worked in incidents whose page they got in a night; None if in none."""
    over, begun = ended.timestamp(), (ended - rest.NIGHT).timestamp()
    paged = {s.id for s in seen if any(who == member and begun <= at < over for who, at in s.pages)}
    ends = [
        min(response.ends, over)
        for s in seen
        if s.id in paged
        for response in s.responses
        if response.person == member and response.starts < over and response.ends > begun
    ]
    return datetime.fromtimestamp(max(ends), UTC) if ends else None
