"""Whether somebody stands behind every tier of a policy at every instant of a window. Exact: who is on duty changes
only at the boundaries of turns, so it is enough to look at the start and at each boundary.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

from escalation.config.company import DYNAMIC, Company, Directory
from escalation.config.holders import Holder
from escalation.config.policy import Policy, Severity
from escalation.oncall.roster import Roster, roster, unasked
from escalation.oncall.schedule import OncallState, absences, boundaries, on_duty, shift_at
from escalation.values import Frozen


class Gap(Frozen):
    """A tier that nobody stands behind from (inclusive) until (exclusive), and why not.

    `service`: for incidents of it; empty: for those of no configured service.
    """

    severity: Severity
    tier: int
    name: str
    service: str = ""
    starts: datetime
    ends: datetime
    why: str


class Rung(Frozen):
    """A tier of a severity, as it is for incidents of a service (empty: of none)."""

    severity: Severity
    tier: int
    name: str
    roles: tuple[str, ...]
    service: str = ""

    def empty(self, held: Roster) -> bool:
        return not any(held.of(role, self.service) for role in self.roles)


def first_gap(
    company: Company,
    policy: Policy,
    duty: OncallState,
    start: datetime,
    end: datetime,
    directory: Directory | None = None,
) -> Gap | None:
    """The earliest gap between two instants, or None: every tier has somebody all the time."""
    return min(gaps(company, policy, duty, start, end, directory), key=lambda g: g.starts, default=None)


def gaps(
    company: Company,
    policy: Policy,
    duty: OncallState,
    start: datetime,
    end: datetime,
    directory: Directory | None = None,
) -> tuple[Gap, ...]:
    """All gaps between two instants, by severity, tier and time.

    A user group that `directory` does not know (None: it knows none) is taken to have somebody.
    """
    groups = unasked(company).groups | (directory.groups if directory else {})
    spans = list(_spans(company, duty, start, end, Directory(groups=groups)))
    return tuple(gap for rung in _rungs(company, policy) for gap in _of_rung(rung, spans, company, duty))


Span = tuple[datetime, datetime, Roster]


def _spans(company: Company, duty: OncallState, start: datetime, end: datetime, directory: Directory) -> Iterator[Span]:
    for at, until in pairwise((start, *boundaries(company, duty, start, end), end)):
        yield at, until, roster(company, directory, at, duty)


def _rungs(company: Company, policy: Policy) -> Iterator[Rung]:
    for severity, rules in policy.severities.items():
        for number, tier in enumerate(rules.tiers, 1):
            roles = tier.roles_for(security=False)
            rung = Rung(severity=severity, tier=number, name=tier.name, roles=roles)
            yield rung
            if any(role in DYNAMIC for role in roles):
                yield from (rung.model_copy(update={"service": s}) for s in company.services)


def _of_rung(rung: Rung, spans: list[Span], company: Company, duty: OncallState) -> Iterator[Gap]:
    """Its empty spans, neighbours joined."""
    gap: Gap | None = None
    for starts, ends, held in spans:
        if gap and not (rung.empty(held) and gap.ends == starts):
            yield gap
            gap = None
        if rung.empty(held):
            gap = gap or _begun(rung, starts, company, duty)
            gap = gap.model_copy(update={"ends": ends})
    if gap:
        yield gap


def _begun(rung: Rung, at: datetime, company: Company, duty: OncallState) -> Gap:
    why = "; ".join(dict.fromkeys(_why(role, rung.service, company, duty, at) for role in rung.roles))
    said = rung.model_dump(exclude={"roles"})
    return Gap(**said, starts=at, ends=at, why=why)


def _why(role: str, service: str, company: Company, duty: OncallState, at: datetime) -> str:
    holders = company.roles.get(role, ())
    if holders:
        return " and ".join(_absent(h, company, duty, at) for h in holders)
    if role in DYNAMIC:
        of = f"the service {service} has" if service else "an incident of no service has"
        return f"{of} no {role}, and roles.{role} names nobody"
    return f"roles.{role} names nobody"


def _absent(holder: Holder, company: Company, duty: OncallState, at: datetime) -> str:
    if holder.group:
        return f"the user group {holder.group} has no members"
    name = holder.rotation or ""
    if holder.next and on_duty(name, company, duty, at):
        return f"nobody follows {' and '.join(on_duty(name, company, duty, at))} in rotation {name}"
    planned = shift_at(name, company, duty, at).planned
    if not planned:
        return _silent(name, duty)
    away = [
        a for a in absences(company, duty) if a.starts <= at < a.ends and a.person in company.rotations[name].people
    ]
    until = ", ".join(f"{a.person} until {a.ends:%Y-%m-%d %H:%M} UTC" for a in away)
    return f"nobody of rotation {name} is there ({until})"


def _silent(name: str, duty: OncallState) -> str:
    feed = duty.feeds.get(name)
    if feed is None or feed.fetched_at is None:
        return f"the calendar of rotation {name} was never read"
    return f"the calendar of rotation {name} has a gap"
