"""Find names in a configuration or a policy that refer to nothing: in the plain data, all at once, each with its path.

The loader turns paths into lines; the models raise for the first one, so that the check cannot be bypassed.
"""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel

from escalation.config.holders import parse_holder
from escalation.values import NAMES_CHANNEL

Path = tuple[str | int, ...]
Finding = tuple[Path, str]  # where, and what is wrong; what would be right

SECTIONS = {
    "person": ("people",),
    "rotation": ("rotations",),
    "role": ("roles",),
    "team": ("teams",),
    "vendor": ("contacts", "vendors"),
    "service": ("services",),
    "office": ("offices",),
}
# Section -> key of each of its entries -> what is named there, once or in a list.
NAMED: Mapping[str, Mapping[str, str]] = {
    "people": {"office": "office"},
    "rotations": {"people": "person"},
    "teams": {"lead": "person", "members": "person"},
    "services": {"lead": "person", "vendor": "vendor", "team": "team"},
}
# Where services are named in lists.
SERVICES: tuple[tuple[str, ...], ...] = (
    ("checks", "*", "service"),
    ("alerts", "routes", "*", "service"),
    ("actions", "*", "match", "service"),
)
# Where a policy names roles, and how that is said; * is every key or item.
ROLES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("severities", "*", "tiers", "*", "roles", "*"), "pages"),
    (("severities", "*", "tiers", "*", "on_breach", "*"), "pages"),
    (("severities", "*", "checkpoints", "*", "notify", "*"), "notifies"),
    (("severities", "*", "room_invites", "*"), "invites"),
    (("severities", "*", "review", "invite", "*"), "invites to its review"),
    (("severities", "*", "review", "escalate_to", "*"), "escalates its review to"),
    (("severities", "*", "review", "owner"), "gives its review to"),
    (("severities", "*", "commander"), "is commanded by"),
    (("activities", "*", "owner"), "is owned by"),
)


class Reference(NamedTuple):
    """A place in the data that names a person, a rotation, a role, a team, a vendor, a service or an office."""

    path: Path
    kind: str
    name: str


def suggest(name: str, known: set[str]) -> str:
    """Suggest the nearest known name, `; did you mean 'dana'?`, or list all when none is near."""
    near = get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f"; known are: {', '.join(sorted(known))}" if known else ""


def refuse(found: Iterable[Finding]) -> None:
    """Raise ValueError for the first finding, if there is any."""
    for path, what in found:
        place = ".".join(str(step) for step in path if isinstance(step, str))
        raise ValueError(f"{place}: {what}")


def unknown_names(data: Any) -> Iterator[Finding]:
    """Yield people, rotations, roles, teams, vendors, services and offices that a configuration names but lacks."""
    for path, kind, name in _references(data):
        known = set(section(data, *SECTIONS[kind]))
        if name not in known:
            yield path, f"there is no {kind} called '{name}'{suggest(name, known)}"


def _references(data: Any) -> Iterator[Reference]:
    for role, holders in section(data, "roles").items():
        for path, text in _one_or_several(("roles", role), holders):
            yield from _holder(path, text)
    for part, keys in NAMED.items():
        for name, body in section(data, part).items():
            for key, kind in keys.items():
                yield from _named(kind, (part, name, key), body.get(key) if isinstance(body, dict) else None, data)
    for part, kind in (("people", "person"), ("offices", "office")):
        yield from (Reference(("pay", part, name), kind, name) for name in section(data, "pay", part))
    components = section(data, "status_page").get("components")
    yield from _named("service", ("status_page", "components"), components, data)
    for name, body in section(data, "rotations").items():
        for path, slots in _at(body, ("layers", "*", "people")):
            for at, slot in _one_or_several(("rotations", name, *path), slots):
                yield from _named("person", at, slot, data)
    for pattern in SERVICES:
        for path, service in _at(data, pattern):
            yield from _named("service", path, service, data)
    for move, roles in section(data, "permissions").items():
        yield from _named("role", ("permissions", move), roles, data)


def _holder(path: Path, text: Any) -> Iterator[Reference]:
    """Yield the names in a holder. A text that is no holder is left to the model, which reports it."""
    try:
        holder = parse_holder(text)
    except ValueError:
        return
    if holder.person:
        yield Reference(path, "person", holder.person)
    if holder.rotation:
        yield Reference(path, "rotation", holder.rotation)


def _named(kind: str, path: Path, value: Any, data: Any) -> Iterator[Reference]:
    """Yield references; not to teams while `teams` lists none, for then a team's name is only a word."""
    if kind != "team" or section(data, "teams"):
        yield from (Reference(p, kind, str(name)) for p, name in _one_or_several(path, value))


def _one_or_several(path: Path, value: Any) -> list[tuple[Path, Any]]:
    if isinstance(value, list):
        return [((*path, n), item) for n, item in enumerate(value)]
    return [] if value is None else [(path, value)]


def section(data: Any, *path: str) -> dict[str, Any]:
    """Return a part of the plain data that holds settings by name; empty when it is missing or something else."""
    for name in path:
        data = data.get(name) if isinstance(data, dict) else None
    return data if isinstance(data, dict) else {}


def unknown_roles(data: Any) -> Iterator[Finding]:
    """Yield roles that a policy names and its `roles` does not list."""
    known = {str(path[-1]) for path, _ in _at(data, ("roles", "*"))}
    for pattern, verb in ROLES:
        for path, role in _at(data, pattern):
            if str(role) not in known:
                who = path[1] if path[0] == "severities" else "this activity"
                yield path, f"{who} {verb} {role}, which `roles` does not list{suggest(str(role), known)}"


def _at(data: Any, pattern: tuple[str, ...], path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every item of plain data that a pattern matches, with its path."""
    if not pattern:
        yield path, data
        return
    step, *rest = pattern
    for key, value in _items(data):
        if step in ("*", key):
            yield from _at(value, tuple(rest), (*path, key))


def _items(data: Any) -> Iterable[tuple[str | int, Any]]:
    if isinstance(data, dict):
        return data.items()
    return enumerate(data) if isinstance(data, list) else ()


# Channels ------------------------------------------------------------------------------------------------------------


def channels_of(value: Any, *, named: bool = False, path: Path = ()) -> Iterator[tuple[str, str]]:
    """Yield each channel of the workspace in a part of the configuration, by the key that sets it.

    Fields say by their type that they name one (`values.Channel`), so that no list of keys can lack one.
    """
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            names_one = _names_channel(field.annotation, field.metadata)
            yield from channels_of(getattr(value, name), named=names_one, path=(*path, name))
    elif isinstance(value, Mapping | tuple):
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, item in items:
            yield from channels_of(item, named=named, path=(*path, key))
    elif named and value:
        yield ".".join(str(step) for step in path), str(value)


def _names_channel(annotation: Any, metadata: Iterable[Any] = ()) -> bool:
    """True if a type says that it names a channel, by itself or as one of its parts."""
    if NAMES_CHANNEL in metadata or NAMES_CHANNEL in getattr(annotation, "__metadata__", ()):
        return True
    return any(_names_channel(part) for part in get_args(annotation) if not isinstance(part, str))
