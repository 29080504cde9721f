"""Find gaps in on-call coverage: instants of a window at which a policy tier has nobody to page, or to wake.

Exact: who is on call changes only at the boundaries of shifts, so it is enough to look at the start and each boundary.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise

from escalation.config.company import DYNAMIC, Company, Directory
from escalation.config.holders import Holder
from escalation.config.notify import Via
from escalation.config.policy import Policy, Severity
from escalation.notify.methods import PERSONAL, addresses, methods_of
from escalation.notify.preferences import Preferences
from escalation.oncall.roster import Roster, assumed_directory, roster
from escalation.oncall.schedule import EMPTY_STATE, OncallState, absences, boundaries, on_call_at, shift_at
from escalation.values import Frozen, PersonId, PersonKey


class Gap(Frozen):
    """A gap in coverage: a tier with nobody to page from (inclusive) until (exclusive), and why.

    `service`: for incidents of it; empty: for those of no configured service. `person`: somebody whom it pages, by
    key or member id, and nothing wakes, though it is urgent.
    """

    severity: Severity
    tier: int
    name: str
    service: str = ""
    person: str | None = None
    starts: datetime
    ends: datetime
    why: str


class PolicyTier(Frozen):
    """A policy tier for incidents of one service (empty: of none)."""

    severity: Severity
    tier: int
    name: str
    roles: tuple[str, ...]
    on_breach: tuple[str, ...] = ()
    urgent: bool = False
    service: str = ""

    def pages(self, person: PersonId, on_call: Roster) -> bool:
        """True if somebody holds one of its roles, those of a security incident among them."""
        return any(person in on_call.of(role, self.service) for role in (*self.roles, *self.on_breach))

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
    set_up: Collection[Via] = PERSONAL,
) -> tuple[Gap, ...]:
    """Return all gaps between two instants, by severity, tier and time: nobody to page, or somebody whom nothing wakes.

    A user group that `directory` does not know (None: it knows none) is taken to have somebody. `set_up` are the
    channels beside Slack that the installation has.
    """
    known = directory or Directory()
    known = known.model_copy(update={"groups": assumed_directory(company).groups | known.groups})
    spans = list(_spans(company, state, start, end, known))
    asleep = {key: why for key in company.people if (why := unwoken(company, key, state, set_up))}
    asleep |= dict(_not_listed(company, known))
    return tuple(gap for tier in _tiers(company, policy) for gap in _gaps(tier, spans, company, state, known, asleep))


def wakes(
    company: Company, person: PersonKey, state: OncallState = EMPTY_STATE, set_up: Collection[Via] = PERSONAL
) -> bool:
    """True if an urgent page wakes somebody: it takes a method that can, of those that they have."""
    return not unwoken(company, person, state, set_up)


def unwoken(company: Company, person: PersonKey, state: OncallState, set_up: Collection[Via]) -> str:
    """Return why no urgent page wakes somebody; empty if one does."""
    own = state.preferences.get(person, Preferences())
    steps = methods_of(company, person, Directory(), own, set_up).urgent
    if any(via.wakes for step in steps for via in step.by):
        return ""
    has = [via for via in addresses(company, person, Directory()) if via.wakes]
    if not has:
        return f"nothing wakes {person}: give them a phone, pushover, ntfy or apprise under people"
    if off := [via.words for via in has if via not in set_up]:
        return f"nothing wakes {person}: {', '.join(off)} not set up here"
    return f"nothing wakes {person}: the order of their urgent methods names none that does (`notify`, `/incident me`)"


def _not_listed(company: Company, directory: Directory) -> Iterator[tuple[PersonId, str]]:
    """Yield the members of user groups whom the configuration does not list: they have no methods."""
    assumed = {m for group in assumed_directory(company).groups.values() for m in group}
    for member in dict.fromkeys(m for group in company.user_groups() for m in directory.groups[group]):
        if member not in assumed and company.key_of(member, directory) is None:
            name = directory.names.get(member, member)
            yield member, f"nothing wakes {name}, of a user group: add them under people, with a phone"


def _gaps(
    tier: "PolicyTier",
    spans: list["Span"],
    company: Company,
    state: OncallState,
    directory: Directory,
    asleep: Mapping[PersonKey, str],
) -> Iterator[Gap]:
    yield from _joined(spans, tier.empty, lambda at: _new_gap(tier, at, company, state))
    for key, why in asleep.items() if tier.urgent else ():
        member = company.member(key, directory) if key in company.people else key
        gap = Gap(**tier.model_dump(exclude=NOT_OF_GAPS), person=key, starts=_NEVER, ends=_NEVER, why=why)
        yield from _joined(spans, partial(tier.pages, member), partial(_beginning, gap))


NOT_OF_GAPS = {"roles", "on_breach", "urgent"}
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
            breach = planned.on_breach
            tier = PolicyTier(
                severity=severity, tier=number, name=planned.name, roles=roles, on_breach=breach, urgent=urgent
            )
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
