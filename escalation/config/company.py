"""Who a company's people are and which role each holds: the configuration, and its reading at an instant."""

import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, model_validator

from escalation.config.business_time import Calendar
from escalation.config.contacts import Contacts
from escalation.config.plans import Means, OtherWays
from escalation.config.policy import LEAD, TEAM
from escalation.config.staff import PersonKey, Staff, as_list
from escalation.oncall.schedule import NOTHING_ARRANGED, Duty, next_on_duty, on_duty
from escalation.places import Channel
from escalation.slo import Objective
from escalation.values import Frozen, PersonId

DYNAMIC = (LEAD, TEAM)  # what they mean depends on the service that an incident concerns


class Holder(Frozen):
    """What stands behind a role: a person's key, `rotation NAME`, `rotation NAME next`, or a user group `S012ABC`."""

    person: PersonKey | None = None
    rotation: str | None = None
    next: bool = False
    group: str | None = None

    def __str__(self) -> str:
        if self.rotation:
            return f"rotation {self.rotation}" + (" next" if self.next else "")
        return self.person or self.group or ""


def parse_holder(text: Any) -> Any:
    """Read one holder; ValueError says what is allowed."""
    words = str(text).split()
    match words:
        case ["rotation", name]:
            return Holder(rotation=name)
        case ["rotation", name, "next"]:
            return Holder(rotation=name, next=True)
        case [word] if word[:1] == "S" and word.isalnum() and word.upper() == word:
            return Holder(group=word)
        case [word]:
            return Holder(person=word)
    raise ValueError(f"'{text}' is not a person, 'rotation NAME', 'rotation NAME next' or a user group id")


def _one_rotation(holders: tuple[Holder, ...]) -> tuple[Holder, ...]:
    """Two rotations in one role would both be on call, each without knowing of the other's swaps."""
    names = list(dict.fromkeys(h.rotation for h in holders if h.rotation))
    if len(names) > 1:
        raise ValueError(
            f"rotation {names[1]} is the second rotation of this role, after {names[0]}; "
            "make one rotation of both, or give the second its own role"
        )
    return holders


Holders = Annotated[
    tuple[Annotated[Holder, BeforeValidator(lambda v: v if isinstance(v, Holder) else parse_holder(v))], ...],
    BeforeValidator(as_list),
    AfterValidator(_one_rotation),
]


class Workspace(Frozen):
    """The channels that Tocsin writes to, by name or id."""

    incidents_channel: Channel = "incidents"
    stakeholders_channel: Channel = "stakeholders"
    oncall_channel: Channel | None = None


class Team(Frozen):
    """People who own services together, and the channel where they are found."""

    lead: PersonKey | None = None
    members: tuple[PersonKey, ...] = ()
    channel: Channel | None = None


class Service(Frozen):
    """A thing that can break: the team that owns it, its lead, and the vendor it depends on."""

    team: str | None = None
    lead: PersonKey | None = None
    vendor: str | None = None


def _https(url: str) -> str:
    if not url.startswith(("https://", "http://")):
        raise ValueError("a meeting URL begins with https://")
    return url


