"""Everybody's load of the last 30 days, gathered at most once a minute: Home and lists are as quick as without it."""

from datetime import datetime, timedelta

from escalation.config.company import Company
from escalation.figures.load import PERIOD, Load, by_person, loads
from escalation.storage.oncall.evidence import evidence
from escalation.storage.store import Store

KEPT = timedelta(minutes=1)


class RecentLoads:
    """Recent load by person, whoever did least first."""

    def __init__(self, store: Store, company: Company) -> None:
        self._store = store
        self._company = company
        self._gathered: tuple[datetime, tuple[Load, ...]] | None = None

    def at(self, now: datetime) -> tuple[Load, ...]:
        """Return the loads of the 30 days before an instant."""
        if self._gathered is None or not timedelta() <= now - self._gathered[0] < KEPT:
            found = loads(self._company, evidence(self._store, self._company, now - PERIOD, now))
            self._gathered = (now, by_person(found))
        return self._gathered[1]

    def of(self, person: str, now: datetime) -> Load:
        """Return somebody's load, by their key."""
        return next((load for load in self.at(now) if load.person == person), Load(person))
