"""The roster: holders of each role of the policy at an instant, and how each person is reached."""

import functools
import itertools
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from escalation.config.business_time import Calendar
from escalation.config.company import Company, Directory
from escalation.config.holders import Holder
from escalation.config.notify import Via
from escalation.config.policy import LEAD, TEAM
from escalation.notify.methods import Methods, methods_of
from escalation.notify.preferences import Preferences
from escalation.oncall.schedule import EMPTY_STATE, OncallState, next_on_call, on_call_at
from escalation.oncall.silences import EMPTY, Silences
from escalation.values import PersonId


def assumed_directory(company: Company) -> Directory:
    """Directory to assume while Slack was not asked: each user group has a member."""
    return Directory(groups={group: (f"group {group}",) for group in company.user_groups()})


@dataclass(frozen=True)
class Roster:
    """Holders of each role at one instant. A role that nobody holds is absent or empty.

    `service_lead@checkout` is what `service_lead` means while an incident concerns checkout. `methods`: how people are
    reached beside Slack; whoever is absent, by nothing. `silences`: whose Slack makes no sound, and when. `calendars`:
    when people work; whoever is absent, when the company is open.
    """

    holders: Mapping[str, tuple[PersonId, ...]] = field(default_factory=dict)
    methods: Mapping[PersonId, Methods] = field(default_factory=dict)
    silences: Silences = EMPTY
    calendars: Mapping[PersonId, Calendar] = field(default_factory=dict)

    def of(self, role: str, service: str = "") -> tuple[PersonId, ...]:
        """Return the holders of a role, for an incident of a service where that matters."""
        return self.holders.get(f"{role}@{service}") or self.holders.get(role, ())

    def methods_of(self, person: PersonId) -> Methods:
        """Return how a person is reached beside Slack."""
        return self.methods.get(person) or Methods()


def roster(
    company: Company,
    directory: Directory,
    at: datetime,
    state: OncallState = EMPTY_STATE,
    set_up: Collection[Via] = (),
    silences: Silences = EMPTY,
) -> Roster:
    """Build the roster of an instant: rotations are resolved now, so a handover at midnight pages the right person.

    `set_up` are the channels beside Slack that this installation has.
    """
    methods = _LazyMethods(company, directory, state, set_up)
    return Roster(_LazyHolders(company, directory, at, state), methods, silences, _LazyCalendars(company, directory))


class _LazyCalendars(Mapping[PersonId, Calendar]):
    """Working hours by person, resolved on lookup: few events arrange a meeting."""

    def __init__(self, company: Company, directory: Directory) -> None:
        self._company, self._directory = company, directory

    def __getitem__(self, person: PersonId) -> Calendar:
        return self._company.calendar_of(person, self._directory)

    def __iter__(self) -> Iterator[PersonId]:
        return iter(self._company.people)

    def __len__(self) -> int:
        return len(self._company.people)


class _LazyMethods(Mapping[PersonId, Methods]):
    """Methods by person, resolved on lookup: few events page anybody."""

    def __init__(self, company: Company, directory: Directory, state: OncallState, set_up: Collection[Via]) -> None:
        self._company, self._directory, self._state, self._set_up = company, directory, state, set_up

    def __getitem__(self, person: PersonId) -> Methods:
        own = self._state.preferences
        key = self._company.key_of(person, self._directory) or person
        preferences = own.get(key) or own.get(person) or Preferences()
        return methods_of(self._company, person, self._directory, preferences, self._set_up)

    def __iter__(self) -> Iterator[PersonId]:
        return iter(self._company.people)

    def __len__(self) -> int:
        return len(self._company.people)


class _LazyHolders(Mapping[str, tuple[PersonId, ...]]):
    """Holders by role, resolved on first lookup: most of what happens to an incident concerns no role."""

    def __init__(self, company: Company, directory: Directory, at: datetime, state: OncallState) -> None:
        self._company, self._directory, self._at, self._state = company, directory, at, state
        self._resolved: dict[str, tuple[PersonId, ...]] = {}

    @functools.cached_property
    def _services(self) -> dict[str, tuple[PersonId, ...]]:
        return dict(_service_roles(self._company, self._directory))

    def __getitem__(self, role: str) -> tuple[PersonId, ...]:
        if role not in self._resolved:
            self._resolved[role] = self._resolve(role)
        return self._resolved[role]

    def _resolve(self, role: str) -> tuple[PersonId, ...]:
        if role in self._services:
            return self._services[role]
        people = (_members(h, self._company, self._directory, self._at, self._state) for h in self._company.roles[role])
        return tuple(dict.fromkeys(itertools.chain.from_iterable(people)))

    def __iter__(self) -> Iterator[str]:
        return iter({**self._company.roles, **self._services})

    def __len__(self) -> int:
        return len({**self._company.roles, **self._services})


def _service_roles(company: Company, directory: Directory) -> Iterator[tuple[str, tuple[PersonId, ...]]]:
    for name in company.services:
        if lead := company.lead_of(name):
            yield f"{LEAD}@{name}", (company.member(lead, directory),)
        if members := company.team_of(name).members:
            yield f"{TEAM}@{name}", tuple(dict.fromkeys(company.member(m, directory) for m in members))


def _members(
    holder: Holder, company: Company, directory: Directory, at: datetime, state: OncallState
) -> tuple[PersonId, ...]:
    if holder.group:
        return directory.groups.get(holder.group, ())
    keys: tuple[str, ...] = (holder.person,) if holder.person else ()
    if holder.rotation:
        keys = (next_on_call if holder.next else on_call_at)(holder.rotation, company, state, at)
    return tuple(company.member(key, directory) for key in keys)
