"""Who is concerned at an instant: holders of a role or tier, the commander, who speaks to the outside."""

from collections.abc import Iterable

from escalation.incident.model import Incident, Lead
from escalation.oncall.roster import Roster
from escalation.values import PersonId

People = tuple[PersonId, ...]


def holders(incident: Incident, roster: Roster, tier: int) -> tuple[PersonId, ...]:
    """Everybody on a tier at that moment, once each."""
    return in_roles(incident, roster, incident.policy.tiers[tier - 1].roles_for(incident.facts.security))


def in_roles(incident: Incident, roster: Roster, roles: Iterable[str]) -> People:
    """Everybody in these roles at that moment, once each; some roles follow the affected service."""
    return tuple(dict.fromkeys(p for role in roles for p in roster.of(role, incident.facts.service)))


def reached(incident: Incident, roster: Roster, tier: int) -> int:
    """The tier that a page to `tier` really reaches: an empty one is skipped. 0 when nobody is left above."""
    rungs = range(tier, len(incident.policy.tiers) + 1)
    return next((t for t in rungs if holders(incident, roster, t)), 0)


def commander(incident: Incident, roster: Roster) -> tuple[PersonId, ...]:
    """Who leads: who took it, else who acknowledged, else whoever the policy names (on call)."""
    if taken := incident.leads.get(Lead.COMMANDER):
        return (taken,)
    if incident.acknowledgement:
        return (incident.acknowledgement.by,)
    return in_roles(incident, roster, (incident.policy.commanding_role(),))[:1]


def speaker(incident: Incident, roster: Roster) -> tuple[PersonId, ...]:
    """Who speaks to the outside: the communications lead, else the commander."""
    taken = incident.leads.get(Lead.COMMUNICATIONS)
    return (taken,) if taken else commander(incident, roster)
