"""Who a company's people are and which role each holds: the configuration, and its reading at an instant."""

import re
from collections.abc import Iterator
from datetime import datetime
from difflib import get_close_matches
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from escalation.rotation import Rotation, Zone
from escalation.values import Frozen, PersonId

PersonKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_.-]*$", max_length=60)]
SlackUser = Annotated[str, StringConstraints(pattern=r"^[UW][A-Z0-9]{2,}$")]


def as_list(value: Any) -> Any:
    """A role may name one holder or several."""
    return value if isinstance(value, list | tuple) else (value,)


class PersonEntry(Frozen):
    """How to find a person in Slack: by e-mail address, or by member id."""

    email: str | None = Field(default=None, pattern=r"^[^@\s]+@[^@\s]+$")
    slack: SlackUser | None = None
    name: str | None = None

    @model_validator(mode="after")
    def _findable(self) -> "PersonEntry":
        if not (self.email or self.slack):
            raise ValueError("give an email or a slack id, so that the person can be found")
        return self


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


Holders = Annotated[
    tuple[Annotated[Holder, BeforeValidator(lambda v: v if isinstance(v, Holder) else parse_holder(v))], ...],
    BeforeValidator(as_list),
]


def parse_channel(text: str) -> str:
    """A name that Slack takes, without its #, or an id: a wrong one would only show when the first card is posted."""
    name = text.removeprefix("#")
    if re.fullmatch(r"[CG][A-Z0-9]{2,}", name) or (re.fullmatch(r"[\w-]{1,80}", name) and name == name.lower()):
        return name
    raise ValueError(f"'{text}' is not a channel; write its name in lower-case letters, digits, '-' or '_', or its id")


Channel = Annotated[str, AfterValidator(parse_channel)]


class Workspace(Frozen):
    """The channels that Tocsin writes to, by name or id."""

    incidents_channel: Channel = "incidents"
    stakeholders_channel: Channel = "stakeholders"


class Service(Frozen):
    """A thing that can break: the team that owns it and its lead."""

    team: str | None = None
    lead: PersonKey | None = None


def _https(url: str) -> str:
    if not url.startswith(("https://", "http://")):
        raise ValueError("a meeting URL begins with https://")
    return url


class Company(Frozen):
    """The whole configuration file, see the README. People are referred to by their keys."""

    policy: str
    workspace: Workspace = Workspace()
    meeting_url: Annotated[str, AfterValidator(_https)] | None = None
    timezone: Zone = "UTC"
    people: dict[PersonKey, PersonEntry] = {}
    roles: dict[str, Holders] = {}
    rotations: dict[str, Rotation] = {}
    services: dict[str, Service] = {}
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

    def _known(self, kind: str) -> set[str]:
        return {"person": set(self.people), "rotation": set(self.rotations), "role": set(self.roles)}[kind]

    def _references(self) -> Iterator[tuple[str, str, str]]:
        for role, holders in self.roles.items():
            for holder in holders:
                if holder.person:
                    yield f"roles.{role}", "person", holder.person
                if holder.rotation:
                    yield f"roles.{role}", "rotation", holder.rotation
        for name, rotation in self.rotations.items():
            yield from ((f"rotations.{name}.people", "person", p) for p in rotation.people)
        for name, service in self.services.items():
            if service.lead:
                yield f"services.{name}.lead", "person", service.lead
        for move, roles in self.permissions.items():
            yield from ((f"permissions.{move}", "role", r) for r in roles)


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


class Roster(Frozen):
    """Who holds each role at one instant. A role that nobody holds is absent or empty."""

    holders: dict[str, tuple[PersonId, ...]] = {}

    def of(self, role: str) -> tuple[PersonId, ...]:
        return self.holders.get(role, ())


def roster(company: Company, directory: Directory, at: datetime) -> Roster:
    """Read the roles at an instant: rotations are asked now, so a handover at midnight pages the right human."""
    return Roster(
        holders={
            role: tuple(dict.fromkeys(p for h in holders for p in _people(h, company, directory, at)))
            for role, holders in company.roles.items()
        }
    )


def _people(holder: Holder, company: Company, directory: Directory, at: datetime) -> tuple[PersonId, ...]:
    if holder.group:
        return directory.groups.get(holder.group, ())
    key = holder.person or ""
    if holder.rotation:
        rotation = company.rotations[holder.rotation]
        key = rotation.next_on_call(at) if holder.next else rotation.on_call(at)
    return (company.member(key, directory),)
