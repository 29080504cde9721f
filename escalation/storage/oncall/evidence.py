"""Evidence of the load of on call: the cover as it was, and the incidents, of a period."""

from datetime import datetime

from escalation.config.company import Company
from escalation.figures.load import LOOKED_BACK, Evidence
from escalation.storage.store import Store


def evidence(store: Store, company: Company, start: datetime, end: datetime) -> Evidence:
    """Gather it between two instants."""
    cover = store.cover.between(company, start, end)
    seen = store.observations(start - LOOKED_BACK)
    since, removed = cover.recorded_since, cover.removed_until
    return Evidence.of(company, store.directory(), cover.covers, seen, start, end, since, removed)
