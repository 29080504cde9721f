"""Who holds each role of the policy at an instant."""

import functools
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from escalation.config.company import Company, Directory
from escalation.config.holders import Holder
from escalation.config.policy import LEAD, TEAM
from escalation.oncall.schedule import NOTHING_ARRANGED, OncallState, next_on_duty, on_duty
from escalation.values import PersonId


def unasked(company: Company) -> Directory:
    """The workspace as it is taken to be while nobody asked it: each user group has somebody."""
    return Directory(groups={group: (f"group {group}",) for group in company.user_groups()})


@dataclass(frozen=True)
class Roster:
    """Who holds each role at one instant. A role that nobody holds is absent or empty.

    `service_lead@checkout` is what `service_lead` means while an incident concerns checkout.
    """

    holders: Mapping[str, tuple[PersonId, ...]] = field(default_factory=dict)

    def of(self, role: str, service: str = "") -> tuple[PersonId, ...]:
        """Who holds a role, for an incident of a service where that matters."""
        return self.holders.get(f"{role}@{service}") or self.holders.get(role, ())


def roster(company: Company, directory: Directory, at: datetime, duty: OncallState = NOTHING_ARRANGED) -> Roster:
    """Read the roles at an instant: rotations are asked now, so a handover at midnight pages the right human."""
    return Roster(_Held(company, directory, at, duty))


class _Held(Mapping[str, tuple[PersonId, ...]]):
    """Roles by name. Each is worked out when it is looked up: most of what happens to an incident concerns none."""

    def __init__(self, company: Company, directory: Directory, at: datetime, duty: OncallState) -> None:
        self._company, self._directory, self._at, self._duty = company, directory, at, duty
        self._known: dict[str, tuple[PersonId, ...]] = {}

    @functools.cached_property
    def _services(self) -> dict[str, tuple[PersonId, ...]]:
        return dict(_of_services(self._company, self._directory))

    def __getitem__(self, role: str) -> tuple[PersonId, ...]:
        if role not in self._known:
            self._known[role] = self._find(role)
        return self._known[role]

    def _find(self, role: str) -> tuple[PersonId, ...]:
        if role in self._services:
            return self._services[role]
        people = (_people(h, self._company, self._directory, self._at, self._duty) for h in self._company.roles[role])
        return tuple(dict.fromkeys(itertools.chain.from_iterable(people)))

    def __iter__(self) -> Iterator[str]:
        return iter({**self._company.roles, **self._services})

    def __len__(self) -> int:
        return len({**self._company.roles, **self._services})


def _of_services(company: Company, directory: Directory) -> Iterator[tuple[str, tuple[PersonId, ...]]]:
    for name in company.services:
        if lead := company.lead_of(name):
            yield f"{LEAD}@{name}", (company.member(lead, directory),)
        if members := company.team_of(name).members:
            yield f"{TEAM}@{name}", tuple(dict.fromkeys(company.member(m, directory) for m in members))


def _people(
    holder: Holder, company: Company, directory: Directory, at: datetime, duty: OncallState
) -> tuple[PersonId, ...]:
    if holder.group:
        return directory.groups.get(holder.group, ())
    keys: tuple[str, ...] = (holder.person,) if holder.person else ()
    if holder.rotation:
        keys = (next_on_duty if holder.next else on_duty)(holder.rotation, company, duty, at)
    return tuple(company.member(key, directory) for key in keys)
