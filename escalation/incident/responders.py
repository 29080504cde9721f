"""Responders at an instant: holders of a role or tier, the commander, the communications lead, and what they owe."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from escalation.incident.communications import is_overdue, name_of, pending
from escalation.incident.effects import Reminded
from escalation.incident.model import Incident
from escalation.incident.state.checkpoints import CheckpointKind
from escalation.incident.state.communications import OwedState
from escalation.incident.state.leads import Lead
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
    """Return the commander: who took the role, else who acknowledged, else whom the policy names (on call).

    Who acknowledged as the holder of a role hands over with it. People who are gone are passed over: then it is
    anybody else assigned, else the first on a tier.
    """
    acknowledged = incident.acknowledgement
    candidates = (
        incident.leads.get(Lead.COMMANDER, ""),
        *(_successors(incident, roster, acknowledged.by) if acknowledged else ()),
        acknowledged.by if acknowledged else "",
        *in_roles(incident, roster, (incident.policy.commanding_role(),)),
        *(_others(incident, roster) if incident.gone else ()),
    )
    return _present(incident, candidates)[:1]


def _others(incident: Incident, roster: Roster) -> People:
    """Return the other responders: assigned, or on a tier, the lowest first."""
    tiers = range(1, len(incident.policy.tiers) + 1)
    return (*incident.assigned, *(p for tier in tiers for p in holders(incident, roster, tier)))


def _successors(incident: Incident, roster: Roster, person: PersonId) -> People:
    """Return the holders of the roles that somebody was paged for, once they hold none of them any more."""
    roles = next((p.roles for p in reversed(incident.pages) if p.person == person and p.roles), ())
    held_by = in_roles(incident, roster, roles)
    return () if person in held_by else _present(incident, held_by)[:1]


def _present(incident: Incident, people: People) -> People:
    return tuple(p for p in people if p and p not in incident.gone)


def speaker(incident: Incident, roster: Roster) -> tuple[PersonId, ...]:
    """Return the communications lead, else the commander."""
    taken = incident.leads.get(Lead.COMMUNICATIONS)
    return (taken,) if taken and taken not in incident.gone else commander(incident, roster)


class Duty(NamedTuple):
    """What somebody owes in an incident: by when (None: no time is set), or since when it is `late`."""

    incident: Incident
    what: str
    due: datetime | None
    late: bool


def duties(incident: Incident, roster: Roster, person: PersonId) -> Iterator[Duty]:
    """Yield what a person owes in an open incident: updates, whether a fix is stable, words to people outside."""
    if not incident.open:
        return
    if person in commander(incident, roster):
        yield from _of_commander(incident)
    if person in speaker(incident, roster):
        for owed in pending(incident):
            verb = "approve" if owed.state is OwedState.WAITING else "send"
            yield Duty(incident, f"{verb} the {name_of(owed)}", owed.due, is_overdue(owed, incident))


def _of_commander(incident: Incident) -> Iterator[Duty]:
    standing = incident.reminders
    planned = [c.due for c in incident.checkpoints if c.kind is CheckpointKind.UPDATE]
    if late := standing.get(Reminded.UPDATE):
        yield Duty(incident, "post a progress update", late.since, late=True)
    elif planned:
        yield Duty(incident, "post a progress update", min(planned), late=False)
    if asked := standing.get(Reminded.STABLE):
        yield Duty(incident, "say whether the fix is stable", asked.since, late=True)