class Company(Staff):
    """The whole configuration file, see the README. People are referred to by their keys."""

    policy: str
    workspace: Workspace = Workspace()
    meeting_url: Annotated[str, AfterValidator(_https)] | None = None
    roles: dict[str, Holders] = {}
    teams: dict[str, Team] = {}
    services: dict[str, Service] = {}
    contacts: Contacts = Contacts()
    calendar: Calendar = Calendar()
    public_channels: tuple[Means, ...] | None = None
    templates: dict[str, str] = {}
    other_ways: OtherWays = OtherWays()
    objective: Objective = Objective()
    permissions: dict[str, Annotated[tuple[str, ...], BeforeValidator(as_list)]] = {}

    @model_validator(mode="after")
    def _names_are_known(self) -> "Company":
        for where, kind, name in self._references():
            known = self._known(kind)
            if name not in known:
                raise ValueError(f"{where}: there is no {kind} called '{name}'{suggest(name, known)}")
        return self

    def member(self, key: str, directory: "Directory") -> PersonId:
        """The member id of a person; the key itself while the workspace was not asked (delivery asks again)."""
        entry = self.people[key]
        return entry.slack or directory.people.get(entry.email or "", key)

    def key_of(self, member: PersonId, directory: "Directory") -> str | None:
        """The configuration's key of a member; None for somebody it does not list."""
        return next((key for key in self.people if self.member(key, directory) == member), None)

    def mail_of(self, person: PersonId, directory: "Directory") -> str:
        """Where somebody's mail goes: an address for pages of its own, else the one that finds them in Slack."""
        entry = self.people.get(person if person in self.people else self.key_of(person, directory) or "")
        return (entry.mail or entry.email or "") if entry else ""

    def lead_of(self, service: str) -> str | None:
        """The key of a service's lead, else of its team's lead."""
        entry = self.services.get(service, Service())
        return entry.lead or self.teams.get(entry.team or "", Team()).lead

    def team_of(self, service: str) -> Team:
        """The team that owns a service; an empty one while none is configured."""
        return self.teams.get(self.services.get(service, Service()).team or "", Team())

    def vendor_of(self, service: str) -> str:
        """Whom to call about a service that depends on somebody else, in one line; empty when nobody."""
        vendor = self.services.get(service, Service()).vendor
        return str(self.contacts.vendors[vendor]) if vendor else ""

    def follows_service(self, role: str) -> bool:
        """Whether a role is somebody for at least one of the services."""
        if role == LEAD:
            return any(self.lead_of(s) for s in self.services)
        return role == TEAM and any(self.team_of(s).members for s in self.services)

    def _known(self, kind: str) -> set[str]:
        known: dict[str, Iterable[str]] = {
            "person": self.people,
            "rotation": self.rotations,
            "role": self.roles,
            "team": self.teams,
            "vendor": self.contacts.vendors,
        }
        return set(known[kind])

    def _references(self) -> Iterator[tuple[str, str, str]]:
        for role, holders in self.roles.items():
            for holder in holders:
                if holder.person:
                    yield f"roles.{role}", "person", holder.person
                if holder.rotation:
                    yield f"roles.{role}", "rotation", holder.rotation
        for name, rotation in self.rotations.items():
            yield from ((f"rotations.{name}.people", "person", p) for p in rotation.people)
        for name, team in self.teams.items():
            yield from ((f"teams.{name}", "person", p) for p in (team.lead, *team.members) if p)
        for name, service in self.services.items():
            yield from ((f"services.{name}.{kind}", kind_of, key) for kind, kind_of, key in self._owners(service))
        for move, roles in self.permissions.items():
            yield from ((f"permissions.{move}", "role", r) for r in roles)

    def _owners(self, service: Service) -> Iterator[tuple[str, str, str]]:
        """A team's name is only a word as long as `teams` lists none."""
        if service.lead:
            yield "lead", "person", service.lead
        if service.team and self.teams:
            yield "team", "team", service.team
        if service.vendor:
            yield "vendor", "vendor", service.vendor


def suggest(name: str, known: set[str]) -> str:
    """`; did you mean 'dana'?` for the nearest known name, or the list of them when none is near."""
    near = get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f"; known are: {', '.join(sorted(known))}" if known else ""


class Directory(Frozen):
    """What the workspace told us: address -> Slack member id, user group id -> member ids, member id -> name.

    By address and not by the configuration's key: a key that means somebody else since must not page the former one.
    """

    people: dict[str, PersonId] = {}
    groups: dict[str, tuple[PersonId, ...]] = {}
    names: dict[PersonId, str] = {}


def unasked(company: Company) -> Directory:
    """The workspace as it is taken to be while nobody asked it: each user group has somebody."""
    groups = {h.group for holders in company.roles.values() for h in holders if h.group}
    return Directory(groups={group: (f"group {group}",) for group in groups})


@dataclass(frozen=True)
class Roster:
    """Who holds each role at one instant. A role that nobody holds is absent or empty.

    `service_lead@checkout` is what `service_lead` means while an incident concerns checkout.
    """

    holders: Mapping[str, tuple[PersonId, ...]] = field(default_factory=dict)

    def of(self, role: str, service: str = "") -> tuple[PersonId, ...]:
        """Who holds a role, for an incident of a service where that matters."""
        return self.holders.get(f"{role}@{service}") or self.holders.get(role, ())


def roster(company: Company, directory: Directory, at: datetime, duty: Duty = NOTHING_ARRANGED) -> Roster:
    """Read the roles at an instant: rotations are asked now, so a handover at midnight pages the right human."""
    return Roster(_Held(company, directory, at, duty))


class _Held(Mapping[str, tuple[PersonId, ...]]):
    """Roles by name. Each is worked out when it is looked up: most of what happens to an incident concerns none."""

    def __init__(self, company: Company, directory: Directory, at: datetime, duty: Duty) -> None:
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


def _people(holder: Holder, company: Company, directory: Directory, at: datetime, duty: Duty) -> tuple[PersonId, ...]:
    if holder.group:
        return directory.groups.get(holder.group, ())
    keys: tuple[str, ...] = (holder.person,) if holder.person else ()
    if holder.rotation:
        keys = (next_on_duty if holder.next else on_duty)(holder.rotation, company, duty, at)
    return tuple(company.member(key, directory) for key in keys)
