"""Responders at an instant: holders of a role or tier, the commander, the communications lead."""

from collections.abc import Iterable

from escalation.incident.model import Incident, Lead
from escalation.oncall.roster import Roster
from escalation.values import PersonId

People = tuple[PersonId, ...]


def holders(incident: Incident, roster: Roster, tier: int) -> tuple[PersonId, ...]:
    """Return everybody on a tier at that moment, once each."""
    return in_roles(incident, roster, incident.policy.tiers[tier - 1].roles_for(incident.facts.security))


def in_roles(incident: Incident, roster: Roster, roles: Iterable[str]) -> People:
    """Return everybody in these roles at that moment, once each; some roles follow the affected service."""
    return tuple(dict.fromkeys(p for role in roles for p in roster.of(role, incident.facts.service)))


def effective_tier(incident: Incident, roster: Roster, tier: int) -> int:
    """Return the tier that a page to `tier` really reaches: empty ones are skipped. 0 when all above are empty."""
    tiers = range(tier, len(incident.policy.tiers) + 1)
    return next((t for t in tiers if holders(incident, roster, t)), 0)


def commander(incident: Incident, roster: Roster) -> tuple[PersonId, ...]:
    """Return the commander: who took the role, else who acknowledged, else whom the policy names (on call)."""
    if taken := incident.leads.get(Lead.COMMANDER):
        return (taken,)
    if incident.acknowledgement:
        return (incident.acknowledgement.by,)
    return in_roles(incident, roster, (incident.policy.commanding_role(),))[:1]


def speaker(incident: Incident, roster: Roster) -> tuple[PersonId, ...]:
    """Return the communications lead, else the commander."""
    taken = incident.leads.get(Lead.COMMUNICATIONS)
    return (taken,) if taken else commander(incident, roster)
