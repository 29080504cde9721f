"""Find the earlier incident that another one repeats: the same service, and the same category of cause. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from escalation.figures.observation import Observation
from escalation.incident.model import Incident

LONGEST = timedelta(days=30)  # an incident may have been open so long before the period in which it was resolved


def repeated(incident: Incident, service: str, category: str, since: datetime, seen: Iterable[Observation]) -> str:
    """Return the latest incident of that service and category that was resolved since then; empty for none.

    Drills, false alarms and incidents without a service repeat nothing, nor are they repeated. Private ones are not
    named.
    """
    if incident.drill or not (service and category):
        return ""
    alike = (o for o in seen if (o.service, o.cause_category.casefold()) == (service, category.casefold()))
    ended = ((o.resolved or 0, o.id) for o in alike if not (o.drill or o.private or o.cancelled))
    own = (incident.declared_at.timestamp(), incident.id)
    return max((found for found in ended if since.timestamp() <= found[0] and found < own), default=(0, ""))[1]
