"""Find gaps in on-call coverage: instants of a window at which a policy tier has nobody to page, or to wake.

Exact: who is on call changes only at the boundaries of shifts, so it is enough to look at the start and each boundary.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise

from escalation.config.company import DYNAMIC, Company, Directory
from escalation.config.holders import Holder
from escalation.config.policy import Policy, Severity
from escalation.notify.methods import addresses
from escalation.oncall.roster import Roster, assumed_directory, roster
from escalation.oncall.schedule import OncallState, absences, boundaries, on_call_at, shift_at
from escalation.values import Frozen, PersonId, PersonKey


class Gap(Frozen):
    """A gap in coverage: a tier with nobody to page from (inclusive) until (exclusive), and why.

    `service`: for incidents of it; empty: for those of no configured service. `person`: somebody whom it pages, and
    nothing wakes, though it is urgent.
    """

    severity: Severity
    tier: int
    name: str
    service: str = ""
    person: PersonKey | None = None
    starts: datetime
    ends: datetime
    why: str


class PolicyTier(Frozen):
    """A policy tier for incidents of one service (empty: of none)."""

    severity: Severity
    tier: int
    name: str
    roles: tuple[str, ...]
    urgent: bool = False
    service: str = ""

    def pages(self, person: PersonId, on_call: Roster) -> bool:
        """True if somebody holds one of its roles."""
        return any(person in on_call.of(role, self.service) for role in self.roles)

    def empty(self, on_call: Roster) -> bool:
        """True if nobody holds any of its roles."""
        return not any(on_call.of(role, self.service) for role in self.roles)


def gaps(
    company: Company,
    policy: Policy,
    state: OncallState,
    start: datetime,
    end: datetime,
    directory: Directory | None = None,
) -> tuple[Gap, ...]:
    """Return all gaps between two instants, by severity, tier and time: nobody to page, or somebody whom nothing wakes.

    A user group that `directory` does not know (None: it knows none) is taken to have somebody.
    """
    groups = assumed_directory(company).groups | (directory.groups if directory else {})
    spans = list(_spans(company, state, start, end, Directory(groups=groups)))
    asleep = tuple(key for key in company.people if not wakes(company, key))
    return tuple(gap for tier in _tiers(company, policy) for gap in _gaps(tier, spans, company, state, asleep))


def wakes(company: Company, person: PersonKey) -> bool:
    """True if somebody has a method that can wake them: a telephone number or a push service."""
    return any(via.wakes for via in addresses(company, person, Directory()))


def _gaps(
    tier: "PolicyTier", spans: list["Span"], company: Company, state: OncallState, asleep: tuple[PersonKey, ...]
) -> Iterator[Gap]:
    yield from _joined(spans, tier.empty, lambda at: _new_gap(tier, at, company, state))
    for key in asleep if tier.urgent else ():
        member = company.member(key, Directory())
        why = f"nothing wakes {key}: give them a phone, pushover, ntfy or apprise under people"
        gap = Gap(**tier.model_dump(exclude=NOT_OF_GAPS), person=key, starts=_NEVER, ends=_NEVER, why=why)
        yield from _joined(spans, partial(tier.pages, member), partial(_beginning, gap))


NOT_OF_GAPS = {"roles", "urgent"}
_NEVER = datetime.min.replace(tzinfo=UTC)


def _beginning(gap: Gap, at: datetime) -> Gap:
    return gap.model_copy(update={"starts": at, "ends": at})


Span = tuple[datetime, datetime, Roster]


def _spans(
    company: Company, state: OncallState, start: datetime, end: datetime, directory: Directory
) -> Iterator[Span]:
    for at, until in pairwise((start, *boundaries(company, state, start, end), end)):
        yield at, until, roster(company, directory, at, state)


def _tiers(company: Company, policy: Policy) -> Iterator[PolicyTier]:
    for severity, rules in policy.severities.items():
        for number, planned in enumerate(rules.tiers, 1):
            roles = planned.roles_for(security=False)
            urgent = rules.is_urgent(number)
            tier = PolicyTier(severity=severity, tier=number, name=planned.name, roles=roles, urgent=urgent)
            yield tier
            if any(role in DYNAMIC for role in roles):
                yield from (tier.model_copy(update={"service": s}) for s in company.services)


def _joined(spans: list[Span], concerns: Callable[[Roster], bool], begin: Callable[[datetime], Gap]) -> Iterator[Gap]:
    """Join the adjacent spans that a gap concerns."""
    gap: Gap | None = None
    for starts, ends, on_call in spans:
        concerned = concerns(on_call)
        if gap and not (concerned and gap.ends == starts):
            yield gap
            gap = None
        if concerned:
            gap = gap or begin(starts)
            gap = gap.model_copy(update={"ends": ends})
    if gap:
        yield gap


def _new_gap(tier: PolicyTier, at: datetime, company: Company, state: OncallState) -> Gap:
    why = "; ".join(dict.fromkeys(_why_role_empty(role, tier.service, company, state, at) for role in tier.roles))
    about = tier.model_dump(exclude=NOT_OF_GAPS)
    return Gap(**about, starts=at, ends=at, why=why)


def _why_role_empty(role: str, service: str, company: Company, state: OncallState, at: datetime) -> str:
    holders = company.roles.get(role, ())
    if holders:
        return " and ".join(_why_holder_absent(h, company, state, at) for h in holders)
    if role in DYNAMIC:
        of = f"the service {service} has" if service else "an incident of no service has"
        return f"{of} no {role}, and roles.{role} names nobody"
    return f"roles.{role} names nobody"


def _why_holder_absent(holder: Holder, company: Company, state: OncallState, at: datetime) -> str:
    if holder.group:
        return f"the user group {holder.group} has no members"
    name = holder.rotation or ""
    if holder.next and on_call_at(name, company, state, at):
        return f"nobody follows {' and '.join(on_call_at(name, company, state, at))} in rotation {name}"
    planned = shift_at(name, company, state, at).planned
    if not planned:
        return _why_feed_empty(name, state)
    away = [
        a for a in absences(company, state) if a.starts <= at < a.ends and a.person in company.rotations[name].people
    ]
    until = ", ".join(f"{a.person} until {a.ends:%Y-%m-%d %H:%M} UTC" for a in away)
    return f"nobody of rotation {name} is there ({until})"


def _why_feed_empty(name: str, state: OncallState) -> str:
    feed = state.feeds.get(name)
    if feed is None or feed.fetched_at is None:
        return f"the calendar of rotation {name} was never read"
    return f"the calendar of rotation {name} has a gap"
